"""From a node to its graph: what is on its way there is paid for and not used yet, but nobody has to care for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import JournalError
from ..models import TaskState
from .handle import Handle

if TYPE_CHECKING:
    from ..journal.records import TaskRow
    from .job import Tools


class Deliveries:
    """Every method may be called from any thread."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lock = threading.Lock()
        self._handles: set[Handle] = set()
        self._marking: Counter[str] = Counter()  # rows that are delivered, but it does not stand in the journal yet

    def awaited(self) -> frozenset[str]:
        """The ids of rows whose images a node of this process is about to give to its graph."""
        with self._lock:
            return frozenset(_rows_of(self._handles) | set(self._marking))

    @contextmanager
    def during(self, handles: Sequence[Handle]) -> Iterator[None]:
        """A node gives the images of these to its graph: it waits for them, and works on what came.

        What it leaves behind at its end is told to `on_change`: whoever heard of it before took it for used.
        """
        with self._lock:
            self._handles.update(handles)
        try:
            yield
        finally:
            with self._lock:
                self._handles.difference_update(handles)
            left = _rows_of(handles) - self.awaited()
            if left:
                self._spawn(partial(self._tell_unused, left))

    def mark(self, rows: Sequence[TaskRow]) -> None:
        """These tasks' images have reached a graph: they may be evicted from the disk when space is needed."""
        with self._lock:
            self._marking.update(row.id for row in rows)
        self._spawn(partial(self._write, rows))

    async def _write(self, rows: Sequence[TaskRow]) -> None:
        for row in rows:
            fresh = None
            try:
                fresh = await self._tools.background.blocking(self._tools.journal.mark_delivered, row.id)
            except JournalError as error:  # an image that counts as undelivered is only kept longer
                self._tools.warn(f"That images were delivered could not be written down: {error}")
            finally:
                with self._lock:
                    self._marking -= Counter([row.id])
            self._tools.on_change(fresh or row)

    async def _tell_unused(self, ids: set[str]) -> None:
        for id in ids:
            try:
                row = await self._tools.background.blocking(self._tools.journal.get, id)
            except JournalError as error:
                self._tools.warn(f"Whether an image was used could not be looked up: {error}")
                continue
            if row is not None and row.state is TaskState.COLLECTED and row.delivered_at is None:
                self._tools.on_change(row)

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        background = self._tools.background
        background.post(lambda: background.spawn(work()))


def _rows_of(handles: Iterable[Handle]) -> set[str]:
    """The ids of the rows of those that have one."""
    return {handle.row_id for handle in handles} - {""}
