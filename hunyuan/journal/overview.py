"""What the journal shows: lists, totals, durations. Only read, whatever a task's life needs is in `journal.py`."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from ..limits import HUNYUAN_MODEL
from ..models import ImageSize, TaskState, TaskType
from .credits import credit_totals
from .database import Database
from .record_codec import row_from
from .records import CreditTotals, TaskRow
from .tables import tasks
from .workers import Workers

Users = Sequence[str] | None  # whose tasks count; None: everybody's

t = tasks.c
_collected = (t.state == TaskState.COLLECTED.value, t.hidden.is_(False))


class Overview:
    """What pages and nodes show of all tasks. Blocking and thread-safe; every failure is a JournalError."""

    def __init__(self, database: Database, workers: Workers) -> None:
        self._db = database
        self._workers = workers

    def durations(
        self,
        type: TaskType | None,
        size: ImageSize | None,
        limit: int = 20,
        *,
        model: str = HUNYUAN_MODEL,
        choices: str = "",
    ) -> list[float]:
        """How many seconds the last tasks of this model, type and size took, newest first.

        Of another model than Hunyuan Image 3, type and size say nothing or too little: its `choices` do.
        """
        wanted = (
            select(t.seconds)
            .where(
                t.model == model,
                t.type == (type.value if type else ""),
                t.size == (size.api if size else ""),
                t.choices == choices,
                t.seconds.is_not(None),
            )
            .order_by(t.finished_at.desc())
            .limit(limit)
        )
        return self._db.read(lambda connection: [float(found) for found in connection.execute(wanted).scalars()])

    def list_tasks(
        self,
        state: TaskState | Sequence[TaskState] | None = None,
        before: str | None = None,
        limit: int = 50,
        search: str = "",
        models: Sequence[str] = (),
        *,
        typed: bool = False,
        undelivered: bool = False,
        awaited: Collection[str] = (),
        users: Users = None,
    ) -> list[TaskRow]:
        """Tasks that were not hidden, newest first. before: the id of the last row of the page before.

        search: words of the prompt, a part of the task id, or a prompt's start. models: of these only, where given, and
        with `typed` of Hunyuan Image 3 under whatever name: only its tasks have a type. awaited: rows that a node is
        about to deliver, as good as delivered.
        """
        wanted = select(tasks).where(t.hidden.is_(False), *_of(users))
        if undelivered:
            wanted = wanted.where(*_unused(awaited))
        if models:
            of_these, has_type = t.model.in_(models), t.type != ""
            wanted = wanted.where(or_(of_these, has_type) if typed else and_(of_these, ~has_type))
        if state is not None:
            states = [state] if isinstance(state, TaskState) else list(state)
            wanted = wanted.where(t.state.in_([one.value for one in states]))
        for word in search.split():
            found = [column.icontains(word, autoescape=True) for column in (t.prompt, t.task_id)]
            wanted = wanted.where(or_(*found))
        if before:
            at = select(t.created_at).where(t.id == before).scalar_subquery()
            wanted = wanted.where(t.created_at <= at, or_(t.created_at < at, t.id < before))
        page = wanted.order_by(t.created_at.desc(), t.id.desc()).limit(limit)
        return self._db.read(lambda connection: [row_from(row) for row in connection.execute(page).mappings()])

    def counts(self, users: Users = None) -> dict[TaskState, int]:
        """How many tasks of the list stand in each state."""
        wanted = select(t.state, func.count()).where(t.hidden.is_(False), *_of(users)).group_by(t.state)
        found: dict[str, int] = self._db.read(lambda connection: {row[0]: row[1] for row in connection.execute(wanted)})
        return {state: found.get(state.value, 0) for state in TaskState}

    def undelivered(self, users: Users = None, awaited: Collection[str] = ()) -> int:
        """How many images are on disk that no node gave to a graph. awaited: rows that one is about to give."""
        return self._db.read(lambda connection: _count(connection, *_collected, *_unused(awaited), *_of(users)))

    def left_behind(self, session: str, users: Users = None, awaited: Collection[str] = ()) -> int:
        """How many of the undelivered images other runs of the server began that no longer run."""

        def work(connection: Connection) -> int:
            others = self._workers.others(connection, self._db.backend.now(connection))
            earlier = (t.session != session, t.owner.not_in(others))
            return _count(connection, *_collected, *_unused(awaited), *earlier, *_of(users))

        return self._db.read(work)

    def credits(
        self, *, day: datetime.date | None = None, session: str | None = None, account: str | None = None
    ) -> CreditTotals:
        """Credits by what became of them. day: a calendar day of this machine's time zone; None = any."""
        return self._db.read(lambda connection: credit_totals(connection, account=account, session=session, day=day))

    def today(self) -> datetime.date:
        """The current day of `credits`, by the journal's clock."""
        return self._db.read(lambda connection: datetime.date.fromtimestamp(self._db.backend.now(connection)))


def _unused(awaited: Collection[str]) -> list[ColumnElement[bool]]:
    return [t.delivered_at.is_(None), t.id.not_in(awaited)]


def _of(users: Users) -> list[ColumnElement[bool]]:
    return [] if users is None else [t.user_id.in_(users)]


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).where(*conditions)).scalar_one())
