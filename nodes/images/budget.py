"""Memory for decoding: as many files at a time as fit, and one that is larger than all of it alone."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """A number of bytes that decodes of all threads share, in the order in which they came."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._held = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, wanted: int) -> Iterator[None]:
        """Waits until `wanted` bytes are free, or all of them where it wants more than there are."""
        ticket, share = object(), min(wanted, self._total)
        with self._changed:
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: self._queue[0] is ticket and self._held + share <= self._total)
                self._held += share
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._held -= share
                self._changed.notify_all()
