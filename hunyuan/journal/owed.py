"""Task ids that the journal could not take: kept on this machine until it can.

A paid task's id arrives while the database is away. The process tries on, but it may end before the database is back;
so the id also goes into a file of its own, which the next start reads. Holds ids only, no prompt and no key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from ..errors import InvalidTaskIdError
from ..replacing import replace
from ..task_ids import check_given_id

_NAME = "owed-{}.json"


class OwedIds:
    """One file an id in one directory: nothing is ever added to a file that another process may be about to remove."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, row_id: str, task_id: str) -> None:
        """Write an id down, on the disk itself. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._directory / _NAME.format(row_id)
        scratch = file.with_suffix(f".{os.getpid()}.part")
        handle = os.open(scratch, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as out:
            json.dump({"row_id": row_id, "task_id": task_id}, out)
            out.flush()
            os.fsync(out.fileno())
        replace(scratch, file)

    def pay(self, write: Callable[[str, str], object]) -> None:
        """Hand every id of every worker of this machine to `write`, then remove its file.

        What `write` raises leaves the rest where it is. An id may be handed over twice. A file that cannot be read as
        one of these stays, for somebody to look at.
        """
        for file in sorted(self._directory.glob(_NAME.format("*"))):
            try:
                owed = json.loads(file.read_text(encoding="utf-8"))
                row_id, task_id = str(owed["row_id"]), check_given_id(str(owed["task_id"]))
            except FileNotFoundError:
                continue  # another process was faster
            except (ValueError, KeyError, TypeError, InvalidTaskIdError):
                continue
            write(row_id, task_id)
            file.unlink(missing_ok=True)
