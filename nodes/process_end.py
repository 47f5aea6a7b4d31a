"""Notices that the process is about to end, while there is still time to write down what is under way.

Python ends at once on SIGTERM and SIGHUP, without its `atexit` (ComfyUI 0.3.75 to 0.33.0 do not listen to them): Docker,
systemd and a closed terminal stop ComfyUI that way. Here they end it as Ctrl+C does. What replaces the process
(`os.exec*`, as ComfyUI-Manager's restart does) is noticed by Python's own audit event.
What gives no sign cannot be noticed: SIGKILL, `os._exit`, a crash, the power.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Protocol

LOG = logging.getLogger("hunyuan")

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last is Windows' Ctrl+Break
LATEST = 9.5  # seconds from the signal to the end, whatever else holds it up: who sent it kills after ten
HURRIED = 2.0  # seconds from a second signal to the end
LISTENERS_TIME = 0.1  # seconds that asyncio needs to call those who listen through an event loop


class Ends(Protocol):
    """What has to end in order. `close` and `hurry` run inside signal handlers: they may take no lock and not wait."""

    def close(self) -> None:
        """The first sign: nothing new begins."""

    def hurry(self) -> None:
        """A second sign: nothing is waited for any more."""

    def stop(self) -> None:
        """The end itself; blocks until all is written down, for some seconds at most."""


class ProcessEnd:
    """The signals and the audit event of one process."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[int, Any] = {}  # who listened before, by signal
        self._handling: FrameType | None = None
        self._signs: list[float] = []  # monotonic seconds of each signal

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins; on the main thread, whose loop is ComfyUI's. Elsewhere (ComfyUI inside another program) does nothing:
        Python gives signals to the main thread alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        if self._loop is None:
            sys.addaudithook(self._notice_exec())
        self._loop = loop
        self._listen()

    def watch_again(self) -> None:
        """Listens again where somebody took the signals without calling who listened before; from any thread."""
        if self._loop is not None and not self._signs and any(self._is_lost(number) for number in self._before):
            self._loop.call_soon_threadsafe(self._listen)

    def _listen(self) -> None:
        for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
            before = signal.getsignal(number)
            # Ignored on purpose, as `nohup` does with SIGHUP; None: a listener that Python cannot call.
            if before in (signal.SIG_IGN, None) or before == self._on_signal:
                continue
            self._before[number] = before
            signal.signal(number, self._on_signal)

    def _is_lost(self, number: int) -> bool:
        return signal.getsignal(number) != self._on_signal

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if frame is not None and frame is self._handling:
            return  # whoever listened before calls us in turn
        self._signs.append(time.monotonic())
        first = len(self._signs) == 1
        (self._ends.close if first else self._ends.hurry)()
        if first and number != signal.SIGINT:
            with suppress(RuntimeError):  # no new threads: the interpreter is ending already
                threading.Thread(target=self._end_at_last, args=(number,), name="hunyuan-end", daemon=True).start()
        before = self._before.get(number)
        if callable(before):
            self._handling = frame
            try:
                before(number, frame)
            finally:
                self._handling = None
        if first and number != signal.SIGINT:
            self._interrupt_soon()

    def _interrupt_soon(self) -> None:
        """Ends ComfyUI as Ctrl+C does: its loop ends with KeyboardInterrupt."""
        loop = self._loop
        try:
            assert loop is not None
            loop.call_soon_threadsafe(loop.call_later, LISTENERS_TIME, _interrupt)
        except RuntimeError:  # the loop is closed: ComfyUI is ending already
            return

    def _end_at_last(self, number: int) -> None:
        """Another's thread or listener may hold up the end for ever; by itself the signal would have ended it at once."""
        while time.monotonic() < self._deadline:
            time.sleep(0.1)
        LOG.warning("ComfyUI did not end by itself after signal %d: ended.", number)
        os._exit(128 + number)

    @property
    def _deadline(self) -> float:
        return min(self._signs[0] + LATEST, self._signs[1] + HURRIED if len(self._signs) > 1 else float("inf"))

    def _notice_exec(self) -> Callable[[str, tuple[Any, ...]], None]:
        ours = os.getpid()

        def notice(event: str, _: tuple[Any, ...]) -> None:
            if event == "os.exec" and os.getpid() == ours:  # not in a fork that becomes another program
                self._ends.stop()

        return notice


def _interrupt() -> None:
    raise KeyboardInterrupt
