"""The sweeper: quiet, patient, shares the limiter, and outlives whatever befalls it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import select

from hunyuan import errors
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import TaskRow
from hunyuan.journal.tables import tasks
from hunyuan.models import TaskState
from hunyuan.settings.store import Settings
from tests.kit.rig import Rig, Unreadable, story
from tests.kit.virtual_time import VirtualClock


async def gone(rig: Rig, *seeds: int) -> None:
    """Tasks whose process was killed."""
    for handle in rig.submit(*seeds):
        await asyncio.wrap_future(handle.created)
    for task in list(rig.background._tasks):
        task.cancel()
    await rig.clock.sleep(40)  # until it counts as dead


def sleep_through(rig: Rig, seconds: float) -> None:
    """The machine sleeps: the clock goes on, and nothing happens meanwhile."""
    assert rig.clock.loop is not None
    rig.clock.loop.instant.now += seconds


@pytest.mark.long
@story(task={"seconds": None})
async def test_an_endless_task_takes_few_polls_and_fewer_with_time(rig: Rig) -> None:
    await gone(rig, 5)
    other = rig.another()
    other.runner.start_sweeper()
    before = rig.count("requests")
    await rig.clock.sleep(900)
    assert 5 <= rig.count("requests") - before <= 35
    sleep_through(rig, 6000)
    await rig.clock.sleep(20)
    before = rig.count("requests")
    await rig.clock.sleep(1800)
    assert rig.count("requests") - before == 3, "every ten minutes, for the rest of the day"
    other.finish()
    await rig.clock.sleep(601)
    assert other.rows()[0].state is TaskState.COLLECTED, "and still there when it ends"
    assert rig.count("creates") == 1


@story(task={"seconds": None})
async def test_who_counted_as_dead_asks_no_more_once_it_is_back(rig: Rig) -> None:
    """Its task is another's by then: it waits for the image as everybody does who has not the task in hand."""
    handle = rig.submit(5)[0]
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(60)  # the first writes nothing and does not beat: as if cut off from the database
    assert other.rows()[0].owner == "worker-2"
    rig.runner.start_sweeper()
    await rig.clock.sleep(20)
    rig.wire.broken = lambda: errors.ConnectTimeoutError("Whoever asks now asks beside the other.")
    other.finish()
    assert (await rig.collected(handle)).images
    assert rig.billed == rig.count("downloads") == 1


class SleepyJournal:
    """The rig's journal; the machine goes to sleep just after the first intent was written down."""

    def __init__(self, rig: Rig, seconds: float) -> None:
        self._rig, self._seconds = rig, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rig.journal, name)

    def begin(self, *arguments: Any, **options: Any) -> Any:
        begun = self._rig.journal.begin(*arguments, **options)
        sleep_through(self._rig, self._seconds)
        if self._seconds > 30:
            assert [row.state for row in self._rig.another().journal.recover()] == [TaskState.UNKNOWN]
        self._seconds = 0.0
        return begun


@pytest.mark.parametrize(("slept", "intents"), [(15.0, 1), (25.0, 2), (90.0, 2)])
@story
async def test_an_intent_that_may_count_as_lost_by_now_is_not_sent(rig: Rig, slept: float, intents: int) -> None:
    """Who asked for the same elsewhere was told that the answer is lost, and may have paid for it anew."""
    rig.runner.tools = replace(rig.runner.tools, journal=cast(Journal, SleepyJournal(rig, slept)))
    got = await rig.collected(rig.submit(5)[0])
    assert got.row.state is TaskState.COLLECTED
    assert rig.billed == rig.count("creates") == 1
    totals = rig.journal.overview.credits()
    assert (totals.spent, totals.maybe) == (25, 0), "what was certainly not sent counts nothing"
    with_hidden = rig.journal._db.read(lambda connection: connection.execute(select(tasks.c.id)).all())
    assert len(with_hidden) == intents


class WrongClock(VirtualClock):
    """A machine's clock that goes wrong by days; the journal's is another."""

    def __init__(self, right: VirtualClock, days: float) -> None:
        super().__init__(right.epoch + days * 86400.0)
        self.loop = right.loop


@pytest.mark.parametrize("days", [-400.0, 0.01, 400.0])
@story(task={"seconds": None})
async def test_a_machine_whose_clock_is_wrong_collects_as_any_other(rig: Rig, days: float) -> None:
    await gone(rig, 5)
    other = rig.another()
    other.background.clock = WrongClock(rig.clock, days)
    other.runner.start_sweeper()
    (row,) = other.rows()
    assert row.submitted_at is not None
    handle = other.attach(str(row.task_id))
    await rig.clock.sleep(25)
    other.finish()
    done = (await other.collected(handle)).row
    assert done.lost_at is None
    assert done.seconds is not None
    assert 60 <= done.seconds <= 80, "the journal's clock says how long it took"


@pytest.mark.long
@story(latency=0.2, settings={"max_in_flight": 50})
async def test_many_open_tasks_are_not_asked_for_all_at_once(rig: Rig) -> None:
    await gone(rig, *range(40))
    rig.gateway.record.max_requests = 0
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(60)
    assert {row.state for row in other.rows()} == {TaskState.COLLECTED}
    assert rig.count("creates") == rig.billed == 40


@story
async def test_the_sweeper_keeps_to_the_429_pause(rig: Rig) -> None:
    await gone(rig, 5)
    other = rig.another()
    other.limiter.throttled(300.0)
    other.runner.start_sweeper()
    before = rig.count("requests")
    await rig.clock.sleep(290)
    assert rig.count("requests") == before
    await rig.clock.sleep(60)
    assert other.rows()[0].state is TaskState.COLLECTED


@story
async def test_a_429_to_the_sweeper_pauses_everybody(rig: Rig) -> None:
    await gone(rig, 5)
    rig.gateway.script.add({"on": "poll", "status": 429, "retry_after": 120})
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(5)
    before = rig.count("creates")
    handle = other.submit(6)[0]
    await rig.clock.sleep(100)
    assert rig.count("creates") == before
    assert (await other.collected(handle)).paid


@story
async def test_a_429_to_another_process_rests_this_ones_polls_too(rig: Rig) -> None:
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await asyncio.wrap_future(handle.created)
    rig.another().journal.pause(rig.settings.account, 60.0)
    await rig.clock.sleep(6)  # a round has seen it
    before = rig.count("polls")
    await rig.clock.sleep(50)
    assert rig.count("polls") == before
    assert (await rig.collected(handle)).paid


@pytest.mark.long
@story(latency=1.0)
async def test_it_sends_nothing_that_costs(rig: Rig) -> None:
    rig.submit(5, 6)
    await rig.clock.sleep(0.5)  # both creates are under way
    for task in list(rig.background._tasks):
        task.cancel()
    before = rig.count("creates")
    await rig.clock.sleep(40)
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(600)
    assert rig.count("creates") == before
    assert {row.state for row in other.rows()} == {TaskState.UNKNOWN}


@story
async def test_a_journal_that_is_away_for_an_hour_does_not_end_it(rig: Rig) -> None:
    await gone(rig, 5)
    other = rig.another()
    heartbeat = other.journal.heartbeat
    away = True

    def beat(account: str = "") -> None:
        if away:
            raise errors.JournalError("The database is away.")
        heartbeat(account)

    other.journal.heartbeat = beat  # type: ignore[method-assign]
    other.runner.start_sweeper()
    await rig.clock.sleep(3600)
    away = False
    await rig.clock.sleep(120)
    assert other.rows()[0].state is TaskState.COLLECTED


@story(latency=0.4)
async def test_a_listener_that_fails_does_not_end_it(rig: Rig) -> None:
    await asyncio.wrap_future(rig.submit(5)[0].created)
    rig.submit(4)  # its create under way: recovered as unknown, which is told to the listeners
    await rig.clock.sleep(0.2)
    await gone(rig)
    other = rig.another()

    def broken(row: TaskRow) -> None:
        raise RuntimeError("a page's socket is gone")

    other.runner.tools = replace(other.runner.tools, on_change=broken)
    other.runner.start_sweeper()
    await rig.clock.sleep(120)
    states = {row.seed: row.state for row in other.rows()}
    assert states == {4: TaskState.UNKNOWN, 5: TaskState.COLLECTED}
    assert any("a page's socket is gone" in warning for warning in other.warnings)


@pytest.mark.long
@story(latency=0.25, settings={"max_in_flight": 99})
async def test_a_sweep_in_the_moment_of_the_creates_answer_does_not_take_the_task(rig: Rig) -> None:
    rig.runner.start_sweeper()
    handles = []
    for seed in range(60):  # creates answered at many offsets from the sweeps
        handles += rig.submit(seed)
        await rig.clock.sleep(0.517)
    got = await asyncio.gather(*map(rig.collected, handles))
    assert all(each.paid for each in got)
    assert rig.billed == 60


@pytest.mark.long
@pytest.mark.parametrize("fault", [{"status": 403}, {"image": "garbage"}, {"image": "bomb"}], ids=str)
@story(lambda fault: {"on": "download", "times": "always", **fault})
async def test_a_download_that_never_works_is_tried_quietly(rig: Rig, fault: dict[str, object]) -> None:
    await gone(rig, 5)
    other = rig.another()
    other.runner.start_sweeper()
    before = rig.count("requests")
    await rig.clock.sleep(600)
    assert 3 <= rig.count("requests") - before <= 120
    assert other.rows()[0].state is TaskState.SUCCEEDED
    assert rig.billed == 1


class Counted:
    """A journal that counts how often its rows are looked at."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self.looks = journal, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def get(self, row_id: str) -> TaskRow | None:
        self.looks += 1
        return self._journal.get(row_id)


@pytest.mark.long
@story(task={"seconds": None})
async def test_of_two_processes_only_one_looks_after_a_dead_ones_task(rig: Rig) -> None:
    await gone(rig, 5)
    others = [rig.another("worker-2"), rig.another("worker-3")]
    counted = [Counted(other.journal) for other in others]
    for other, journal in zip(others, counted, strict=True):
        other.runner.start_sweeper()
        other.runner.tools = replace(other.runner.tools, journal=cast(Journal, journal))
    before = rig.count("polls")
    await rig.clock.sleep(600)
    assert rig.count("polls") - before <= 30
    assert sum(journal.looks for journal in counted) <= 10, "nobody watches the one that has it"
    rig.finish()
    await rig.until(lambda: others[0].rows()[0].state is TaskState.COLLECTED, within=300)


@story
async def test_without_a_key_it_asks_nothing_and_goes_on_when_there_is_one(rig: Rig) -> None:
    await gone(rig, 5)
    other = rig.another()
    mine, other.settings = other.settings, replace(other.settings, api_key="")
    other.runner.start_sweeper()
    before = rig.count("requests")
    await rig.clock.sleep(600)
    assert rig.count("requests") == before
    assert other.warnings == [], "quietly"
    other.settings = mine
    await rig.clock.sleep(60)
    assert other.rows()[0].state is TaskState.COLLECTED


@pytest.mark.parametrize("at", [0.0, 0.3, 2.0, 7.9, 8.6, 12.0])
@story(latency=0.5, settings={"max_in_flight": 1})
async def test_settings_that_break_meanwhile_are_told_and_lose_nothing(rig: Rig, at: float) -> None:
    rig.runner.start_sweeper()
    handles = rig.submit(5, 6)
    await rig.clock.sleep(at)
    mine, rig.settings = rig.settings, cast(Settings, Unreadable())
    await asyncio.wait_for(rig.ended(*handles), timeout=100)
    assert all(handle.done.done() for handle in handles), "told, not left waiting"
    await rig.clock.sleep(100)
    rig.settings = mine
    await rig.until(lambda: rig.limiter.in_flight == 0, within=1200)
    again = await asyncio.gather(*map(rig.collected, rig.submit(5, 6)))
    assert {each.images[0].digest for each in again} == {"a lighthouse|5", "a lighthouse|6"}
    assert rig.billed == 2


@story
async def test_a_worker_whose_settings_cannot_be_read_lives_all_the_same(rig: Rig) -> None:
    """Others would take its creates for lost, and its tasks over."""
    beats: list[str] = []
    heartbeat = rig.journal.heartbeat

    def beat(account: str = "") -> None:
        beats.append(account)
        heartbeat(account)

    rig.journal.heartbeat = beat  # type: ignore[method-assign]
    rig.runner.start_sweeper()
    await rig.clock.sleep(1)
    rig.runner.sweeper._tools = replace(rig.runner.tools, settings=lambda: cast(Settings, Unreadable()))
    before = len(beats)
    await rig.clock.sleep(60)
    assert len(beats) - before >= 6
    assert set(beats) == {rig.settings.account}
