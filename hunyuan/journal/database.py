"""The database under the journal: opened at first use, asked again after a failure, its errors in plain words.

`Database` knows no SQL of its own; what differs between SQLite and PostgreSQL is its backend's
(`sqlite.py`, `postgres.py`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ..errors import JournalError, Money
from ..sentences import say
from .backend import Backend, HasTime, Writing
from .tables import VERSION, NewerSchemaError

T = TypeVar("T")


FAILURES = (SQLAlchemyError, sqlite3.Error, OSError, NewerSchemaError, ImportError, UnicodeError)


class Database:
    """One journal database: `<directory>/journal.sqlite3`, or the one `url` names (any SQLAlchemy URL of SQLite or
    PostgreSQL). Nothing is opened before the first use; a failure to open is tried again at the next one.

    announce: takes one line that the user must see (damage). clock: "now" on SQLite; a server has its own.
    busy_seconds: how long one process waits for another's transaction.
    Thread-safe. Every failure is a JournalError.
    """

    def __init__(
        self,
        directory: Path,
        url: str = "",
        *,
        clock: HasTime,
        announce: Callable[[str], None],
        busy_seconds: float = 15.0,
    ) -> None:
        self.directory = directory
        self._url = url.strip()
        self._clock = clock
        self.announce = announce
        self._busy_seconds = busy_seconds
        self._opening = threading.Lock()
        self._backend: Backend | None = None
        self._engine: Engine | None = None

    def read(self, work: Callable[[Connection], T], *, money: Money = Money.UNTOUCHED) -> T:
        """What `work` returns from a reading transaction."""
        return self._run(work, "read", money, None)

    def write(
        self,
        work: Callable[[Connection], T],
        *,
        durable: bool = False,
        locks: tuple[str, ...] = (),
        money: Money = Money.NOT_SPENT,
        task_id: str | None = None,
    ) -> T:
        """What `work` returns from a writing transaction; it may run twice (damage set aside, connection cut).

        durable, locks: see `Writing`.
        money, task_id: what a failure is to say of the credits, and which task it is about.
        """
        return self._run(work, "written", money, Writing(durable, locks), task_id)

    @property
    def backend(self) -> Backend:
        """The backend of the URL. Raises JournalError when the URL names none."""
        if self._backend is None:
            self._backend = self._choose()
        return self._backend

    def close(self) -> None:
        """Close all connections; the next use opens again."""
        with self._opening:
            engine, self._engine = self._engine, None
        if engine is not None:
            self.backend.close(engine)

    def _choose(self) -> Backend:
        if not self._url or self._url.startswith("sqlite"):
            from .sqlite import SqliteBackend

            return SqliteBackend(self.directory, self._url, self._clock, self.announce, self._busy_seconds)
        from .postgres import PostgresBackend

        return PostgresBackend(self._url)

    def _run(
        self,
        work: Callable[[Connection], T],
        verb: str,
        money: Money,
        writing: Writing | None,
        task_id: str | None = None,
    ) -> T:
        backend = self.backend
        repaired = False
        while True:
            engine: Engine | None = None
            committing = False
            try:
                engine = self._ready(backend)
                with backend.transaction(engine, writing) as connection:
                    result = work(connection)
                    committing = True
                if writing is not None:
                    self._ready(backend)  # written means: in the files that the next start finds
                return result
            except FAILURES as failure:
                if engine is not None and not repaired and self._repair(backend, engine, failure, committing):
                    repaired = True
                    continue
                # Not chained: drivers put statements, and with them prompts, into their messages.
                raise self._error(backend, verb, failure, money, task_id) from None

    def _ready(self, backend: Backend) -> Engine:
        engine = self._engine
        if engine is not None and not backend.moved():
            return engine
        with self._opening:
            if self._engine is None:
                self._engine = backend.open()
            elif backend.moved():
                self._engine = backend.reopen(self._engine)
            return self._engine

    def _repair(self, backend: Backend, engine: Engine, failure: BaseException, committing: bool) -> bool:
        with self._opening:
            if self._engine is not engine:
                return not committing  # another thread did it
            if not backend.repair(engine, failure, committing=committing):
                return False
            self._engine = None
            return True

    def _error(
        self, backend: Backend, verb: str, failure: BaseException, money: Money, task_id: str | None
    ) -> JournalError:
        if isinstance(failure, NewerSchemaError):
            why = say(
                "Its schema has version {version}; this version of the pack knows up to {known}.",
                version=failure.args[0],
                known=VERSION,
            )
            do = say("Update Hunyuan Image 3, or set another journal.")
        else:
            why, do = backend.explain(failure)
        if verb == "read":
            what = say("The journal {name} could not be read.", name=backend.name)
        else:
            what = say("The journal {name} could not be written.", name=backend.name)
        return JournalError(what, why=why, do=do, money=money, task_id=task_id)
