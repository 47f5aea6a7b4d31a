"""A gateway that refuses: how often it is asked, what is spent, and what the nodes say meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from email.utils import formatdate
from typing import Any

import pytest

from hunyuan import errors
from hunyuan.errors import Money
from hunyuan.models import TaskState
from tests.kit.rig import Rig, story

BUSY = "The farm is at capacity, try again later"
# What stands in Retry-After of a gateway that does not mean it, or whose clock is wrong.
WORTHLESS = {
    "zero": 0,
    "past": formatdate(0, usegmt=True),
    "negative": "-5",
    "nonsense": "soon",
    "fraction": "0.001",
    "list": "0, 0",
    "none": None,
}


def refuses(**fault: Any) -> dict[str, Any]:
    return {"on": "create", "times": "always", "status": 429, "message": BUSY, **fault}


@pytest.mark.parametrize("worthless", WORTHLESS.values(), ids=WORTHLESS)
@story(lambda worthless: refuses(retry_after=worthless), latency=0.05)
async def test_a_retry_after_that_says_nothing_is_no_licence_to_ask_on_and_on(rig: Rig, worthless: Any) -> None:
    handles = rig.submit(*range(8), timeout_s=300)
    counted = []
    for seconds in (10, 20, 30, 60, 60, 60, 55):
        await rig.clock.sleep(seconds)
        counted.append(rig.count("creates"))
    assert counted[0] <= 20, "creates in the first ten seconds"
    later = [after - before for before, after in itertools.pairwise(counted)]
    assert max(later[2:]) <= 5, "a minute, once the pause has grown"
    error = await rig.failure(handles[0])
    assert error.money is Money.NOT_SPENT
    assert "No credits were spent." in str(error)
    assert rig.billed == 0


IN_TWENTY_SECONDS = {
    "Date": formatdate(1_780_000_000.0, usegmt=True),
    "Retry-After": formatdate(1_780_000_020.0, usegmt=True),
}


@story({"on": "create", "status": 429, "headers": IN_TWENTY_SECONDS})
async def test_a_date_in_retry_after_is_waited_for(rig: Rig) -> None:
    handle = rig.submit(1)[0]
    await rig.clock.sleep(19)
    assert rig.count("creates") == 1
    assert (await rig.collected(handle)).paid
    assert rig.billed == 1


@story(refuses(), settings={"max_in_flight": 1})
async def test_a_429_that_lasts_says_the_gateways_words_on_the_node_and_in_the_timeout(rig: Rig) -> None:
    first, queued = rig.submit(1, 2, timeout_s=60)
    await rig.clock.sleep(10)
    for handle in (first, queued):
        view = handle.progress()
        assert view.paused_for > 0
        assert view.refusal == BUSY
    for handle in (first, queued):
        error = await rig.failure(handle)
        assert isinstance(error, errors.TaskTimeoutError)
        assert BUSY in str(error)
        assert "429" in str(error)
        assert "No credits were spent." in str(error)
    rig.gateway.script.clear()
    third = rig.submit(3)[0]
    await asyncio.wrap_future(third.created)
    assert third.progress().refusal is None, "what is over is not told any more"


@story({**refuses(), "on": "poll"})
async def test_a_429_to_the_polls_is_told_in_the_timeout_too(rig: Rig) -> None:
    handle = rig.submit(1, timeout_s=60)[0]
    await rig.clock.sleep(30)
    assert handle.progress().refusal == BUSY
    error = await rig.failure(handle)
    assert BUSY in str(error)
    assert error.money is Money.SPENT


@story({"on": "poll", "status": 400, "code": 400, "message": "Try another question", "times": 5}, task={"seconds": 60})
async def test_a_poll_that_is_refused_right_after_the_create_is_not_the_end(rig: Rig) -> None:
    """Gateways that do not know a task yet say so in words that nobody can list."""
    assert (await rig.collected(rig.submit(1, timeout_s=300)[0])).paid
    assert rig.billed == 1


@story({"on": "poll", "status": 400, "code": 400, "message": "Try another question", "times": "always"})
async def test_a_poll_that_is_refused_for_long_says_that_the_task_is_paid(rig: Rig) -> None:
    error = await rig.failure(rig.submit(1, timeout_s=600)[0])
    assert isinstance(error, errors.RejectedRequestError)
    assert rig.clock.monotonic() >= 120
    assert error.money is Money.MAYBE_SPENT
    assert "asks for this task once more" in error.do
    assert [row.state.is_attachable for row in rig.rows()] == [True]


@story({"on": "download", "status": 429, "message": "file server", "times": 3}, results_url="http://files.test")
async def test_a_429_of_a_file_server_stops_no_create(rig: Rig) -> None:
    handle = rig.submit(1, timeout_s=300)[0]
    assert (await rig.collected(handle)).paid
    assert rig.limiter.width == 8


@story(refuses(), latency=0.1)
async def test_a_429_pauses_before_its_slot_goes_to_the_next(rig: Rig) -> None:
    rig.submit(*range(40), timeout_s=100)
    await rig.clock.sleep(0.9)
    assert rig.count("creates") == 8, "nobody sends into the pause"


OUT_OF_CREDITS: list[dict[str, Any]] = [
    {"status": 402, "message": "Payment required"},
    {"status": 400, "message": "Insufficient credits. Please top up."},
    {"status": 403, "code": "insufficient_user_quota", "message": "user quota is not enough"},
    {"status": 429, "message": "You exceeded your current quota, please check your plan and billing details."},
    {"status": 200, "code": 400, "message": "Insufficient credits. Please top up."},
]


@pytest.mark.parametrize("fault", OUT_OF_CREDITS, ids=lambda fault: f"{fault['status']} {fault['message'][:20]}")
@story(lambda fault: {"on": "create", "times": "always", **fault})
async def test_out_of_credits_is_one_error_at_once_in_the_gateways_words(rig: Rig, fault: dict[str, Any]) -> None:
    error = await rig.failure(rig.submit(1)[0])
    assert isinstance(error, errors.OutOfCreditsError)
    assert rig.clock.monotonic() < 1
    assert fault["message"] in str(error)
    assert "Top up" in error.do
    assert error.money is Money.NOT_SPENT
    assert (rig.count("creates"), rig.billed) == (1, 0)
    assert [(row.state, row.error_code) for row in rig.rows()] == [(TaskState.FAILED, "out_of_credits")]
    assert rig.limiter.paused_for == 0, "waiting does not mend it"


@story({"on": "create", "times": "always", "status": 402}, latency=0.1)
async def test_what_several_nodes_are_told_is_each_ones_own(rig: Rig) -> None:
    """One node's words about itself must not stand in another's failure."""
    one, two = rig.submit(1, node="1")[0], rig.submit(1, node="2")[0]
    first, second = await rig.failure(one), await rig.failure(two)
    assert str(first) == str(second)
    assert first is not second


@story(settings={"credit_limit_per_day": 25})
async def test_a_limit_of_credits_is_each_ones_own_error(rig: Rig) -> None:
    told = [await rig.failure(handle) for handle in rig.submit(1, 2, 3)]
    assert len({id(each) for each in told}) == 3
    assert len({str(each) for each in told}) == 1
    assert rig.count("creates") == 0
