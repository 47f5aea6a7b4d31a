"""Slots and the 429 pause, on virtual time: counted, not timed."""

from __future__ import annotations

import asyncio

import pytest

from hunyuan.jobs.limiter import Limiter
from tests.kit.virtual_time import VirtualClock, on_virtual_time


@on_virtual_time
async def test_never_more_in_flight_than_allowed_and_all_get_through(clock: VirtualClock) -> None:
    limiter, most = Limiter(clock, lambda: 3), 0

    async def task() -> None:
        nonlocal most
        slot = await limiter.acquire(("p", "n"))
        most = max(most, limiter.in_flight)
        await clock.sleep(2)
        slot.release()

    await asyncio.gather(*(task() for _ in range(9)))
    assert limiter.in_flight == 0
    assert (most, clock.monotonic()) == (3, 6.0)


@on_virtual_time
async def test_slots_go_round_over_prompts_and_their_nodes(clock: VirtualClock) -> None:
    limiter, order = Limiter(clock, lambda: 1), list[str]()

    async def task(prompt: str, node: str) -> None:
        slot = await limiter.acquire((prompt, node))
        order.append(prompt + node)
        await clock.sleep(1)
        slot.release()

    groups = [("a", "1")] * 4 + [("a", "2")] * 2 + [("b", "1")] * 2
    await asyncio.gather(*(task(*group) for group in groups))
    assert order[:5] == ["a1", "a1", "b1", "a2", "b1"], "the first is in before anybody waits"
    assert sorted(order) == sorted(["a1"] * 4 + ["a2"] * 2 + ["b1"] * 2)


@on_virtual_time
async def test_a_cancelled_wait_leaves_no_slot_behind(clock: VirtualClock) -> None:
    limiter = Limiter(clock, lambda: 1)
    first = await limiter.acquire(("p", "1"))
    second = asyncio.ensure_future(limiter.acquire(("p", "2")))
    third = asyncio.ensure_future(limiter.acquire(("p", "3")))
    await asyncio.sleep(0)
    first.release()  # granted to the second …
    second.cancel()  # … which is cancelled before it wakes
    slot = await third
    assert limiter.in_flight == 1
    slot.release()
    assert (limiter.in_flight, limiter.waiting) == (0, 0)


@on_virtual_time
async def test_a_429_pauses_everybody_once_narrows_and_widens_again(clock: VirtualClock) -> None:
    limiter = Limiter(clock, lambda: 8)
    slots = [await limiter.acquire(("p", str(k))) for k in range(8)]
    for _ in range(8):
        limiter.throttled(4.0)
    assert limiter.width == 4, "eight answers of one burst narrow once"
    for slot in slots:
        slot.release()
    slot = await limiter.acquire(("p", "x"))
    assert clock.monotonic() == 4.0
    slot.release()
    for _ in range(4):
        limiter.accepted()
    assert limiter.width == 5
    for _ in range(5 + 6 + 7):
        limiter.accepted()
    assert limiter.width == 8


@on_virtual_time
async def test_without_retry_after_the_pause_doubles_and_polls_heed_it(clock: VirtualClock) -> None:
    limiter = Limiter(clock, lambda: 8)
    limiter.throttled(None)
    await limiter.resume()
    assert clock.monotonic() == 1.0
    limiter.throttled(None)
    await limiter.resume()
    assert clock.monotonic() == 3.0
    assert limiter.width == 2


@on_virtual_time
async def test_a_retry_after_of_years_and_thousands_of_refusals_are_no_end(clock: VirtualClock) -> None:
    limiter = Limiter(clock, lambda: 8)
    limiter.throttled(1e9)
    assert limiter.paused_for == 900
    await limiter.resume()
    for _ in range(3000):
        limiter.throttled(None)
        await limiter.resume()
    assert limiter.paused_for == 0


@on_virtual_time
async def test_who_was_refused_by_a_429_goes_first(clock: VirtualClock) -> None:
    limiter, order = Limiter(clock, lambda: 1), list[str]()
    slot = await limiter.acquire(("a", "1"))

    async def wait(name: str, first: bool) -> None:
        got = await limiter.acquire((name, "1"), first=first)
        order.append(name)
        got.release()

    late = asyncio.ensure_future(wait("b", False))
    await asyncio.sleep(0)
    again = asyncio.ensure_future(wait("a", True))
    await asyncio.sleep(0)
    slot.release()
    await asyncio.gather(late, again)
    assert order == ["a", "b"]


@on_virtual_time
async def test_who_waits_is_counted_through_grants_and_cancelled_waits(clock: VirtualClock) -> None:
    limiter, counts = Limiter(clock, lambda: 1), list[int]()
    first = await limiter.acquire(("p", "1"))
    others = [asyncio.ensure_future(limiter.acquire(("p", str(node)))) for node in range(3)]
    await asyncio.sleep(0)
    counts.append(limiter.waiting)
    others[2].cancel()
    await asyncio.gather(others[2], return_exceptions=True)
    counts.append(limiter.waiting)
    first.release()
    counts.append(limiter.waiting)
    (await others[0]).release()
    (await others[1]).release()
    counts.append(limiter.waiting)
    assert counts == [3, 2, 1, 0]


@pytest.mark.parametrize("asked", [None, 0.0, 0.001])
@on_virtual_time
async def test_what_the_gateway_asks_for_is_not_less_than_the_own_pause_and_that_grows(
    clock: VirtualClock, asked: float | None
) -> None:
    limiter, pauses = Limiter(clock, lambda: 8), list[float]()
    for _ in range(7):
        limiter.throttled(asked)
        pauses.append(limiter.paused_for)
        await limiter.resume()
    await clock.sleep(121)
    limiter.throttled(asked)
    pauses.append(limiter.paused_for)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 1], "from the start again after two quiet minutes"


@on_virtual_time
async def test_the_words_of_a_429_are_kept_until_a_create_is_accepted(clock: VirtualClock) -> None:
    limiter = Limiter(clock, lambda: 8)
    said = [limiter.refusal]
    limiter.throttled(None, "Slow down")
    said.append(limiter.refusal)
    limiter.accepted()
    assert [*said, limiter.refusal] == [None, "Slow down", None]


@on_virtual_time
async def test_the_words_of_a_429_that_is_long_over_are_no_reason(clock: VirtualClock) -> None:
    limiter = Limiter(clock, lambda: 8)
    limiter.throttled(20, "Slow down")
    await clock.sleep(45)
    recently = limiter.refusal
    await clock.sleep(10)
    assert (recently, limiter.refusal) == ("Slow down", None)


@on_virtual_time
async def test_who_waits_can_tell_for_whom(clock: VirtualClock) -> None:
    limiter = Limiter(clock, lambda: 2)
    told = [limiter.crowd]
    first = await limiter.acquire(("p", "1"))
    await clock.sleep(30)
    await limiter.acquire(("p", "2"))
    told.append(limiter.crowd)
    first.release()
    await clock.sleep(5)
    told.append(limiter.crowd)
    limiter.crowded(8, 240.0)
    await clock.sleep(10)
    told.append(limiter.crowd)
    limiter.roomy()
    assert [*told, limiter.crowd] == [(0, 0.0), (2, 30.0), (1, 5.0), (8, 250.0), (1, 15.0)]


@pytest.mark.parametrize(("slots", "most"), [(0, 4), (1, 4), (8, 24)])
@on_virtual_time
async def test_at_most_four_polls_a_second_or_three_for_each_task_in_flight(
    clock: VirtualClock, slots: int, most: int
) -> None:
    limiter, times = Limiter(clock, lambda: 8), list[float]()
    for node in range(slots):
        await limiter.acquire(("p", str(node)))

    async def poll() -> None:
        await limiter.wait_to_poll()
        times.append(clock.monotonic())

    await asyncio.gather(*(poll() for _ in range(100)))
    times.sort()
    assert max(sum(start <= time < start + 1 for time in times) for start in times) == most
    assert times[-1] <= 100 / most + 0.1, "and no fewer"
