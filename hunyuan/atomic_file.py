"""Putting a whole new file in the place of an old one, also where another process holds the old one for a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_TRIES = 8  # Windows: a virus scanner or a second reader may hold the target for a moment


def replace(
    source: Path,
    target: Path,
    *,
    sleep: Callable[[float], None] = time.sleep,
    move: Callable[[Path, Path], None] = os.replace,
    is_needless: Callable[[], bool] = lambda: False,
) -> bool:
    """Moves source onto target, atomically; waits up to 1.4 s in all where it is held.

    is_needless: asked when it is held; True ends it, with the source left where it is, and gives False.
    sleep: seconds. Raises OSError, after the last try also PermissionError.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            move(source, target)
        except PermissionError:
            if is_needless():
                return False
            if attempt == _TRIES:
                raise
            sleep(0.05 * attempt)
        else:
            break
    return True
