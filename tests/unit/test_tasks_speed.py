"""The shape of the waiting: polls, concurrency, fairness, the 429 pause, counted on a fake clock."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from hunyuan.errors import HunyuanError
from hunyuan.jobs.durations import Durations
from hunyuan.jobs.handle import Collected, Handle
from hunyuan.journal.journal import Journal
from tests.kit.rig import Rig, story


async def ended(rig: Rig, handle: Handle) -> tuple[Collected, float]:
    """The task and the second at which its image was here."""
    got = await rig.collected(handle)
    return got, rig.clock.monotonic()


def polls_of(rig: Rig) -> list[int]:
    """Polls of each task, in order of creation."""
    return [len(task["polls"]) for task in rig.state["tasks"]]


SPREAD = [3 + 17 * k / 39 for k in range(40)]  # seconds


@pytest.mark.long
@story(task={"seconds": {"cycle": SPREAD}})
async def test_aim_without_history(rig: Rig) -> None:
    shares: list[float] = []
    for seed, duration in enumerate(SPREAD):
        rig.runner.tools = replace(rig.runner.tools, durations=Durations(lambda *kind, **of: ()))
        began = rig.clock.monotonic()
        _, end = await ended(rig, rig.submit(seed)[0])
        shares.append((end - began - duration) / duration)
    assert max(polls_of(rig)) <= 16
    assert statistics.mean(shares) <= 0.07
    assert max(shares) <= 0.14


def around(centre: float) -> list[float]:
    """The seconds of sixty tasks of a kind."""
    rng = random.Random(5)
    return [centre + rng.uniform(-0.5, 0.5) for _ in range(60)]


@pytest.mark.long
@pytest.mark.parametrize(("centre", "early"), [(4.0, 4), (9.0, 8), (18.0, 12)])
@story(task=lambda centre: {"seconds": {"cycle": around(centre)}})
async def test_aim_with_the_journals_history(rig: Rig, centre: float, early: int) -> None:
    for seed in range(20):
        await rig.collected(rig.submit(seed)[0])
    later = rig.another()  # a new process knows what the journal knows
    durations, added = around(centre), []
    for seed in range(20, 60):
        began = later.clock.monotonic()
        _, end = await ended(later, later.submit(seed)[0])
        added.append(end - began - durations[seed])
    assert statistics.mean(added) <= 0.3
    assert max(polls_of(later)[20:]) <= 8 + early


@story(task={"seconds": 4, "fail": "no such style"})
async def test_tasks_that_fail_teach_nothing(rig: Rig) -> None:
    with pytest.raises(HunyuanError):
        await rig.collected(rig.submit(0)[0])
    request = rig.request(1)
    assert rig.runner.tools.durations.recent(request.type, request.size) == ()


class NotingJournal:
    """The rig's journal, and what `look` gave at each end that was written down."""

    def __init__(self, journal: Journal, look: Callable[[], int]) -> None:
        self._journal, self._look = journal, look
        self.noted: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def mark_succeeded(self, *arguments: Any) -> object:
        self.noted.append(self._look())
        return self._journal.mark_succeeded(*arguments)

    def mark_failed(self, *arguments: Any) -> object:
        self.noted.append(self._look())
        return self._journal.mark_failed(*arguments)


class CountingJournal:
    """The rig's journal, and how often it was asked for a slot."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self.begins = journal, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def begin(self, *arguments: Any, **options: Any) -> Any:
        self.begins += 1
        return self._journal.begin(*arguments, **options)


@pytest.mark.parametrize("task", [{}, {"fail": "no such style"}])
@story(task=lambda task: task)
async def test_a_slot_is_free_only_once_the_end_is_written_down(rig: Rig, task: dict[str, Any]) -> None:
    """Else who gets it finds the journal's slots taken, and waits for nothing."""
    noting = NotingJournal(rig.journal, lambda: rig.limiter.in_flight)
    rig.runner.tools = replace(rig.runner.tools, journal=cast(Journal, noting))
    await rig.ended(*rig.submit(1))
    assert noting.noted == [1]
    assert rig.limiter.in_flight == 0


@story(task={"seconds": None}, settings={"max_in_flight": 1})
async def test_who_waits_for_a_slot_gets_one_that_the_settings_give_anew(rig: Rig) -> None:
    rig.runner.start_sweeper()
    handles = rig.submit(1, 2)
    await rig.clock.sleep(30)
    assert rig.billed == 1
    rig.settings = replace(rig.settings, max_in_flight=2)
    await rig.until(lambda: rig.billed == 2, within=8)
    rig.finish()
    await rig.ended(*handles)


@story(settings={"max_in_flight": 1})
async def test_a_slot_that_another_process_frees_is_taken_within_a_second(rig: Rig) -> None:
    first = rig.submit(1)[0]
    await rig.clock.sleep(1)
    second = rig.another().submit(2)[0]
    (_, freed), (_, ended_at) = await asyncio.gather(ended(rig, first), ended(rig, second))
    assert ended_at - freed <= 8.0 * 1.14 + 1.0


@pytest.mark.long
@story
async def test_many_who_wait_for_another_process_do_not_storm_the_journal(rig: Rig) -> None:
    for handle in rig.submit(*range(8)):
        await asyncio.wrap_future(handle.created)
    other = rig.another()
    asking = CountingJournal(other.journal)
    other.runner.tools = replace(other.runner.tools, journal=cast(Journal, asking))
    handles = [other.submit(seed, node="list")[0] for seed in range(100, 150)]
    await rig.clock.sleep(5)
    assert asking.begins <= 8 * 2 * 5, "each of eight asks about once a second, however many wait"
    rig.finish()
    await asyncio.gather(*map(other.collected, handles))
    assert rig.state["max_in_flight"] == 8


@story(latency=0.05)
async def test_eight_nodes_lists_and_counts_all_run_at_once(rig: Rig) -> None:
    handles = [rig.submit(seed, node=str(seed))[0] for seed in range(4)] + rig.submit(4, 5, 6, 7, node="n")
    ends = [end for _, end in await asyncio.gather(*(ended(rig, handle) for handle in handles))]
    assert max(ends) <= 9.0 + 4 * 0.05
    assert rig.state["max_in_flight"] == 8


@pytest.mark.long
@story(task={"seconds": 2.0}, settings={"max_in_flight": 16})
async def test_two_hundred_prompts_of_an_unknown_kind_end_within_an_eighth_of_the_ideal(rig: Rig) -> None:
    handles = [rig.submit(seed, node="list")[0] for seed in range(200)]
    await asyncio.gather(*map(rig.collected, handles))
    assert rig.clock.monotonic() <= 1.125 * 200 * 2 / 16
    assert rig.state["max_in_flight"] == 16
    assert rig.billed == 200
    assert not rig.runner._jobs, "nothing stays behind in memory"


@pytest.mark.long
@story(task={"seconds": 4.0})
async def test_a_long_list_does_not_starve_another_prompt(rig: Rig) -> None:
    many = [rig.submit(seed, node="list", prompt_id="a")[0] for seed in range(60)]
    await rig.clock.sleep(0.5)
    _, end = await ended(rig, rig.submit(100, prompt_id="b")[0])
    assert end <= 3 * 4 * 1.14, "the other prompt waits for the next free slot, not for the list"
    assert sum(handle.done.done() for handle in many) <= 24


@pytest.mark.long
@story(task={"seconds": 4.0}, max_in_flight=3)
async def test_a_429_pauses_all_and_all_get_through_without_a_storm(rig: Rig) -> None:
    handles = rig.submit(*range(24))
    got = await asyncio.gather(*map(rig.collected, handles))
    assert len({each.row.task_id for each in got}) == 24
    refused = rig.count("creates") - 24
    assert refused <= 24, "fewer refusals than tasks: the width follows what the gateway bears"
    assert rig.state["max_in_flight"] <= 3


@story(
    {"on": "create", "status": 429, "retry_after": 6, "times": 3},
    {"on": "poll", "status": 429, "retry_after": 5, "times": 1},
)
async def test_retry_after_is_kept_to_by_creates_and_polls_alike(rig: Rig) -> None:
    await asyncio.gather(*map(rig.collected, rig.submit(1, 2, 3)))
    sent = [float(create["t"]) for create in rig.state["creates"]]
    assert sent[:3] == [0.0] * 3
    assert min(sent[3:]) >= 6.0
    asked = [float(poll["t"]) for task in rig.state["tasks"] for poll in task["polls"]]
    busy = min(asked)
    assert not [time for time in asked if busy < time < busy + 5], "one poll's 429 holds back the others' polls"


@story({"on": "create", "retry_after": 6}, {"on": "poll", "retry_after": 9, "times": 1}, task={"seconds": 14.0})
async def test_a_retry_after_beside_running_is_kept_to(rig: Rig) -> None:
    await rig.collected(rig.submit(1)[0])
    asked = [float(poll["t"]) for poll in rig.state["tasks"][0]["polls"]]
    assert 6.0 <= asked[0] < 7.0, "the create's answer named the first"
    assert asked[1] - asked[0] >= 9.0


@story(task={"seconds": 30.0, "progress": "fraction"})
async def test_the_gateways_progress_is_heeded(rig: Rig) -> None:
    _, end = await ended(rig, rig.submit(1)[0])
    assert end <= 30 * 1.02
    assert polls_of(rig)[0] <= 14


@story(latency=0.5, task={"seconds": 8.0})
async def test_a_download_begins_with_the_poll_that_says_done(rig: Rig) -> None:
    await asyncio.gather(*map(rig.collected, rig.submit(1, 2)))
    for task in rig.state["tasks"]:
        assert len(task["downloads"]) == 1
        said, fetched = task["polls"][-1]["t"], task["downloads"][0]["t"]
        assert fetched - said <= 0.5 + 1e-6, "the poll's own way back, and nothing else"
    assert rig.clock.monotonic() <= 8 * 1.14 + 2 * 0.5


@story(task={"seconds": None}, settings={"max_in_flight": 2})
async def test_tasks_that_never_end_do_not_hold_the_slots_for_ever(rig: Rig) -> None:
    rig.submit(1, 2)
    await rig.clock.sleep(700)
    rig.gateway.change({"task": {"seconds": 4.0}})
    _, end = await ended(rig, rig.submit(3)[0])
    assert end <= 715


@story({"on": "create", "status": 429, "retry_after": 20})
async def test_a_429_to_one_process_rests_all_of_them(rig: Rig) -> None:
    other = rig.another()
    for each in (rig, other):
        each.runner.start_sweeper()
    await rig.clock.sleep(1)
    first = rig.submit(1)[0]
    await rig.clock.sleep(0.5)
    second = other.submit(2)[0]
    await asyncio.gather(rig.collected(first), other.collected(second))
    sent = [float(create["t"]) for create in rig.state["creates"]]
    assert min(sent[1:]) >= sent[0] + 20
