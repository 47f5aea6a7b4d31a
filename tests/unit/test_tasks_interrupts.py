"""Nodes that leave, before, during and after each step: what was not sent is not sent, what was sent is not lost."""

from __future__ import annotations

import asyncio

import pytest

from hunyuan.jobs.handle import Phase
from hunyuan.models import TaskState
from tests.kit.rig import Rig, image, story

pytestmark = pytest.mark.every_python


@pytest.mark.parametrize(
    "at", [pytest.param(each / 2, marks=[pytest.mark.long] if each % 3 else []) for each in range(30)]
)
@story(latency=1.0)
async def test_an_interrupt_at_any_moment(rig: Rig, at: float) -> None:
    """Each exchange takes a second: create 0-1, polls from 3.1, done at 8, downloaded by 11."""
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await rig.clock.sleep(at)
    handle.detach()
    await rig.clock.sleep(60)
    rows = rig.rows()
    assert len(rows) == rig.billed == rig.count("creates")
    assert {row.state for row in rows} <= {TaskState.COLLECTED}
    assert rig.limiter.in_flight == 0
    assert (await rig.collected(rig.submit(5)[0])).images[0].digest == "a lighthouse|5"
    assert rig.billed == 1


@story
async def test_an_interrupt_before_the_first_step_sends_nothing(rig: Rig) -> None:
    for handle in rig.submit(5, 6):
        handle.detach()
    await rig.clock.sleep(60)
    assert rig.count("requests") == 0
    assert rig.rows() == []


@story(settings={"max_in_flight": 1})
async def test_leaving_while_another_process_has_all_slots_sends_nothing_later(rig: Rig) -> None:
    other = rig.another()
    for each in (rig, other):
        each.runner.start_sweeper()
    rig.submit(5)
    await rig.clock.sleep(0.5)
    handle = other.submit(6)[0]
    for _ in range(40):  # let go in whatever step it is: also while it writes its intent down
        await asyncio.sleep(0)
    handle.detach()
    await rig.clock.sleep(300)
    assert rig.count("creates") == rig.billed == 1


@pytest.mark.parametrize("turns", [*range(8), *(pytest.param(n, marks=pytest.mark.long) for n in range(8, 30))])
@story
async def test_leaving_while_the_intent_is_written_down(rig: Rig, turns: int) -> None:
    handle = rig.submit(5)[0]
    for _ in range(turns):
        await asyncio.sleep(0)
    phase = handle.progress().phase
    handle.detach()
    await rig.clock.sleep(60)
    creates = rig.count("creates")
    assert creates == rig.billed == len(rig.rows())
    # RESERVING: the row stands, and the create goes out in the same turn of the loop in which the node lets go.
    assert creates == 0 or phase in (Phase.RESERVING, Phase.SENDING, Phase.WAITING, Phase.DOWNLOADING, Phase.ENDED)
    assert (await rig.collected(rig.submit(5)[0])).row.state is TaskState.COLLECTED
    assert rig.billed == 1


@pytest.mark.parametrize("turns", range(12))
@story({"on": "create", "status": 429, "retry_after": 1}, latency=0.5)
async def test_leaving_and_coming_back_in_the_same_moment(rig: Rig, turns: int) -> None:
    first = rig.submit(5, inputs=(image(),))[0]
    for _ in range(turns):
        await asyncio.sleep(0)
    first.detach()
    second = rig.submit(5, inputs=(image(),))[0]
    assert (await rig.collected(second)).row.state is TaskState.COLLECTED
    assert rig.billed == 1


@story(settings={"max_in_flight": 1})
async def test_one_of_two_that_watch_leaves_and_the_other_gets_its_image(rig: Rig) -> None:
    blocker = rig.submit(1)[0]
    one, two = rig.submit(5)[0], rig.submit(5, node="9")[0]
    await rig.clock.sleep(1)
    assert one.progress().phase is Phase.QUEUED
    one.detach()
    await rig.collected(blocker)
    assert (await rig.collected(two)).paid
    assert rig.billed == 2


@story
async def test_only_the_node_that_paid_counts_the_credits(rig: Rig) -> None:
    one, two = rig.submit(5)[0], rig.submit(5, node="9")[0]
    got = await asyncio.gather(rig.collected(one), rig.collected(two))
    assert [each.paid for each in got] == [True, False]
    by_id = rig.attach(str(got[0].row.task_id))
    assert not (await rig.collected(by_id)).paid
    later = rig.submit(6)[0]
    await asyncio.wrap_future(later.created)
    task_id = rig.rows()[0].task_id
    assert not (await rig.collected(rig.attach(str(task_id)))).paid, "while its own node still waits"
    assert (await rig.collected(later)).paid


@story
async def test_an_upload_under_way_is_left_behind(rig: Rig) -> None:
    handle = rig.submit(5, inputs=(image(),))[0]
    while handle.progress().phase is Phase.LOOKING:
        await asyncio.sleep(0)
    assert handle.progress().phase is Phase.PREPARING
    handle.detach()
    await rig.clock.sleep(60)
    assert rig.count("requests") == 0
