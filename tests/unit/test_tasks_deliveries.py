"""Images between a node and its graph: awaited until they are used or left behind, whatever ends the node."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest

from hunyuan import errors
from hunyuan.journal.records import TaskRow
from tests.kit.rig import Rig, story

pytestmark = pytest.mark.every_python


def told(rig: Rig) -> list[tuple[str, bool]]:
    """What was told last of each row: its id, and whether a page takes it for used, at this moment."""
    last = {row.id: row for row in rig.changes}
    awaited = rig.runner.deliveries.awaited()
    return [(id, row.delivered_at is not None or id in awaited) for id, row in last.items()]


def unused(rig: Rig) -> int:
    return rig.journal.overview.undelivered(awaited=rig.runner.deliveries.awaited())


@story(latency=1.0)
async def test_from_the_create_until_it_is_written_down_that_it_was_used(rig: Rig) -> None:
    deliveries = rig.runner.deliveries
    handles = rig.submit(1, 2)
    with deliveries.during(handles):
        assert deliveries.awaited() == frozenset()
        done = [await rig.collected(handle) for handle in handles]
        assert deliveries.awaited() == {each.row.id for each in done}
        assert unused(rig) == 0
        deliveries.mark([done[0].row, done[1].row])
    assert deliveries.awaited() == {each.row.id for each in done}, "nothing is written down yet"
    assert unused(rig) == 0
    await rig.clock.sleep(10)
    assert deliveries.awaited() == frozenset()
    assert rig.journal.overview.undelivered() == 0
    assert {used for _, used in told(rig)} == {True}


@story
async def test_what_a_node_leaves_behind_is_told(rig: Rig) -> None:
    """One is used, one is here, one is still being made when the node ends; that comes later by itself."""
    deliveries = rig.runner.deliveries
    handles = rig.submit(1, 2)
    with deliveries.during(handles):
        first, second = [await rig.collected(handle) for handle in handles]
        late = rig.submit(3)[0]
        with deliveries.during([late]):
            third = await asyncio.wrap_future(late.created)
            deliveries.mark([first.row])
            rig.changes.clear()
            late.detach()
    await rig.clock.sleep(60)
    assert dict(told(rig)) == {first.row.id: True, second.row.id: False, third.id: False}
    assert unused(rig) == 2


@story
async def test_two_nodes_with_one_task(rig: Rig) -> None:
    deliveries = rig.runner.deliveries
    one, other = rig.submit(1)[0], rig.submit(1)[0]
    with deliveries.during([one]):
        with deliveries.during([other]):
            row = (await rig.collected(other)).row
        await rig.clock.sleep(10)
        assert deliveries.awaited() == {row.id}
        assert unused(rig) == 0
    await rig.clock.sleep(10)
    assert unused(rig) == 1
    assert told(rig) == [(row.id, False)]


@story
async def test_a_journal_that_cannot_be_written_leaves_it_unused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = rig.submit(1)[0]

    def full(id: str) -> TaskRow | None:
        raise errors.JournalError("The disk is full.")

    with rig.runner.deliveries.during([handle]):
        row = (await rig.collected(handle)).row
        monkeypatch.setattr(rig.journal, "mark_delivered", full)
        rig.runner.deliveries.mark([row])
        await rig.clock.sleep(1)
        assert unused(rig) == 0, "the node is still at it"
    await rig.clock.sleep(1)
    assert rig.runner.deliveries.awaited() == frozenset()
    assert unused(rig) == 1
    assert told(rig) == [(row.id, False)]
    assert any("The disk is full." in warning for warning in rig.warnings)


@story
async def test_a_node_that_ends_after_the_loop_has_ended_complains_of_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles = rig.submit(1, 2)
    with warnings.catch_warnings(record=True) as heard:
        with rig.runner.deliveries.during(handles):
            first, _ = [await rig.collected(handle) for handle in handles]
            monkeypatch.setattr(rig.background, "post", lambda call: None)  # as a loop that runs no more
            rig.runner.deliveries.mark([first.row])
        gc.collect()
    assert [str(each.message) for each in heard] == []


@story
async def test_a_task_that_failed_awaits_nothing(rig: Rig) -> None:
    handle = rig.attach("nobodys-task", timeout_s=30)
    with rig.runner.deliveries.during([handle]):
        assert isinstance(await rig.failure(handle), errors.UnknownTaskError)
        assert rig.runner.deliveries.awaited() == frozenset()
