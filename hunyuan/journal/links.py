"""Remembered URLs: what an input image's content was last reachable under."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select

from ..errors import Money
from .backend import SINGLE
from .records import Link
from .tables import links
from .workers import Workers


class Links(Workers):
    """URLs by a key of the caller's (a content digest and what else makes the upload differ)."""

    def find_link(self, key: str) -> Link | None:
        """The URL remembered for a key, unless it expired."""

        def work(connection: Connection) -> Link | None:
            now = self._db.backend.now(connection)
            alive = or_(links.c.expires_at.is_(None), links.c.expires_at > now)
            found = connection.execute(select(links).where(links.c.key == key, alive)).mappings().first()
            return Link(**found) if found else None

        return self._db.read(work, money=Money.NOT_SPENT)

    def save_link(self, key: str, url: str, way: str, expires_at: float | None) -> None:
        """Remember a URL, in place of an older one. expires_at: unix seconds, None = not known to expire."""

        def work(connection: Connection, now: float) -> None:
            values = {"url": url, "way": way, "expires_at": expires_at, "created_at": now}
            insert = self._db.backend.insert(links).values(key=key, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=[links.c.key], set_=values))
            connection.execute(delete(links).where(links.c.expires_at < now))

        self._write(work, writing=SINGLE, money=Money.NOT_SPENT)

    def drop_link(self, key: str) -> None:
        """Forget a URL that turned out dead."""
        self._write(
            lambda connection, now: connection.execute(delete(links).where(links.c.key == key)).close(),
            writing=SINGLE,
            money=Money.NOT_SPENT,
        )
