"""How long tasks took lately, by type and size: what polls are aimed with."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence

from ..limits import HUNYUAN_MODEL
from ..models import ImageSize, TaskType

KEPT = 20
PRIOR = 10.0  # seconds; "typical time: 5 to 15 seconds an image" (vendor's model page, 2026)


class Durations:
    """Recent durations in seconds, newest first, by model, type, size and the model's other choices.

    `load` asks the journal, once for each kind of task.
    """

    def __init__(self, load: Callable[..., Sequence[float]]) -> None:
        self._load = load
        self._known: dict[tuple[str, str, str, str], deque[float]] = {}

    def recent(
        self, type: TaskType | None, size: ImageSize | None, model: str = HUNYUAN_MODEL, choices: str = ""
    ) -> Sequence[float]:
        """The newest durations (none for a foreign task, whose kind is not known); blocking at a kind's first call."""
        key = _kind(type, size, model, choices)
        if key is None:
            return ()
        if key not in self._known:
            self._known.setdefault(key, deque(self._load(type, size, model=model, choices=choices), KEPT))
        return tuple(self._known[key])

    def add(
        self,
        type: TaskType | None,
        size: ImageSize | None,
        seconds: float,
        model: str = HUNYUAN_MODEL,
        choices: str = "",
    ) -> None:
        """A task was measured."""
        key = _kind(type, size, model, choices)
        if key is not None:
            self._known.setdefault(key, deque(maxlen=KEPT)).appendleft(seconds)

    def usual(
        self, type: TaskType | None, size: ImageSize | None, model: str = HUNYUAN_MODEL, choices: str = ""
    ) -> float:
        """The median in seconds of what is in memory, else the vendor's own figure."""
        key = _kind(type, size, model, choices)
        known = self._known.get(key) if key is not None else None
        return max(0.5, statistics.median(known)) if known else PRIOR


def _kind(type: TaskType | None, size: ImageSize | None, model: str, choices: str) -> tuple[str, str, str, str] | None:
    """What is learned together; None for a task of which nothing is known, and for Hunyuan Image 3 without a size."""
    if not model or (model == HUNYUAN_MODEL and (type is None or size is None)):
        return None
    return model, type.value if type else "", size.api if size else "", choices
