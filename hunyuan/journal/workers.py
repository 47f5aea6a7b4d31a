"""Who is at work: this worker's heartbeats, and which of the others live."""

from __future__ import annotations

from sqlalchemy import Connection

from ..errors import Money
from . import statements as sql
from .database import Database

ALIVE_SECONDS = 30.0  # a worker silent for longer is dead
_BEAT_AGAIN_SECONDS = 5.0
_GREETING_SECONDS = 15.0  # after a silence of this worker's own: time for the others to show that they live
_FORGET_SECONDS = 7 * 86400.0


class Workers:
    """The workers of one database, as one of them sees them. What takes a connection is part of its transaction.

    me: this worker's id. silence: this worker's heartbeats before and after the last time that it was silent for so
    long that others may have taken over its tasks.
    """

    def __init__(self, database: Database, me: str) -> None:
        self.me = me
        self.silence: tuple[float, float] | None = None
        self._db = database
        self._account = ""
        self._beaten: float | None = None

    def is_beat_due(self, now: float) -> bool:
        """Whether the last heartbeat is so long ago that the next transaction is to hold one."""
        return self._beaten is None or not 0 <= now - self._beaten < _BEAT_AGAIN_SECONDS

    def beat(self, connection: Connection, now: float, account: str = "") -> None:
        """Write that this worker lives. account: the one it works for, where that is said anew."""
        self._account = account or self._account
        self._db.backend.enter(self.me)
        connection.execute(sql.BEAT, {"worker_id": self.me, "now": now, "account": self._account})
        connection.execute(sql.FORGET_WORKERS, {"before": now - _FORGET_SECONDS})

    def note_beat(self, now: float) -> None:
        """A heartbeat was committed: only such a one counts."""
        if self._beaten is not None and now - self._beaten > ALIVE_SECONDS:
            self.silence = (self._beaten, now)
        self._beaten = now

    def others(self, connection: Connection, now: float) -> list[str]:
        """The other workers that live."""
        fresh = connection.execute(sql.FRESH_WORKERS, {"since": self._alive_since(now)}).scalars()
        return [each for each in fresh if each != self.me and not self._db.backend.gone(each)]

    def leave(self) -> None:
        """The orderly end of this worker. Raises JournalError."""
        try:
            if self._beaten is not None:
                leaving = {"worker_id": self.me}
                self._db.write(lambda connection: connection.execute(sql.LEAVE, leaving).close(), money=Money.UNTOUCHED)
        finally:
            self._db.backend.leave(self.me)

    def _alive_since(self, now: float) -> float:
        """Whoever has not shown life since then is dead.

        A database that was away, or a machine that slept, silences all at once: whoever is back first must not
        take the others' tasks, and their creates for lost, before they had time to say that they live.
        """
        if self._beaten is not None and now - self._beaten > ALIVE_SECONDS:
            return self._beaten - ALIVE_SECONDS
        if self.silence is not None and 0 <= now - self.silence[1] < _GREETING_SECONDS:
            return self.silence[0] - ALIVE_SECONDS
        return now - ALIVE_SECONDS
