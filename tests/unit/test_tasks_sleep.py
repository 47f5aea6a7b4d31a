"""A process that is stopped (SIGSTOP) and a laptop that sleeps, at any moment of a task, beside another."""

from __future__ import annotations

import asyncio

import pytest

from hunyuan.errors import BillingUnknownError
from hunyuan.models import TaskState
from tests.kit.rig import Rig, story

NIGHT = 9 * 3600
# Each exchange takes a second: the create till 1, polls from 4, done at 8, downloaded by 10.
MOMENTS = [pytest.param(each / 2, marks=[] if each % 4 == 1 else [pytest.mark.long]) for each in range(1, 22)]


def stop(rig: Rig, other: Rig, seconds: int, *, laptop: bool) -> None:
    """Nothing of the first process runs; the other one shows life and looks after who does not.

    laptop: the whole machine sleeps, the other process is another machine's, and the stop-watch stands still.
    """
    step = max(5, seconds // 60)
    for _ in range(seconds // step):
        if laptop:
            rig.clock.epoch += step
        else:
            assert rig.clock.loop is not None
            rig.clock.loop.instant.now += step
        other.journal.heartbeat()
        other.journal.recover()


@pytest.mark.parametrize("seconds", [60, NIGHT], ids=["a minute", "a night"])
@pytest.mark.parametrize("laptop", [False, True], ids=["stopped", "laptop"])
@pytest.mark.parametrize("at", MOMENTS)
@story(latency=1.0)
async def test_sleep_at_any_moment_loses_nothing(rig: Rig, at: float, laptop: bool, seconds: int) -> None:
    other = rig.another()
    for each in (rig, other):
        each.runner.start_sweeper()
    handle = rig.submit(5, timeout_s=2 * NIGHT)[0]
    await rig.clock.sleep(at)
    stop(rig, other, seconds, laptop=laptop)
    assert (await rig.collected(handle)).row.state is TaskState.COLLECTED
    await rig.clock.sleep(60)
    assert rig.billed == rig.count("creates") == 1
    totals = rig.journal.overview.credits()
    assert (totals.spent, totals.maybe) == (25, 0)


@story(latency=1.0)
async def test_the_other_process_that_asked_for_the_same_meanwhile_pays_nothing(rig: Rig) -> None:
    """It is told that the answer may be lost, and gets the image once the first is awake."""
    other = rig.another()
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await rig.clock.sleep(0.5)
    followed = other.submit(5)[0]
    await rig.clock.sleep(0.2)
    stop(rig, other, 60, laptop=False)
    got = await asyncio.gather(rig.collected(handle), rig.collected(followed), return_exceptions=True)
    assert got[0].row.state is TaskState.COLLECTED  # type: ignore[union-attr]
    assert isinstance(got[1], BillingUnknownError) or not got[1].paid  # type: ignore[union-attr]
    assert not (await rig.collected(other.submit(5)[0])).paid
    assert rig.billed == 1
