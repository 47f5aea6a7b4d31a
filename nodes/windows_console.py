"""Windows' closed console, logoff and shutdown: Python gives no signal that could be answered in time.

The C library makes SIGBREAK of them, but Windows ends the process when the system's own handler returns, before Python
has run its own. So the handler is asked for at the system itself, and what has to end ends inside it.
https://learn.microsoft.com/windows/console/handlerroutine
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

ENDING = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT
_kept: list[Any] = []  # the system holds no reference to the handler


def watch_console(stop: Callable[[], None]) -> None:
    """Calls `stop` on a thread of the system's when the console is closed; Windows waits five seconds for it."""
    if sys.platform == "win32":
        import ctypes

        def handle(event: int) -> bool:
            if event in ENDING:
                stop()
            return False  # the next handler's turn: in the end the system ends the process

        handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(handle)
        if ctypes.windll.kernel32.SetConsoleCtrlHandler(handler, True):
            _kept.append(handler)
