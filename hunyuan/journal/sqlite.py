"""The embedded journal: SQLite, shared by the ComfyUI processes of one machine.

With a write-ahead log, or with a rollback journal where the folder cannot have one (`wal.py`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..errors import JournalError
from ..sentences import Sentence, say
from .backend import Backend, HasTime, Writing, driver_words
from .filelock import FileLocks
from .salvage import rescue, set_aside
from .tables import bring_up
from .vanished import Files, copy_whole, drop_sides, keep_aside, take_over
from .wal import why_not_wal

# By SQLite's primary result codes (sqlite.org/rescode.html); Python before 3.11 gives only the words.
_WHY = (
    ("database or disk is full", say("The disk is full."), say("Free some space, then run again.")),
    ("readonly", say("The file or its folder is read-only."), say("Give ComfyUI's user the right to write there.")),
    (
        "unable to open",
        say("The file cannot be opened or created."),
        say("Check that the folder exists and may be written."),
    ),
    (
        "locked",
        say("Another program keeps it locked, or it lies on a drive that cannot lock files (some network drives)."),
        say(
            "Close the program that has the file open. "
            "For such a drive, set HUNYUAN_JOURNAL_URL to a local SQLite file."
        ),
    ),
    (
        "disk i/o error",
        say("The disk refused (an input/output error, or full)."),
        say("Check the disk and its free space."),
    ),
    (
        "malformed",
        say("The file is damaged and could not be set aside."),
        say("Stop other ComfyUIs that use it, restart."),
    ),
    (
        "not a database",
        say("The file is damaged and could not be set aside."),
        say("Stop other ComfyUIs that use it, restart."),
    ),
)


class SqliteBackend(Backend):
    """A file `journal.sqlite3`, with its `-wal` and `-shm` beside it where the file system can have them.

    A writing transaction begins with BEGIN IMMEDIATE, so that what it read stays true until it commits.
    """

    def __init__(
        self, directory: Path, url: str, clock: HasTime, announce: Callable[[str], None], busy_seconds: float
    ) -> None:
        self.path = _path(directory, url)
        self.name = str(self.path)
        self._clock = clock
        self._announce = announce
        self._busy_seconds = busy_seconds
        self._writing = threading.Lock()  # threads queue here; SQLite's own waiting is a sleep
        self._locks = FileLocks(self.path.with_name(f"{self.path.name}.locks"))
        self._opened: Files | None = None
        self._has_wal = True
        self._witness: Connection | None = None  # what it saw stays to be seen, whatever becomes of the files

    def open(self) -> Engine:
        with self._alone():
            return self._open_or_set_aside()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other process opens, sets aside or exchanges the files."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locks.holding("open", self._busy_seconds):
            yield

    def _open_or_set_aside(self) -> Engine:
        try:
            return self._open()
        except (sqlite3.DatabaseError, SQLAlchemyError) as failure:
            if not _is_damage(failure):
                raise
            self._set_aside()
            return self._open()

    def _open(self) -> Engine:
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # prompts are nobody else's
        self._choose_mode(why_not_wal(self.path))
        _check(self.path, self._busy_seconds)
        engine = _engine(self.path, self._busy_seconds)
        try:
            with self._writing_on(engine, Writing(durable=True)) as connection:
                bring_up(connection)
                rescue(connection, self.path, self._announce)
        except BaseException:
            engine.dispose()
            raise
        self._opened, self._witness = Files.at(self.path), engine.connect()
        return engine

    def _choose_mode(self, why_not: str) -> None:
        if why_not and self._has_wal:
            self._announce(
                f"The folder of the journal {self.name} cannot have SQLite's write-ahead log: {why_not}. The journal "
                "uses a rollback journal instead: as safe, but slower. For a faster one set HUNYUAN_JOURNAL_URL to "
                '"sqlite:////path/on/a/local/disk/journal.sqlite3".'
            )
        self._has_wal = not why_not
        _set_mode(self.path, self._busy_seconds, wal=self._has_wal)

    def close(self, engine: Engine) -> None:
        if self._witness is not None and self._witness.engine is engine:
            self._witness.close()
        engine.dispose()

    @contextmanager
    def transaction(self, engine: Engine, writing: Writing | None) -> Iterator[Connection]:
        """One writer at a time: there is nothing to lock by name."""
        if writing is None:
            with engine.connect() as connection:
                yield connection
            return
        with self._writing, self._writing_on(engine, writing) as connection:
            yield connection

    @contextmanager
    def _writing_on(self, engine: Engine, writing: Writing) -> Iterator[Connection]:
        with engine.connect() as connection, connection.begin():
            # EXTRA: a rollback journal commits by removing its file, which the folder must hold on the disk too.
            synchronous = ("FULL" if self._has_wal else "EXTRA") if writing.durable else "NORMAL"
            if connection.info.get("synchronous") != synchronous:
                connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
                connection.info["synchronous"] = synchronous
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def now(self, connection: Connection) -> float:
        return self._clock.time()

    def moved(self) -> bool:
        return self._opened is None or Files.at(self.path).differ_from(self._opened)

    def reopen(self, opened: Engine) -> Engine:
        with self._writing, self._alone():
            before, witness, now = self._opened, self._witness, Files.at(self.path)
            if before is None or witness is None:  # set aside
                engine = self._open_or_set_aside()
            elif now.main in (None, before.main):
                engine = self._restore(witness, before, now)
            else:
                engine = self._join(witness, before, now)
            if witness is not None:
                witness.close()
            opened.dispose()
            return engine

    def _restore(self, witness: Connection, before: Files, now: Files) -> Engine:
        """The database, its log or the index was deleted: all of it is still open here."""
        if now.main is not None and now.log not in (None, before.log):
            keep_aside(self.path, self._clock.time())  # somebody began a new log on what was left
        try:
            copy_whole(witness, self.path)
        except sqlite3.Error as failure:
            if "full" in str(failure):
                raise
            self._announce(f"The journal {self.name} was deleted while in use, and what it held cannot be read.")
        else:
            self._announce(
                f"The journal {self.name}, or its file -wal or -shm, was moved or deleted while in use. It was written "
                "anew; nothing of it is lost. Stop ComfyUI before you move or delete these files."
            )
        return self._open_or_set_aside()

    def _join(self, witness: Connection, before: Files, now: Files) -> Engine:
        """Another database lies there: one that another process has restored or begun, or that somebody put there."""
        if before.log is not None and now.log == before.log:
            drop_sides(self.path)
        engine = self._open_or_set_aside()
        try:
            with self._writing_on(engine, Writing(durable=True)) as connection:
                count = take_over(witness, connection)
        except SQLAlchemyError:  # what was opened is damaged; whoever set it aside has taken over what can be read
            return engine
        if count:
            self._announce(
                f"The journal {self.name} was replaced while in use. {count} tasks of the old one that the new one "
                "does not know, or knows less of, were taken over."
            )
        return engine

    def repair(self, engine: Engine, failure: BaseException, *, committing: bool) -> bool:
        if not _is_damage(failure):
            return False
        self.close(engine)
        with self._alone():
            if not self.moved():  # else another process did it
                self._set_aside()
        return True

    def explain(self, failure: BaseException) -> tuple[Sentence, Sentence]:
        if isinstance(failure, OSError):
            why = say("{reason}.", reason=failure.strerror or type(failure).__name__)
            return why, say("Check the folder, its rights and its free space.")
        words = driver_words(failure)
        for sign, why, do in _WHY:
            if sign in words.lower():
                return why, do
        return say("SQLite said: {words}.", words=words), say("If it stays, move the file away: a new one is begun.")

    def enter(self, worker_id: str) -> None:
        self._locks.take(worker_id)

    def leave(self, worker_id: str) -> None:
        self._locks.release(worker_id)

    def gone(self, worker_id: str) -> bool:
        return self._locks.is_free(worker_id)

    def _set_aside(self) -> None:
        set_aside(self.path, self._clock.time())
        self._opened = None


def _path(directory: Path, url: str) -> Path:
    if not url:
        return directory / "journal.sqlite3"
    try:
        database = make_url(url).database
    except ArgumentError:
        database = None
    if not database or database == ":memory:":
        raise JournalError(
            say("HUNYUAN_JOURNAL_URL (setting journal_url) names no file."),
            do=say('Leave it empty for the embedded journal, or use "sqlite:////absolute/path/journal.sqlite3".'),
        )
    return Path(database)


def _engine(path: Path, busy_seconds: float) -> Engine:
    # isolation_level None: the driver begins nothing by itself, each statement stands alone unless `transaction` does.
    arguments = {"timeout": busy_seconds, "check_same_thread": False, "isolation_level": None}
    return create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args=arguments,
        hide_parameters=True,
        max_overflow=-1,
        pool_use_lifo=True,
    )


def _set_mode(path: Path, busy_seconds: float, *, wal: bool) -> None:
    with closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        # A file that has a log, from a folder that could have one, is opened by one process alone without shared
        # memory (sqlite.org/wal.html, "Use of WAL Without Shared-Memory").
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=DELETE")


def _check(path: Path, busy_seconds: float) -> None:
    """Read the whole file once; raises sqlite3.DatabaseError when it is damaged."""
    with closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found is None or found[0] != "ok":
            raise sqlite3.DatabaseError("database disk image is malformed")


def _is_damage(failure: BaseException) -> bool:
    original = getattr(failure, "orig", None) or failure
    if not isinstance(original, sqlite3.DatabaseError):
        return False
    words = str(original).lower()
    return "malformed" in words or "not a database" in words
