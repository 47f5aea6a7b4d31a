"""What the user sees while dev.py works: numbered steps and a counter that moves."""

from __future__ import annotations

import io
import sys
import time
from typing import NoReturn, TextIO


class Stop(Exception):
    """Ends dev.py with one readable message and exit code 1."""


def lenient_output() -> None:
    """A Windows code page may lack the letters of a path: better a question mark than an end in the middle."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def stop(message: str) -> NoReturn:
    raise Stop(message)


def megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


class Steps:
    """Prints `[2/5] what` lines and, under them, one counter line.

    On a terminal the counter is rewritten in place; elsewhere (a log) it is printed at most
    every five seconds, so that a log stays readable.
    """

    def __init__(self, total: int, out: TextIO = sys.stdout) -> None:
        self._total = total
        self._done = 0
        self._out = out
        self._live = out.isatty()
        self._width = 0
        self._last = 0.0

    def begin(self, title: str) -> None:
        self.clear()
        self._done += 1
        self._last = time.monotonic()
        print(f"[{self._done}/{self._total}] {title}", file=self._out, flush=True)

    def counter(self, text: str) -> None:
        now = time.monotonic()
        if self._live:
            if now - self._last < 0.1:
                return
            line = f"      {text}"[:100]
            print("\r" + line.ljust(self._width), end="", file=self._out, flush=True)
            self._width = len(line)
        elif now - self._last >= 5:
            print(f"      {text}", file=self._out, flush=True)
        else:
            return
        self._last = now

    def line(self, text: str) -> None:
        """One line of its own under the step."""
        self.clear()
        print(f"      {text}", file=self._out, flush=True)

    def clear(self) -> None:
        if self._live and self._width:
            print("\r" + " " * self._width + "\r", end="", file=self._out, flush=True)
            self._width = 0
