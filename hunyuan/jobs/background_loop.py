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
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol, TypeVar

from ..errors import ConnectTimeoutError
from ..sentences import say
from .closing import PATIENCE
from .limiter import Clock

T = TypeVar("T")

WORKERS = 16  # threads for short calls: the journal, files
LAST_WORDS = 0.2  # seconds in which what is cancelled tells whoever waits for it


class Pool(Enum):
    """Threads for one kind of long call: what hangs holds up its own kind only.

    threads: at most. patience: seconds that a call waits for one of them; how long it may run is the call's own.
    """

    PAGE = (16, 20.0)  # the page's routes and what a node computes
    UPLOADS = (16, 120.0)
    CREATES = (64, 120.0)  # as many as may be in flight: what waits for a thread would count as sent
    POLLS = (32, 60.0)
    DOWNLOADS = (32, 300.0)  # decoding too

    def __init__(self, threads: int, patience: float) -> None:
        self.threads, self.patience = threads, patience


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

    async def remote(self, pool: Pool, call: Callable[..., T], *arguments: object) -> T:
        """Runs a blocking call over the network away from the loop, and from those of other kinds.

        Raises ConnectTimeoutError, with nothing sent, where no thread was free in time.
        """
        ...


class SystemClock:
    """Real time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Waiting:
    """A call that waits for a thread, until it is begun or given up."""

    def __init__(self, future: Future[Any]) -> None:
        self._future, self._lock, self._over = future, threading.Lock(), False

    def begin(self) -> bool:
        """Whether it is to run now."""
        with self._lock:
            over, self._over = self._over, True
        return not over and self._future.set_running_or_notify_cancel()

    def give_up(self, why: str) -> None:
        """It is not run any more, if it has not begun; whoever waits for it is told."""
        if self.begin():
            self._future.set_exception(
                ConnectTimeoutError(
                    say("Nothing was sent: {why}.", why=why), why=say("Earlier calls of this kind hang.")
                )
            )


class Workers:
    """Daemon threads: unlike an Executor's they never hold up ComfyUI's exit over a slow answer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._count = 0

    def submit(self, work: Callable[..., T], *arguments: object) -> tuple[Future[T], Waiting]:
        """Runs a call on one of the threads; until then it can be given up."""
        future: Future[T] = Future()
        waiting = Waiting(future)

        def run() -> None:
            if not waiting.begin():
                return
            try:
                future.set_result(work(*arguments))
            except BaseException as error:  # noqa: BLE001 - it goes to whoever holds the future
                future.set_exception(error)

        if self._has_thread():
            self._calls.put(run)
        else:
            waiting.give_up(say("the system gives this process no thread"))
        return future, waiting

    def _has_thread(self) -> bool:
        """Whether there is a thread that takes the next call; starts one where none is idle."""
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif self._count < self._most:
                thread = threading.Thread(target=self._work, name=f"hunyuan-{self._count + 1}", daemon=True)
                with suppress(RuntimeError):  # the system has none to give: those that are there take the call
                    thread.start()
                    self._count += 1
            return self._count > 0

    def _work(self) -> None:
        while True:
            self._calls.get()()
            with self._lock:
                self._idle += 1


class ThreadLoop:
    """An event loop on a daemon thread of its own."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self._loop = asyncio.new_event_loop()
        self._short = Workers(WORKERS)
        self._long = {pool: Workers(pool.threads) for pool in Pool}
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
        return await asyncio.wrap_future(self._short.submit(call, *arguments)[0])

    async def remote(self, pool: Pool, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.wrap_future(self.call(pool, call, *arguments))

    def call(self, pool: Pool, work: Callable[..., T], *arguments: object) -> Future[T]:
        """As `remote`, from any thread."""
        future, waiting = self._long[pool].submit(work, *arguments)
        if not future.done():
            why = say("no thread was free within {seconds:g} s", seconds=pool.patience)
            self._loop.call_soon_threadsafe(self._later, pool.patience, future, lambda: waiting.give_up(why))
        return future

    def _later(self, seconds: float, future: Future[T], act: Callable[[], None]) -> None:
        timer = self._loop.call_later(seconds, act)
        future.add_done_callback(lambda _: self._loop.call_soon_threadsafe(timer.cancel))

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
