"""Remembered URLs: what an input image's content was last reachable under."""

from __future__ import annotations

from sqlalchemy import Connection

from ..errors import Money
from . import statements as sql
from .database import Database
from .records import Link


class Links:
    """URLs by a key of the caller's (a content digest and what else makes the upload differ). None is durable."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, key: str) -> Link | None:
        """The URL remembered for a key, unless it expired."""

        def work(connection: Connection) -> Link | None:
            asked = {"key": key, "now": self._db.backend.now(connection)}
            found = connection.execute(sql.LINK, asked).mappings().first()
            return Link(**found) if found else None

        return self._db.read(work, money=Money.NOT_SPENT)

    def save(self, key: str, url: str, way: str, expires_at: float | None) -> None:
        """Remember a URL, in place of an older one. expires_at: unix seconds, None = not known to expire."""

        def work(connection: Connection) -> None:
            now = self._db.backend.now(connection)
            values = {"key": key, "url": url, "way": way, "expires_at": expires_at, "now": now}
            connection.execute(sql.SAVE_LINK, values)
            connection.execute(sql.DROP_EXPIRED_LINKS, {"now": now})

        self._db.write(work)

    def drop(self, key: str) -> None:
        """Forget a URL that turned out dead."""
        self._db.write(lambda connection: connection.execute(sql.DROP_LINK, {"key": key}).close())
