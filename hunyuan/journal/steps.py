"""A task's transitions. Each may come late, twice or from two processes: none takes anything back.

Each gives the row as it stands then; None where the journal has no such row (any more).
"""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from sqlalchemy import Connection, Text, Update, cast, func
from sqlalchemy.sql.dml import ReturningUpdate

from ..errors import JournalError, Money
from ..models import StoredImage, TaskState
from ..task_ids import check_given_id
from . import statements as sql
from .backend import DURABLE, SINGLE, Writing
from .pending_ids import PendingIds
from .record_codec import columns_of, files_json, row_from, storable, texts_json
from .records import DROPPED, TaskRow
from .tables import tasks
from .workers import Workers, row_of

_MAX_ERROR_TEXT = 2000  # characters
_NO_ROOM = {errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quotas by that name


class Steps(Workers):
    """The steps of one task, by its local row id."""

    def __init__(self, *arguments: Any, pending_ids: PendingIds | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._guard = threading.Lock()
        self._unwritten: dict[str, Callable[[], object]] = {}
        self._pending_ids = pending_ids or PendingIds(self._db.directory)

    def mark_submitted(self, row_id: str, task_id: str) -> TaskRow | None:
        """The gateway accepted the task under this id. The id proves it: a row that was given up as `unknown`
        becomes `submitted` again. Where it cannot be written now, the next start of a worker with this directory
        writes it (`recover`), if the caller's own further tries do not. `begin` has taken room for it on the disk."""
        checked = check_given_id(task_id)
        steps = sql.TO_SUBMITTED, sql.LATE_TASK_ID
        try:
            return self._step(steps, row_id, durable=True, about=checked, gateway_id=checked)
        except JournalError:
            with suppress(OSError):  # the caller hears of it below
                self._pending_ids.add(row_id, checked)
            raise

    def keep_task_id(self, row_id: str, task_id: str) -> None:
        """Write a task id beside the journal, for the next start: the process ends before the journal has it."""
        with suppress(OSError):  # nobody is left who could be told
            self._pending_ids.add(row_id, check_given_id(task_id))

    def close(self) -> None:
        """The orderly end of this worker: how its tasks ended is written, and they are free for others at once."""
        try:
            self._write_pending()
        finally:
            super().close()

    def mark_charged(self, row_id: str, credits: int) -> TaskRow | None:
        """The gateway named what the task cost. One that was paid for elsewhere stays at 0."""
        return self._step([sql.TO_CHARGED], row_id, charged=credits)

    def mark_progress(self, row_id: str, state: TaskState) -> TaskRow | None:
        """What a poll said. Written only when it is the first that says `running`."""
        return self._step([sql.TO_RUNNING] if state is TaskState.RUNNING else [], row_id)

    def mark_stalled(self, row_id: str, text: str) -> TaskRow | None:
        """The gateway says nothing usable of the task, for the reason `text`: open, but not in flight."""
        return self._step([sql.TO_STALLED], row_id, new_text=_text(text))

    def mark_resumed(self, row_id: str) -> TaskRow | None:
        """The gateway works on the task after all: in flight again."""
        return self._step([sql.TO_RESUMED], row_id)

    def mark_succeeded(self, row_id: str, urls: Sequence[str], seconds: float | None) -> TaskRow | None:
        """The gateway has the image at these URLs; the task took `seconds`. Again: newer URLs.

        Data URIs are kept only where no task id could fetch the image again.
        """
        remote = [url for url in urls if not url.startswith("data:")]

        def work(connection: Connection, now: float) -> TaskRow | None:
            kept = remote
            if len(remote) < len(urls) and not connection.execute(sql.TASK_ID_OF, {"row_id": row_id}).scalar():
                kept = list(urls)
            steps = [sql.TO_SUCCEEDED, sql.NEW_URLS] if kept else [sql.TO_SUCCEEDED]
            return _take(connection, steps, row_id, now, new_urls=texts_json(kept), measured=seconds)

        # With image data in the answer itself, this row is all there is of it until it is stored.
        return self._write(work, writing=DURABLE if len(remote) < len(urls) else SINGLE, money=Money.SPENT)

    def mark_collected(self, row_id: str, files: Sequence[StoredImage]) -> TaskRow | None:
        """The original files are on disk, verified."""
        return self._step([sql.TO_COLLECTED], row_id, new_files=files_json(files))

    def mark_failed(self, row_id: str, code: str, text: str, sent: bool) -> TaskRow | None:
        """The task failed. sent: the gateway had accepted it, so its credits count as refunded; False: the create
        certainly did not arrive or was refused, and it counts nothing. A task that succeeded stays so."""
        steps = [sql.TO_FAILED] if sent else [sql.TO_NEVER_SENT, sql.TO_FAILED]
        money = Money.REFUNDED if sent else Money.NOT_SPENT
        return self._mark_ended(steps, row_id, money, new_code=code, new_text=_text(text))

    def mark_unknown(self, row_id: str, text: str) -> TaskRow | None:
        """The create was sent and its answer is lost: it may have been billed."""
        return self._mark_ended([sql.TO_UNKNOWN], row_id, Money.MAYBE_SPENT, new_text=_text(text))

    def mark_delivered(self, row_id: str) -> TaskRow | None:
        """A node gave the image to the graph."""
        return self._step([sql.TO_DELIVERED], row_id)

    def mark_dropped(self, row_id: str) -> TaskRow | None:
        """The create was certainly never sent: `failed` with 0 credits, and not on the list."""
        return self._mark_ended([sql.TO_DROPPED], row_id, Money.NOT_SPENT, new_code=DROPPED)

    def mark_lost(self, row_id: str, text: str) -> TaskRow | None:
        """The image can no longer be had (link dead, file gone): not attached to and not collected any more, but
        still counted."""
        return self._step([sql.TO_LOST], row_id, new_text=_text(text))

    def hide(self, row_id: str) -> TaskRow | None:
        """Take a task off the list. Its credits stay counted, its files stay, and it is still attached to."""
        return self._step([sql.TO_HIDDEN], row_id)

    def show(self, row_id: str) -> TaskRow | None:
        """Put a task that was hidden back on the list."""
        return self._step([sql.TO_SHOWN], row_id)

    def mark_evicted(self, row_id: str) -> TaskRow | None:
        """Its files were removed to make room; its URLs may still fetch them again."""
        return self._step([sql.TO_EVICTED], row_id)

    def restore(self, row: TaskRow) -> None:
        """Write a row anew that went with a damaged or deleted journal; one that is there stays as it is."""
        insert = self._db.backend.insert(tasks).values(columns_of(row)).on_conflict_do_nothing()
        self._write(lambda connection, now: connection.execute(insert).close(), writing=DURABLE)

    def heartbeat(self, account: str = "") -> None:
        """Say that this worker lives, and write what the database could not take before. At least every 10 seconds."""
        self._write_pending()
        super().heartbeat(account)

    def recover(self) -> list[TaskRow]:
        """`intended` rows of dead workers become `unknown` (sent or not, nobody knows), unless their task id was kept
        on this machine; returns the unknown ones. At start and every now and then."""
        self._write_pending()
        try:
            self._pending_ids.flush(self.mark_submitted)
        except OSError as failure:
            raise JournalError(
                f"The task ids kept in {self._db.directory} cannot be read.",
                why=f"{failure.strerror or type(failure).__name__}.",
                do="Give ComfyUI's user the right to read and write there.",
                money=Money.UNTOUCHED,
            ) from failure
        return super().recover()

    def _step(
        self,
        steps: Sequence[Update],
        row_id: str,
        money: Money = Money.SPENT,
        *,
        durable: bool = False,
        about: str | None = None,
        **values: Any,
    ) -> TaskRow | None:
        """The first of these steps that changes the row; each may stand alone. about: the task a failure names."""
        taken = [self._db.backend.durable(step) for step in steps] if durable else steps
        return self._write(
            lambda connection, now: _take(connection, taken, row_id, now, **values),
            writing=Writing(durable=durable, single=True),
            money=money,
            task_id=about,
        )

    # A task of ours that ended while the database was away would stay `intended` as long as this process lives, and
    # the same request would wait for it: how it ended is kept, and written before the next begin or heartbeat.

    def _mark_ended(self, steps: Sequence[Update], row_id: str, money: Money, **values: Any) -> TaskRow | None:
        def write() -> TaskRow | None:
            return self._step(steps, row_id, money, durable=True, **values)

        try:
            return write()
        except JournalError:
            self._write_later(row_id, write)
            raise

    def _make_room(self, ids: int) -> None:
        """Before a create is sent: its id can be kept even if the disk is full when it comes.

        Where this user may not write at all, on a machine whose journal is elsewhere, there is nothing to keep it in.
        """
        try:
            self._pending_ids.make_room(ids)
        except OSError as failure:
            if failure.errno not in _NO_ROOM:
                return
            raise JournalError(
                f"There is no room for task ids in {self._db.directory}.",
                why=f"{failure.strerror}.",
                do="Free some space, or check the disk, then run again.",
                money=Money.NOT_SPENT,
            ) from failure

    def _write_later(self, row_id: str, write: Callable[[], object]) -> None:
        with self._guard:
            self._unwritten[row_id] = write

    def _write_pending(self) -> None:
        with self._guard:
            waiting = dict(self._unwritten)
        for row_id, write in waiting.items():
            write()
            with self._guard:
                self._unwritten.pop(row_id, None)


def _take(connection: Connection, steps: Sequence[Update], row_id: str, now: float, **values: Any) -> TaskRow | None:
    """The row after the first of these steps that changes it; as it stands where none does."""
    dialect = connection.dialect
    for step in steps:
        if not dialect.update_returning:  # SQLite before 3.35
            if connection.execute(step, {"row_id": row_id, "now": now, **values}).rowcount:
                break
            continue
        returning = _returning(step, dialect.name == "postgresql")
        found = connection.execute(returning, {"row_id": row_id, "now": now, **values}).mappings().all()
        if found:
            return row_from(json.loads(found[0][_WHOLE]) if _WHOLE in found[0] else found[0])
    return row_of(connection, row_id)


_WHOLE = "whole"


@cache
def _returning(step: Update, as_json: bool) -> ReturningUpdate[Any]:
    # Each column of an answer costs the driver time, PostgreSQL's more than all that JSON takes.
    # As text: the driver would take JSON for UTF-8, which a database need not be in.
    whole = cast(func.to_json(tasks.table_valued()), Text).label(_WHOLE)
    return step.returning(whole) if as_json else step.returning(*tasks.c)


def _text(text: str) -> str:
    return storable(text[:_MAX_ERROR_TEXT])
