"""A task's transitions. Each may come late, twice or from two processes: none takes anything back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Update, update

from . import journal_statements as sql
from .errors import JournalError, Money
from .journal_workers import Workers
from .models import StoredImage, TaskState, check_task_id
from .owed import OwedIds
from .row_codec import files_json, storable, texts_json
from .rows import DROPPED, TaskRow
from .tables import tasks

_MAX_ERROR_TEXT = 2000  # characters


class Steps(Workers):
    """The steps of one task, by its local row id."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._guard = threading.Lock()
        self._debts: dict[str, Callable[[], None]] = {}
        self._owed_ids = OwedIds(self._db.directory)

    def submitted(self, row_id: str, task_id: str) -> None:
        """The gateway accepted the task under this id. The id proves it: a row that was given up as `unknown`
        becomes `submitted` again. Where it cannot be written now, the next start of a worker with this directory
        writes it (`recover`), if the caller's own further tries do not."""
        checked = check_task_id(task_id)

        def work(connection: Connection, now: float) -> None:
            values = {"row_id": row_id, "gateway_id": checked, "now": now}
            if not connection.execute(sql.TO_SUBMITTED, values).rowcount:
                connection.execute(sql.LATE_TASK_ID, {"row_id": row_id, "gateway_id": checked})

        try:
            self._write(work, durable=True, money=Money.SPENT, task_id=checked)
        except JournalError:
            with suppress(OSError):  # the caller hears of it below
                self._owed_ids.add(row_id, checked)
            raise

    def progress(self, row_id: str, state: TaskState) -> None:
        """What a poll said. Written only when it is the first that says `running`."""
        if state is TaskState.RUNNING:
            self._step(sql.TO_RUNNING, row_id)

    def succeeded(self, row_id: str, urls: Sequence[str], seconds: float | None) -> None:
        """The gateway has the image at these URLs; the task took `seconds`. Again: newer URLs.

        Data URIs are kept only where no task id could fetch the image again.
        """
        remote = [url for url in urls if not url.startswith("data:")]

        def work(connection: Connection, now: float) -> None:
            kept = remote
            if len(remote) < len(urls) and not connection.execute(sql.TASK_ID_OF, {"row_id": row_id}).scalar():
                kept = list(urls)
            values = {"row_id": row_id, "new_urls": texts_json(kept), "now": now}
            first = connection.execute(sql.TO_SUCCEEDED, {**values, "measured": seconds}).rowcount
            if kept and not first:
                connection.execute(sql.NEW_URLS, values)

        # With image data in the answer itself, this row is all there is of it until it is stored.
        self._write(work, durable=len(remote) < len(urls), money=Money.SPENT)

    def collected(self, row_id: str, files: Sequence[StoredImage]) -> None:
        """The original files are on disk, verified."""
        self._step(sql.TO_COLLECTED, row_id, new_files=files_json(files))

    def failed(self, row_id: str, code: str, text: str, sent: bool) -> None:
        """The task failed. sent: the gateway had accepted it, so its 25 credits count as refunded; False: the create
        certainly did not arrive or was refused, and it counts nothing. A task that succeeded stays so."""

        def work(connection: Connection, now: float) -> None:
            values = {"row_id": row_id, "new_code": code, "new_text": _text(text), "now": now}
            if sent or not connection.execute(sql.TO_NEVER_SENT, values).rowcount:
                connection.execute(sql.TO_FAILED, values)

        money = Money.REFUNDED if sent else Money.NOT_SPENT
        self._settle(row_id, lambda: self._write(work, durable=True, money=money))

    def unknown(self, row_id: str, text: str) -> None:
        """The create was sent and its answer is lost: it may have been billed."""
        self._settle(
            row_id,
            lambda: self._step(sql.TO_UNKNOWN, row_id, Money.MAYBE_SPENT, durable=True, new_text=_text(text)),
        )

    def delivered(self, row_id: str) -> None:
        """A node gave the image to the graph."""
        self._step(sql.TO_DELIVERED, row_id)

    def dropped(self, row_id: str) -> None:
        """The create was certainly never sent: `failed` with 0 credits, and not on the list."""
        self._settle(
            row_id, lambda: self._step(sql.TO_DROPPED, row_id, Money.NOT_SPENT, durable=True, new_code=DROPPED)
        )

    def lost(self, row_id: str, text: str) -> None:
        """The image can no longer be had (link dead, file gone): not attached to and not collected any more, but
        still counted."""
        self._step(sql.TO_LOST, row_id, new_text=_text(text))

    def hide(self, row_id: str) -> None:
        """Take a task off the list. Its credits stay counted, its files stay, and it is still attached to."""
        self._write(lambda connection, now: self._hide(connection, row_id))

    def evicted(self, row_id: str) -> None:
        """Its files were removed to make room; its URLs may still fetch them again."""
        self._step(sql.TO_EVICTED, row_id)

    def heartbeat(self, account: str = "") -> None:
        """Say that this worker lives, and write what the database could not take before. At least every 10 seconds."""
        self._pay_debts()
        super().heartbeat(account)

    def recover(self) -> list[TaskRow]:
        """`intended` rows of dead workers become `unknown` (sent or not, nobody knows), unless their task id was kept
        on this machine; returns the unknown ones. At start and every now and then."""
        self._pay_debts()
        try:
            self._owed_ids.pay(self.submitted)
        except OSError as failure:
            raise JournalError(
                f"The task ids kept in {self._db.directory} cannot be read.",
                why=f"{failure.strerror or type(failure).__name__}.",
                do="Give ComfyUI's user the right to read and write there.",
                money=Money.UNTOUCHED,
            ) from failure
        return super().recover()

    def _hide(self, connection: Connection, row_id: str) -> None:
        connection.execute(update(tasks).where(tasks.c.id == row_id).values(hidden=True))

    def _step(
        self, statement: Update, row_id: str, money: Money = Money.SPENT, *, durable: bool = False, **values: Any
    ) -> None:
        self._write(
            lambda connection, now: connection.execute(statement, {"row_id": row_id, "now": now, **values}).close(),
            durable=durable,
            money=money,
        )

    # A task of ours that ended while the database was away would stay `intended` as long as this process lives, and
    # the same request would wait for it: how it ended is owed, and written before the next begin or heartbeat.

    def _settle(self, row_id: str, write: Callable[[], None]) -> None:
        try:
            write()
        except JournalError:
            self._owe(row_id, write)
            raise

    def _owe(self, row_id: str, write: Callable[[], None]) -> None:
        with self._guard:
            self._debts[row_id] = write

    def _pay_debts(self) -> None:
        with self._guard:
            debts = dict(self._debts)
        for row_id, write in debts.items():
            write()
            with self._guard:
                self._debts.pop(row_id, None)


def _text(text: str) -> str:
    return storable(text[:_MAX_ERROR_TEXT])
