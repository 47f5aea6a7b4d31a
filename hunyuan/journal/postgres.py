"""The studio's journal: PostgreSQL through psycopg, shared by many machines. The clock is the server's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError

from ..errors import JournalError
from ..sentences import Sentence, say
from ..settings.url_secrets import url_secrets
from .backend import Backend, Writing, driver_words
from .tables import bring_up

# libpq's own names; whatever the URL's query says goes before. A server that vanished is noticed in 20 seconds.
_CONNECT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
_SESSION = "; ".join(
    [
        # A worker that stalls must not hold the others' locks for ever.
        "SET lock_timeout = '15s'",
        "SET statement_timeout = '60s'",
        "SET idle_in_transaction_session_timeout = '30s'",
        "SET synchronous_commit = off",  # a durable transaction asks for more itself
        # What is asked again and again is planned once: its values never call for another plan. From PostgreSQL 12 on.
        "SELECT set_config(name, 'force_generic_plan', false) FROM pg_settings WHERE name = 'plan_cache_mode'",
    ]
)
_SETTING = say("HUNYUAN_JOURNAL_URL (setting journal_url)")
_EXAMPLE = say(
    'Use "postgresql+psycopg://user:password@host:5432/database", or leave it empty for the embedded journal.'
)

# By the first characters of SQLSTATE (PostgreSQL's documentation, appendix A).
_WHY = (
    ("28", say("The server refused the user or the password."), say("Check {setting}.", setting=_SETTING)),
    ("3D000", say("The server has no such database."), say("Create it (createdb), or correct the name in the URL.")),
    ("25006", say("The database is read-only."), say("Point the journal at the primary server, not at a replica.")),
    (
        "42501",
        say("The database user may not write there."),
        say("Grant it the rights on the database's schema public."),
    ),
    ("53100", say("The server's disk is full."), say("Free some space on the database server, then run again.")),
    ("53300", say("The server has no free connection."), say("Raise its max_connections, then run again.")),
    ("57P", say("The server is starting, stopping or was stopped."), say("Wait until it is back, then run again.")),
    ("55P03", say("Another worker keeps the journal locked."), say("Run again.")),
    ("57014", say("The server did not answer in time."), say("Look at the server's load, then run again.")),
)


class PostgresBackend(Backend):
    """One database of a PostgreSQL server. Whatever stands in the URL's query (sslmode, …) goes to psycopg."""

    def __init__(self, url: str) -> None:
        self._url, self._secrets = _read_url(url), url_secrets(url)
        # Without the query: the driver takes passwords there too.
        self.name = say("at {url}", url=self._url.set(query={}).render_as_string(hide_password=True))

    def open(self) -> Engine:
        engine = _engine(self._url)
        try:
            with self.transaction(engine, Writing(durable=True, locks=("schema",))) as connection:
                bring_up(connection)
        except BaseException:
            engine.dispose()
            raise
        return engine

    @contextmanager
    def transaction(self, engine: Engine, writing: Writing | None) -> Iterator[Connection]:
        with engine.connect() as connection:
            if writing is None:
                yield connection
                return
            with connection.begin():
                connection.exec_driver_sql(_beginning(writing), execution_options={"no_parameters": True})
                yield connection

    def now(self, connection: Connection) -> float:
        return float(connection.execute(_NOW).scalar_one())

    def moved(self) -> bool:
        return False

    def repair(self, engine: Engine, failure: BaseException, *, committing: bool) -> bool:
        if committing or not getattr(failure, "connection_invalidated", False):
            return False
        engine.dispose()  # the server was restarted: the other connections are cut too
        return True

    def explain(self, failure: BaseException) -> tuple[Sentence, Sentence]:
        if isinstance(failure, ImportError):
            return say("Its driver psycopg is not installed."), say('Install "psycopg[binary]" into ComfyUI\'s Python.')
        words = self._masked(driver_words(failure))
        state = getattr(getattr(failure, "orig", None), "sqlstate", None) or _state_of(words)
        for start, why, do in _WHY:
            if state.startswith(start):
                return why, do
        if isinstance(failure, (OperationalError, InterfaceError)):
            why = say("The server cannot be reached: {words}.", words=words)
            return why, say("Check that it runs and that the URL names it.")
        return say("PostgreSQL said: {words}.", words=words), say("Check {setting}.", setting=_SETTING)

    def _masked(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words


def _state_of(words: str) -> str:
    """The SQLSTATE of a refused connection, for which libpq gives only the server's words."""
    if "authentication failed" in words or "no pg_hba.conf entry" in words:
        return "28000"
    if "FATAL" in words and "database" in words and "does not exist" in words:
        return "3D000"
    return "53300" if "too many" in words else ""


# The server's clock, which all workers share.
_NOW = text("SELECT extract(epoch FROM clock_timestamp())")


def _engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",  # transactions begin in `transaction`
        max_overflow=20,
        pool_use_lifo=True,
    )

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: Any) -> None:
        connection.execute(_SESSION)

    return engine


def _read_url(url: str) -> URL:
    if url.count("@") > 1:  # what stands behind the first would count as the host, and be shown and looked up as one
        raise JournalError(
            say("{setting} has more than one @, so that nobody can tell where its password ends.", setting=_SETTING),
            do=say("Write @ : / % ? in user and password as %40 %3A %2F %25 %3F."),
        )
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):
        raise JournalError(say("{setting} cannot be read as a database URL.", setting=_SETTING), do=_EXAMPLE) from None
    if read.drivername == "postgresql":
        read = read.set(drivername="postgresql+psycopg")
    if read.drivername != "postgresql+psycopg":
        raise JournalError(
            say(
                "{setting} names the database {drivername!r}, which is not supported.",
                setting=_SETTING,
                drivername=read.drivername,
            ),
            do=_EXAMPLE,
        )
    return read


def _beginning(writing: Writing) -> str:
    """All that opens a transaction, as one message. Each statement after it sees what was committed before."""
    statements = ["BEGIN ISOLATION LEVEL READ COMMITTED"]
    if writing.durable:
        statements.append("SET LOCAL synchronous_commit = on")
    statements += [f"SELECT pg_advisory_xact_lock({_key(name)})" for name in writing.locks]
    return "; ".join(statements)


def _key(name: str) -> int:
    """A name as a signed 64-bit number, the space of PostgreSQL's advisory locks."""
    return int.from_bytes(hashlib.sha256(f"hunyuan {name}".encode()).digest()[:8], "big", signed=True)
