"""What threads of the server wait for: the release of held answers, and events that tests want to see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

TICK_S = 0.02  # how often events that come by time alone (a task's end) are looked at


class Gate:
    """One condition over the gateway's lock."""

    def __init__(self, lock: threading.RLock) -> None:
        self._condition = threading.Condition(lock)
        self._held: dict[int, tuple[str, ...]] = {}
        self._next = 0
        self._closed = threading.Event()

    @property
    def held(self) -> int:
        return len(self._held)

    def notify(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def hold(self, rules: Sequence[str], on_held: Callable[[], None]) -> bool:
        """Block until released (True) or closed (False)."""
        with self._condition:
            self._next += 1
            token = self._next
            self._held[token] = tuple(rules)
            on_held()
            self._condition.notify_all()
            self._condition.wait_for(lambda: token not in self._held or self._closed.is_set())
            return self._held.pop(token, None) is None

    def release(self, rule: str | None = None) -> int:
        """Let go what is held now, or what that rule holds; how many that were."""
        with self._condition:
            free = [token for token, rules in self._held.items() if rule is None or rule in rules]
            for token in free:
                del self._held[token]
            self._condition.notify_all()
            return len(free)

    def wait(self, happened: Callable[[], bool], timeout: float) -> bool:
        """Block until `happened()`; False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._condition:
            while not happened():
                left = deadline - time.monotonic()
                if left <= 0 or self._closed.is_set():
                    return happened()
                self._condition.wait(min(left, TICK_S))
            return True

    def sleep(self, seconds: float) -> bool:
        """Sleep; False if the sandbox closed meanwhile."""
        return not self._closed.wait(seconds) if seconds > 0 else True

    def close(self) -> None:
        with self._condition:
            self._closed.set()
            self._condition.notify_all()
