"""What the database could not take at once: written as soon as it can, also after the end of the process."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hunyuan.errors import JournalError, Money
from hunyuan.journal.journal import Journal
from hunyuan.journal.pending_ids import SPARE_BYTES, PendingIds
from hunyuan.journal.records import Attached, Begun, Busy, Limits, RowMoney
from hunyuan.models import TaskState
from tests.kit.journals import ACCOUNT, HandClock, Worker, begin, begun, fresh, open_journal


@contextmanager
def away(directory: Path) -> Iterator[None]:
    """Nothing can be written meanwhile: another program holds the file."""
    with closing(sqlite3.connect(directory / "journal.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def impatient(directory: Path, worker: str = "worker-1", clock: HandClock | None = None, **options: Any) -> Journal:
    return open_journal(directory, worker, clock, busy_seconds=0.05, **options)


def into(found: dict[str, str]) -> Callable[[str, str], bool]:
    """A journal that takes every id."""

    def write(row_id: str, task_id: str) -> bool:
        found[row_id] = task_id
        return True

    return write


def test_a_task_id_outlives_its_process_when_the_database_is_away(tmp_path: Path) -> None:
    clock = HandClock()
    journal = impatient(tmp_path, "ended", clock)
    row = begun(journal)
    with away(tmp_path), pytest.raises(JournalError, match="n1_hunyuan3"):
        journal.mark_submitted(row.id, "n1_hunyuan3")
    journal.close()  # the process ends without another try
    later = impatient(tmp_path, "later", clock)
    assert later.recover() == [], "not unknown: the id was kept"
    found = fresh(later, row)
    assert (found.state, found.task_id) == (TaskState.SUBMITTED, "n1_hunyuan3")
    assert isinstance(begin(later), Attached)
    assert list(tmp_path.glob("pending-*")) == []


@pytest.mark.posix
def test_ids_that_cannot_be_written_yet_stay_where_they_are(tmp_path: Path) -> None:
    said: list[str] = []
    journal = impatient(tmp_path, announce=said.append)
    first, second = begun(journal, 1), begun(journal, 2)
    with away(tmp_path):
        for row, task_id in ((first, "n1"), (second, "n2")):
            with pytest.raises(JournalError):
                journal.mark_submitted(row.id, task_id)
        with pytest.raises(JournalError):
            journal.recover()
    kept = sorted(tmp_path.glob("pending-*"))
    assert len(kept) == 2
    assert {file.stat().st_mode & 0o777 for file in kept} == {0o600}
    strange = {"pending-0.json": '{"row_id": "x", "task_id": "../x"}', "pending-1.json": '{"row_id": "half a li'}
    for name, text in strange.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pending-2.json").mkdir()
    for _ in range(2):
        journal.recover()
    assert fresh(journal, first).task_id == "n1"
    assert fresh(journal, second).task_id == "n2"
    left = [*strange, "pending-2.json"]
    assert sorted(file.name for file in tmp_path.glob("pending-*")) == left, "what nobody can read is not removed"
    assert [name for text in said for name in left if name in text] == left, "each is told, once"


def test_an_id_that_another_process_keeps_while_the_ids_are_written_is_not_lost(tmp_path: Path) -> None:
    pending, written = PendingIds(tmp_path), {}
    pending.add("row1", "n1")

    def write(row_id: str, task_id: str) -> bool:
        written[row_id] = task_id
        if row_id == "row1":
            PendingIds(tmp_path).add("row2", "n2")
        return True

    pending.flush(write, print)
    pending.flush(write, print)
    assert written == {"row1": "n1", "row2": "n2"}
    assert list(tmp_path.iterdir()) == []


def test_an_id_that_an_earlier_version_kept_is_written(tmp_path: Path) -> None:
    (tmp_path / "owed-row1.json").write_text('{"row_id": "row1", "task_id": "n1"}')
    written: dict[str, str] = {}
    PendingIds(tmp_path).flush(into(written), print)
    assert written == {"row1": "n1"}
    assert list(tmp_path.iterdir()) == []


FULL_IN_THE_MIDDLE = """
import errno, os
from hunyuan.errors import JournalError
from hunyuan.journal.pending_ids import PendingIds
full = False

def write(handle, data):
    # A full disk takes what has its room already, and nothing more.
    if full and os.lseek(handle, 0, os.SEEK_CUR) + len(data) > os.fstat(handle).st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return os.write(handle, data)

journal = open_journal(
    directory, worker, clock=time, busy_seconds=0.05, pending_ids=PendingIds(directory, last_resorts=(), write=write)
)
ids = [begun(journal, number).id for number in range(8)]
full = True
other = __import__("sqlite3").connect(directory / "journal.sqlite3", isolation_level=None)
other.execute("BEGIN IMMEDIATE")  # and the journal cannot be written either
for number, row_id in enumerate(ids):
    try:
        journal.mark_submitted(row_id, f"n{number}")
    except JournalError as error:
        say(error.money.value)
try:
    begin(journal, 100)
except JournalError as error:
    say(error)
sys.stdin.readline()
"""


def test_ids_outlive_a_disk_that_fills_up_while_creates_are_under_way_and_a_kill(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "killed", FULL_IN_THE_MIDDLE)
    told = [worker.hear() for _ in range(9)]
    worker.kill()
    assert told[:8] == ["spent"] * 8
    assert told[8].endswith("No credits were spent."), "and nothing more is sent"
    later = open_journal(tmp_path, "later", announce=lambda text: None)
    assert later.recover() == []
    assert sorted(str(row.task_id) for row in later.overview.list_tasks()) == [f"n{number}" for number in range(8)]
    assert list(tmp_path.glob("pending-*")) == []


BROKEN_IN_THE_MIDDLE = """
import errno, os
from hunyuan.errors import JournalError
from hunyuan.journal.pending_ids import PendingIds
broken = False

def write(handle, data):
    if broken and os.fstat(handle).st_ino in {each.stat().st_ino for each in directory.iterdir()}:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return os.write(handle, data)

journal = open_journal(
    directory, worker, clock=time, busy_seconds=0.1,
    pending_ids=PendingIds(directory, last_resorts=(directory.parent / "memory",), write=write),
)
row = begun(journal)
broken = True
other = __import__("sqlite3").connect(directory / "journal.sqlite3", isolation_level=None)
other.execute("BEGIN IMMEDIATE")
try:
    journal.mark_submitted(row.id, "n1")
except JournalError as error:
    say(error.money.value)
sys.stdin.readline()
"""


def test_ids_outlive_a_disk_that_breaks_in_the_memory_of_the_machine(tmp_path: Path) -> None:
    disk, memory = tmp_path / "disk", tmp_path / "memory"
    disk.mkdir()
    worker = Worker(disk, "killed", BROKEN_IN_THE_MIDDLE)
    assert worker.hear() == "spent"
    worker.kill()
    later = open_journal(disk, "later", pending_ids=PendingIds(disk, last_resorts=(memory,)))
    assert later.recover() == []
    assert [row.task_id for row in later.overview.list_tasks()] == ["n1"]
    assert list(memory.iterdir()) == []


@pytest.mark.posix
@pytest.mark.parametrize("trap", ["others may write", "a link"])
def test_a_folder_that_somebody_else_may_have_put_there_is_not_believed(tmp_path: Path, trap: str) -> None:
    memory, elsewhere = tmp_path / "memory", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if trap == "a link":
        memory.symlink_to(elsewhere)
    else:
        memory.mkdir()
        memory.chmod(0o777)
    (memory / "pending-row1.json").write_text('{"row_id": "row1", "task_id": "n1"}')
    told: dict[str, str] = {}
    pending = PendingIds(tmp_path / "file" / "no folder", last_resorts=(memory,))
    (tmp_path / "file").write_text("in the way")
    pending.flush(into(told), print)
    assert told == {}
    with pytest.raises(OSError, match="Not a directory"):
        pending.add("row2", "n2")


def test_a_file_system_that_never_writes_in_place_gives_the_spares_room(tmp_path: Path) -> None:
    """As btrfs and ZFS: what is written anew takes new room, also over what is there."""
    room = [8 * SPARE_BYTES]

    def write(handle: int, data: bytes) -> int:
        taken = sum(each.stat().st_size for each in tmp_path.iterdir())
        if taken + len(data) > room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(handle, data)

    found: dict[str, str] = {}
    pending = PendingIds(tmp_path, last_resorts=(), write=write)
    pending.make_room(8)
    for number in range(8):
        pending.add(f"row{number}", f"n{number}")
    pending.flush(into(found), print)
    assert found == {f"row{number}": f"n{number}" for number in range(8)}


ENDINGS: dict[str, tuple[Callable[[Journal, str], object], TaskState, RowMoney]] = {
    "unknown": (lambda journal, row_id: journal.mark_unknown(row_id, "reset"), TaskState.UNKNOWN, RowMoney.MAYBE),
    "dropped": (lambda journal, row_id: journal.mark_dropped(row_id), TaskState.FAILED, RowMoney.NONE),
    "refused": (
        lambda journal, row_id: journal.mark_failed(row_id, "rejected", "no", sent=False),
        TaskState.FAILED,
        RowMoney.NONE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("occasion", ["begin", "heartbeat"])
def test_how_a_task_ended_is_written_later_and_nobody_waits_for_it(tmp_path: Path, ending: str, occasion: str) -> None:
    write, state, money = ENDINGS[ending]
    journal = impatient(tmp_path)
    row = begun(journal)
    with away(tmp_path):
        with pytest.raises(JournalError):
            write(journal, row.id)
        with pytest.raises(JournalError, match="No credits were spent") as refused:
            begin(journal, 2)
        assert refused.value.money is Money.NOT_SPENT
    assert fresh(journal, row).state is TaskState.INTENDED
    if occasion == "begin":
        assert isinstance(begin(journal), Begun), "not attached to what will never go on"
    else:
        journal.heartbeat()
    assert (fresh(journal, row).state, fresh(journal, row).money) == (state, money)


def test_a_late_id_brings_a_dropped_row_back_to_the_list(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    journal.mark_dropped(row.id)
    assert journal.overview.list_tasks() == []
    journal.mark_submitted(row.id, "n1")
    assert [found.id for found in journal.overview.list_tasks()] == [row.id]


def test_a_429_pauses_all_workers_of_the_account(tmp_path: Path) -> None:
    clock = HandClock()
    first, second = open_journal(tmp_path, "first", clock), open_journal(tmp_path, "second", clock)
    limits = Limits(max_in_flight=5)
    first.pause(ACCOUNT, 30)
    first.pause(ACCOUNT, 5)
    assert second.survey(ACCOUNT).paused_for == 30
    assert second.survey("another").paused_for == 0
    assert begin(second, limits=limits) == Busy(0, 30.0)
    assert isinstance(begin(second, 2, limits=limits, account="another"), Begun)
    clock.now += 10
    assert begin(second, limits=limits) == Busy(0, 20.0)
    clock.now += 20
    assert isinstance(begin(second, limits=limits), Begun)
    assert second.survey(ACCOUNT).paused_for == 0


def journal_files(folder: Path) -> list[Path]:
    return [file for file in folder.glob("journal.sqlite3*") if file.is_file()]


def test_an_id_of_another_journal_waits_until_that_one_is_back(tmp_path: Path) -> None:
    """Whoever sees the database fail sets another one, or none, and later the first again."""
    folder, aside = tmp_path / "here", tmp_path / "aside"
    folder.mkdir()
    journal = impatient(folder, "ended")
    row = begun(journal)
    with away(folder), pytest.raises(JournalError):
        journal.mark_submitted(row.id, "n1_hunyuan3")
    journal.close()
    aside.mkdir()
    for file in journal_files(folder):
        file.rename(aside / file.name)
    said: list[str] = []
    other = impatient(folder, "on another journal", announce=said.append)
    for _ in range(2):
        other.recover()
    other.close()
    assert ["n1_hunyuan3" in text for text in said] == [True], "told, once"
    assert len(list(folder.glob("pending-*"))) == 1
    for file in journal_files(folder):
        file.unlink()
    for file in journal_files(aside):
        file.rename(folder / file.name)
    later = impatient(folder, "later")
    later.recover()
    assert fresh(later, row).task_id == "n1_hunyuan3"
    assert list(folder.glob("pending-*")) == []
