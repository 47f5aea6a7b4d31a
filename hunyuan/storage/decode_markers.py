"""Which tasks' files are being decoded: an empty file each, which only a killed process leaves behind.

Not in the journal: a file costs some microseconds, and needs no database in that moment. So each machine of a studio
knows of its own.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class DecodingMarks:
    """One mark a task, by the id of its row. Thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, row_id: str) -> Iterator[None]:
        """Marks a task as long as this lasts; its images may be decoded side by side."""
        with self._lock:
            self._held[row_id] += 1
            with suppress(OSError):  # a disk that takes no mark may still take the image
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                (self._directory / row_id).touch()
        try:
            yield
        finally:
            with self._lock:
                self._held[row_id] -= 1
                if not self._held[row_id]:
                    self._remove(row_id)

    def is_left(self, row_id: str) -> bool:
        """Whether a process ended while it decoded this task's file; asked where no living one has the task in hand."""
        return not self._held.get(row_id) and (self._directory / row_id).exists()

    def clear(self, row_id: str) -> None:
        """It is written down elsewhere."""
        with self._lock:
            self._remove(row_id)

    def close(self) -> None:
        """The process ends in order, in the midst of these or not: that was none of their doing."""
        with self._lock:
            for row_id in list(self._held):
                self._remove(row_id)

    def _remove(self, row_id: str) -> None:
        del self._held[row_id]
        with suppress(OSError):
            (self._directory / row_id).unlink(missing_ok=True)
