"""The slots of all tasks in flight and the 429 pause, shared by every node of the process.

Lives on the background loop: no lock is needed, and none may be taken from elsewhere.
Fair: slots go round over the prompts that wait, and within a prompt over its nodes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ..errors import HunyuanError
from ..limits import LONGEST_RETRY_AFTER

Group = tuple[str, str]  # prompt id, node id

# Seconds after a 429, doubled with each in a row: the floor of what the gateway asks for, which may be nothing.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# Polls that go out in any second, of all tasks together, whatever the gateway says of their progress: so many, or so
# many for each task in flight where that is more. 200 tasks of 2 s in 16 slots take 17 polls a second to be noticed.
POLLS_A_SECOND, POLLS_A_SLOT = 4, 3
RECALLED = 30.0  # seconds since a pause ended in which its words still say what is waited for
FORGOTTEN_AFTER = 120.0  # seconds since a pause ended after which the next 429 is a first one


class Clock(Protocol):
    """Time as the background loop sees it: seconds that only grow, unix seconds, and an awaitable sleep."""

    def monotonic(self) -> float: ...

    def time(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Slot:
    """The right to have one task in flight. Release it once the gateway is done with the task."""

    def __init__(self, limiter: Limiter, group: Group) -> None:
        self._limiter = limiter
        self.group = group
        self.since = limiter.now
        self._held = True
        limiter.slots.add(self)

    def release(self) -> None:
        """Gives the slot back; a second call does nothing."""
        if self._held:
            self._held = False
            self._limiter.slots.discard(self)
            self._limiter._released()


class _Queue:
    """Waiters by prompt and node, taken in turn."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, OrderedDict[str, deque[asyncio.Future[None]]]] = OrderedDict()

    def put(self, group: Group, waiter: asyncio.Future[None], *, first: bool) -> None:
        nodes = self._prompts.setdefault(group[0], OrderedDict())
        line = nodes.setdefault(group[1], deque())
        if first:
            line.appendleft(waiter)
            nodes.move_to_end(group[1], last=False)
            self._prompts.move_to_end(group[0], last=False)
        else:
            line.append(waiter)

    def take(self) -> asyncio.Future[None] | None:
        """The next waiter that still waits; its prompt and node go to the end of their lines."""
        while self._prompts:
            prompt, nodes = next(iter(self._prompts.items()))
            node, line = next(iter(nodes.items()))
            waiter = line.popleft()
            if line:
                nodes.move_to_end(node)
            else:
                del nodes[node]
            if nodes:
                self._prompts.move_to_end(prompt)
            else:
                del self._prompts[prompt]
            if not waiter.done():
                return waiter
        return None


class Limiter:
    """At most `max_in_flight()` tasks at once; fewer after a 429, and slowly more again."""

    def __init__(self, clock: Clock, max_in_flight: Callable[[], int]) -> None:
        self._clock = clock
        self._max = max_in_flight
        self._last = 1
        self._narrowed: int | None = None  # slots allowed after a 429; None: all
        self._accepted = 0  # creates accepted since the width changed
        self._refusals = 0  # 429 answers in a row
        self._paused_until = 0.0
        self._waker: asyncio.Task[None] | None = None
        self._queue = _Queue()
        self._polls: deque[tuple[float, int]] = deque()  # of the last second: monotonic seconds, tasks in flight then
        self._crowd: tuple[int, float] | None = None  # the journal's count where it is full, and since when the oldest
        self.slots: set[Slot] = set()  # nodes read it from their own threads
        self._refusal: str | None = None  # the gateway's words at the last 429, until a create is accepted
        self.in_flight = 0
        self.waiting = 0  # for a slot; counted, since nodes read it from their own threads while the queue changes

    @property
    def width(self) -> int:
        """Slots allowed now."""
        widest = self._widest()
        return widest if self._narrowed is None else min(self._narrowed, widest)

    def _widest(self) -> int:
        """The setting; as it was while the settings cannot be read, for whoever waits must not wait for ever."""
        with suppress(HunyuanError):
            self._last = max(1, self._max())
        return self._last

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic()

    @property
    def crowd(self) -> tuple[int, float]:
        """For whom one waits: how many tasks are in flight, and for how many seconds the oldest of them."""
        count, since = self._crowd or (self.in_flight, min((slot.since for slot in list(self.slots)), default=self.now))
        return count, max(0.0, self.now - since)

    def crowded(self, in_flight: int, oldest: float) -> None:
        """The journal has no slot: so many are in flight in all processes, the oldest for so many seconds."""
        self._crowd = in_flight, self.now - oldest

    def roomy(self) -> None:
        """The journal had a slot."""
        self._crowd = None

    @property
    def paused_for(self) -> float:
        """Seconds until anything is sent again after a 429 (0 if not paused)."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    @property
    def refusal(self) -> str | None:
        """The gateway's words at a 429 that lasts; None where what waits waits for something else."""
        return self._refusal if self.now - self._paused_until <= RECALLED else None

    async def acquire(self, group: Group, *, first: bool = False) -> Slot:
        """Waits for a slot; cancelling the wait gives up the place. first: before all who wait."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(group, waiter, first=first)
        self.waiting += 1
        self._grant()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._released()  # granted and cancelled in the same turn of the loop
            else:
                self.waiting -= 1
            waiter.cancel()
            raise
        return Slot(self, group)

    async def resume(self) -> None:
        """Waits out the 429 pause, for what needs no slot: polls and downloads."""
        while self.paused_for > 0:
            await self._clock.sleep(self.paused_for)

    async def wait_to_poll(self) -> None:
        """Waits out the 429 pause, and until one poll more is within what the gateway may be asked in a second."""
        while True:
            await self.resume()
            while self._polls and self._polls[0][0] + 1.0 <= self.now:
                self._polls.popleft()
            in_flight = max(self.in_flight, *(count for _, count in self._polls), 0)
            most = max(POLLS_A_SECOND, POLLS_A_SLOT * in_flight)
            if len(self._polls) < most:
                self._polls.append((self.now, self.in_flight))
                return
            await self._clock.sleep(max(0.001, self._polls[-most][0] + 1.0 - self.now))

    def throttled(self, retry_after: float | None, words: str = "") -> None:
        """The gateway said 429: everybody pauses, and fewer may be in flight. One narrowing a pause."""
        self._refusal = words
        if self.paused_for <= 0:
            if self.now - self._paused_until > FORGOTTEN_AFTER:
                self._refusals = 0
            self._narrowed = max(1, min(self.width, self.in_flight or self.width) // 2)
            self._accepted = 0
            self._refusals += 1
        own = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._refusals - 1, 30))
        self.pause(max(own, min(retry_after or 0.0, LONGEST_RETRY_AFTER)))

    def pause(self, seconds: float) -> None:
        """Nothing is sent for so long (also what another process was told); a longer pause is not shortened."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def accepted(self) -> None:
        """A create went through: after as many as the width allows, it widens by one."""
        self._refusals = 0
        self._refusal = None
        if self._narrowed is None:
            return
        self._accepted += 1
        if self._accepted >= self._narrowed:
            self._accepted = 0
            self._narrowed += 1
            if self._narrowed >= self._widest():
                self._narrowed = None
            self._grant()

    def look_again(self) -> None:
        """The setting may have been raised: who waits need not wait for the next end of a task."""
        if self.waiting:
            self._grant()

    def _released(self) -> None:
        self.in_flight -= 1
        self._grant()

    def _grant(self) -> None:
        if self.paused_for > 0:
            if self._waker is None or self._waker.done():
                self._waker = asyncio.get_running_loop().create_task(self._grant_later())
            return
        while self.in_flight < self.width:
            waiter = self._queue.take()
            if waiter is None:
                return
            self.in_flight += 1
            self.waiting -= 1
            waiter.set_result(None)

    async def _grant_later(self) -> None:
        await self.resume()
        self._waker = None
        self._grant()
