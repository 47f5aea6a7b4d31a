"""Notices that the process is about to end, while there is still time to write down what is under way.

Python ends at once on SIGTERM and SIGHUP, without its `atexit` (ComfyUI 0.3.75 to 0.33.0 do not listen to them), and
Docker, systemd and a closed terminal stop ComfyUI that way. Here they end it as Ctrl+C does. What replaces the process
(`os.exec*`, as ComfyUI-Manager's restart does) is preceded by the same end. What gives no sign cannot be noticed:
SIGKILL, `os._exit`, a crash, the power.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from types import FrameType
from typing import Any, NoReturn, Protocol

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last is Windows' Ctrl+Break
LATEST = 9.0  # seconds from the signal to the end, whatever else holds it up: who sent it kills after ten
HURRIED = 2.0  # seconds from a second signal to the end
SAME_SIGN = 1.0  # seconds in which a further signal tells nothing new: a service may send two, and a key bounces
STILL_HERE = 5.0  # seconds after Ctrl+C at which a loop that still runs means that ComfyUI does not end
LISTEN_AGAIN = 1.0  # seconds between looks at who has the signals
LISTENERS_TIME = 0.1  # seconds that asyncio needs to call those who listen through an event loop


class Ends(Protocol):
    """What has to end in order. `close` and `hurry` run inside signal handlers: they may take no lock and not wait.

    forced: whoever sent the signal kills soon, ten seconds after the first one, two after a second.
    """

    def close(self, *, forced: bool) -> None:
        """The first sign, perhaps again: nothing new begins."""

    def hurry(self, *, forced: bool) -> None:
        """A second sign: no answer is waited for any more. What has come is written down."""

    def go_on(self) -> None:
        """The process lives on: somebody took the signal for themselves, or what was to replace it, after `stop`, was
        no program."""

    def stop(self) -> None:
        """The end itself; blocks until all is written down, for some seconds at most."""


class ProcessEnd:
    """The signals of one process, and its replacement by another program."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[int, Any] = {}  # who listened before, by signal
        self._handling: FrameType | None = None
        self._began: float | None = None  # monotonic seconds of the first signal
        self._forced = False  # one of them came from who kills soon
        self._at_last = False
        self._latest = math.inf  # monotonic seconds at which the system ends the process

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins; on the main thread, whose loop is ComfyUI's. Elsewhere (ComfyUI inside another program) does nothing:
        Python gives signals to the main thread alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        if self._loop is None:
            self._precede_exec()
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._leave_to_child)
        self._loop = loop
        self._listen_on()

    def _listen_on(self) -> None:
        """Also where somebody takes the signals later, without calling who listened before."""
        if self._loop is not None and self._began is None:
            self._listen()
            self._loop.call_later(LISTEN_AGAIN, self._listen_on)

    def _listen(self) -> None:
        for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
            before = signal.getsignal(number)
            # Ignored on purpose, as `nohup` does with SIGHUP; None: a listener that Python cannot call.
            if before in (signal.SIG_IGN, None) or before == self._on_signal:
                continue
            self._before[number] = before
            signal.signal(number, self._on_signal)

    def _leave_to_child(self) -> None:
        """A fork, as other packs' pools of processes are, ends as it did without us: whoever ends it waits for that."""
        self._loop = None
        for number, before in self._before.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, before)

    @contextmanager
    def at_last(self) -> Iterator[None]:
        """The end itself: meanwhile a signal hurries it and does nothing else, or Ctrl+C would cut it off."""
        if self._loop is not None and threading.current_thread() is threading.main_thread():
            self._listen()
        self._at_last = True
        try:
            yield
        finally:
            self._at_last = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if frame is not None and frame is self._handling:
            return  # whoever listened before calls us in turn
        if os.getpid() != self._process:  # a fork, whose own listener calls us in turn
            _end_child(number, frame, self._before.get(number))
            return
        forced = number != signal.SIGINT  # Ctrl+C has never ended ComfyUI by force
        first_forced, self._forced = forced and not self._forced, forced or self._forced
        self._tell(number, forced)
        if self._at_last:
            return
        before = self._before.get(number)
        if callable(before):
            self._handling = frame
            try:
                before(number, frame)
            finally:
                self._handling = None
        if first_forced:  # ends ComfyUI as Ctrl+C does: its loop ends with KeyboardInterrupt
            self._later(LISTENERS_TIME, _interrupt)

    def _tell(self, number: int, forced: bool) -> None:
        """Says what kind of sign it is. SIGHUP is never a second one: where a terminal closes, its shell and the kernel
        send one each, whatever came before."""
        now, first = time.monotonic(), self._began is None
        began = self._began = now if self._began is None else self._began
        if now - began < SAME_SIGN or signal.Signals(number).name == "SIGHUP":
            self._ends.close(forced=forced)
            latest = LATEST
        else:
            self._ends.hurry(forced=forced)
            latest = HURRIED
        if forced:
            self._end_within(latest)
        elif first:
            self._later(STILL_HERE, self._go_on)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        """On ComfyUI's loop, if that goes on."""
        loop = self._loop
        assert loop is not None
        with suppress(RuntimeError):  # the loop is closed: ComfyUI is ending already
            loop.call_soon_threadsafe(loop.call_later, seconds, call)

    def _go_on(self) -> None:
        if not self._forced and not self._at_last:
            self._began = None
            self._ends.go_on()
            self._listen_on()

    def _end_within(self, seconds: float) -> None:
        """Lets the system end the process, should another's listener, thread or teardown hold it up for longer: the
        first signal alone would have ended it at once. Never later than it was said before: a second signal may come
        while the first is heard."""
        if hasattr(signal, "setitimer"):  # not a thread: Python's last seconds run without them
            self._latest = min(self._latest, time.monotonic() + seconds)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, max(0.001, self._latest - time.monotonic()))

    def _end_any_time(self) -> None:
        """Takes the deadline back: the timer would go on in the program that takes the place of this one."""
        if hasattr(signal, "setitimer"):
            self._latest = math.inf
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _precede_exec(self) -> None:
        """Puts the end before `os.execv` and `os.execve`, which all of `os.exec*` call.

        Python's audit event `os.exec` would tell the same, but a hook is called for every event there is: `id()`, for
        one, takes ten times as long with any hook at all (Python 3.11).
        """

        def preceded(execute: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
            @wraps(execute)
            def end_and_execute(*arguments: Any, **options: Any) -> NoReturn:
                program = arguments[0] if arguments else options.get("path", "")
                # `os.execvp` tries every folder of PATH. Windows completes a name by ".exe".
                is_there = isinstance(program, int) or (os.path.isfile(program) and os.access(program, os.X_OK))
                is_there = is_there or (os.name == "nt" and os.path.isfile(f"{os.fspath(program)}.exe"))
                if is_there and os.getpid() == self._process:  # not in a fork that becomes another program
                    self._end_and(partial(execute, *arguments, **options))
                execute(*arguments, **options)

            return end_and_execute

        os.execv, os.execve = preceded(os.execv), preceded(os.execve)

    def _end_and(self, become_another: Callable[[], NoReturn]) -> NoReturn:
        """Raises as `become_another` does where the program turns out to be none: then the process lives on, unless it
        was told to end meanwhile."""
        self._ends.stop()
        self._end_any_time()
        try:
            become_another()
        except BaseException:
            if self._began is None:
                self._ends.go_on()
            else:
                self._later(0.0, _interrupt)
            raise


def _end_child(number: int, frame: FrameType | None, before: Any) -> None:
    if callable(before):
        before(number, frame)
    elif before == signal.SIG_DFL:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _interrupt() -> None:
    raise KeyboardInterrupt
