"""Another key or another gateway in the settings: what was paid for with the first is not thrown away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hunyuan import errors
from hunyuan.models import TaskState
from tests.kit.rig import KEY, Rig, story

OTHER = "aio_ffffffffffffffffffffffffffffffff"
NOT_MINE = {"on": "poll", "times": "always", "status": 404}  # how a gateway may answer for another account's task
# A new key may be the same account's, so it is tried; another gateway is not even asked.
CHANGES = {
    "another key": ({"api_key": OTHER}, 25),
    "another gateway": ({"base_url": "http://sandbox.invalid/other"}, 0),
}


@pytest.mark.long
@pytest.mark.parametrize(("change", "most"), CHANGES.values(), ids=CHANGES)
@story(task={"seconds": None}, keys=(KEY, OTHER))
async def test_open_tasks_wait_for_their_own_key_and_gateway(rig: Rig, change: dict[str, Any], most: int) -> None:
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await rig.clock.sleep(2)
    handle.detach()
    await rig.clock.sleep(700)  # its own job has ended; the sweeper looks after it
    mine, rig.settings = rig.settings, replace(rig.settings, **change)
    rig.gateway.script.add(NOT_MINE)
    before = rig.count("requests")
    await rig.clock.sleep(600)
    assert rig.count("requests") - before <= most
    assert rig.rows()[0].state.is_open
    assert rig.rows()[0].lost_at is None
    rig.settings = mine
    rig.gateway.script.clear()
    rig.finish()
    await rig.until(lambda: rig.rows()[0].state is TaskState.COLLECTED, within=600)
    assert rig.billed == 1


@story(task={"seconds": None}, keys=(KEY, OTHER))
async def test_a_key_changed_while_a_node_waits_is_told_and_loses_nothing(rig: Rig) -> None:
    handle = rig.submit(5)[0]
    await rig.clock.sleep(12)
    mine, rig.settings = rig.settings, replace(rig.settings, api_key=OTHER)
    rig.gateway.script.add(NOT_MINE)
    error = await rig.failure(handle)
    assert isinstance(error, errors.HunyuanError)
    assert "key" in str(error)
    assert rig.rows()[0].state.is_open
    assert rig.rows()[0].lost_at is None
    rig.settings = mine
    rig.gateway.script.clear()
    rig.finish()
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


@story(keys=(KEY, OTHER))
async def test_a_new_key_of_the_same_account_collects_what_the_old_one_paid(rig: Rig) -> None:
    rig.runner.start_sweeper()
    await asyncio.wrap_future(rig.submit(5)[0].created)
    rig.settings = replace(rig.settings, api_key=OTHER)
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


@story({"on": "poll", "status": 401, "times": "always"})
async def test_a_wrong_key_while_polling_is_told_and_the_task_stays(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.AuthenticationError)
    assert str(rig.rows()[0].task_id) in str(error)
    assert rig.rows()[0].state.is_open
    rig.gateway.script.clear()
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


@pytest.mark.parametrize("change", [{"api_key": ""}, {"api_key": OTHER}, {"base_url": "http://sandbox.invalid/other"}])
@story(task={"seconds": None}, keys=(KEY, OTHER))
async def test_a_worker_without_a_tasks_key_leaves_it_to_one_that_has_it(rig: Rig, change: dict[str, Any]) -> None:
    handle = rig.submit(5)[0]
    await rig.clock.sleep(2)
    handle.detach()
    rig.settings = replace(rig.settings, **change)
    rig.gateway.script.add(NOT_MINE)  # its own job gives up
    rig.runner.start_sweeper()
    await rig.clock.sleep(700)
    rig.gateway.script.clear()
    rig.finish()
    other = rig.another()
    other.settings = replace(rig.settings, api_key=KEY, base_url=rig.rows()[0].base_url)
    other.runner.start_sweeper()
    await rig.until(lambda: rig.rows()[0].state is TaskState.COLLECTED, within=600)
    assert rig.billed == 1
