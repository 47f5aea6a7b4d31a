"""Who is at work: heartbeats, the living, and what the dead leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TypeVar

from sqlalchemy import Connection, delete, or_, select, update

from ..errors import Money
from ..limits import LONGEST_RETRY_AFTER, SLOT_PATIENCE
from .backend import DURABLE, PLAIN, SINGLE, HasTime, Insert, Writing
from .database import Database
from .record_codec import row_from
from .records import TaskRow
from .statements import (
    BY_ID,
    FORGET,
    FORGOTTEN,
    FRESH_WORKERS,
    INTENDED,
    OPEN,
    ORPHANS,
    PAUSED_UNTIL,
    UNKNOWN,
)
from .tables import pauses, tasks, workers

T = TypeVar("T")

ALIVE_SECONDS = 30.0  # a worker silent for longer is dead
_BEAT_AGAIN_SECONDS = 5.0
_GREETING_SECONDS = 15.0  # after a silence of this worker's own: time for the others to show that they live
_FORGET_WORKER_SECONDS = 7 * 86400.0
_LOST_ANSWER = "The process that sent this request ended before its answer came. It may have been billed."


class Workers:
    """The part of the journal that knows the workers. `hash_prompts`: store prompts as their hashes only."""

    def __init__(
        self,
        database: Database,
        *,
        worker_id: str,
        clock: HasTime,
        hash_prompts: Callable[[], bool] = lambda: False,
    ) -> None:
        self._db = database
        self.worker_id = worker_id
        self._clock = clock
        self._hash_prompts = hash_prompts
        self._beaten: float | None = None
        self._silence: tuple[float, float] | None = None  # this worker's last: its beats before it and after it
        self._account = ""

    def now(self) -> float:
        """Unix seconds by the clock that the rows' times were written by; this machine's own may differ by years."""
        return self._db.read(self._db.backend.now)

    @property
    def silence(self) -> tuple[float, float] | None:
        """The last time in which this worker was silent for so long that others may have taken over its tasks."""
        return self._silence

    def heartbeat(self, account: str = "") -> None:
        """Say that this worker lives. At least every 10 seconds."""
        self._write(lambda connection, now: None, account=account or None, beat=True, writing=SINGLE)

    def recover(self) -> list[TaskRow]:
        """`intended` rows of dead workers become `unknown` (sent or not, nobody knows); returns them."""

        def look(connection: Connection) -> bool:
            now = self._db.backend.now(connection)
            if self._orphans(connection, now):
                return True
            return connection.execute(FORGOTTEN, {"since": now - _FORGET_WORKER_SECONDS}).first() is not None

        def work(connection: Connection, now: float) -> list[TaskRow]:
            changed = self._mark_unknown(connection, self._orphans(connection, now), now)
            connection.execute(FORGET, {"since": now - _FORGET_WORKER_SECONDS})
            return changed

        # There is nearly never anything to write: no writer is held up for it every few seconds.
        return self._write(work, writing=DURABLE) if self._db.read(look) else []

    def claim(self, row_id: str) -> bool:
        """Take an open task over from a dead worker; False if a living one has it or it is no longer open."""

        def work(connection: Connection, now: float) -> bool:
            others = self._living(connection, now)[1:]
            taken = connection.execute(
                update(tasks)
                .where(tasks.c.id == row_id, tasks.c.state.in_(OPEN), tasks.c.owner.not_in(others))
                .values(owner=self.worker_id)
            )
            return taken.rowcount == 1

        return self._write(work, writing=DURABLE)

    def pause(self, account: str, seconds: float) -> None:
        """After a 429: no worker begins a task of this account for so long. A longer pause is not shortened."""

        def work(connection: Connection, now: float) -> None:
            insert = self._db.backend.insert(pauses).values(account=account, until=now + seconds)
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=[pauses.c.account],
                    set_={"until": now + seconds},
                    where=or_(pauses.c.until < now + seconds, pauses.c.until > now + LONGEST_RETRY_AFTER),
                )
            )

        self._write(work, writing=SINGLE)

    def close(self) -> None:
        """The orderly end of this worker: its tasks are free for others at once."""
        try:
            if self._beaten is not None:
                self._db.write(self._leave, writing=SINGLE, money=Money.UNTOUCHED)
        finally:
            self._db.backend.leave(self.worker_id)
            self._db.close()

    def _leave(self, connection: Connection) -> None:
        connection.execute(delete(workers).where(workers.c.worker_id == self.worker_id))

    def _write(
        self,
        work: Callable[[Connection, float], T],
        *,
        account: str | None = None,
        beat: bool = False,
        writing: Writing = PLAIN,
        money: Money = Money.UNTOUCHED,
        task_id: str | None = None,
    ) -> T:
        """One writing transaction with its "now", which is a heartbeat too when one is due."""

        def whole(connection: Connection) -> tuple[T, float | None]:
            now = self._db.backend.now(connection)
            due = beat or self._is_beat_due(now, account)
            if due:
                self._beat(connection, now, account)
            return work(connection, now), now if due else None

        result, beaten = self._db.write(whole, writing=writing, money=money, task_id=task_id)
        if beaten is not None:  # only what was committed counts
            if self._beaten is not None and beaten - self._beaten > ALIVE_SECONDS:
                self._silence = (self._beaten, beaten)
            self._beaten = beaten
            self._account = self._account if account is None else account
        return result

    def _is_beat_due(self, now: float, account: str | None) -> bool:
        beaten = self._beaten
        fresh = beaten is not None and 0 <= now - beaten < _BEAT_AGAIN_SECONDS
        return not fresh or account not in (None, self._account)

    def _beat(self, connection: Connection, now: float, account: str | None) -> None:
        self._db.backend.enter(self.worker_id)
        account = self._account if account is None else account
        values = {"worker_id": self.worker_id, "heartbeat_at": now, "account": account}
        connection.execute(self._beat_statement, values)

    @cached_property
    def _beat_statement(self) -> Insert:
        insert = self._db.backend.insert(workers)
        news = {name: insert.excluded[name] for name in ("heartbeat_at", "account")}
        return insert.on_conflict_do_update(index_elements=[workers.c.worker_id], set_=news)

    def _living(self, connection: Connection, now: float) -> list[str]:
        """The workers alive, this one first."""
        return self._alive(connection.execute(FRESH_WORKERS, {"since": self._since(now)}).scalars().all())

    def _alive(self, fresh: Iterable[str]) -> list[str]:
        others = [worker for worker in fresh if worker != self.worker_id and not self._db.backend.gone(worker)]
        return [self.worker_id, *others]

    def _seen_since(self, now: float) -> dict[str, float]:
        """What the slots are asked for with."""
        return {"alive_since": self._since(now), "begun_since": now - SLOT_PATIENCE}

    def _orphans(self, connection: Connection, now: float) -> Sequence[str]:
        """The ids of the `intended` rows of the dead."""
        return connection.execute(ORPHANS, {"living": self._living(connection, now)}).scalars().all()

    def _since(self, now: float) -> float:
        """Whoever has not shown life since then is dead.

        A database that was away, or a machine that slept, silences all at once: whoever is back first must not
        take the others' tasks, and their creates for lost, before they had time to say that they live.
        """
        if self._beaten is not None and now - self._beaten > ALIVE_SECONDS:
            return self._beaten - ALIVE_SECONDS
        if self._silence is not None and 0 <= now - self._silence[1] < _GREETING_SECONDS:
            return self._silence[0] - ALIVE_SECONDS
        return now - ALIVE_SECONDS

    def _rest(self, connection: Connection, account: str, now: float) -> float:
        until = connection.execute(PAUSED_UNTIL, {"account": account}).scalar()
        return pause_left(until, now) if until else 0.0

    def _mark_unknown(self, connection: Connection, row_ids: Sequence[str], now: float) -> list[TaskRow]:
        if not row_ids:
            return []
        still = tasks.c.id.in_(row_ids)
        connection.execute(
            update(tasks)
            .where(still, tasks.c.state == INTENDED)
            .values(state=UNKNOWN, error_code="billing_unknown", error_text=_LOST_ANSWER, finished_at=now)
        )
        found = connection.execute(select(tasks).where(still, tasks.c.state == UNKNOWN)).mappings()
        return [row_from(row) for row in found]


def pause_left(until: float, now: float) -> float:
    """Seconds of a pause after a 429 that are left; one longer than any was written by a clock that was wrong."""
    return until - now if 0.0 < until - now <= LONGEST_RETRY_AFTER else 0.0


def row_of(connection: Connection, row_id: str) -> TaskRow | None:
    """The row of a local id."""
    found = connection.execute(BY_ID, {"row_id": row_id}).mappings().first()
    return row_from(found) if found else None
