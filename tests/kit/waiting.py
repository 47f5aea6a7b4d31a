"""Waiting for what no event tells of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(what: str, condition: Callable[[], Any], seconds: float = 60.0, every: float = 0.1) -> Any:
    """Looks until `condition` gives something; AssertionError past `seconds`. For states no event tells of."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(every)
    return found
