"""Polls and downloads that flap in every way: the image comes, and the gateway's count does not move."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from hunyuan import errors
from hunyuan.jobs.handle import Phase
from hunyuan.models import TaskState
from tests.kit.rig import Rig, story

POLL_FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 502, "body": "html"},
    {"status": 503, "retry_after": 4},
    {"status": 504, "body": "empty"},
    {"status": 429},
    {"status": 429, "retry_after": 7},
    {"status": 404},
    {"status": 200, "body": "html"},
    {"status": 200, "body": "empty"},
    {"status": 200, "body": "{ half of a JSON"},
    {"status": 200, "code": 5004, "message": "timeout"},
    {"drop": "before_read"},
    {"drop": "before_answer"},
    {"drop": "mid_body"},
    {"delay_s": 25},
]
DOWNLOAD_FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 503, "retry_after": 3},
    {"status": 429, "retry_after": 2},
    {"status": 404},
    {"status": 403},
    {"drop": "before_answer"},
    {"drop": "mid_body"},
    {"image": "garbage"},
    {"image": "html"},
    {"delay_s": 10},
]


def flapping(chance: int) -> list[dict[str, Any]]:
    """Faults by the dice."""
    dice = random.Random(chance)
    polls = [{"on": "poll", **dice.choice(POLL_FAULTS)} for _ in range(14)]
    return polls + [{"on": "download", **fault} for fault in dice.sample(DOWNLOAD_FAULTS, 6)]


@pytest.mark.parametrize("chance", [0, *(pytest.param(chance, marks=pytest.mark.long) for chance in range(1, 12))])
@story(flapping)
async def test_everything_flaps_and_the_image_comes(rig: Rig, chance: int) -> None:
    got = await asyncio.gather(*map(rig.collected, rig.submit(5, 6)))
    assert [each.images[0].digest for each in got] == ["a lighthouse|5", "a lighthouse|6"]
    assert rig.billed == rig.count("creates") == 2


@pytest.mark.parametrize("fault", POLL_FAULTS, ids=str)
@story(lambda fault: {"on": "poll", "after": 12, "times": 2, **fault}, task={"seconds": 40.0})
async def test_one_poll_fault_late_in_a_task_is_outlived(rig: Rig, fault: dict[str, Any]) -> None:
    assert (await rig.collected(rig.submit(5)[0])).row.state is TaskState.COLLECTED
    assert rig.billed == rig.count("creates") == 1


@story(task={"forgotten": True})
async def test_an_accepted_task_that_the_gateway_forgot_is_told_and_stays_counted(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.UnknownTaskError)
    assert rig.clock.monotonic() < 135
    assert str(rig.rows()[0].task_id) in str(error)
    assert "may have been billed" in str(error)
    assert isinstance(await rig.failure(rig.submit(5)[0]), errors.UnknownTaskError), "nothing is paid again by itself"
    assert rig.count("creates") == 1
    await rig.clock.sleep(3600)
    assert isinstance(await rig.failure(rig.submit(5)[0]), errors.UnknownTaskError)
    totals = rig.journal.overview.credits()
    assert (totals.spent, totals.refunded) == (25, 0), "billed, as far as anybody knows"
    rig.gateway.change({"task": {"forgotten": False}})
    assert (await rig.collected(rig.submit(5)[0])).paid, "nobody expects it back: the user's next run is a new task"
    assert rig.billed == 2


@story
async def test_an_unknown_id_is_said_at_once(rig: Rig) -> None:
    began = rig.clock.monotonic()
    error = await rig.failure(rig.attach("n68nobody_hunyuan3"))
    assert isinstance(error, errors.UnknownTaskError)
    assert rig.clock.monotonic() - began < 2
    assert rig.count("polls") == 1
    assert rig.rows() == []


@pytest.mark.parametrize("setting", ["404", "200"])
@story(unknown_task=lambda setting: setting)
async def test_an_unknown_id_is_known_in_either_answer(rig: Rig, setting: str) -> None:
    assert isinstance(await rig.failure(rig.attach("n68nobody_hunyuan3")), errors.UnknownTaskError)
    assert rig.count("polls") == 1


FOREIGN = [
    "../x",
    "..",
    "a/../b",
    "a%2fb",
    "https://apiin.one/api/v1/tasks/n68",
    "a b",
    "a\tb",
    "a?b=c",
    "a#b",
    "a\nb",
    "a\x00b",
    "n68é",
    "Ｎ６８",
    ".hidden",
    "-rf",
    "",
    "   ",
    "x" * 513,
    "x" * 10_000,
]


@pytest.mark.parametrize("text", FOREIGN, ids=lambda text: ascii(text[:20]))
@story
async def test_a_malformed_id_forms_no_request(rig: Rig, text: str) -> None:
    with pytest.raises(errors.InvalidTaskIdError) as refused:
        rig.attach(text)
    assert len(str(refused.value)) < 400
    await rig.clock.sleep(60)
    assert rig.count("requests") == 0


@pytest.mark.long
@story
async def test_a_dead_gateway_frees_the_slot_and_is_not_hammered_for_a_task_nobody_waits_for(rig: Rig) -> None:
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await rig.clock.sleep(2)
    handle.detach()
    rig.wire.broken = lambda: errors.AnswerLostError("The wire is cut.", sent=True)
    await rig.clock.sleep(1200)
    assert rig.limiter.in_flight == 0
    rig.wire.broken = None
    before = rig.count("polls")
    await rig.clock.sleep(300)
    assert rig.rows()[0].state is TaskState.COLLECTED
    assert rig.count("polls") - before <= 3
    assert rig.billed == 1


@story({"on": "download", "number": 1, "times": "always", "status": 410})
async def test_a_link_dead_for_ever_is_asked_for_anew_and_said(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.LinkDeadError)
    assert rig.count("polls") >= 2, "the gateway was asked for a fresh link"
    assert "reuse" in str(error), "how to have a new image instead"
    assert (await rig.collected(rig.submit(5, reuse=False, node="8")[0])).paid
    assert rig.billed == 2


@story({"on": "download", "number": 1, "times": "always", "status": 410})
async def test_a_link_that_is_dead_when_upstream_keeps_nothing_any_more_lets_the_request_start_over(rig: Rig) -> None:
    for days in (0, 9):
        await rig.clock.sleep(days * 86400)
        assert isinstance(await rig.failure(rig.submit(5)[0]), errors.LinkDeadError)
        assert rig.billed == 1
    assert (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 2


@story({"on": "download", "times": 5, "status": 404})
async def test_a_link_dead_at_first_is_waited_for(rig: Rig) -> None:
    assert (await rig.collected(rig.submit(5)[0])).paid
    assert rig.clock.monotonic() < 60
    assert rig.billed == 1


@story(task={"seconds": 100}, settings={"max_in_flight": 1})
async def test_a_timeout_names_the_step_and_the_id(rig: Rig) -> None:
    rig.submit(1)
    await rig.clock.sleep(0.5)
    queued = await rig.failure(rig.submit(2, timeout_s=3)[0])
    assert "No credits were spent." in str(queued)
    assert "slot" in str(queued)
    assert rig.count("creates") == 1
    running = await rig.failure(rig.submit(1, timeout_s=3)[0])
    assert str(rig.rows()[0].task_id) in str(running)
    assert "spent" in str(running)
    assert "with seed = 1 " in str(running), "-1 in the node would draw another seed, for new credits"


@pytest.mark.long
@story
async def test_a_node_waits_through_an_outage_of_a_day(rig: Rig) -> None:
    handle = rig.submit(5, timeout_s=86400)[0]
    await rig.clock.sleep(2)
    rig.wire.broken = lambda: errors.AnswerLostError("The wire is cut.", sent=True)
    await rig.clock.sleep(80_000)
    assert not handle.done.done()
    rig.wire.broken = None
    assert (await rig.collected(handle)).paid
    assert rig.billed == 1


@story(
    {"on": "download", "status": 404, "times": "always"},
    {"on": "poll", "status": 404, "times": "always", "after": 12},
)
async def test_a_link_that_is_dead_for_a_while_at_a_gateway_that_forgot_the_task_comes_back(rig: Rig) -> None:
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await rig.failure(handle)
    assert rig.rows()[0].lost_at is None
    rig.gateway.script.clear()
    await rig.until(lambda: rig.rows()[0].state is TaskState.COLLECTED, within=600)
    assert rig.billed == 1


@pytest.mark.parametrize("data", [None, {}, []])
@story(lambda data: [{"on": "poll", "times": "always", "body": {"code": 200, "message": "success", "data": data}}])
async def test_an_id_of_which_the_gateway_says_nothing_is_no_task(rig: Rig, data: Any) -> None:
    assert isinstance(await rig.failure(rig.attach("n68nobody_hunyuan3")), errors.UnknownTaskError)
    assert rig.rows() == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, {"success": False, "data": {"status": "error", "message": "upstream timeout"}}),
        (504, {"code": 504, "data": {"status": "timeout"}}),
        (503, {"code": 503, "message": "Service busy, retry later", "data": {"status": "fail"}}),
        (200, {"code": 429, "message": "slow down", "data": {"status": "error"}}),
        (200, {"code": 503, "message": "busy", "data": {"status": "error"}}),
        (200, {"data": {"status": "error", "message": "Too many requests, try again later"}}),
    ],
)
@story(lambda status, body: {"on": "poll", "status": status, "body": body})
async def test_a_failure_that_may_be_the_questions_ends_no_task(rig: Rig, status: int, body: object) -> None:
    await rig.collected(rig.submit(5)[0])
    assert rig.billed == 1


@pytest.mark.parametrize("word", ["FAILED", "error"])
@story(task={"seconds": None})
async def test_a_failure_that_only_asks_to_try_again_later_is_the_tasks(rig: Rig, word: str) -> None:
    """Asked again as a refusal, it would pause all other tasks."""
    rig.gateway.script.add(
        {"on": "poll", "body": {"data": {"status": word, "fail_reason": "Generation failed, please try again later"}}}
    )
    assert isinstance(await rig.failure(rig.submit(5)[0]), errors.TaskFailedError)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Task is still processing"},
        {"detail": "Not ready"},
        {"data": None},
        {"result": None},
        {"data": []},
        {"error": "N/A", "status": "levitating"},
    ],
)
@story(lambda body: {"on": "poll", "body": body, "times": 20}, task={"seconds": 40})
async def test_a_poll_that_tells_of_no_state_and_no_error_ends_no_task(rig: Rig, body: object) -> None:
    await rig.collected(rig.submit(5)[0])
    assert rig.count("polls") > 10


MISSING = [
    (404, {"code": 404, "message": "Task not found", "data": {"status": "FAILED"}}),
    (410, {"code": 410, "message": "Task not found", "data": {"status": "FAILED"}}),
    (200, {"code": 404, "message": "Task not found", "data": {"status": "FAILED"}}),
    (400, {"code": 400, "message": "Task not found", "data": {"status": "FAILED"}}),
    (422, {"data": {"status": "FAILED", "error_message": "task does not exist"}}),
    (200, {"status": "failed", "error": "Task not found"}),
    (200, {"status": "failed", "error": "The task n68_x could not be found"}),
    (200, {"data": {"status": "FAILED", "fail_reason": "任务不存在"}}),
    (403, {"error": {"message": "task not found"}}),
]


@pytest.mark.parametrize(("status", "body"), MISSING, ids=lambda value: str(value)[:50])
@story(lambda status, body: {"on": "poll", "status": status, "body": body, "times": 24}, task={"seconds": 100})
async def test_a_task_that_is_not_known_yet_has_not_failed_whatever_state_stands_beside_it(
    rig: Rig, status: int, body: object
) -> None:
    await rig.collected(rig.submit(5)[0])
    assert rig.clock.monotonic() > 90
    assert rig.billed == 1


@pytest.mark.parametrize("words", ["Task failed: the input image was not found", "The job died: file not found"])
@story(task={"seconds": None})
async def test_a_task_that_failed_over_something_that_was_not_found_has_failed(rig: Rig, words: str) -> None:
    rig.gateway.script.add({"on": "poll", "body": {"data": {"status": "FAILED", "fail_reason": words}}})
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.TaskFailedError)


@story(task={"seconds": 8})
async def test_a_task_that_waits_for_anothers_429_tells_the_gateways_words(rig: Rig) -> None:
    first = rig.submit(5, timeout_s=100)[0]
    await rig.clock.sleep(1)
    rig.gateway.script.add(
        {"on": "create", "status": 429, "message": "Farm at capacity", "retry_after": 3600, "times": "always"}
    )
    second = rig.submit(6, timeout_s=100, node="9")[0]
    await rig.clock.sleep(1)
    assert (first.progress().phase, first.progress().refusal) == (Phase.WAITING, "Farm at capacity")
    for handle in (first, second):
        assert 'The gateway took no more requests (429): "Farm at capacity".' in str(await rig.failure(handle))
