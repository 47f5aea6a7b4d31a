"""Whether SQLite's write-ahead log can be used in a folder.

It needs memory that all processes share, which network drives, cloud drives and some virtual machines do not give.
Where they seem to, two machines on one such folder would still damage the journal. The older rollback journal needs
only locks.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

# Linux' names (proc_pid_mountinfo(5)) of what several machines may have mounted: network and cluster file systems, the
# host's folders in a virtual machine or a container, and Windows' drives in WSL (9p).
_NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "drvfs", "fakeowner", "gfs2", "glusterfs", "gpfs", "lustre", "nfs",
    "nfs4", "ocfs2", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
})  # fmt: skip
# Most programs behind FUSE show another machine's files, and new ones come. These encrypt a folder of this machine.
_LOCAL_FUSE = frozenset({"fuse.encfs", "fuse.gocryptfs"})
_ESCAPED = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\043": "#", "\\134": "\\"}  # in mountinfo; the last at last
_MOUNTS = Path("/proc/self/mountinfo")


def why_not_wal(file: Path) -> str:
    """A few words on why the write-ahead log cannot be used for this file; "" where it can.

    Tries it with a file beside it. Raises sqlite3.Error or OSError where nothing can be written there at all.
    """
    if found := _network_drive(file.parent):
        return f"a network drive ({found})"
    return _try_beside(file)


def network_file_system(folder: Path, mounts: str) -> str:
    """The name of the network file system that the folder is on, by the text of Linux' mountinfo; "" for others."""
    found, longest = "", -1
    for line in mounts.splitlines():
        place, _, rest = line.partition(" - ")
        mounted = place.split(" ")[4] if place.count(" ") >= 4 else ""
        for escaped, character in _ESCAPED.items():
            mounted = mounted.replace(escaped, character)
        if mounted and len(mounted) >= longest and folder.is_relative_to(mounted):  # a later one hides an earlier one
            found, longest = rest.split(" ")[0], len(mounted)
    of_a_program = found == "fuse" or (found.startswith("fuse.") and found not in _LOCAL_FUSE)
    return found if of_a_program or found in _NETWORK else ""


def _network_drive(folder: Path) -> str:
    if sys.platform == "win32":
        place = os.path.realpath(folder)  # a drive letter of another machine is shown as \\\\server\\share
        return os.path.splitdrive(place)[0] if place.startswith("\\\\") else ""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return ""
    return network_file_system(folder.resolve(), mounts)


def _try_beside(file: Path) -> str:
    scratch = file.with_name(f"{file.name}.wal-test")
    _remove(scratch)
    try:
        with closing(sqlite3.connect(scratch, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")  # it need not outlive anything
            connection.execute("CREATE TABLE tried (number)")
            try:
                mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                connection.execute("INSERT INTO tried VALUES (1)")
            except sqlite3.Error as failure:
                return f"SQLite said: {failure}"
            return "" if mode == "wal" else "a file system without shared memory"
    finally:
        _remove(scratch)


def _remove(scratch: Path) -> None:
    for side in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            Path(f"{scratch}{side}").unlink()
