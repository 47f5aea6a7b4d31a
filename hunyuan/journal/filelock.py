"""Locks between processes that end with the process that holds them, on every platform.

Each is an empty SQLite file held in an exclusive transaction: the operating system frees it at the end of
the process, however it ends, and no process number can be mistaken for another's.

Not the library filelock: its flock belongs to the open file, which forked children share. A child of another pack that
outlives a killed ComfyUI would keep a dead worker alive, and its tasks would never be taken over. SQLite's locks belong
to the process.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_TAKE_SECONDS = 5.0
_SWEEP_AFTER_SECONDS = 3600.0


class FileLocks:
    """Named locks in one directory. Thread-safe. Raises sqlite3.Error or OSError where it cannot write."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[str, sqlite3.Connection] = {}
        self._guard = threading.Lock()

    @contextmanager
    def holding(self, name: str, seconds: float) -> Iterator[None]:
        """Hold a name for the block; waits up to `seconds`, then sqlite3.OperationalError (locked)."""
        with closing(self._lock(self._directory / f"{name}.mutex", seconds)):
            yield

    def take(self, name: str) -> None:
        """Hold a name until `release` or the end of the process. A name is never taken again by another process."""
        with self._guard:
            if name not in self._held:
                self._held[name] = self._lock(self._file(name), _TAKE_SECONDS)
                self._sweep()

    def release(self, name: str) -> None:
        """Free a name and remove its file."""
        with self._guard:
            connection = self._held.pop(name, None)
            if connection is not None:
                connection.close()
                with suppress(OSError):
                    self._file(name).unlink()

    def is_free(self, name: str) -> bool:
        """Whether a name was held once and its holder is gone; False where nothing tells."""
        with self._guard:
            return name not in self._held and _is_free(self._file(name))

    def _sweep(self) -> None:
        """Remove what processes that were killed left behind, once it tells nobody anything any more."""
        for file in self._directory.glob("*.lock"):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > _SWEEP_AFTER_SECONDS and _is_free(file):
                    file.unlink()

    def _lock(self, file: Path, seconds: float) -> sqlite3.Connection:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        connection = sqlite3.connect(file, timeout=seconds, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except BaseException:
            connection.close()
            raise
        return connection

    def _file(self, name: str) -> Path:
        return self._directory / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"


def _is_free(file: Path) -> bool:
    """By a reader's lock, which any number of lookers-on may have at once."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=0.0)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        return False
    return True
