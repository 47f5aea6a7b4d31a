"""The other models' nodes in a real ComfyUI: what each sends and costs, what is refused, and a studio's own model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devtools.comfy_server import PromptRejected
from hunyuan.gateway.models.catalogue import Catalogue
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import generate, grey, info_of, rows, save, settings, show, text_of
from tests.kit.documented_models import TABLE, Documented, bodies_of
from tests.kit.routes import get, post

NODES = {family.key: family.node for family in Catalogue().others}


def node(key: str, prompt: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": NODES[key], "inputs": {"prompt": prompt, **inputs}}


@pytest.mark.parametrize("documented", TABLE, ids=lambda each: each.key)
def test_every_documented_choice_is_sent_as_it_stands_and_costs_what_the_page_says(
    comfy: PaidServer, documented: Documented
) -> None:
    wanted, graph = {}, {}
    for number, chosen in enumerate(bodies_of(documented)):
        prompt = f"{documented.key} {number}"
        several = len(documented.choices["model"]) > 1
        inputs = {name: value for name, value in chosen.items() if several or name != "model"}
        graph[f"n{number}"] = node(documented.key, prompt, **inputs)
        graph[f"s{number}"] = show([f"n{number}", 3])
        wanted[prompt] = chosen
    entry = comfy.run(graph)
    comfy.succeeded(entry)
    for number, (prompt, chosen) in enumerate(wanted.items()):
        told = tuple(str(chosen[name]) for name in documented.told)
        credits = documented.credits[told] * chosen.get("num_images", 1)
        assert info_of(entry, f"s{number}")["credits"] == credits
        assert [row["credits"] for row in rows(comfy, prompt)] == [credits]
    bodies = {create["body"]["prompt"]: create["body"] for create in comfy.sandbox.requests("create")}
    assert bodies == {
        prompt: {"prompt": prompt, **{name: value for name, value in chosen.items() if value != ""}}
        for prompt, chosen in wanted.items()
    }


def test_images_masks_and_references_go_into_their_fields(comfy: PaidServer) -> None:
    mask = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 64, "height": 64}}
    graph = {
        "1": grey(64, 64),
        "2": grey(64, 64, batch=2, colour=0x102030),
        "3": mask,
        "4": node("ideogram-v3", "a poster", image=["1", 0], mask=["3", 0], reference_images=["2", 0]),
        "5": save(["4", 0]),
        "6": node("seedream-4-5", "an edit", image=["2", 0], image_2=["1", 0]),
        "7": save(["6", 0]),
    }
    comfy.succeeded(comfy.run(graph))
    poster, edit = (
        next(each["body"] for each in comfy.sandbox.requests("create") if each["body"]["prompt"] == prompt)
        for prompt in ("a poster", "an edit")
    )
    assert isinstance(poster["image"], str)
    assert poster["mask_image"].startswith("data:image/png")
    assert len(poster["reference_images"]) == 2
    assert (edit["model"], len(edit["image_urls"])) == ("seedream/4.5-edit", 3)


def test_several_images_of_a_task_come_as_one_batch(comfy: PaidServer) -> None:
    graph = {"1": node("kling-image-o1", "three of a kind", num_images=3, count=2), "2": save(["1", 0])}
    entry = comfy.run(graph)
    comfy.succeeded(entry)
    assert len(comfy.images(entry, "2")) == 6
    assert (comfy.sandbox.billed, comfy.sandbox.state()["credits"]) == (2, 36)


def test_the_same_request_is_the_same_picture_until_its_variation_changes(comfy: PaidServer) -> None:
    def run(**inputs: Any) -> int:
        entry = comfy.run({"1": node("flux-2", "a variation", **inputs), "2": save(["1", 0])})
        comfy.succeeded(entry)
        return comfy.sandbox.billed

    assert run() == 1
    assert run(timeout_s=500) == 1
    assert run(variation=1) == 2
    assert run(reuse=False) == 3


def test_a_grok_task_is_upscaled_and_another_models_is_not(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=0.2, odd_id="{serial}, a b")  # as some gateways make them
    first = comfy.run(
        {
            "1": node("grok-imagine", "small"),
            "2": {"class_type": NODES["grok-upscale"], "inputs": {"prompt": "larger", "task_ids": ["1", 2]}},
            "3": save(["2", 0]),
        }
    )
    comfy.succeeded(first)
    assert comfy.sandbox.state()["credits"] == 17
    other = comfy.run({"1": generate("not of grok"), "2": show(["1", 2])})
    upscale = {"class_type": NODES["grok-upscale"], "inputs": {"prompt": "larger", "task_ids": text_of(other, "2")}}
    with pytest.raises(PromptRejected) as refused:
        comfy.run({"1": upscale, "2": save(["1", 0])})
    assert "hunyuan-image-3" in json.dumps(refused.value.errors)
    linked = comfy.run(
        {
            "1": generate("not of grok either"),
            "2": {"class_type": NODES["grok-upscale"], "inputs": {"prompt": "larger", "task_ids": ["1", 2]}},
            "3": save(["2", 0]),
        }
    )
    error = comfy.error(linked)
    assert error is not None
    assert "goes on from a task of its own family" in error["exception_message"]
    assert comfy.sandbox.state()["credits"] == 17 + 25 + 25


URL = "https://images.example/a.png"
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a choice": ("flux-2", {"resolution": "4K"}, "resolution"),
    "a model": ("imagen-4", {"model": "imagen5"}, "imagen"),
    "a long prompt": ("cogview-4", {"prompt": "x" * 1001}, "1001"),
    "a short prompt": ("flux-2", {"prompt": "ab"}, "at least 3"),
    "an empty prompt": ("recraft-v4", {"prompt": " "}, "prompt is empty"),
    "nine images": ("flux-2", {"image_urls": "\n".join([URL] * 9)}, "at most 8 images"),
    "eleven images": ("kling-image-o1", {"image_urls": "\n".join([URL] * 11)}, "at most 10 images"),
    "ten pictures a task": ("kling-image-o1", {"num_images": 10}, "num_images"),
    "no URL": ("seedream-4-5", {"image_urls": "ftp://a"}, "not an http"),
    "no id": ("grok-upscale", {"task_ids": ""}, "task_ids is empty"),
    "a mask alone": ("ideogram-v3", {"mask": ["9", 0]}, "means nothing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_model_does_not_take_is_refused_when_it_is_queued(comfy: PaidServer, case: str) -> None:
    key, inputs, words = REFUSED[case]
    graph = {"1": node(key, **{"prompt": "a lighthouse", **inputs}), "2": save(["1", 0])}
    graph["9"] = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 64, "height": 64}}
    with pytest.raises(PromptRejected) as refused:
        comfy.run(graph)
    assert words in json.dumps(refused.value.errors)
    assert comfy.sandbox.state()["creates"] == []


def test_the_list_is_read_by_model_and_knows_the_node_of_each_task(comfy: PaidServer) -> None:
    flux = node("flux-2", "by model", type="flex")
    comfy.succeeded(comfy.run({"1": flux, "2": save(["1", 0]), "3": generate("by model"), "4": save(["3", 0])}))
    (row,) = get(comfy, "tasks", model="flux-2", search="by model").json()["tasks"]
    assert (row["model"], row["credits"]) == ("flux-2", 14)
    (other,) = get(comfy, "tasks", model="hunyuan-image-3", search="by model").json()["tasks"]
    assert other["model"] == "hunyuan-image-3"
    again = get(comfy, f"tasks/{row['id']}").json()["node"]
    assert (again["type"], again["inputs"]["type"], again["credits"]) == ("HunyuanFlux2", "flex", 14)
    assert get(comfy, "tasks", model="nobody").status_code == 400
    cost = post(comfy, "cost", {"nodes": [{"id": "1", "type": "HunyuanFlux2", "inputs": {"count": 2}, "linked": {}}]})
    assert cost.json()["credits"] == 10


def test_the_limits_count_each_models_credits(comfy: PaidServer) -> None:
    with settings(comfy, credit_limit_per_session=1):
        entry = comfy.run({"1": node("cogview-4", "over the limit"), "2": save(["1", 0])})
    error = comfy.error(entry)
    assert error is not None
    assert "4 credits more would pass the limit of 1 credits" in error["exception_message"]
    assert comfy.sandbox.billed == 0


def test_a_model_the_gateway_no_longer_knows_is_told_with_the_file_to_correct(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", status=404, message="Model not found: flux-2")
    error = comfy.error(comfy.run({"1": node("flux-2", "a model that went"), "2": save(["1", 0])}))
    assert error is not None
    for words in ("Model not found: flux-2", "models.json", "No credits were spent"):
        assert words in error["exception_message"]


def test_a_made_up_family_takes_one_entry_and_gives_a_working_node(comfy_server: ServerFactory) -> None:
    server = comfy_server(start=False)
    server.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made_up = {
        "title": "Old Recraft",
        "models": ["recraft-v4-text-to-image-pro"],
        "prices": [{"credits": 60}],
        "parameters": {"image_size": {"choices": ["1024x1024", "512x512"]}},
    }
    wrong = {"price": 3}
    entries = {"old-recraft": made_up, "flux-2": wrong}
    (server.state_directory / "models.json").write_text(json.dumps(entries), encoding="utf-8")
    server.start()
    assert server.object_info()["HunyuanOldRecraft"]["display_name"] == "Old Recraft"
    told = {each["key"]: each for each in get(server, "models").json()["families"]}
    assert (told["old-recraft"]["nodes"], told["old-recraft"]["prices"][0]["credits"]) == (["HunyuanOldRecraft"], 60)
    assert '"flux-2" has "price", which nobody knows' in server.log()
    graph = {
        "1": {"class_type": "HunyuanOldRecraft", "inputs": {"prompt": "a made-up family", "image_size": "512x512"}},
        "2": save(["1", 0]),
    }
    entry = server.run(graph)
    server.succeeded(entry)
    assert server.images(entry, "2")[0].size == (512, 512)
    assert server.sandbox.state()["credits"] == 60
