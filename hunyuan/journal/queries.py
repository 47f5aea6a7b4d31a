"""What the journal can tell: single tasks, lists, totals, durations."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from ..limits import HUNYUAN_MODEL
from ..models import ImageSize, TaskState, TaskType
from . import statements as sql
from .record_codec import row_from
from .records import CreditTotals, Survey, TaskRow
from .tables import tasks
from .workers import Workers, row_of

t = tasks.c
Users = Sequence[str] | None  # whose tasks count; None: everybody's


class Queries(Workers):
    """The reading half of the journal. Nothing here costs credits."""

    def get(self, row_id: str) -> TaskRow | None:
        """The row of a local id."""
        return self._db.read(lambda connection: row_of(connection, row_id))

    def by_task_id(self, task_id: str, base_url: str = "") -> TaskRow | None:
        """The newest row of the gateway's id, at that gateway if one is given."""
        return self._db.read(lambda connection: self._by_task_id(connection, task_id, base_url))

    def survey(self, account: str) -> Survey:
        """All that a round of the sweeper looks at, read at once."""

        def work(connection: Connection) -> Survey:
            now = self._db.backend.now(connection)
            return Survey(now, self._rest(connection, account, now), self._open_rows(connection, now))

        return self._db.read(work)

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
        undelivered: bool = False,
        users: Users = None,
    ) -> list[TaskRow]:
        """Tasks that were not hidden, newest first. before: the id of the last row of the page before.

        search: words of the prompt, a part of the task id, or a prompt's start. models: of these only, where given.
        """
        wanted = select(tasks).where(t.hidden.is_(False), *_of(users))
        if undelivered:
            wanted = wanted.where(t.delivered_at.is_(None))
        if models:
            wanted = wanted.where(t.model.in_(models))
        if state is not None:
            states = [state] if isinstance(state, TaskState) else list(state)
            wanted = wanted.where(t.state.in_([one.value for one in states]))
        for word in search.split():
            found = [column.icontains(word, autoescape=True) for column in (t.prompt, t.task_id)]
            wanted = wanted.where(or_(*found))
        if before:
            at = select(t.created_at).where(t.id == before).scalar_subquery()
            wanted = wanted.where(t.created_at <= at, or_(t.created_at < at, t.id < before))
        return self._rows(wanted.order_by(t.created_at.desc(), t.id.desc()).limit(limit))

    def counts(self, users: Users = None) -> dict[TaskState, int]:
        """How many tasks of the list stand in each state."""
        wanted = select(t.state, func.count()).where(t.hidden.is_(False), *_of(users)).group_by(t.state)
        found: dict[str, int] = self._db.read(lambda connection: {row[0]: row[1] for row in connection.execute(wanted)})
        return {state: found.get(state.value, 0) for state in TaskState}

    def undelivered(self, users: Users = None) -> int:
        """How many images are on disk that no node gave to a graph."""
        waiting = (t.state == sql.COLLECTED, t.delivered_at.is_(None), t.hidden.is_(False), *_of(users))
        wanted = select(func.count()).where(*waiting)
        return self._db.read(lambda connection: int(connection.execute(wanted).scalar_one()))

    def left_behind(self, session: str, users: Users = None) -> int:
        """How many of the undelivered images other runs of the server began that no longer run."""
        waiting = (
            t.state == sql.COLLECTED,
            t.delivered_at.is_(None),
            t.hidden.is_(False),
            t.session != session,
            *_of(users),
        )

        def work(connection: Connection) -> int:
            others = self._living(connection, self._db.backend.now(connection))[1:]
            wanted = select(func.count()).where(*waiting, t.owner.not_in(others))
            return int(connection.execute(wanted).scalar_one())

        return self._db.read(work)

    def credits(
        self, *, day: datetime.date | None = None, session: str | None = None, account: str | None = None
    ) -> CreditTotals:
        """Credits by what became of them. day: a calendar day of this machine's time zone; None = any."""
        since, until = _bounds(day) if day else (None, None)
        return self._db.read(
            lambda connection: self._totals(connection, session=session, account=account, since=since, until=until)
        )

    def today(self) -> datetime.date:
        """The current day of `credits`, by the journal's clock."""
        return self._db.read(lambda connection: datetime.date.fromtimestamp(self._db.backend.now(connection)))

    def evictable(self, limit: int = 100, *, everywhere: bool = False) -> list[TaskRow]:
        """Delivered tasks that still have files, the longest delivered first.

        everywhere: all of them, also those whose files one machine removed: another may have its own.
        """
        wanted = select(tasks).where(t.delivered_at.is_not(None), t.files != "").order_by(t.delivered_at)
        return self._rows(wanted if everywhere else wanted.where(t.evicted_at.is_(None)).limit(limit))

    def _open_rows(self, connection: Connection, now: float) -> list[TaskRow]:
        others = self._living(connection, now)[1:]
        return [row_from(row) for row in connection.execute(sql.OPEN_ROWS, {"others": others}).mappings()]

    def _rows(self, wanted: Select[Any]) -> list[TaskRow]:
        return self._db.read(lambda connection: [row_from(row) for row in connection.execute(wanted).mappings()])

    def _by_task_id(self, connection: Connection, task_id: str, base_url: str) -> TaskRow | None:
        wanted = select(tasks).where(t.task_id == task_id)
        if base_url:
            wanted = wanted.where(t.base_url == base_url)
        found = connection.execute(wanted.order_by(t.created_at.desc()).limit(1)).mappings().first()
        return row_from(found) if found else None

    def _totals(
        self,
        connection: Connection,
        *,
        session: str | None = None,
        account: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> CreditTotals:
        conditions: list[ColumnElement[bool]] = []
        if session is not None:
            conditions.append(t.session == session)
        if account is not None:
            conditions.append(t.account == account)
        if since is not None:
            conditions.append(t.created_at >= since)
        if until is not None:
            conditions.append(t.created_at < until)
        return sum_up(connection.execute(sql.TOTALS.where(*conditions)))


def _of(users: Users) -> list[ColumnElement[bool]]:
    return [] if users is None else [t.user_id.in_(users)]


def sum_up(states: Iterable[Any]) -> CreditTotals:
    """Totals from rows of a state and its credits."""
    sums = {row[0]: int(row[1]) for row in states}
    maybe = sums.get(sql.INTENDED, 0) + sums.get(sql.UNKNOWN, 0)
    refunded = sums.get(sql.FAILED, 0)
    return CreditTotals(spent=sum(sums.values()) - maybe - refunded, maybe=maybe, refunded=refunded)


def local_day(now: float) -> tuple[float, float]:
    """The first second of the local day that holds `now`, and of the next."""
    return _bounds(datetime.date.fromtimestamp(now))


def _bounds(day: datetime.date) -> tuple[float, float]:
    # By way of the calendar: a day with a change of the clocks has 23 or 25 hours.
    start = datetime.datetime.combine(day, datetime.time())
    end = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
    return start.timestamp(), end.timestamp()
