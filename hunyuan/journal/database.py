"""The database under the journal: opened at first use, asked again after a failure, its errors in plain words.

`Database` knows no SQL of its own; what differs between SQLite and PostgreSQL is its backend's
(`sqlite.py`, `postgres.py`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, Table, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from ..errors import JournalError, Money
from .tables import VERSION, NewerSchemaError

T = TypeVar("T")
Insert = sqlite.Insert | postgresql.Insert


class HasTime(Protocol):
    """The part of the clock that the journal needs."""

    def time(self) -> float:
        """Unix seconds."""
        ...


@dataclass(frozen=True)
class Writing:
    """What a transaction that writes asks for.

    durable: on the disk itself (power cut), not only safe against the end of the process.
    locks: names that nobody else holds until it ends; everybody names them in the same order.
    single: each of its statements may stand without the others, so that it need not hold them together.
    """

    durable: bool = False
    locks: tuple[str, ...] = ()
    single: bool = False


PLAIN, DURABLE, SINGLE = Writing(), Writing(durable=True), Writing(single=True)


class Backend(ABC):
    """What one kind of database does its own way."""

    name: str  # how messages call it: a path, or a URL without its password

    @abstractmethod
    def open(self) -> Engine:
        """Connect, create or migrate the tables."""

    @abstractmethod
    def transaction(self, engine: Engine, writing: Writing | None) -> AbstractContextManager[Connection]:
        """One transaction. A writing one sees no other writer between its reads and its writes."""

    @abstractmethod
    def now(self, connection: Connection) -> float:
        """Unix seconds by the one clock that all workers share, whatever this machine's clock says."""

    @abstractmethod
    def insert(self, table: Table) -> Insert:
        """An INSERT that knows ON CONFLICT."""

    @abstractmethod
    def moved(self) -> bool:
        """Whether what was opened is no longer what lies there."""

    def reopen(self, opened: Engine) -> Engine:
        """Open what lies there now, with all that only the connections opened before still see. When it raises,
        what was opened stays in use."""
        self.close(opened)
        return self.open()

    def close(self, engine: Engine) -> None:
        """Close all its connections."""
        engine.dispose()

    @abstractmethod
    def repair(self, engine: Engine, failure: BaseException, *, committing: bool) -> bool:
        """Whether opening again and doing it all once more helps: damage that was set aside, a connection that was cut.

        committing: it failed at the end, so that what was done may stand.
        """

    @abstractmethod
    def explain(self, failure: BaseException) -> tuple[str, str]:
        """Why it failed, and what to do: one sentence each, without secrets."""

    def durable(self, step: Update) -> Update:
        """The statement as it is sent where it is all of a transaction that is durable."""
        return step

    def enter(self, worker_id: str) -> None:  # noqa: B027 - optional
        """Let other processes see at once when this worker's process ends, where that is possible."""

    def leave(self, worker_id: str) -> None:  # noqa: B027 - optional
        """The end of `enter`."""

    def gone(self, worker_id: str) -> bool:
        """Whether that worker's process certainly ended; False where only its heartbeat can tell."""
        return False


def _failures() -> tuple[type[BaseException], ...]:
    import sqlite3

    return (SQLAlchemyError, sqlite3.Error, OSError, NewerSchemaError, ImportError, UnicodeError)


FAILURES = _failures()


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
        self._announce = announce
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
        writing: Writing = PLAIN,
        money: Money = Money.NOT_SPENT,
        task_id: str | None = None,
    ) -> T:
        """What `work` returns from a writing transaction; it may run twice (damage set aside, connection cut).

        money, task_id: what a failure is to say of the credits, and which task it is about.
        """
        return self._run(work, "written", money, writing, task_id)

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

            return SqliteBackend(self.directory, self._url, self._clock, self._announce, self._busy_seconds)
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
            why = f"Its schema has version {failure.args[0]}; this version of the pack knows up to {VERSION}."
            do = "Update Hunyuan Image 3, or set another journal."
        else:
            why, do = backend.explain(failure)
        what = f"The journal {backend.name} could not be {verb}."
        return JournalError(what, why=why, do=do, money=money, task_id=task_id)


def driver_words(failure: Any) -> str:
    """The driver's own first line, without SQLAlchemy's statement and parameters."""
    original = getattr(failure, "orig", None) or failure
    lines = str(original).strip().splitlines()
    return lines[0][:300] if lines else type(original).__name__
