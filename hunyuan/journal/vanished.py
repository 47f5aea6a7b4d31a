"""SQLite's files that vanish or are exchanged while they are in use: what an open connection still sees is kept.

An operating system other than Windows deletes a file that programs have open: they read and write on, and all of it is
gone when they end. Cleaning tools, synchronised folders and restored backups do that to a journal, or to the `-wal`
beside it, which holds the newest tasks.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.dialects.sqlite import insert

from ..atomic_file import replace
from .salvage import free_name
from .tables import tasks

_CHANGES = ("created_at", "submitted_at", "polled_at", "finished_at", "collected_at", "delivered_at", "lost_at")
_File = tuple[int, int] | None


@dataclass(frozen=True)
class Files:
    """Which files lie at the journal's path: device and inode of the database, its log and the log's index."""

    main: _File
    log: _File
    index: _File

    @classmethod
    def at(cls, path: Path) -> Files:
        """As they lie there now."""
        return cls(_look(path), _look(Path(f"{path}-wal")), _look(Path(f"{path}-shm")))

    def differ_from(self, opened: Files) -> bool:
        """Whether one that was there when the journal was opened is gone or another."""
        pairs = ((self.main, opened.main), (self.log, opened.log), (self.index, opened.index))
        return any(then is not None and now != then for now, then in pairs)


def copy_whole(witness: Connection, path: Path) -> None:
    """Put all that the witness sees at the path, in place of what lies there. Raises sqlite3.Error."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    scratch.unlink(missing_ok=True)
    try:
        os.close(os.open(scratch, os.O_CREAT | os.O_RDWR, 0o600))
        source: sqlite3.Connection = witness.connection.driver_connection  # type: ignore[assignment]
        with closing(sqlite3.connect(scratch)) as target:
            source.backup(target)
        drop_sides(path)  # they belong to what is replaced
        replace(scratch, path)
    finally:
        for side in ("", "-wal", "-shm", "-journal"):
            Path(f"{scratch}{side}").unlink(missing_ok=True)


def drop_sides(path: Path) -> None:
    """Remove logs and an index that do not belong to the database beside them: SQLite would apply them to it."""
    for side in (Path(f"{path}{ending}") for ending in ("-wal", "-shm", "-journal")):
        if side.is_file():
            side.unlink(missing_ok=True)


def keep_aside(path: Path, now: float) -> None:
    """Keep what others wrote at the path under a name from which it is taken over when the journal is opened."""
    target = free_name(path, now)
    # A copy: this process has the file itself open, with another log.
    shutil.copyfile(path, target)
    with suppress(FileNotFoundError):
        os.rename(f"{path}-wal", f"{target}-wal")


def take_over(witness: Connection, connection: Connection) -> int:
    """Write what the witness sees of tasks that the connection's journal does not know, or knows less of;
    returns how many."""
    rows = witness.execute(select(tasks)).mappings().all()
    known = {row["id"]: _knowledge(row) for row in connection.execute(select(tasks)).mappings()}
    newer = [dict(row) for row in rows if row["id"] not in known or _knowledge(row) > known[row["id"]]]
    for row in newer:
        changed: dict[str, Any] = {name: value for name, value in row.items() if name != "id"}
        connection.execute(insert(tasks).values(row).on_conflict_do_update(index_elements=[tasks.c.id], set_=changed))
    return len(newer)


def _knowledge(row: RowMapping) -> tuple[float, int]:
    """Of two states of a row the higher is the later one."""
    return max(row[name] or 0.0 for name in _CHANGES), sum(1 for value in row.values() if value)


def _look(path: Path) -> _File:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
