"""The orderly end of the process, at any moment: nothing new begins, and what came is written down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hunyuan import errors
from hunyuan.jobs.handle import Phase
from hunyuan.models import TaskState
from tests.kit.rig import Rig, image, story

ASKED = range(1, 9)
MOMENTS = [pytest.param(each / 4, marks=[] if each % 5 == 2 else [pytest.mark.long]) for each in range(1, 28)]
SHAPES = ["documented", "direct_b64", "direct_url"]  # the last two: a finished image and no task id


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("at", MOMENTS)
@story(latency=1.0, task=lambda shape: {"shape": shape, "seconds": 3}, settings={"max_in_flight": 3})
async def test_the_end_at_any_moment_with_a_slow_journal_loses_nothing(rig: Rig, at: float, shape: str) -> None:
    """Three slots, eight tasks asked for, half a second for each step of the journal, creates of one second."""
    rig.background.journal_seconds = 0.5
    rig.runner.start_sweeper()
    handles = rig.submit(*ASKED)
    await rig.clock.sleep(at)
    creates = rig.count("creates")
    await rig.end()
    assert rig.count("creates") == rig.billed == creates, "nothing new is sent"
    assert all(handle.done.done() for handle in handles)

    left = rig.journal.overview.list_tasks(limit=100)
    assert len(left) == creates, "no row of what was not sent"
    assert {row.state for row in left} <= {*TaskState} - {TaskState.INTENDED, TaskState.UNKNOWN}
    known = {row.task_id for row in left if row.task_id}
    assert shape != "documented" or known == {task["task_id"] for task in rig.state["tasks"]}

    rig.journal.close()
    later = rig.another()
    later.runner.start_sweeper()
    await later.until(lambda: {row.state for row in later.rows()} <= {TaskState.COLLECTED}, 60)
    await later.ended(*later.submit(*ASKED))
    assert rig.billed == len(ASKED), "what was bought before the end is not bought again"


ANSWERS: dict[str, tuple[dict[str, Any], TaskState | None]] = {
    "taken back after a 429": ({"status": 429, "retry_after": 1}, None),
    "taken back after no connection": ({"drop": "before_read"}, TaskState.UNKNOWN),
    "refused": ({"status": 401}, TaskState.FAILED),
    "lost": ({"status": 502, "billed": True}, TaskState.UNKNOWN),
    "a failure": ({"status": 200, "body": {"data": {"status": "FAILED", "error": "no paint"}}}, TaskState.FAILED),
}


@pytest.mark.parametrize("at", [0.6, 1.2, 1.6, 1.9])
@pytest.mark.parametrize(("rule", "state"), ANSWERS.values(), ids=ANSWERS)
@story(lambda rule: {"on": "create", "times": "always", **rule}, latency=0.5)
async def test_the_end_waits_until_it_is_written_how_a_create_ended(
    rig: Rig, rule: dict[str, Any], state: TaskState | None, at: float
) -> None:
    """The row is written till 1.0, the create is answered at 1.5, the row says so at 2.0."""
    rig.background.journal_seconds = 0.5
    handle = rig.submit(5)[0]
    await rig.clock.sleep(at)
    await rig.end()
    assert rig.count("creates") <= 1
    assert handle.done.done()
    assert [row.state for row in rig.journal.overview.list_tasks()] == ([state] if state and at > 1 else [])


@pytest.mark.parametrize("before", [-0.001, 0.001, 0.005, 0.01, 0.03])
@pytest.mark.parametrize("shape", SHAPES[1:])
@story(
    lambda before: [{"on": "create", "delay_s": 9.0 - before}],
    latency=0.0,
    task=lambda shape: {"shape": shape, "seconds": 0},
)
async def test_an_image_that_comes_in_the_last_moment_is_kept_too(rig: Rig, shape: str, before: float) -> None:
    rig.submit(5)
    while not rig.count("creates"):
        await rig.clock.sleep(0.001)
    rig.background.journal_seconds = 60.0
    await rig.clock.sleep(1.0)
    await rig.end()  # within eight seconds
    rig.journal.close()
    later = rig.another()
    later.runner.start_sweeper()
    await later.until(lambda: {row.state for row in later.rows()} == {TaskState.COLLECTED}, 60)
    assert rig.billed == 1


@pytest.mark.parametrize(("forced", "patience"), [(True, 8), (False, 20)], ids=["SIGTERM", "Ctrl+C"])
@story({"on": "create", "delay_s": 60})
async def test_an_answer_that_takes_longer_than_the_end_may_is_told_as_maybe_billed(
    rig: Rig, forced: bool, patience: float
) -> None:
    handle = rig.submit(5)[0]
    await rig.clock.sleep(1)
    began = rig.clock.monotonic()
    await rig.end(forced=forced)
    assert rig.clock.monotonic() - began == pytest.approx(patience, abs=0.1)
    error = await rig.failure(handle)
    assert isinstance(error, errors.ShuttingDownError)
    assert error.money is errors.Money.MAYBE_SPENT
    assert [row.state for row in rig.journal.overview.list_tasks()] == [TaskState.INTENDED]


@story(latency=1.0)
async def test_an_id_that_the_journal_does_not_take_in_time_is_kept_beside_it(rig: Rig) -> None:
    rig.submit(5)
    await rig.clock.sleep(0.5)
    rig.background.journal_seconds = 60.0
    await rig.end()
    assert [row.state for row in rig.journal.overview.list_tasks()] == [TaskState.INTENDED]
    rig.journal.close()
    later = rig.another()
    later.journal.recover()
    assert [row.task_id for row in later.rows()] == [rig.state["tasks"][0]["task_id"]]


@pytest.mark.parametrize("at", [0.51, 0.6, 0.9], ids=lambda at: f"at {at}")
@pytest.mark.parametrize("shape", SHAPES[1:])
@story(latency=0.5, task=lambda shape: {"shape": shape, "seconds": 0})
async def test_an_image_that_the_journal_does_not_take_in_time_is_kept_beside_it(
    rig: Rig, shape: str, at: float
) -> None:
    """The create is answered with it at 0.5, when the journal is locked for longer than the end may take."""
    rig.submit(5)
    await rig.clock.sleep(0.4)
    rig.background.journal_seconds = 60.0
    await rig.clock.sleep(at - 0.4)
    await rig.end()
    assert [row.state for row in rig.rows()] == [TaskState.INTENDED]
    rig.journal.close()
    later = rig.another()
    later.runner.start_sweeper()
    await later.until(lambda: {row.state for row in later.rows()} == {TaskState.COLLECTED}, 60)
    assert not (await later.collected(later.submit(5)[0])).paid
    assert rig.billed == 1


@story({"on": "create", "delay_s": 60})
async def test_a_second_sign_ends_the_waiting(rig: Rig) -> None:
    rig.submit(5)
    await rig.clock.sleep(1)
    ending = asyncio.ensure_future(rig.end())
    await rig.clock.sleep(1)
    assert not ending.done()
    rig.runner.hurry()
    await asyncio.wait_for(ending, 0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("at", [1.55, 1.7, 1.9])
@story(latency=0.5, task=lambda shape: {"shape": shape, "seconds": 0})
async def test_a_second_sign_cuts_off_nothing_that_is_being_written(rig: Rig, at: float, shape: str) -> None:
    """The create is answered at 1.5, and the journal takes half a second for it."""
    rig.background.journal_seconds = 0.5
    rig.submit(5)
    await rig.clock.sleep(1.51)
    ending = asyncio.ensure_future(rig.end(forced=False))
    await rig.clock.sleep(at - 1.51)
    for _ in range(3):
        rig.runner.hurry()
        await rig.clock.sleep(0.05)
    await ending
    (row,) = rig.rows()
    assert row.state in {TaskState.SUBMITTED, TaskState.SUCCEEDED, TaskState.COLLECTED}


@story(latency=1.0)
async def test_a_second_sign_of_who_kills_soon_leaves_time_to_keep_the_id(rig: Rig) -> None:
    """The system ends the process two seconds after it."""
    rig.submit(5)
    await rig.clock.sleep(0.5)
    rig.background.journal_seconds = 60.0
    ending = asyncio.ensure_future(rig.end())
    await rig.clock.sleep(3)
    rig.runner.hurry(forced=True)
    await asyncio.wait_for(ending, 1.5)
    rig.journal.close()
    later = rig.another()
    later.journal.recover()
    assert [row.task_id for row in later.rows()] == [rig.state["tasks"][0]["task_id"]]


@story({"on": "create", "delay_s": 60})
async def test_who_kills_soon_after_a_ctrl_c_is_forestalled(rig: Rig) -> None:
    rig.submit(5)
    await rig.clock.sleep(1)
    ending = asyncio.ensure_future(rig.end(forced=False))
    await rig.clock.sleep(0.5)
    rig.runner.close(forced=True)
    await asyncio.wait_for(ending, 8.1)


@story(task={"seconds": 3})
async def test_an_end_that_did_not_come_is_taken_back(rig: Rig) -> None:
    """Something else took the signal: new tasks are taken again, and those that were left go on."""
    rig.runner.start_sweeper()
    left = rig.submit(5)[0]
    await rig.clock.sleep(1)
    rig.runner.close()
    assert isinstance(await rig.failure(left), errors.ShuttingDownError)
    rig.runner.hurry()
    await rig.clock.sleep(5)
    rig.runner.go_on()
    assert (await rig.collected(rig.submit(6)[0])).paid
    await rig.until(lambda: {row.state for row in rig.rows()} == {TaskState.COLLECTED}, 60)
    assert rig.billed == len(rig.rows()) == 2


@story
async def test_after_the_first_sign_whoever_asks_is_refused_and_nothing_is_sent(rig: Rig) -> None:
    waits = rig.submit(4, inputs=(image(),))[0]
    rig.runner.close()
    for handle in [waits, *rig.submit(5, 6), rig.attach("n68_somebodys_task")]:
        error = await rig.failure(handle)
        assert isinstance(error, errors.ShuttingDownError)
        assert error.money is errors.Money.NOT_SPENT
    await rig.clock.sleep(60)
    assert rig.count("requests") == 0


@story(task={"seconds": None}, settings={"max_in_flight": 1})
async def test_a_node_is_told_what_becomes_of_its_task(rig: Rig) -> None:
    runs, waits = rig.submit(5, 6)
    await rig.clock.sleep(3)
    attached = rig.attach(rig.state["tasks"][0]["task_id"])
    await rig.clock.sleep(1)
    await rig.end()
    sent, unsent = await rig.failure(runs), await rig.failure(waits)
    assert (sent.money, sent.task_id) == (errors.Money.SPENT, rig.state["tasks"][0]["task_id"])
    assert (unsent.money, unsent.task_id) == (errors.Money.NOT_SPENT, None)
    assert (await rig.failure(attached)).money is errors.Money.SPENT


@pytest.mark.parametrize("timeout", [0.2, 0.7, 0.9])
@story
async def test_a_timeout_while_the_row_is_written_says_that_nothing_was_sent(rig: Rig, timeout: float) -> None:
    """The row is looked for till 0.5 and written till 1.0."""
    rig.background.journal_seconds = 0.5
    handle = rig.submit(5, timeout_s=timeout)[0]
    await rig.clock.sleep(timeout - 0.1)
    assert handle.progress().phase is (Phase.LOOKING if timeout < 0.5 else Phase.RESERVING)
    error = await rig.failure(handle)
    assert isinstance(error, errors.TaskTimeoutError)
    assert error.money is errors.Money.NOT_SPENT
    await rig.clock.sleep(60)
    assert rig.count("creates") == 0
    assert rig.rows() == []


@story({"on": "create", "status": 429, "retry_after": 1, "times": "always"}, latency=0.5)
async def test_a_timeout_while_a_refused_create_is_taken_back_says_that_nothing_was_sent(rig: Rig) -> None:
    rig.background.journal_seconds = 0.5
    handle = rig.submit(5, timeout_s=1.75)[0]
    error = await rig.failure(handle)
    assert isinstance(error, errors.TaskTimeoutError)
    assert error.money is errors.Money.NOT_SPENT
    await rig.clock.sleep(60)
    assert rig.rows() == []


@story({"on": "create", "status": 401}, latency=0.5)
async def test_a_timeout_while_a_refusal_is_written_down_says_that_nothing_was_spent(rig: Rig) -> None:
    rig.background.journal_seconds = 0.5
    error = await rig.failure(rig.submit(5, timeout_s=1.75)[0])
    assert isinstance(error, errors.TaskTimeoutError)
    assert error.money is errors.Money.NOT_SPENT
    await rig.clock.sleep(60)
    assert [row.state for row in rig.rows()] == [TaskState.FAILED]


@story({"on": "create", "status": 401})
async def test_how_a_task_ended_while_the_journal_was_away_is_written_at_the_end(rig: Rig) -> None:
    """Waiting in memory only: the next start would take the row for a lost answer that may have been billed."""
    failed = rig.journal._mark

    def broken(*_: object, **__: object) -> Any:
        raise errors.JournalError("The disk is full.")

    rig.journal._mark = broken  # type: ignore[method-assign]
    await rig.ended(rig.submit(5)[0])
    rig.journal._mark = failed  # type: ignore[method-assign]
    await rig.end()
    rig.journal.close()
    (row,) = rig.another().rows()
    assert row.state is TaskState.FAILED
