"""Locks between processes that end with the process that holds them, on every platform.

Each is an empty SQLite file held in an exclusive transaction: the operating system frees it at the end of
the process, however it ends, and no process number can be mistaken for another's.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class FileLocks:
    """Named locks in one directory. Thread-safe. Raises sqlite3.Error or OSError where it cannot write."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[str, sqlite3.Connection] = {}
        self._guard = threading.Lock()

    @contextmanager
    def holding(self, name: str, seconds: float) -> Iterator[None]:
        """Hold a name for the block; waits up to `seconds`, then sqlite3.OperationalError (locked)."""
        connection = self._lock(f"{name}.mutex", seconds)
        try:
            yield
        finally:
            connection.close()

    def take(self, name: str) -> None:
        """Hold a name until `release` or the end of the process."""
        with self._guard:
            if name not in self._held:
                self._held[name] = self._lock(self._file(name), 5.0)

    def release(self, name: str) -> None:
        """Free a name and remove its file."""
        with self._guard:
            connection = self._held.pop(name, None)
            if connection is not None:
                connection.close()
                self._remove(name)

    def is_free(self, name: str) -> bool:
        """Whether a name was held once and its holder is gone; False where it was never held here."""
        with self._guard:
            if name in self._held or not (self._directory / self._file(name)).exists():
                return False
        try:
            self._lock(self._file(name), 0.0).close()
        except sqlite3.Error:
            return False
        return True

    def sweep(self, keep: str) -> None:
        """Remove the files of ended holders, except `keep`'s."""
        for file in self._directory.glob("*.lock"):
            if file.name == self._file(keep):
                continue
            with suppress(sqlite3.Error, OSError):
                self._lock(file.name, 0.0).close()
                file.unlink()

    def _lock(self, file: str, seconds: float) -> sqlite3.Connection:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = self._directory / file
        connection = sqlite3.connect(path, timeout=seconds, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except BaseException:
            connection.close()
            raise
        return connection

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            (self._directory / self._file(name)).unlink()

    @staticmethod
    def _file(name: str) -> str:
        return f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"
