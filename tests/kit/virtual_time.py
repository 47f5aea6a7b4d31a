"""An event loop on virtual time: whatever sleeps wakes at once, in order, and the clock says when.

`run(story)` runs a coroutine on it, `@on_virtual_time` makes one a test. `loop.time()` is the fake clock; nothing waits
for real.
"""

from __future__ import annotations

import asyncio
import inspect
import selectors
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class _InstantSelector(selectors.DefaultSelector):
    """Instead of waiting for a timer, moves the clock to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("deadlock: nothing is due and nothing can happen any more")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """SelectorEventLoop whose time() moves only by what is slept."""

    def __init__(self) -> None:
        self.instant = _InstantSelector()
        super().__init__(self.instant)

    def time(self) -> float:
        return self.instant.now


class VirtualClock:
    """The clock of the library, on the running virtual loop. Unix time starts at `epoch`."""

    def __init__(self, epoch: float = 1_780_000_000.0) -> None:
        self.epoch = epoch
        self.loop: VirtualLoop | None = None

    def monotonic(self) -> float:
        return self.loop.time() if self.loop else 0.0

    def time(self) -> float:
        return self.epoch + self.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(story: Callable[[VirtualClock], Awaitable[T]], clock: VirtualClock | None = None) -> T:
    """Runs `story(clock)` to its end in no real time; raises RuntimeError where it would wait for ever."""
    loop = VirtualLoop()
    clock = clock or VirtualClock()
    clock.loop = loop
    try:
        return loop.run_until_complete(story(clock))
    finally:
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.close()


def on_virtual_time(told: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Makes `async def test_…(clock, …)` a test."""
    _, *fixtures = inspect.signature(told).parameters.values()

    def test(**given: Any) -> None:
        run(lambda clock: told(clock, **given))

    return named_after(told, test, fixtures)


def named_after(
    told: Callable[..., Any], test: Callable[..., None], fixtures: Iterable[inspect.Parameter]
) -> Callable[..., None]:
    """`test` as pytest is to see it: with the coroutine's name, text and marks, asking for `fixtures`."""
    test.__name__, test.__doc__, test.__module__ = told.__name__, told.__doc__, told.__module__
    test.__qualname__, test.__dict__ = told.__qualname__, dict(told.__dict__)
    test.__signature__ = inspect.Signature(list(fixtures))  # type: ignore[attr-defined]
    return test
