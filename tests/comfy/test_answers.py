"""What a node's `info` tells of an answer that is not what was asked for, and of what it cost."""

from __future__ import annotations

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import assert_drawn, info_of, rows, saved


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
