"""The journal's hot statements, built once: SQLAlchemy then compiles each a single time."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Float,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

from ..models import TaskState
from .records import ENDED_PROCESS, GIVEN_UP, STALLED
from .tables import pauses, tasks, workers

ATTACHABLE = frozenset(state.value for state in TaskState if state.is_attachable)
OPEN = tuple(state.value for state in TaskState if state.is_open)
INTENDED, SUBMITTED, RUNNING = TaskState.INTENDED.value, TaskState.SUBMITTED.value, TaskState.RUNNING.value
SUCCEEDED, COLLECTED = TaskState.SUCCEEDED.value, TaskState.COLLECTED.value
FAILED, UNKNOWN = TaskState.FAILED.value, TaskState.UNKNOWN.value


def _constant(value: str) -> ColumnElement[str]:
    """A text of ours, written into the statement: a parameter would be put there anew with every execution."""
    return literal_column(f"'{value}'", Text)


def _states(*values: str) -> list[ColumnElement[str]]:
    return [_constant(value) for value in values]


EMPTY, ZERO = _constant(""), literal_column("0.0", Float)
_NOTHING = literal_column("0", Integer)
_MOST_ALIKE = literal_column("50", Integer)

t = tasks.c
_row = t.id == bindparam("row_id")
# Something is left to fetch the image by.
_reachable = or_(t.task_id.is_not(None), t.urls != EMPTY, t.files != EMPTY)

_costs = t.credits > _NOTHING
_in_any_state = t.state.in_(_states(*(state.value for state in TaskState)))
TOTALS = select(t.state, func.sum(t.credits)).where(_costs, _in_any_state).group_by(t.state)


class Told(NamedTuple):
    """What speaks for or against a new task comes in one answer. Not in whole rows: each column costs time."""

    what: str  # SAME … SESSION
    row_id: str
    state: str
    whose: str
    number: float  # created_at, tasks, unix seconds or credits


def _told(what: str, row_id: Any = EMPTY, state: Any = EMPTY, whose: Any = EMPTY, number: Any = ZERO) -> Select[Any]:
    columns = zip(Told._fields, (_constant(what), row_id, state, whose, number), strict=True)
    return select(*(column.label(name) for name, column in columns))


SAME, WORKER, IN_FLIGHT, OLDEST, PAUSE = "same", "worker", "in flight", "oldest", "pause"
DAY, SESSION, WRITTEN = "day", "session", "written"
_same = (
    _told(SAME, t.id, t.state, t.owner, t.created_at)
    .where(
        t.fingerprint == bindparam("fingerprint"),
        t.state.in_(_states(INTENDED, UNKNOWN, *sorted(ATTACHABLE))),
        t.lost_at.is_(None),
        or_(
            t.state == _constant(INTENDED),
            and_(t.state == _constant(UNKNOWN), t.finished_at > bindparam("asked")),
            and_(t.state != _constant(UNKNOWN), _reachable),
        ),
    )
    .order_by(t.created_at.desc(), t.id.desc())
    .limit(_MOST_ALIKE)
    .subquery()
    .select()
)
# What the gateway works on, or may: not what stalls or is lost, which has an error code.
_in_flight = (
    t.account == bindparam("account"),
    t.state.in_(_states(INTENDED, SUBMITTED, RUNNING)),
    t.created_at > bindparam("begun_since"),
    t.error_code == EMPTY,
)
_slots = (
    _told(WORKER, whose=workers.c.worker_id).where(workers.c.heartbeat_at > bindparam("alive_since")),
    _told(IN_FLIGHT, whose=t.owner, number=func.count()).where(*_in_flight).group_by(t.owner),
    _told(OLDEST, whose=t.owner, number=func.min(t.created_at)).where(*_in_flight).group_by(t.owner),
    _told(PAUSE, number=pauses.c.until).where(pauses.c.account == bindparam("account")),
)


def _used(period: str, *within: ColumnElement[bool]) -> Select[Any]:
    return _told(period, state=t.state, number=func.sum(t.credits)).where(_costs, *within).group_by(t.state)


_used_today = _used(
    DAY,
    t.account == bindparam("account"),
    t.created_at >= bindparam("day_since"),
    t.created_at < bindparam("day_until"),
)
_used_in_session = _used(SESSION, t.session == bindparam("session"))
_sum = func.coalesce(func.sum(t.credits), _NOTHING)
_written = _told(WRITTEN, number=_sum).where(t.id.in_(bindparam("writing", expanding=True)), _costs)


@cache
def standing(
    dialect: str,
    *,
    same: bool = False,
    slots: bool = False,
    day: bool = False,
    session: bool = False,
    writing: bool = False,
) -> CompoundSelect[Any]:
    """The same request's rows, newest first; the slots taken; the credits that count in this day and session;
    how many of some rows are written."""
    # SQLite finds the indexes that are sorted by state before time only where all states are named; PostgreSQL would
    # compare each row's state with each name.
    used = [*([_used_today] if day else []), *([_used_in_session] if session else [])]
    parts = [
        *([_same] if same else []),
        *(_slots if slots else ()),
        *([each.where(_in_any_state) for each in used] if dialect == "sqlite" else used),
        *([_written] if writing else []),
    ]
    return union_all(*parts)


BY_ID = select(tasks).where(_row)
OPEN_ROWS = (
    select(tasks)
    .where(
        t.state.in_(_states(*OPEN)),
        t.lost_at.is_(None),
        t.error_code.not_in(_states(ENDED_PROCESS, GIVEN_UP)),
        _reachable,
        t.owner.not_in(bindparam("others", expanding=True)),
    )
    .order_by(t.created_at)
)
# What the dead had begun, and the workers that are forgotten.
ORPHANS = select(t.id).where(t.state == _constant(INTENDED), t.owner.not_in(bindparam("living", expanding=True)))
_forgotten = workers.c.heartbeat_at < bindparam("since")
FORGOTTEN = select(workers.c.worker_id).where(_forgotten).limit(1)
FORGET = delete(workers).where(_forgotten)
PAUSED_UNTIL = select(pauses.c.until).where(pauses.c.account == bindparam("account"))
FRESH_WORKERS = select(workers.c.worker_id).where(workers.c.heartbeat_at > bindparam("since"))
# Transitions. Each names the states it may come from, so that what arrives late changes nothing.
TO_SUBMITTED = (
    update(tasks)
    .where(_row, t.state.in_(_states(INTENDED, UNKNOWN, FAILED)), t.task_id.is_(None))
    .values(
        state=_constant(SUBMITTED),
        task_id=bindparam("gateway_id"),
        submitted_at=bindparam("now"),
        credits=t.price,
        finished_at=null(),
        hidden=false(),
        error_code=EMPTY,
        error_text=EMPTY,
    )
)
LATE_TASK_ID = update(tasks).where(_row, t.task_id.is_(None)).values(task_id=bindparam("gateway_id"))
# An adopted task has no fingerprint.
TO_CHARGED = update(tasks).where(_row, t.fingerprint != EMPTY).values(credits=bindparam("charged"))
TO_RUNNING = (
    update(tasks)
    .where(_row, t.state == _constant(SUBMITTED))
    .values(state=_constant(RUNNING), polled_at=bindparam("now"))
)
# It has no slot any more, and gets it back when the gateway says that it works on it.
TO_STALLED = (
    update(tasks)
    .where(_row, t.state.in_(_states(SUBMITTED, RUNNING)), t.lost_at.is_(None), t.error_code == EMPTY)
    .values(error_code=_constant(STALLED), error_text=bindparam("new_text"))
)
TO_RESUMED = update(tasks).where(_row, t.error_code == _constant(STALLED)).values(error_code=EMPTY, error_text=EMPTY)
TO_SET_ASIDE = (
    update(tasks)
    .where(_row, t.state.in_(_states(SUBMITTED, RUNNING, SUCCEEDED)))
    .values(error_code=bindparam("new_code"), error_text=bindparam("new_text"))
)
TO_SUCCEEDED = (
    update(tasks)
    .where(_row, t.state.not_in(_states(SUCCEEDED, COLLECTED)))
    .values(
        state=_constant(SUCCEEDED),
        urls=bindparam("new_urls"),
        seconds=bindparam("measured"),
        submitted_at=func.coalesce(t.submitted_at, bindparam("now")),
        polled_at=bindparam("now"),
        finished_at=bindparam("now"),
        error_code=EMPTY,
        error_text=EMPTY,
    )
)
NEW_URLS = (
    update(tasks)
    .where(_row, t.state == _constant(SUCCEEDED))
    .values(urls=bindparam("new_urls"), polled_at=bindparam("now"))
)
TO_COLLECTED = (
    update(tasks)
    .where(_row)
    .values(
        state=_constant(COLLECTED),
        files=bindparam("new_files"),
        collected_at=bindparam("now"),
        submitted_at=func.coalesce(t.submitted_at, bindparam("now")),
        finished_at=func.coalesce(t.finished_at, bindparam("now")),
        # Image data that stood in for a URL is on disk now.
        urls=case((t.urls.like('%"data:%'), EMPTY), else_=t.urls),
        lost_at=null(),
        evicted_at=null(),
        error_code=EMPTY,
        error_text=EMPTY,
    )
)
TO_FAILED = (
    update(tasks)
    .where(_row, t.state.in_(_states(INTENDED, UNKNOWN, SUBMITTED, RUNNING)))
    .values(
        state=_constant(FAILED),
        error_code=bindparam("new_code"),
        error_text=bindparam("new_text"),
        finished_at=bindparam("now"),
    )
)
# The create certainly did not arrive, or was refused: it costs nothing.
TO_NEVER_SENT = TO_FAILED.where(t.submitted_at.is_(None), t.task_id.is_(None)).values(credits=_NOTHING)
TO_DELIVERED = update(tasks).where(_row, t.delivered_at.is_(None)).values(delivered_at=bindparam("now"))
TO_UNKNOWN = (
    update(tasks)
    .where(_row, t.state == _constant(INTENDED))
    .values(
        state=_constant(UNKNOWN),
        error_code=_constant("billing_unknown"),
        error_text=bindparam("new_text"),
        finished_at=bindparam("now"),
    )
)
# Also where another worker, who could not know that it was never sent, has made it `unknown`.
TO_DROPPED = (
    update(tasks)
    .where(_row, t.state.in_(_states(INTENDED, UNKNOWN)), t.task_id.is_(None))
    .values(
        state=_constant(FAILED),
        credits=_NOTHING,
        hidden=true(),
        error_code=bindparam("new_code"),
        finished_at=bindparam("now"),
    )
)
TO_LOST = (
    update(tasks)
    .where(_row, t.lost_at.is_(None))
    .values(lost_at=bindparam("now"), error_code=_constant("lost"), error_text=bindparam("new_text"))
)
TO_HIDDEN = update(tasks).where(_row).values(hidden=true())
TO_SHOWN = update(tasks).where(_row).values(hidden=false())
TO_EVICTED = update(tasks).where(_row).values(evicted_at=bindparam("now"))
TASK_ID_OF = select(t.task_id).where(_row)
