"""The credits of a day or a session, and the limits that the user set for them."""

from __future__ import annotations

import datetime

from sqlalchemy import Connection, func, select, text

from ..errors import CreditLimitError
from ..models import TaskState
from ..sentences import Sentence, say
from .records import CreditTotals, Limits
from .tables import tasks

# All of them: SQLite finds the indexes that are sorted by state before time only where the states are named.
_ANY_STATE = text("state IN ({})".format(", ".join(f"'{state.value}'" for state in TaskState)))


def credit_totals(
    connection: Connection,
    *,
    account: str | None = None,
    session: str | None = None,
    day: datetime.date | None = None,
) -> CreditTotals:
    """Credits by what became of them. day: a calendar day of this machine's time zone. None: any."""
    t = tasks.c
    wanted = select(t.state, func.sum(t.credits)).where(_ANY_STATE).group_by(t.state)
    if account is not None:
        wanted = wanted.where(t.account == account)
    if session is not None:
        wanted = wanted.where(t.session == session)
    if day is not None:
        # By way of the calendar: a day with a change of the clocks has 23 or 25 hours.
        start = datetime.datetime.combine(day, datetime.time())
        end = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
        wanted = wanted.where(t.created_at >= start.timestamp(), t.created_at < end.timestamp())
    sums = {state: int(credits) for state, credits in connection.execute(wanted)}
    maybe = sums.pop(TaskState.INTENDED.value, 0) + sums.pop(TaskState.UNKNOWN.value, 0)
    refunded = sums.pop(TaskState.FAILED.value, 0)
    return CreditTotals(spent=sum(sums.values()), maybe=maybe, refunded=refunded)


def check_limits(
    connection: Connection, limits: Limits, wanted: int, account: str, session: str, now: float, waiting: int = 0
) -> None:
    """Raises CreditLimitError, with the figures, where so many credits more would pass a limit.

    waiting: credits of tasks that were let in and are not written down yet.
    """
    if limits.credits_per_day:
        today = credit_totals(connection, account=account, day=datetime.date.fromtimestamp(now))
        _check(say("today"), "credit_limit_per_day", limits.credits_per_day, today, wanted, waiting)
    if limits.credits_per_session:
        used = credit_totals(connection, session=session)
        _check(say("in this session"), "credit_limit_per_session", limits.credits_per_session, used, wanted, waiting)


def _check(period: Sentence, setting: str, limit: int, used: CreditTotals, wanted: int, waiting: int) -> None:
    counted = used.spent + used.maybe
    if counted + waiting + wanted <= limit:
        return
    maybe = say(" (of these {n} may have been billed)", n=used.maybe) if used.maybe else ""
    raise CreditLimitError(
        say(
            "{wanted} credits more would pass the limit of {limit} credits {period}: "
            "{counted} are counted already{maybe}{waiting}.",
            wanted=wanted,
            limit=limit,
            period=period,
            counted=counted,
            maybe=maybe,
            waiting=say(", {n} wait to be sent", n=waiting) if waiting else "",
        ),
        why=say("The setting {setting} refuses it before anything is sent.", setting=setting),
        do=say("Raise {setting} in the settings (0 = no limit), or wait for the next period.", setting=setting),
    )
