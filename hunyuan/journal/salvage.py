"""A damaged SQLite journal: set aside under a new name, and what can be read of it taken over.

Setting aside only renames, so nothing is lost by it. Taking over happens in the transaction that opens
the new journal and is noted there, so that a crash in between costs nothing but a second look.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from ..errors import HunyuanError
from .record_codec import row_from
from .tables import meta, tasks

_SIDES = ("-wal", "-shm")


def set_aside(path: Path, now: float) -> Path:
    """Rename the database and its side files to `<name>.damaged-<local time>`; returns the new path."""
    target = free_name(path, now)
    for side in (*_SIDES, ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{target}{side}")
    return target


def free_name(path: Path, now: float) -> Path:
    """`<name>.damaged-<local time>`, as a file that `rescue` looks at and that is not there yet."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    target, tries = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while target.exists():
        tries += 1
        target = path.with_name(f"{path.name}.damaged-{stamp}-{tries}")
    return target


def rescue(connection: Connection, path: Path, announce: Callable[[str], None]) -> None:
    """Take over what can be read of each set-aside file that was not looked at yet, and say so."""
    looked_at = set(connection.execute(select(meta.c.key).where(meta.c.key.like("rescued:%"))).scalars())
    for file in sorted(path.parent.glob(f"{path.name}.damaged-*")):
        key = f"rescued:{file.name}"
        if file.name.endswith(_SIDES) or key in looked_at:
            continue
        count = 0
        for row in _readable(file):
            count += connection.execute(insert(tasks).values(row).on_conflict_do_nothing()).rowcount
        connection.execute(meta.insert().values(key=key, value=str(count)))
        announce(
            f"The journal {path} was damaged or exchanged. It was set aside as {file} and a new one begun; "
            f"{count} tasks could be read and were taken over. Tasks that could not be read are missing from the list: "
            "running such a request again pays for it again. Keep the file if images are missing."
        )


def _readable(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a damaged file: read from the start until it fails, then from the end until it fails."""
    wanted = {column.name for column in tasks.columns}
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        seen: set[str] = set()
        for order in ("ASC", "DESC"):
            with suppress(sqlite3.Error):
                for found in connection.execute(f"SELECT * FROM tasks ORDER BY rowid {order}"):
                    row = {name: found[name] for name in found.keys() if name in wanted and found[name] is not None}  # noqa: SIM118
                    if _is_sound(row) and row["id"] not in seen:
                        seen.add(row["id"])
                        yield row


def _is_sound(row: dict[str, Any]) -> bool:
    """Whether a row read from damage is one that the journal can read again."""
    try:
        row_from({column.name: None for column in tasks.columns} | row)
    except (ValueError, TypeError, HunyuanError):
        return False
    return isinstance(row.get("id"), str) and isinstance(row.get("created_at"), float)
