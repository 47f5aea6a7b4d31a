"""How a run ended, as the page that queued it is told: codes, numbers, and the line on the node."""

from __future__ import annotations

from typing import Any

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import saved


def ends(comfy: PaidServer, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page was told of node 1 in that run."""
    told = [message.data for message in comfy.messages("hunyuan.run", entry["prompt"][1])]
    assert {each["node"] for each in told} == {"1"}
    assert comfy.sandbox.key not in str(told)
    return told


def test_a_failure_is_told_by_its_code_with_a_sentence_and_its_cost(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", status=200, code=1200, message="flagged")
    entry = comfy.run(saved("a run that is moderated"))
    assert comfy.error(entry) is not None
    first, last = ends(comfy, entry)
    assert (first["outcome"], first["text"], first["failure"]) == (
        "failed",
        "Refused by moderation · not billed",
        None,
    )
    assert last["text"] == first["text"]
    assert (last["failure"]["code"], last["failure"]["stops"]) == ("moderation", True)
    assert last["failure"]["headline"]
    kept = [run for run in comfy.get_json("/hunyuan/runs")["runs"] if run["prompt_id"] == last["prompt_id"]]
    assert kept == [last], "for a page that was away"


def test_a_failure_that_only_blocks_is_told_too(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", status=400, message="Insufficient credits. Please top up.")
    last = ends(comfy, comfy.run(saved("a run that blocks", on_failure="block")))[-1]
    assert (last["failure"]["code"], last["failure"]["stops"]) == ("out_of_credits", False)


def test_a_refusal_before_anything_is_sent_is_told_like_one_after(comfy: PaidServer) -> None:
    workflow = {**saved("linked", count=["9", 0]), "9": {"class_type": "PrimitiveInt", "inputs": {"value": 99}}}
    entry = comfy.run(workflow)
    assert comfy.error(entry) is not None
    last = ends(comfy, entry)[-1]
    assert (last["failure"]["code"], last["text"]) == ("invalid_request", "Not sent: an input is wrong · not billed")


def test_with_wait_off_the_run_ends_as_handed_in_and_the_same_again_is_paid_already(comfy: PaidServer) -> None:
    handed_in = ends(comfy, comfy.run(saved("handed in", wait=False, count=2)))[-1]
    assert (handed_in["outcome"], handed_in["text"]) == ("handed_in", "Handed in · 2 tasks · 50 credits")
    entry = comfy.run(saved("handed in", count=2))
    comfy.succeeded(entry)
    again = ends(comfy, entry)[-1]
    assert (again["outcome"], again["credits"]) == ("reused", 0)


def test_a_stop_ends_the_line_truly(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)
    queued = comfy.queue(saved("stopped by its user"))
    comfy.sandbox.wait("billed", count=1)
    comfy.sandbox.wait("poll")
    comfy.interrupt()
    last = ends(comfy, comfy.wait(queued))[-1]
    assert (last["outcome"], last["credits"]) == ("stopped", 25)
    assert last["text"] == "Stopped · the image arrives in Hunyuan tasks · 25 credits"
    comfy.sandbox.finish()
    comfy.sandbox.wait("delivered")
