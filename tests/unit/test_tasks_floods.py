"""A gateway whose progress is never true is not flooded with polls, however many tasks it has."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.kit.rig import Rig, story


def always(progress: float) -> dict[str, Any]:
    """Every poll says that the task is nearly done."""
    body = {"code": 200, "data": {"status": "processing", "progress": progress}}
    return {"on": "poll", "times": "always", "body": body}


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= time < start + 1 for time in times) for start in times)


def asked(rig: Rig) -> list[list[float]]:
    """The seconds at which each task was polled."""
    return [[float(poll["t"]) for poll in task["polls"]] for task in rig.state["tasks"]]


@pytest.mark.parametrize("progress", [0.99, 0.9999, 99])
@story(lambda progress: always(progress), task={"seconds": None})
async def test_nearly_done_for_ever_is_polled_as_if_nothing_were_said(rig: Rig, progress: float) -> None:
    rig.submit(1, timeout_s=1000)
    await rig.clock.sleep(60)
    (times,) = asked(rig)
    assert len(times) <= 24, "the plain schedule asks 22 times in a minute"
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps[3:]) >= 0.3, "after the first missed aim"


@story(always(0.99), task={"seconds": None})
async def test_eight_that_are_nearly_done_for_ever_share_what_may_be_asked_in_a_second(rig: Rig) -> None:
    rig.submit(*range(8), timeout_s=1000)
    await rig.clock.sleep(60)
    times = sorted(time for each in asked(rig) for time in each)
    assert most_in_a_second(times) <= 24
    assert len(times) <= 8 * 24


@story(task={"seconds": 30.0, "progress": "percent"})
async def test_a_progress_in_whole_percent_is_aimed_by(rig: Rig) -> None:
    await asyncio.gather(*map(rig.collected, rig.submit(1)))
    assert rig.clock.monotonic() <= 30 * 1.02
    assert rig.count("polls") <= 14
