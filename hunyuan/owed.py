"""Task ids that the journal could not take: kept on this machine until it can.

A paid task's id arrives while the database is away. The process tries on, but it may end before the database is back;
so the id also goes into a file of its own, which the next start reads. Holds ids only, no prompt and no key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from .errors import InvalidTaskIdError
from .models import check_task_id

_PATTERN = "owed-*.jsonl"


class OwedIds:
    """One file a worker in one directory."""

    def __init__(self, directory: Path, worker_id: str) -> None:
        self._directory = directory
        name = re.sub(r"[^A-Za-z0-9_-]", "_", worker_id)[:64]
        self._file = directory / f"owed-{name}.jsonl"

    def add(self, row_id: str, task_id: str) -> None:
        """Write an id down, on the disk itself. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with open(handle, "a", encoding="utf-8") as file:
            file.write(json.dumps({"row_id": row_id, "task_id": task_id}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def pay(self, write: Callable[[str, str], None]) -> None:
        """Hand every id of every worker of this machine to `write`, then remove the files it stood in.

        What `write` raises leaves the rest where it is. An id may be handed over twice.
        """
        for file in sorted(self._directory.glob(_PATTERN)):
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    owed = json.loads(line)
                    row_id, task_id = str(owed["row_id"]), check_task_id(str(owed["task_id"]))
                except (ValueError, KeyError, TypeError, InvalidTaskIdError):
                    continue  # the half line of a process that died in it
                write(row_id, task_id)
            file.unlink()
