"""A damaged journal: set aside, said loudly, and what can be read of it goes on."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from hunyuan.journal.records import Attached, Begun
from hunyuan.models import TaskState
from tests.kit.journals import Worker, begin, begun, collect, open_database, open_journal

PAGE = 4096


def fill(directory: Path, count: int) -> None:
    """A closed journal with so many collected tasks, all in the one file."""
    (directory / "journal.sqlite3").write_bytes(_filled(count))


@cache
def _filled(count: int) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        journal = open_journal(Path(directory), "before")
        for number in range(count):
            collect(journal, begun(journal, number), f"n{number}")
        journal.close()
        return (Path(directory) / "journal.sqlite3").read_bytes()


def overwrite(file: Path, offset: int, count: int) -> bytes:
    """Random bytes in the middle of a file; gives back what the file then is."""
    with open(file, "r+b") as raw:
        raw.seek(offset)
        raw.write(os.urandom(count))
    return file.read_bytes()


def set_aside_files(directory: Path) -> list[Path]:
    found = (file for file in directory.iterdir() if ".damaged-" in file.name)
    return sorted(file for file in found if not file.name.endswith(("-wal", "-shm")))


def test_a_file_that_is_no_database_is_kept_and_said(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").write_bytes(b"this is not a database " * 500)
    said: list[str] = []
    journal = open_journal(tmp_path, announce=said.append)
    assert isinstance(begin(journal), Begun)
    (kept,) = set_aside_files(tmp_path)
    assert kept.read_bytes() == b"this is not a database " * 500
    (text,) = said
    assert str(kept) in text
    assert "0 tasks could be read" in text
    assert "pays for it again" in text


def test_a_broken_header_loses_no_file(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    damaged = overwrite(tmp_path / "journal.sqlite3", 0, 100)
    said: list[str] = []
    assert isinstance(begin(open_journal(tmp_path, announce=said.append), 3), Begun)
    (kept,) = set_aside_files(tmp_path)
    assert kept.read_bytes() == damaged
    assert len(said) == 1


def test_what_can_be_read_is_taken_over(tmp_path: Path) -> None:
    """A page of the table's own in the middle is gone: the rows before and behind it are not."""
    fill(tmp_path, 400)
    file = tmp_path / "journal.sqlite3"
    overwrite(file, file.read_bytes().index(b'"n200_0.png"') // PAGE * PAGE, PAGE)
    said: list[str] = []
    journal = open_journal(tmp_path, announce=said.append)
    rows = journal.overview.list_tasks(limit=1000)
    assert len(said) == 1
    assert f"{len(rows)} tasks could be read" in said[0]
    assert 380 <= len(rows) < 400
    seeds = {row.seed for row in rows}
    assert {0, 1, 398, 399} <= seeds
    assert 200 not in seeds
    for row in (rows[0], rows[-1]):
        assert row.seed is not None
        outcome = begin(journal, row.seed)
        assert isinstance(outcome, Attached), "what was paid for is not paid for again"
        assert outcome.row == row
    assert journal.overview.credits().spent == 25 * len(rows)


def test_damage_is_announced_once_and_not_for_ever(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").write_bytes(b"x" * 9000)
    said: list[str] = []
    begin(open_journal(tmp_path, "one", announce=said.append))
    begin(open_journal(tmp_path, "two", announce=said.append))
    assert len(said) == 1


def test_a_second_damage_gets_a_name_of_its_own(tmp_path: Path) -> None:
    for content in (b"first " * 2000, b"second " * 2000):
        (tmp_path / "journal.sqlite3").write_bytes(content)
        said: list[str] = []
        journal = open_journal(tmp_path, announce=said.append)
        journal.overview.counts()
        journal.close()
    kept = set_aside_files(tmp_path)
    assert sorted(file.read_bytes()[:5] for file in kept) == [b"first", b"secon"]


def test_a_crash_between_setting_aside_and_taking_over_loses_nothing(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    (tmp_path / "journal.sqlite3").rename(tmp_path / "journal.sqlite3.damaged-20260101-000000")
    said: list[str] = []
    journal = open_journal(tmp_path, announce=said.append)
    assert journal.overview.counts()[TaskState.COLLECTED] == 5
    assert "5 tasks could be read" in said[0]


def test_the_write_ahead_log_goes_with_its_file(tmp_path: Path) -> None:
    """Rows that are in the -wal only are read from there."""
    worker = Worker(
        tmp_path, "killed", "for number in range(5):\n    begun(journal, number)\nsay('ready')\nsys.stdin.readline()\n"
    )
    worker.hear()
    worker.kill()
    file = tmp_path / "journal.sqlite3"
    assert Path(f"{file}-wal").stat().st_size > PAGE
    for side in ("", "-wal", "-shm"):
        Path(f"{file}{side}").rename(f"{file}.damaged-20260101-000000{side}")
    said: list[str] = []
    journal = open_journal(tmp_path, announce=said.append)
    assert len(journal.overview.list_tasks()) == 5
    assert Path(f"{file}.damaged-20260101-000000").exists()


@pytest.mark.parametrize("reopened", [False, True])
def test_damage_while_at_work_is_set_aside_and_the_work_goes_on(tmp_path: Path, reopened: bool) -> None:
    fill(tmp_path, 400)
    said: list[str] = []
    database = open_database(tmp_path, announce=said.append)
    journal = open_journal(tmp_path, database=database)
    begun(journal, 1000)
    file = tmp_path / "journal.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tasks_by_duration'").fetchone()[0]
    overwrite(file, (root - 1) * PAGE, PAGE)
    if reopened:
        database.close()
    assert set_aside_files(tmp_path) == []
    row = begun(journal, 1001)
    journal.mark_submitted(row.id, "n1001")
    journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 77.0)  # touches the damaged part, if nothing did before
    assert len(set_aside_files(tmp_path)) == 1
    assert len(said) == 1
    assert "401 tasks could be read" in said[0] if reopened else "402 tasks could be read" in said[0]
    assert journal.overview.counts()[TaskState.COLLECTED] == 400
    done = journal.get(row.id)
    assert done is not None
    assert done.seconds == 77.0


def test_the_other_process_goes_on_in_the_new_file(tmp_path: Path) -> None:
    """One sets a damaged file aside; who still has the old file open must not write on into it."""
    first, second = open_journal(tmp_path, "first"), open_journal(tmp_path, "second", announce=lambda text: None)
    row = begun(first, 1)
    file = tmp_path / "journal.sqlite3"
    for side in ("", "-wal", "-shm"):
        Path(f"{file}{side}").rename(f"{file}.damaged-20260101-000000{side}")
    said: list[str] = []
    third = open_journal(tmp_path, "third", announce=said.append)
    later = begun(third, 2)
    second.heartbeat()
    first_later = begun(first, 3)
    assert {found.id for found in third.overview.list_tasks()} == {row.id, later.id, first_later.id}
    assert len(said) == 1
