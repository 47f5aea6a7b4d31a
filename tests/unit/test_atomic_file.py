"""What is written whole: a power cut leaves the old file or the new one, and a failure leaves nothing behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hunyuan.atomic_file import write_whole

ROOT = Path(__file__).parents[2]

# Says which folders were opened after the last rename: only an open one can be synced.
WATCHED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
seen = []
def note(event, arguments):
    if event == "os.rename":
        seen.clear()
    elif event == "open" and isinstance(arguments[0], (str, Path)) and os.path.isdir(arguments[0]):
        seen.append(str(arguments[0]))
directory = Path({directory!r})
{setup}
sys.addaudithook(note)
{write}
print(*seen)
"""
INTO_SPARES_ONLY = """
from hunyuan.journal.pending_ids import PendingIds
PendingIds(directory).make_room(1)
def write(handle, data):
    if not os.fstat(handle).st_size:
        raise OSError(28, "No space left on device")
    return os.write(handle, data)
ids = PendingIds(directory, last_resorts=(), write=write)
"""
WRITERS = {
    "settings": (
        "from hunyuan.settings.store import SettingsStore; store = SettingsStore(directory / 'settings.json', {})",
        "store.save({'s3_bucket': 'images'})",
    ),
    "results": (
        "from hunyuan.storage.results import ResultStore; store = ResultStore(directory, lambda: 0, None)",
        "store.store('n1', 0, b'an image', 'image/png')",
    ),
    "pending ids": (
        "from hunyuan.journal.pending_ids import PendingIds; ids = PendingIds(directory)",
        "ids.add('row1', 'n1')",
    ),
    "pending ids on a full disk": (
        INTO_SPARES_ONLY,
        "ids.add('row1', 'n1')",
    ),
}


@pytest.mark.posix
@pytest.mark.parametrize("writer", WRITERS)
def test_the_folder_is_synced_after_the_rename(tmp_path: Path, writer: str) -> None:
    setup, write = WRITERS[writer]
    script = WATCHED.format(root=str(ROOT), directory=str(tmp_path), setup=setup, write=write)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(tmp_path)]


def test_what_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_whole(target, b"old")

    def full(handle: int, data: bytes) -> int:
        if len(data) < 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(handle, data[:1])

    with pytest.raises(OSError, match="No space left"):
        write_whole(target, b"new", write=full)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_write_that_takes_a_part_goes_on(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"in pieces", write=lambda handle, data: os.write(handle, data[:2]))
    assert (tmp_path / "file").read_bytes() == b"in pieces"
