"""On Windows: a closed console, logging off and shutting down, of which Python's signals come too late.

Windows calls a process's handlers on a thread of its own, and ends the process as soon as one of them has dealt with
the event, or five seconds after it (Microsoft's pages on SetConsoleCtrlHandler and HandlerRoutine). Python's own only
notes a signal for the main thread and returns.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from .process_end import Ends

ENDS = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT
PATIENCE = 3.0  # seconds for creates without an answer; what is answered has one more, and Windows five in all

_kept: list[object] = []  # Windows calls it for as long as the process lives


def listen(ends: Ends) -> None:
    """Windows only: elsewhere a closed console is a SIGHUP."""
    if sys.platform != "win32":
        return
    import ctypes

    windows: Any = ctypes  # its names are there on Windows alone
    handler = windows.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(lambda event: on_event(ends, event))
    _kept.append(handler)
    windows.windll.kernel32.SetConsoleCtrlHandler(handler, 1)


def on_event(ends: Ends, event: int) -> int:
    """What Windows calls: the end, before it lets the next handler end the process (0). Blocks for five seconds at
    most; Ctrl+C and Ctrl+Break are left to Python."""
    if event in ENDS:
        ends.close(forced=True)
        hurry = threading.Timer(PATIENCE, lambda: ends.hurry(forced=True))
        hurry.daemon = True
        hurry.start()
        ends.stop()
        hurry.cancel()
    return 0
