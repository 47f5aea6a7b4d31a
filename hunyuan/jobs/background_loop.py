"""The thread on which all tasks of the process live: an event loop of our own, and daemon threads for what blocks.

ComfyUI gives every prompt a new event loop and a synchronous node freezes it (seen in 0.3.75 to 0.33.0);
deadlines, polls and downloads must not depend on it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from .closing import PATIENCE
from .limiter import Clock

T = TypeVar("T")

WORKERS = 16  # threads for short calls: the journal, files, decoding
LAST_WORDS = 0.2  # seconds in which what is cancelled tells whoever waits for it
REMOTE_WORKERS = 64  # threads for calls over the network, which may hang: they must not hold up the heartbeat


class BackgroundLoop(Protocol):
    """Where the runner's coroutines run."""

    @property
    def clock(self) -> Clock:
        """The time that all of it goes by."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts a coroutine; only on the background loop."""
        ...

    def post(self, call: Callable[[], object]) -> None:
        """Runs `call` on the background loop soon; from any thread."""
        ...

    async def blocking(self, call: Callable[..., T], *arguments: object) -> T:
        """Runs a short blocking call away from the loop."""
        ...

    async def remote(self, call: Callable[..., T], *arguments: object) -> T:
        """Runs a blocking call over the network away from the loop, and from the short ones."""
        ...


class SystemClock:
    """Real time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Workers:
    """Daemon threads: unlike an Executor's they never hold up ComfyUI's exit over a slow answer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._count = 0

    def submit(self, call: Callable[[], None]) -> None:
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif self._count < self._most:
                self._count += 1
                threading.Thread(target=self._work, name=f"hunyuan-{self._count}", daemon=True).start()
        self._calls.put(call)

    def _work(self) -> None:
        while True:
            self._calls.get()()
            with self._lock:
                self._idle += 1


def _submit(workers: _Workers, work: Callable[..., T], *arguments: object) -> Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work(*arguments))
        except BaseException as error:  # noqa: BLE001 - it goes to whoever holds the future
            future.set_exception(error)

    workers.submit(run)
    return future


class ThreadLoop:
    """An event loop on a daemon thread of its own."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self._loop = asyncio.new_event_loop()
        self._short, self._remote = _Workers(WORKERS), _Workers(REMOTE_WORKERS)
        self._thread = threading.Thread(target=self._run, name="hunyuan-background", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)
        return task

    def post(self, call: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(call)

    async def blocking(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.wrap_future(_submit(self._short, call, *arguments))

    async def remote(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.wrap_future(_submit(self._remote, call, *arguments))

    def call(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        """Runs a blocking call of any length on a worker; from any thread."""
        return _submit(self._remote, work, *arguments)

    def stop(self, last: Callable[[], Coroutine[Any, Any, None]], patience: float = PATIENCE) -> None:
        """Ends the loop after `last`, which has `patience` seconds: an answer under way is written down."""

        async def wind_down() -> None:
            await asyncio.wait([self._loop.create_task(last())], timeout=patience)
            cancelled = set(self._tasks)
            for task in cancelled:
                task.cancel()
            if cancelled:
                await asyncio.wait(cancelled, timeout=LAST_WORDS)
            self._loop.stop()

        def begin() -> None:
            self._ending = self._loop.create_task(wind_down())

        self._loop.call_soon_threadsafe(begin)
        self._thread.join(patience + 1.0)
