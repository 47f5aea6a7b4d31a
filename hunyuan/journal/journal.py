"""The journal: every paid task, written down before and after each step. What cannot be written is not sent.

`Journal` is put together from rooms of their own: the way into a paid task here, its transitions (`steps.py`), lists
and totals (`queries.py`), the living (`workers.py`) and remembered URLs (`links.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import CompoundSelect, Connection

from ..errors import CreditLimitError, JournalError, Money
from ..limits import CREDITS_PER_TASK
from ..models import GenerationRequest, TaskState, check_task_id
from .backend import Writing
from .links import Links
from .queries import Queries, local_day, sum_up
from .record_codec import columns_of, storable
from .records import Attached, Begun, Busy, CreditTotals, Limits, RunContext, TaskRow, new_row_id
from .statements import (
    ATTACHABLE,
    DAY,
    IN_FLIGHT,
    OLDEST,
    PAUSE,
    SAME,
    SESSION,
    UNKNOWN,
    WORKER,
    WRITTEN,
    Told,
    standing,
)
from .steps import Steps
from .tables import tasks
from .workers import pause_left, row_of

_USUALLY_IN_FLIGHT = 8  # where nothing limits them


class Journal(Steps, Queries, Links):
    """Every paid task. Blocking and thread-safe; every failure is a JournalError.

    A worker (one process) is known by its worker_id, unique for each start of the process. It must call
    `heartbeat` at least every 10 seconds; one silent for 30 seconds, or whose process ended, is dead, and
    its tasks go to who claims them.
    """

    def find_reusable(self, fingerprint: str) -> TaskRow | None:
        """The newest task of the same request that may be attached to: open or collected, or about to be sent by a
        living worker."""

        def work(connection: Connection) -> TaskRow | None:
            now = self._db.backend.now(connection)
            found = self._attachable(connection, self._alike(connection, fingerprint, now), now)
            return row_of(connection, found) if found else None

        return self._db.read(work, money=Money.NOT_SPENT)

    def begin(
        self,
        request: GenerationRequest,
        *,
        base_url: str,
        account: str,
        context: RunContext,
        limits: Limits,
        reuse: bool = True,
        waited: float = 0.0,
        row_id: str = "",
        check: Callable[[], None] = lambda: None,
    ) -> Begun | Attached | Busy:
        """Write a task down before its create is sent, in one transaction with the look-up of the same request
        (unless `reuse` is off), the credit limits and the slots.

        waited: seconds since it was asked for. A same request whose answer was lost in that time is attached to, in
        state `unknown`: whoever asked did not know of it, and is to decide whether it is sent anew.
        row_id: the id to write it under, from `new_row_id`; for who has to know it before.
        check: called when it is this transaction's turn, which may take seconds; what it raises leaves all as it was.
        Raises CreditLimitError, with the figures, and JournalError; nothing may be sent then.
        """
        fingerprint = request.fingerprint(base_url)
        row_id = row_id or new_row_id()
        # The account before the request, here as everywhere, so that two never wait for each other.
        held = Writing(durable=True, locks=(f"account:{account}", f"request:{fingerprint}"))

        def work(connection: Connection, now: float) -> Begun | Attached | Busy:
            check()
            told = self._ask(
                connection,
                standing(connection.dialect.name, same=reuse, slots=True, **_limited(limits)),
                fingerprint=fingerprint,
                asked=now - waited,
                **_periods(account, context, now),
                **self._seen_since(now),
            )
            living = self._alive(each.whose for each in told if each.what == WORKER)
            reusable, dead = _reusable(told, lambda: living)
            found = row_of(connection, reusable) if reusable else None
            given_up = self._mark_unknown(connection, dead, now)
            if waited > 0 and given_up and not found:
                found = given_up[0]
            if found:
                return Attached(found)
            _refuse_over(limits, told, request.credits)
            if busy := _busy(limits, told, living, now):
                return busy
            row = self._new_row(request, fingerprint, context, now)
            row = replace(row, id=row_id, base_url=base_url, account=account)
            connection.execute(tasks.insert(), columns_of(row))
            return Begun(row)

        self._make_room(limits.max_in_flight or _USUALLY_IN_FLIGHT)
        try:
            self._write_pending()
        except JournalError as failure:
            raise JournalError(failure.what, why=failure.why, do=failure.do, money=Money.NOT_SPENT) from None
        try:
            return self._write(work, account=account, writing=held, money=Money.NOT_SPENT)
        except JournalError:
            # Its commit may have failed half-way: the row may be there, but it was certainly never sent.
            self._write_later(row_id, lambda: self.mark_dropped(row_id))
            raise

    def admit(
        self,
        fingerprints: Sequence[str],
        *,
        account: str,
        context: RunContext,
        limits: Limits,
        reuse: bool = True,
        prices: Sequence[int] = (),
        promised: int = 0,
        writing: Sequence[str] = (),
    ) -> set[str]:
        """Which of these requests would be new tasks: those that `find_reusable` knows nothing for, or all of them
        with `reuse` off. There must be a limit of credits.

        prices: the credits of each request; none: each is Hunyuan Image 3's.
        Raises CreditLimitError, with the figures, where the new ones do not all fit beside the `promised` credits of
        tasks that were let in and not written down yet; `writing`: the row ids of those of them that are being written
        just now.
        """
        if not fingerprints:
            return set()

        def work(connection: Connection) -> set[str]:
            now = self._db.backend.now(connection)
            # The first look-up brings the sums with it: each message costs as much as its question.
            first, *others = dict.fromkeys(fingerprints)
            asked = {"fingerprint": first, "asked": now, **_periods(account, context, now)}
            whole = standing(connection.dialect.name, same=reuse, writing=bool(writing), **_limited(limits))
            told = self._ask(connection, whole, writing=writing, **asked)
            new = list(fingerprints)
            if reuse:
                known = [told, *(self._alike(connection, fingerprint, now) for fingerprint in others)]
                found = (self._attachable(connection, same, now) for same in known)
                new = [each for each, row_id in zip((first, *others), found, strict=True) if row_id is None]
            if new:
                written = sum(int(each.number) for each in told if each.what == WRITTEN)  # the sums hold these
                price_of = dict(zip(fingerprints, prices or [CREDITS_PER_TASK] * len(fingerprints), strict=True))
                _refuse_over(limits, told, sum(price_of[each] for each in new), promised - written)
            return set(new)

        return self._db.read(work, money=Money.NOT_SPENT)

    def adopt(self, task_id: str, *, base_url: str, account: str, context: RunContext) -> TaskRow:
        """The row of a task id that the user typed: the one there is, else a new one with 0 credits (paid elsewhere),
        in state `submitted`. Raises InvalidTaskIdError for what cannot be an id."""
        checked = check_task_id(task_id)
        row_id = new_row_id()

        def work(connection: Connection, now: float) -> TaskRow:
            found = self._by_task_id(connection, checked, base_url)
            if found:
                return found
            row = replace(
                self._empty_row(context, now),
                id=row_id,
                task_id=checked,
                state=TaskState.SUBMITTED,
                base_url=base_url,
                account=account,
                submitted_at=now,
            )
            connection.execute(tasks.insert(), columns_of(row))
            return row

        return self._write(work, account=account, writing=Writing(durable=True, locks=(f"task:{checked}",)))

    def _ask(self, connection: Connection, wanted: CompoundSelect[Any], **values: object) -> list[Told]:
        return [Told(*row) for row in connection.execute(wanted, values)]

    def _alike(self, connection: Connection, fingerprint: str, now: float) -> list[Told]:
        return self._ask(connection, standing(connection.dialect.name, same=True), fingerprint=fingerprint, asked=now)

    def _attachable(self, connection: Connection, told: Sequence[Told], now: float) -> str | None:
        return _reusable(told, lambda: self._living(connection, now))[0]

    def _new_row(self, request: GenerationRequest, fingerprint: str, context: RunContext, now: float) -> TaskRow:
        prompt = storable(request.prompt)
        if self._hash_prompts():
            prompt = f"sha256:{hashlib.sha256(prompt.encode()).hexdigest()}"
        return replace(
            self._empty_row(context, now),
            fingerprint=fingerprint,
            type=request.type,
            prompt=prompt,
            size=request.size,
            seed=request.seed,
            model=request.model,
            images=request.images,
            credits=request.credits,
            parameters=() if self._hash_prompts() else request.parameters,  # a negative prompt may be among them
            image_fields=request.image_fields,
            choices=request.choices,
            variation=request.variation,
            price=request.credits,
        )

    def _empty_row(self, context: RunContext, now: float) -> TaskRow:
        return TaskRow(
            id="", fingerprint="", task_id=None, state=TaskState.INTENDED, type=None, prompt="", size=None, seed=None,
            model="", base_url="", account="", images=(), credits=0, prompt_id=context.prompt_id,
            node_id=context.node_id, session=context.session, owner=self.worker_id, created_at=now,
        )  # fmt: skip


def _reusable(told: Sequence[Told], living: Callable[[], Collection[str]]) -> tuple[str | None, list[str]]:
    """The id of the row to attach to, or of one that became `unknown` meanwhile; the ids of `intended` rows of the
    dead."""
    dead: list[str] = []
    lost: str | None = None
    same = [each for each in told if each.what == SAME]
    for each in sorted(same, key=lambda each: (each.number, each.row_id), reverse=True):  # the newest first
        if each.state == UNKNOWN:
            lost = lost or each.row_id
        elif each.state in ATTACHABLE or each.whose in living():
            return each.row_id, dead
        else:
            dead.append(each.row_id)
    return lost, dead


def _limited(limits: Limits) -> dict[str, bool]:
    """The periods whose totals are asked for: each sum costs time."""
    return {"day": limits.credits_per_day > 0, "session": limits.credits_per_session > 0}


def _periods(account: str, context: RunContext, now: float) -> dict[str, object]:
    """What the totals that limits are about are asked for with."""
    since, until = local_day(now)
    return {"account": account, "session": context.session, "day_since": since, "day_until": until}


def _busy(limits: Limits, told: Sequence[Told], living: Collection[str], now: float) -> Busy | None:
    """Why a task has no slot, if it has none."""
    if not limits.max_in_flight:
        return None
    in_flight = sum(int(each.number) for each in told if each.what == IN_FLIGHT and each.whose in living)
    rest = next((pause_left(each.number, now) for each in told if each.what == PAUSE), 0.0)
    if in_flight >= limits.max_in_flight:
        since = min((each.number for each in told if each.what == OLDEST and each.whose in living), default=now)
        return Busy(in_flight, oldest=max(0.0, now - since))
    return Busy(in_flight, rest) if rest > 0 else None


def _refuse_over(limits: Limits, told: Sequence[Told], wanted: int, waiting: int = 0) -> None:
    for period, words, setting, limit in (
        (DAY, "today", "credit_limit_per_day", limits.credits_per_day),
        (SESSION, "in this session", "credit_limit_per_session", limits.credits_per_session),
    ):
        if limit:
            used = sum_up((each.state, each.number) for each in told if each.what == period)
            _refuse_over_one(words, setting, limit, used, wanted, waiting)


def _refuse_over_one(period: str, setting: str, limit: int, used: CreditTotals, wanted: int, waiting: int) -> None:
    counted = used.spent + used.maybe
    if counted + waiting + wanted <= limit:
        return
    maybe = f" (of these {used.maybe} may have been billed)" if used.maybe else ""
    raise CreditLimitError(
        f"{wanted} credits more would pass the limit of {limit} credits {period}: "
        f"{counted} are counted already{maybe}" + (f", {waiting} wait to be sent." if waiting else "."),
        why=f"The setting {setting} refuses it before anything is sent.",
        do=f"Raise {setting} in the settings (0 = no limit), or wait for the next period.",
    )
