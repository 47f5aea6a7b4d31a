"""Tasks that get nowhere: they hold no slot, are not given up before they were asked for, and are attached to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hunyuan import errors
from hunyuan.errors import Money
from hunyuan.models import TaskState
from tests.kit.rig import Rig, story

ALWAYS: dict[str, Any] = {"on": "poll", "times": "always"}
# A poll's answers, of which none says that the gateway works on the task.
STUCK: dict[str, dict[str, Any]] = {
    "done, unreadably": {**ALWAYS, "body": {"code": 200, "data": {"status": "completed", "result": {"see": "mail"}}}},
    "an unknown word": {**ALWAYS, "body": {"code": 200, "data": {"status": "archived"}}},
    "not known": {**ALWAYS, "status": 404},
    "a page": {**ALWAYS, "status": 200, "body": "html"},
    "down": {**ALWAYS, "status": 503},
    "cut": {**ALWAYS, "drop": "before_answer"},
    "not allowed": {**ALWAYS, "status": 401},
}


def stuck(rule: dict[str, Any], count: int = 8) -> list[dict[str, Any]]:
    return [{**rule, "number": number} for number in range(1, count + 1)]


@pytest.mark.parametrize("rule", STUCK.values(), ids=STUCK)
@story(lambda rule: stuck(rule))
async def test_eight_stuck_tasks_leave_room_for_a_new_one(rig: Rig, rule: dict[str, Any]) -> None:
    rig.runner.start_sweeper()
    handles = rig.submit(*range(8), timeout_s=1000)
    await rig.clock.sleep(100)
    assert rig.limiter.in_flight == 0
    here = rig.submit(50, timeout_s=60)[0]
    other = rig.another()
    other.runner.start_sweeper()
    there = other.submit(51, timeout_s=60)[0]
    assert (await rig.collected(here)).paid
    assert (await other.collected(there)).paid, "the count that all processes share has room as well"
    assert rig.billed == 10
    rig.gateway.script.clear()
    await rig.ended(*handles)
    got = await asyncio.gather(*map(rig.collected, rig.submit(*range(8))))
    assert not any(each.paid for each in got)
    assert rig.billed == 10


@story(task={"seconds": None}, settings={"max_in_flight": 1})
async def test_a_task_that_is_worked_on_keeps_its_slot_and_gets_it_back(rig: Rig) -> None:
    rig.runner.start_sweeper()
    rig.submit(1, timeout_s=1000)
    await rig.clock.sleep(50)
    other = rig.another()
    waiting = other.submit(2, timeout_s=1000)[0]
    await rig.clock.sleep(50)
    assert rig.count("creates") == 1, "it is running"
    rig.gateway.script.add({**ALWAYS, "status": 503, "number": 1})
    await asyncio.wait_for(asyncio.wrap_future(waiting.created), timeout=120)
    rig.gateway.script.clear()
    await rig.clock.sleep(30)
    row = rig.rows()[-1]
    assert (row.state, row.error_code) == (TaskState.RUNNING, ""), "and it is known to run again"


@story({**ALWAYS, "status": 503, "after": 8}, task={"seconds": None})
async def test_a_blink_of_the_gateway_frees_no_slot(rig: Rig) -> None:
    rig.submit(*range(8))
    waiting = rig.submit(9)[0]
    await rig.clock.sleep(45)
    assert rig.count("creates") == 8
    assert waiting.progress().in_flight == 8


@story(task={"seconds": None})
async def test_who_waits_for_a_slot_is_told_for_whom_and_what_to_do(rig: Rig) -> None:
    rig.runner.start_sweeper()
    rig.submit(*range(8), timeout_s=3000)
    await rig.clock.sleep(100)
    other = rig.another()
    waiting = (rig.submit(9, timeout_s=145)[0], other.submit(10, timeout_s=145)[0])
    await rig.clock.sleep(143)
    for view in [handle.progress() for handle in waiting]:
        assert view.in_flight == 8
        assert view.oldest == pytest.approx(243, abs=3)
    for handle in waiting:
        error = await rig.failure(handle)
        assert "8 in flight, the oldest for 4 minutes" in str(error)
        assert "max_in_flight" in error.do
        assert error.money is Money.NOT_SPENT
    assert rig.count("creates") == 8


@story({**ALWAYS, "status": 503, "message": "the farm burns"})
async def test_a_timeout_says_what_keeps_the_task(rig: Rig) -> None:
    error = await rig.failure(rig.submit(1, timeout_s=100)[0])
    assert isinstance(error, errors.TaskTimeoutError)
    assert "503" in str(error)
    assert "the farm burns" in str(error)


# --- a gateway that does not know its own task (yet) --------------------------------------------------------


@story(task={"known_after_s": 119.0})
async def test_a_task_that_is_unknown_for_two_minutes_is_not_lost(rig: Rig) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.row.state is TaskState.COLLECTED
    assert rig.billed == rig.count("creates") == 1


@pytest.mark.parametrize("ends", ["timeout", "stop", "kill"])
@story(task={"known_after_s": 110.0})
async def test_the_same_request_attaches_to_a_task_that_is_not_known_yet(rig: Rig, ends: str) -> None:
    handle = rig.submit(5, timeout_s=20)[0]
    await rig.clock.sleep(10)
    if ends == "stop":
        handle.detach()
    if ends == "kill":
        for task in list(rig.background._tasks):
            task.cancel()
    await rig.clock.sleep(15)
    again = rig.another() if ends == "kill" else rig
    if ends == "kill":
        await rig.clock.sleep(35)
    assert not (await again.collected(again.submit(5)[0])).paid
    assert rig.billed == 1


@story({**ALWAYS, "status": 404})
async def test_a_task_that_stays_unknown_is_told_and_attached_to_as_long_as_it_may_come_back(rig: Rig) -> None:
    rig.runner.start_sweeper()
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.UnknownTaskError)
    assert 120 <= rig.clock.monotonic() < 150
    assert error.money is Money.MAYBE_SPENT
    assert "reuse" in error.do
    again = await rig.failure(rig.submit(5)[0])
    assert isinstance(again, errors.UnknownTaskError)
    assert rig.count("creates") == 1, "it may be paid for: nothing is bought behind the user's back"
    rig.gateway.script.clear()
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


# --- clocks -------------------------------------------------------------------------------------------------

YEAR = 366 * 86400.0


async def killed(rig: Rig, *seeds: int) -> None:
    """Tasks whose process was killed."""
    for handle in rig.submit(*seeds):
        await asyncio.wrap_future(handle.created)
    for task in list(rig.background._tasks):
        task.cancel()


@story
async def test_a_clock_a_year_behind_that_is_set_right_loses_no_task(rig: Rig) -> None:
    await killed(rig, 5)
    rig.clock.epoch += YEAR
    other = rig.another()
    other.runner.start_sweeper()
    await rig.until(lambda: other.rows()[0].state is TaskState.COLLECTED, within=60)
    assert other.rows()[0].lost_at is None
    assert not (await other.collected(other.submit(5)[0])).paid
    assert rig.billed == 1


@pytest.mark.parametrize("cut", ["wire", "401", "503", "another key"])
@story
async def test_nothing_is_given_up_before_the_gateway_answered_for_it(rig: Rig, cut: str) -> None:
    """A machine that starts without a network, or with another key, has asked nobody."""
    await killed(rig, 5)
    rig.clock.epoch += YEAR
    other = rig.another()
    if cut == "wire":
        other.wire.broken = lambda: errors.DnsError("No network yet.")
    elif cut == "another key":
        rig.gateway.script.add({**ALWAYS, "status": 404})
        object.__setattr__(other.settings, "api_key", "aio_ffffffffffffffffffffffffffffffff")
    else:
        rig.gateway.script.add({**ALWAYS, "status": int(cut)})
    other.runner.start_sweeper()
    await rig.clock.sleep(900)
    assert other.rows()[0].lost_at is None
    assert rig.count("polls") <= 40, "looked for ever more rarely all the same"


@story(task={"seconds": None})
async def test_a_running_task_of_eight_days_is_given_up_once_the_gateway_said_so(rig: Rig) -> None:
    await killed(rig, 5)
    rig.clock.epoch += YEAR
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(590)
    assert other.rows()[0].lost_at is None, "it may be young, and the clock was wrong"
    await rig.until(lambda: other.rows()[0].lost_at is not None, within=120)
    assert rig.count("polls") <= 45
    before = rig.count("polls")
    await rig.clock.sleep(600)
    assert rig.count("polls") == before


@story({"on": "create", "seed": 5, "task": {"seconds": None}})
async def test_a_clock_that_is_set_back_stops_no_look_and_no_create(rig: Rig) -> None:
    """What was written by a clock a year ahead: a look, and a pause after a 429."""
    rig.clock.epoch += YEAR
    await killed(rig, 5)
    await rig.clock.sleep(40)
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(40)
    other.journal.pause(rig.settings.account, 30.0)
    rig.clock.epoch -= YEAR
    rig.finish()
    await rig.until(lambda: other.rows()[0].state is TaskState.COLLECTED, within=120)
    assert (await other.collected(other.submit(6, timeout_s=120)[0])).paid
    other.journal.pause(rig.settings.account, 20.0)
    assert other.journal.survey(rig.settings.account).paused_for == pytest.approx(20.0), "a new pause counts"
