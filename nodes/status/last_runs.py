"""The last word on each node's run, for a page that was away."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

KEPT = 500  # nodes whose last run is remembered, of all workflows


class LastRuns:
    """The last word on each node, as long as the server runs. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # user, workflow or prompt, node -> event: two users may have opened the same shared workflow
        self._runs: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()

    def add(self, told: dict[str, Any], user: str = "") -> dict[str, Any]:
        """Keeps it, and gives all that is known of the run: what its end and its failure said. user: who ran it."""
        key = (user, told["workflow"] or told["prompt_id"], told["node"])
        with self._lock:
            before = self._runs.pop(key, {})
            if before.get("prompt_id") == told["prompt_id"]:
                told = {**before, **told}
            self._runs[key] = told
            while len(self._runs) > KEPT:
                self._runs.popitem(last=False)
            return told

    def has_line(self, prompt_id: str, node: str, workflow: str, user: str = "") -> bool:
        """Whether a run's line was told."""
        with self._lock:
            known = self._runs.get((user, workflow or prompt_id, node), {})
        return bool(known.get("text")) and known.get("prompt_id") == prompt_id

    def all(self, owns: Callable[[str], bool] = lambda user: True) -> list[dict[str, Any]]:
        """Oldest first. owns: whether a user's runs are those of who asks."""
        with self._lock:
            return [told for (user, _, _), told in self._runs.items() if owns(user)]
