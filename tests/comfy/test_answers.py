"""What a node's `info` tells of an answer that is not what was asked for, and of what it cost."""

from __future__ import annotations

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import assert_drawn, generate, info_of, rows, save, saved, task_wait


def test_another_size_than_asked_for_is_noted_and_the_gateways_price_counts(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=0.2, shape="sites", came=[320, 256], charged=15, link="path", odd_id=True)
    prompt = "another size than asked for"
    entry = comfy.run(saved(prompt))
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], prompt, 7, (320, 256))
    info, task_id = info_of(entry), comfy.sandbox.task()["task_id"]
    assert info["notes"] == [f"Image 1 (task {task_id}) came as 320*256 pixels, asked for was 256*256."]
    assert (info["credits"], info["sizes"], info["task_ids"]) == (15, ["256*256"], [task_id])
    assert [(row["credits"], row["task_id"]) for row in rows(comfy, prompt)] == [(15, task_id)]
    assert comfy.sandbox.credits == 15


def test_an_id_of_any_letters_goes_from_node_to_node(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=0.2, odd_id="\u4efb\u52a1 {serial}, a%2F?x")
    comfy.succeeded(comfy.run(saved("an id of any letters")))
    task_id = comfy.sandbox.task()["task_id"]
    again = generate("an id of any letters", wait=False)
    linked, typed = task_wait(["1", 2]), task_wait(f"{task_id}\n")
    entry = comfy.run({"1": again, "2": linked, "3": save(["2", 0]), "4": typed, "5": save(["4", 0])})
    comfy.succeeded(entry)
    for node in ("3", "5"):
        assert_drawn(comfy.images(entry, node)[0], "an id of any letters", 7, (256, 256))
    assert comfy.sandbox.billed == 1
