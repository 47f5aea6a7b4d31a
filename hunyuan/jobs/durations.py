"""How long tasks took lately, by type and size: what polls are aimed with."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence

from ..models import ImageSize, TaskType

KEPT = 20
PRIOR = 10.0  # seconds; "typical time: 5 to 15 seconds an image" (vendor's model page, 2026)


class Durations:
    """Recent durations in seconds, newest first. `load` asks the journal, once for each kind of task."""

    def __init__(self, load: Callable[[TaskType, ImageSize], Sequence[float]]) -> None:
        self._load = load
        self._known: dict[tuple[TaskType, str], deque[float]] = {}

    def recent(self, type: TaskType | None, size: ImageSize | None) -> Sequence[float]:
        """The newest durations (none for a foreign task, whose kind is not known); blocking at a kind's first call."""
        if type is None or size is None:
            return ()
        key = (type, size.api)
        if key not in self._known:
            self._known.setdefault(key, deque(self._load(type, size), KEPT))
        return tuple(self._known[key])

    def add(self, type: TaskType | None, size: ImageSize | None, seconds: float) -> None:
        """A task was measured."""
        if type is None or size is None:
            return
        self._known.setdefault((type, size.api), deque(maxlen=KEPT)).appendleft(seconds)

    def usual(self, type: TaskType, size: ImageSize) -> float:
        """The median in seconds of what is in memory, else the vendor's own figure."""
        known = self._known.get((type, size.api))
        return max(0.5, statistics.median(known)) if known else PRIOR
