"""A folder that cannot have SQLite's write-ahead log: the journal works there with a rollback journal, and says so.

The folder is imitated by what such a file system does: the log's index, its shared memory, cannot be made.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from hunyuan.journal.wal import network_file_system, why_not_wal
from hunyuan.models import TaskState
from tests.kit.journals import Worker, begun, collect, fresh, open_journal


def without_shared_memory(directory: Path) -> Path:
    """What makes the index of any log fail there."""
    for name in ("journal.sqlite3-shm", "journal.sqlite3.wal-test-shm"):
        (directory / name).mkdir(parents=True)
    return directory


def mode_of(directory: Path) -> str:
    with closing(sqlite3.connect(directory / "journal.sqlite3")) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_it_works_and_is_said_once(tmp_path: Path) -> None:
    without_shared_memory(tmp_path)
    said: list[str] = []
    journal = open_journal(tmp_path, announce=said.append)
    collect(journal, row := begun(journal), "n1")
    journal.close()
    assert fresh(journal, row).state is TaskState.COLLECTED
    assert mode_of(tmp_path) == "delete"
    (text,) = said
    assert "rollback journal" in text
    assert "HUNYUAN_JOURNAL_URL" in text


def test_money_rows_are_synced_with_their_folder(tmp_path: Path) -> None:
    """EXTRA (3), or a power cut brings the rollback journal back, which takes the row away."""
    journal = open_journal(without_shared_memory(tmp_path), announce=lambda text: None)
    seen: list[str] = []

    def look(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith(("INSERT INTO tasks", "UPDATE tasks")):
            level = cursor.execute("PRAGMA synchronous").fetchone()[0]
            seen.append(f"{cursor.execute('PRAGMA journal_mode').fetchone()[0]} {level}")

    event.listen(Engine, "before_cursor_execute", look)
    try:
        row = begun(journal)
        journal.mark_submitted(row.id, "n1")
        journal.mark_progress(row.id, TaskState.RUNNING)
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert seen == ["delete 3", "delete 3", "delete 1"]


def test_a_journal_that_had_a_log_is_taken_along(tmp_path: Path) -> None:
    """The user folder was moved to such a drive, with tasks that are in the log only."""
    worker = Worker(tmp_path, "killed", "say(begun(journal, 1).id)\nsys.stdin.readline()\n")
    moved_id = worker.hear()
    worker.kill()
    drive = without_shared_memory(tmp_path / "drive")
    for side in ("", "-wal"):
        (tmp_path / f"journal.sqlite3{side}").rename(drive / f"journal.sqlite3{side}")
    journal = open_journal(drive, announce=lambda text: None)
    assert journal.get(moved_id) is not None
    begun(journal, 2)
    assert mode_of(drive) == "delete"


def test_two_processes_work_in_it_and_a_kill_loses_nothing(tmp_path: Path) -> None:
    without_shared_memory(tmp_path)
    script = """
for number in range(20):
    row = begun(journal, int(worker) * 100 + number)
    journal.mark_submitted(row.id, f"n{worker}-{number}")
say("done")
sys.stdin.readline()
"""
    workers = [Worker(tmp_path, str(number), script) for number in range(2)]
    for worker in workers:
        assert worker.hear() == "done"
    for worker in workers:
        worker.kill()
    journal = open_journal(tmp_path, "later", announce=lambda text: None)
    assert {row.task_id for row in journal.overview.list_tasks(limit=100)} == {
        f"n{w}-{k}" for w in range(2) for k in range(20)
    }


def test_back_on_a_drive_that_can_it_has_a_log_again(tmp_path: Path) -> None:
    journal = open_journal(without_shared_memory(tmp_path), announce=lambda text: None)
    row = begun(journal)
    journal.close()
    for folder in [each for each in tmp_path.iterdir() if each.name.endswith("-shm")]:
        folder.rmdir()
    again = open_journal(tmp_path)
    assert fresh(again, row) == row
    assert mode_of(tmp_path) == "wal"


MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /mnt/my\040drive rw shared:3 - cifs //nas/share rw
31 22 0:26 / /mnt/c rw - 9p C:\134 rw,aname=drvfs
32 22 0:27 / /home rw - nfs4 server:/home rw
33 32 0:28 / /home/me/local rw - ext4 /dev/vdb rw
34 22 0:29 / /mnt/cloud rw - fuse.rclone remote: rw
35 22 0:30 / /mnt/共享 rw - cifs //nas/s rw
36 22 0:31 / /mnt/Büro\040x rw - nfs nas:/x rw
37 22 0:32 / /mnt/a\134040b rw - nfs nas:/y rw
half a line
"""


@pytest.mark.posix
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/srv/comfy/user", ""),
        ("/mnt/my drive/user", "cifs"),
        ("/mnt/my drive", "cifs"),
        ("/mnt/c/ComfyUI/user", "9p"),
        ("/mnt/cab", ""),
        ("/home/me/ComfyUI", "nfs4"),
        ("/home/me/local/ComfyUI", ""),
        ("/mnt/cloud/x", "fuse.rclone"),
        ("/mnt/共享/user", "cifs"),
        ("/mnt/Büro x", "nfs"),
        (r"/mnt/a\040b/user", "nfs"),
    ],
)
def test_network_drives_are_known_by_name(folder: str, expected: str) -> None:
    assert network_file_system(Path(folder), MOUNTS) == expected


@pytest.mark.posix
@pytest.mark.parametrize(
    "kind",
    [
        *("fuse.onedriver", "fuse.google-drive-ocamlfuse", "fuse.dropbox", "fuse.goofys", "fuse.mount-s3"),
        *("fuse.blobfuse2", "fuse.davfs2", "fuse.s3ql", "fuse.moosefs", "fuse.grpcfuse", "fuse.sshfs", "fuse"),
        *("fuse.nobody-knows-it", "virtiofs", "fakeowner", "vboxsf", "vmhgfs", "smb2", "ocfs2", "gfs2"),
    ],
)
def test_what_others_may_have_mounted_too_counts_as_a_network_drive(kind: str) -> None:
    assert network_file_system(Path("/data/user"), f"22 1 0:25 / /data rw - {kind} there rw") == kind


@pytest.mark.posix
@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "overlay", "fuseblk", "ntfs3", "fuse.gocryptfs", "fuse.encfs"]
)
def test_what_only_this_machine_has_is_no_network_drive(kind: str) -> None:
    assert network_file_system(Path("/data/user"), f"22 1 0:25 / /data rw - {kind} there rw") == ""


def test_trying_leaves_nothing(tmp_path: Path) -> None:
    assert why_not_wal(tmp_path / "journal.sqlite3") == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.posix
def test_a_deleted_file_is_noticed_there_too(tmp_path: Path) -> None:
    said: list[str] = []
    journal = open_journal(without_shared_memory(tmp_path), announce=said.append)
    row = begun(journal)
    (tmp_path / "journal.sqlite3").unlink()
    journal.mark_submitted(row.id, "n1")
    assert fresh(journal, row).task_id == "n1"
    assert "deleted" in said[-1]
    assert fresh(open_journal(tmp_path, announce=lambda text: None), row).task_id == "n1"
