"""The file under the journal: full, read-only, locked, older, newer, and where a message says so."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from hunyuan.errors import JournalError, Money
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import Attached
from hunyuan.journal.tables import VERSION
from hunyuan.models import TaskState, TaskType
from tests.kit.journals import (
    GATEWAY,
    ROOT,
    VERSION_1,
    Worker,
    begin,
    begun,
    fresh,
    open_journal,
    request,
)


def file_of(directory: Path) -> Path:
    return directory / "journal.sqlite3"


def dump(directory: Path) -> list[str]:
    with closing(sqlite3.connect(file_of(directory))) as connection:
        return list(connection.iterdump())


@pytest.mark.posix
def test_nothing_is_opened_before_the_first_use(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    begun(journal)
    file = file_of(tmp_path / "new" / "deep")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_money_rows_are_synced_to_the_disk_and_the_rest_is_not(tmp_path: Path) -> None:
    """begin and submitted survive a power cut (FULL); what can be asked for again need not (NORMAL)."""
    journal = open_journal(tmp_path)
    row = begun(journal)
    seen: list[str] = []

    def look(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith(("INSERT INTO tasks", "UPDATE tasks")):
            level = cursor.execute("PRAGMA synchronous").fetchone()[0]
            mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
            seen.append(f"{mode} {level}")

    event.listen(Engine, "before_cursor_execute", look)
    try:
        begun(journal, 2)
        journal.mark_submitted(row.id, "n1")
        journal.mark_progress(row.id, TaskState.RUNNING)
        journal.mark_succeeded(row.id, ["https://files.example/1.png"], 1.0)
        journal.mark_collected(row.id, [])
        without_id = begun(journal, 3)
        journal.mark_succeeded(without_id.id, ["https://files.example/2.png"], None, True)
        journal.mark_collected(without_id.id, [], True)
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert seen == ["wal 2", "wal 2", "wal 1", "wal 1", "wal 1", "wal 2", "wal 2", "wal 2"]


def begin_many(journal: Journal) -> None:
    for number in range(1000):
        begin(journal, number)


@contextmanager
def full_at(pages: int) -> Iterator[list[int]]:
    """The disk is full when a file has so many pages of 4096 bytes; the number may be changed meanwhile."""
    size = [pages]

    def limit(connection: Any, record: Any, proxy: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={size[0]}")

    event.listen(Engine, "checkout", limit)
    try:
        yield size
    finally:
        event.remove(Engine, "checkout", limit)


def test_a_full_disk_refuses_before_sending_and_works_on_when_there_is_room(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    with full_at(40) as size:
        with pytest.raises(JournalError) as refused:
            begin_many(journal)
        text = str(refused.value)
        assert str(file_of(tmp_path)) in text
        assert "The disk is full. Free some space" in text
        assert text.endswith("No credits were spent.")
        written = journal.overview.counts()[TaskState.INTENDED]
        assert written > 10
        with pytest.raises(JournalError, match="full"):
            begin(journal, written)
        assert journal.overview.counts()[TaskState.INTENDED] == written
        size[0] = 100_000
        begun(journal, written)
        assert sum(journal.overview.counts().values()) == written + 1


def test_an_id_that_cannot_be_written_says_that_the_task_is_paid(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, busy_seconds=0.1)
    row = begun(journal)
    with closing(sqlite3.connect(file_of(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="n1_hunyuan3") as refused:
            journal.mark_submitted(row.id, "n1_hunyuan3")
    assert refused.value.money is Money.SPENT
    assert "No credits were spent" not in str(refused.value)
    journal.mark_submitted(row.id, "n1_hunyuan3")
    assert fresh(journal, row).task_id == "n1_hunyuan3"


@pytest.mark.posix
def test_a_file_that_may_not_grow_refuses_before_sending(tmp_path: Path) -> None:
    """The operating system's own refusal to write (a quota), in a process of its own."""
    worker = Worker(
        tmp_path,
        "limited",
        """
import resource
begun(journal, 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(1, 1000):
        begin(journal, number)
except Exception as error:
    say(type(error).__name__)
    say(str(error))
    say(str(number))
""",
    )
    assert worker.hear() == "JournalError"
    text = worker.hear()
    assert str(file_of(tmp_path)) in text
    assert text.endswith("No credits were spent.")
    written = int(worker.hear())
    assert worker.end() == 0
    assert sum(open_journal(tmp_path).overview.counts().values()) == written


@pytest.mark.posix
def test_a_read_only_folder_refuses_before_sending(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = tmp_path / "locked"
    begun(open_journal(folder))
    for file in [*folder.rglob("*"), folder]:
        file.chmod(0o555 if file.is_dir() else 0o444)
    script = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.kit.journals import begin, open_journal
import sqlalchemy.dialects.sqlite.pysqlite, sqlite3, hunyuan.journal.sqlite
journal = open_journal(Path({str(folder)!r}))
if os.getuid() == 0:
    os.setuid(65534)  # the superuser may write anywhere
try:
    begin(journal, 2)
except Exception as error:
    print(type(error).__name__, error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert told.stdout.startswith("JournalError The journal "), told
    assert str(file_of(folder)) in told.stdout
    assert "Permission denied" in told.stdout or "read-only" in told.stdout
    assert "No credits were spent." in told.stdout


def test_a_folder_that_cannot_be_made_refuses_before_sending(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match=r"could not be written.*No credits were spent"):
        begin(open_journal(tmp_path / "file" / "below"))


def test_a_locked_file_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, busy_seconds=0.2)
    begun(journal, 1)
    with closing(sqlite3.connect(file_of(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"keeps it locked.*No credits were spent"):
            begin(journal, 2)
        other.execute("ROLLBACK")
    begun(journal, 2)


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    begun(open_journal(tmp_path))
    with closing(sqlite3.connect(file_of(tmp_path))) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
        connection.commit()
    before = dump(tmp_path)
    with pytest.raises(JournalError, match=rf"version 99; this version of the pack knows up to {VERSION}\. Update"):
        begin(open_journal(tmp_path), 2)
    assert dump(tmp_path) == before


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite+nonsense"])
def test_an_embedded_journal_without_a_file_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(JournalError, match=r"names no file.*No credits were spent"):
        begin(open_journal(tmp_path, url=url))


@pytest.mark.parametrize("url", ["mysql://u:hunter2@host/db", "nonsense hunter2", "postgresql+asyncpg://u:hunter2@h/d"])
def test_another_database_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(JournalError, match=r"HUNYUAN_JOURNAL_URL.*No credits were spent") as refused:
        begin(open_journal(tmp_path, url=url))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@127.0.0.1:9/db?password=hunter2",
        "postgresql+psycopg://me:other@127.0.0.1:9/db?sslmode=prefer&sslpassword=hunter2",
        "postgresql+psycopg://me:p@hunter2@127.0.0.1:9/db",
        "postgresql+psycopg://me:p@hunter2/x@127.0.0.1:9/db",
        "postgresql+psycopg://me:p@a?hunter2@127.0.0.1:9/db",
    ],
)
def test_a_password_is_shown_nowhere_in_the_address_it_stands_in(tmp_path: Path, url: str) -> None:
    with pytest.raises(JournalError, match="No credits were spent") as refused:
        begin(open_journal(tmp_path, url=url))
    assert "hunter2" not in f"{refused.value} {refused.value!r}"
    assert ("%40" in refused.value.do) == (url.count("@") > 1), "what to do is said where it can be known"


def test_a_journal_at_a_path_of_the_users_choice(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "j.db"
    row = begun(open_journal(tmp_path, url=f"sqlite:///{file}"))
    assert fresh(open_journal(tmp_path, url=f"sqlite+pysqlite:///{file}"), row) == row
    assert not file_of(tmp_path).exists()


def build_version_1(directory: Path, fingerprint: str) -> None:
    """A journal as version 1 of the schema left it, with one collected task."""
    with closing(sqlite3.connect(file_of(directory))) as connection:
        connection.executescript(VERSION_1)
        connection.execute(
            "INSERT INTO tasks (id, fingerprint, task_id, state, type, prompt, size, seed, credits, owner, created_at,"
            " collected_at, urls, files) VALUES ('old', ?, 'n1', 'collected', 'text-to-image', 'a lighthouse',"
            " '1024*1024', 1, 25, 'gone', 1770000000.5, 1770000009.5, '[\"https://cdn.test/a.png\"]', ?)",
            (fingerprint, '[{"path": "n1_0.png", "mime": "image/png", "bytes": 100, "digest": "dd", "url": ""}]'),
        )
        connection.commit()


def test_an_older_schema_is_migrated_with_its_rows(tmp_path: Path) -> None:
    build_version_1(tmp_path, request(1).fingerprint(GATEWAY))
    journal = open_journal(tmp_path)
    outcome = begin(journal, 1)
    assert isinstance(outcome, Attached)
    row = outcome.row
    assert (row.id, row.task_id, row.state, row.type) == ("old", "n1", TaskState.COLLECTED, TaskType.TEXT_TO_IMAGE)
    assert (row.created_at, row.collected_at, row.lost_at) == (1770000000.5, 1770000009.5, None)
    assert row.files[0].path == "n1_0.png"
    journal.mark_lost("old", "gone")
    assert fresh(journal, row).lost_at is not None
    with closing(sqlite3.connect(file_of(tmp_path))) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() == (str(VERSION),)


def test_a_migrated_journal_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    build_version_1(tmp_path / "old", "f")
    shapes = []
    for name in ("old", "new"):
        journal = open_journal(tmp_path / name)
        journal.heartbeat()
        with closing(sqlite3.connect(file_of(tmp_path / name))) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            columns = {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in names}
            named = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
            indexes = {name: [row[2] for row in connection.execute(f"PRAGMA index_info({name})")] for name in named}
            shapes.append((columns, indexes))
    assert shapes[0] == shapes[1]


def test_two_that_migrate_at_once(tmp_path: Path) -> None:
    build_version_1(tmp_path, "f")
    journals = [open_journal(tmp_path, f"worker-{k}") for k in range(4)]
    failures: list[BaseException] = []

    def use(number: int) -> None:
        try:
            begun(journals[number], number + 10)
        except BaseException as failure:  # noqa: BLE001 - shown by the assertion below
            failures.append(failure)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(journals[0].overview.counts().values()) == 5


def test_a_failed_write_tells_no_prompt_and_no_statement(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    with full_at(1), pytest.raises(JournalError) as refused:
        journal.mark_failed(row.id, "x" * 100_000, "", sent=True)
    error = refused.value
    assert "UPDATE" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__, "the driver's own error, with the statement in it, is not shown beside it"


def test_a_begin_that_failed_after_all_was_written_is_not_waited_for(tmp_path: Path) -> None:
    """The commit was done and its confirmation lost: the row is there, but nothing was sent for it."""
    journal = open_journal(tmp_path)

    def confirm_nothing(connection: Any) -> None:
        connection.connection.dbapi_connection.commit()
        raise sqlite3.OperationalError("disk I/O error")

    journal.heartbeat()
    event.listen(Engine, "commit", confirm_nothing)
    try:
        with pytest.raises(JournalError, match="No credits were spent"):
            begin(journal)
    finally:
        event.remove(Engine, "commit", confirm_nothing)
    assert journal.overview.counts()[TaskState.INTENDED] == 1
    begun(journal)
    assert journal.overview.credits().maybe == 25
