"""The journal's files vanish or are exchanged while ComfyUIs are at work: what was written stays written."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hunyuan.models import TaskState
from tests.kit.journals import Worker, begun, collect, fresh, open_journal

pytestmark = pytest.mark.posix  # Windows deletes no file that a program has open

SIDES = {"the log": ("-wal",), "the index": ("-shm",), "both": ("-wal", "-shm"), "all": ("", "-wal", "-shm")}
AT_WORK = """
ids = {number: begun(journal, number).id for number in range(4)}
for number in (0, 1):
    journal.mark_submitted(ids[number], f"n{number}")
say("ready")
sys.stdin.readline()
for number in (2, 3):
    journal.mark_submitted(ids[number], f"n{number}")
say("written")
sys.stdin.readline()
"""
ANOTHERS_WORK = AT_WORK.replace('f"n', 'f"m').replace("begun(journal, number)", "begun(journal, 10 + number)")


def remove(directory: Path, sides: tuple[str, ...]) -> None:
    for side in sides:
        Path(f"{directory / 'journal.sqlite3'}{side}").unlink()


def ids_of(directory: Path) -> set[str | None]:
    """As a process reads them that was started later."""
    journal = open_journal(directory, "later", announce=lambda text: None)
    found = {row.task_id for row in journal.overview.list_tasks()}
    journal.close()
    return found


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
def test_ids_outlive_deleted_files_and_a_kill(tmp_path: Path, sides: tuple[str, ...]) -> None:
    worker = Worker(tmp_path, "killed", AT_WORK)
    worker.hear()
    remove(tmp_path, sides)
    worker.tell("go on")
    worker.hear()
    worker.kill()
    assert ids_of(tmp_path) == {"n0", "n1", "n2", "n3"}


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
def test_two_processes_whose_files_are_deleted_lose_nothing(tmp_path: Path, sides: tuple[str, ...]) -> None:
    first, second = Worker(tmp_path, "first", AT_WORK), Worker(tmp_path, "second", ANOTHERS_WORK)
    for worker in (first, second):
        worker.hear()
    remove(tmp_path, sides)
    for worker in (first, second):
        worker.tell("go on")
        worker.hear()
    for worker in (first, second):
        worker.kill()
    assert {f"{letter}{number}" for letter in "nm" for number in range(4)} <= ids_of(tmp_path)


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
def test_it_is_said_once_what_became_of_the_rows(tmp_path: Path, sides: tuple[str, ...]) -> None:
    said: list[str] = []
    journal = open_journal(tmp_path, announce=said.append)
    collect(journal, row := begun(journal), "n1")
    remove(tmp_path, sides)
    later = begun(journal, 2)
    assert fresh(journal, row).state is TaskState.COLLECTED
    assert fresh(journal, later).state is TaskState.INTENDED
    (text,) = said
    assert "deleted" in text
    assert "nothing of it is lost" in text
    assert not list(tmp_path.glob("*.part")), "nothing is left lying about"


def test_a_journal_that_was_put_in_its_place_gets_what_it_does_not_know(tmp_path: Path) -> None:
    """An older copy, say: what was paid for since is not forgotten, and what it knows better stays."""
    said: list[str] = []
    journal = open_journal(tmp_path, announce=said.append)
    first = begun(journal, 1)
    names = ("journal.sqlite3", "copy")
    with closing(sqlite3.connect(tmp_path / names[0])) as source, closing(sqlite3.connect(tmp_path / names[1])) as copy:
        source.backup(copy)
    journal.mark_submitted(first.id, "n1")
    second = begun(journal, 2)
    shutil.move(tmp_path / "copy", tmp_path / "journal.sqlite3")
    journal.heartbeat()
    assert fresh(journal, first).task_id == "n1"
    assert fresh(journal, second).state is TaskState.INTENDED
    (text,) = said
    assert "2 tasks" in text
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as found:
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_a_later_process_began_after_the_deletion_is_kept_too(tmp_path: Path) -> None:
    """It found the file without its log, while the first has not looked yet."""
    journal = open_journal(tmp_path, announce=lambda text: None)
    first = begun(journal, 1)
    remove(tmp_path, ("-wal", "-shm"))
    worker = Worker(tmp_path, "killed", "say(begun(journal, 2).id)\n" + "sys.stdin.readline()\n")
    other = worker.hear()
    worker.kill()
    assert fresh(journal, first).state is TaskState.INTENDED
    assert journal.get(other) is not None


def test_readers_at_work_do_not_disturb_and_see_the_same(tmp_path: Path) -> None:
    """A transaction that began before the deletion ends on what it began with."""
    journal = open_journal(tmp_path, announce=lambda text: None)
    row = begun(journal)
    database = journal._db

    def read_long(connection: object) -> str:
        remove(tmp_path, ("-wal", "-shm"))
        begun(journal, 2)
        found = connection.exec_driver_sql("SELECT id FROM tasks").scalars().all()  # type: ignore[attr-defined]
        return ",".join(found)

    assert database.read(read_long) == row.id
    assert len(journal.overview.list_tasks()) == 2
