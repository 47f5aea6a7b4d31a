"""A task's transitions. Each may come late, twice or from two processes: none takes anything back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Update, update

from . import journal_statements as sql
from .errors import Money
from .journal_workers import Workers
from .models import StoredImage, TaskState, check_task_id
from .row_codec import files_json, storable, texts_json
from .tables import tasks

_DROPPED = "dropped"
_MAX_ERROR_TEXT = 2000  # characters


class Steps(Workers):
    """The steps of one task, by its local row id."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._guard = threading.Lock()
        self._doubtful: set[str] = set()

    def submitted(self, row_id: str, task_id: str) -> None:
        """The gateway accepted the task under this id. The id proves it: a row that was given up as `unknown`
        becomes `submitted` again."""
        checked = check_task_id(task_id)

        def work(connection: Connection, now: float) -> None:
            values = {"row_id": row_id, "gateway_id": checked, "now": now}
            if not connection.execute(sql.TO_SUBMITTED, values).rowcount:
                connection.execute(sql.LATE_TASK_ID, {"row_id": row_id, "gateway_id": checked})

        self._write(work, durable=True, money=Money.SPENT, task_id=checked)

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
            row = connection.execute(sql.STATE_OF, {"row_id": row_id}).one_or_none()
            if row is None:
                return
            kept = texts_json(remote if row.task_id else urls)
            values = {"row_id": row_id, "new_urls": kept, "now": now}
            if row.state == TaskState.SUCCEEDED:
                if kept:
                    connection.execute(sql.NEW_URLS, values)
            else:
                connection.execute(sql.TO_SUCCEEDED, {**values, "measured": seconds})

        # With image data in the answer itself, this row is all there is of it until it is stored.
        self._write(work, durable=len(remote) < len(urls), money=Money.SPENT)

    def collected(self, row_id: str, files: Sequence[StoredImage]) -> None:
        """The original files are on disk, verified."""

        def work(connection: Connection, now: float) -> None:
            connection.execute(sql.TO_COLLECTED, {"row_id": row_id, "new_files": files_json(files), "now": now})
            connection.execute(sql.DROP_DATA_URLS, {"row_id": row_id})

        self._write(work, money=Money.SPENT)

    def failed(self, row_id: str, code: str, text: str, sent: bool) -> None:
        """The task failed. sent: the gateway had accepted it, so its 25 credits count as refunded; False: the create
        certainly did not arrive or was refused, and it counts nothing. A task that succeeded stays so."""

        def work(connection: Connection, now: float) -> None:
            values = {"row_id": row_id, "new_code": code, "new_text": _text(text), "now": now}
            if sent or not connection.execute(sql.TO_NEVER_SENT, values).rowcount:
                connection.execute(sql.TO_FAILED, values)

        self._write(work, money=Money.REFUNDED if sent else Money.NOT_SPENT)

    def unknown(self, row_id: str, text: str) -> None:
        """The create was sent and its answer is lost: it may have been billed."""
        self._step(sql.TO_UNKNOWN, row_id, money=Money.MAYBE_SPENT, new_text=_text(text))

    def delivered(self, row_id: str) -> None:
        """A node gave the image to the graph."""
        self._step(sql.TO_DELIVERED, row_id)

    def dropped(self, row_id: str) -> None:
        """The create was certainly never sent: `failed` with 0 credits, and not on the list."""
        self._step(sql.TO_DROPPED, row_id, money=Money.NOT_SPENT, new_code=_DROPPED)

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

    def _hide(self, connection: Connection, row_id: str) -> None:
        connection.execute(update(tasks).where(tasks.c.id == row_id).values(hidden=True))

    def _step(self, statement: Update, row_id: str, money: Money = Money.SPENT, **values: Any) -> None:
        self._write(
            lambda connection, now: connection.execute(statement, {"row_id": row_id, "now": now, **values}).close(),
            money=money,
        )

    # A begin whose commit failed half-way may have left its row behind: `intended`, but certainly never sent.

    def _doubt(self, row_id: str) -> None:
        with self._guard:
            self._doubtful.add(row_id)

    def _write_off_doubtful(self) -> None:
        with self._guard:
            doubtful = set(self._doubtful)
        for row_id in doubtful:
            self.dropped(row_id)
            with self._guard:
                self._doubtful.discard(row_id)


def _text(text: str) -> str:
    return storable(text[:_MAX_ERROR_TEXT])
