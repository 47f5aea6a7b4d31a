"""A saved picture tells which run made it: seeds, task ids, sizes, credits, model."""

from __future__ import annotations

import json
from typing import Any

from PIL import Image

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import edit, generate, grey, info_of, save, saved, show, task_wait, text_of


def told(picture: Image.Image) -> dict[str, Any]:
    """What a PNG's own text chunk of ours says, by node."""
    return dict(json.loads(str(picture.info["hunyuan_image_3"])))


def test_a_saved_png_names_seeds_tasks_sizes_credits_and_model(comfy: PaidServer) -> None:
    entry = comfy.run(saved("of itself", seed=-1, count=2))  # a client that sends no extra_pnginfo at all
    comfy.succeeded(entry)
    info = info_of(entry)
    for picture in comfy.images(entry, "2"):
        assert told(picture)["1"]["tasks"] == [
            {"seed": seed, "task_id": task_id, "size": "256*256", "credits": 25, "model": "hunyuan-image-3"}
            for seed, task_id in zip(info["seeds"], info["task_ids"], strict=True)
        ]
    creates = comfy.sandbox.state(full=True)["creates"]
    assert sorted(create["body"]["seed"] for create in creates) == info["seeds"]


def test_it_stands_beside_the_workflow_and_says_what_was_paid_already(comfy: PaidServer) -> None:
    comfy.succeeded(comfy.run(saved("paid already")))
    # Another node than the first run's, which ComfyUI would take from its cache.
    workflow = {"4": generate("paid already"), "5": edit("and edited", image=["4", 0]), "6": save(["5", 0])}
    extra: dict[str, Any] = {"extra_data": {"extra_pnginfo": {"workflow": {"nodes": []}}}}
    entry = comfy.wait(comfy.queue(workflow, extra=extra))
    comfy.succeeded(entry)
    picture = comfy.images(entry, "6")[0]
    seeds = {node: told(picture)[node]["tasks"][0]["seed"] for node in ("4", "5")}
    assert json.loads(str(picture.info["workflow"])) == {"nodes": [], "extra": {"hunyuan_image_3": seeds}}
    assert [told(picture)[node]["tasks"][0]["credits"] for node in ("4", "5")] == [0, 25]
    assert comfy.sandbox.key not in json.dumps(entry)


def test_collected_tasks_and_the_items_of_a_list_are_told_too(comfy: PaidServer) -> None:
    first = comfy.run({"1": generate("collected later", seed=41, wait=False), "2": show(["1", 2])})
    comfy.succeeded(first)
    task_id = text_of(first, "2")
    entry = comfy.run({"1": task_wait(task_id), "2": save(["1", 0])})
    comfy.succeeded(entry)
    (task,) = told(comfy.images(entry, "2")[0])["1"]["tasks"]
    assert (task["seed"], task["task_id"], task["credits"]) == (41, task_id, 0)

    lines = {"class_type": "HunyuanPromptList", "inputs": {"text": "one of a list\ntwo of a list"}}
    listed = comfy.run({"1": generate(["4", 0], count=2), "2": save(["1", 0]), "4": lines})
    comfy.succeeded(listed)
    tasks = told(comfy.images(listed, "2")[-1])["1"]["tasks"]
    assert sorted(task["seed"] for task in tasks) == [7, 7, 8, 8]


def test_a_prompt_without_our_nodes_is_left_as_it_is(comfy: PaidServer) -> None:
    entry = comfy.run({"1": grey(8, 8), "2": save(["1", 0])})
    comfy.succeeded(entry)
    assert "hunyuan" not in json.dumps(entry["prompt"][3])
    assert "extra_pnginfo" not in entry["prompt"][3]
