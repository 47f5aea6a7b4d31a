"""Task ids that the journal could not take: kept on this machine until it can.

A paid task's id arrives while the database is away or the disk is full. The process tries on, but it may end before it
succeeds; so the id also goes into a file of its own, which the next start reads. For a full disk there are spare files
whose room was taken before the create was sent; for a disk that fails altogether there is the machine's memory.
Holds ids only, no prompt and no key.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ..atomic_file import replace, write_beginning, write_whole
from ..errors import InvalidTaskIdError
from ..task_ids import check_given_id

SPARE_BYTES = 4096  # a block of most file systems; an id takes some hundred
_NAME, _SPARE = "pending-{}.json", "spare-{}.pending"
_EARLIER_NAME = "owed-*.json"  # as an earlier version wrote them


class PendingIds:
    """One file an id in one directory: nothing is ever added to a file that another process may be about to remove.

    last_resorts: directories that this user alone may use, on another file system if possible; made when needed.
    write: as os.write, which tells of a full disk.
    """

    def __init__(
        self,
        directory: Path,
        *,
        last_resorts: tuple[Path, ...] | None = None,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self._directory = directory
        self._last_resorts = _last_resorts(directory) if last_resorts is None else last_resorts
        self._write = write

    def make_room(self, count: int) -> None:
        """See to it that so many ids can be kept whatever happens to the disk's free space. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sizes: dict[str, int] = {}
        with os.scandir(self._directory) as found:
            for each in found:
                with suppress(FileNotFoundError):  # another process has just used it
                    sizes[each.name] = each.stat().st_size
        for name in map(_SPARE.format, range(count)):
            if sizes.get(name) != SPARE_BYTES:
                flags, room = os.O_CREAT | os.O_TRUNC, b" " * SPARE_BYTES
                write_beginning(self._directory / name, room, flags=flags, write=self._write, sync=False)

    def add(self, row_id: str, task_id: str) -> None:
        """Write an id down, on the disk itself. Raises OSError where no place takes it."""
        content = json.dumps({"row_id": row_id, "task_id": task_id}).encode()
        name = _NAME.format(row_id)
        failures: list[OSError] = []
        for way in (self._into_new_file, self._into_spare, self._into_last_resort):
            try:
                return way(name, content)
            except OSError as failure:
                failures.append(failure)
        raise failures[0]

    def flush(self, write: Callable[[str, str], bool], warn: Callable[[str], None]) -> None:
        """Hand every id of every worker of this machine to `write`, and remove the file of what it has in the journal.

        An id of another journal (the address was changed, or a row was lost) waits until that one is back. What `write`
        raises leaves the rest where it is. An id may be handed over twice. A file that cannot be read as one of these
        stays, for somebody to look at, and `warn` is told.
        """
        for file in self._files():
            try:
                kept = json.loads(file.read_text(encoding="utf-8"))
                row_id, task_id = str(kept["row_id"]), check_given_id(str(kept["task_id"]))
            except FileNotFoundError:
                continue  # another process was faster
            except (OSError, ValueError, KeyError, TypeError, InvalidTaskIdError) as failure:
                warn(f"{file} should hold the id of a paid task, and cannot be read: {failure!r}")
                continue
            if write(row_id, task_id):
                file.unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        for directory in (self._directory, *filter(_is_ours_alone, self._last_resorts)):
            yield from sorted([*directory.glob(_NAME.format("*")), *directory.glob(_EARLIER_NAME)])

    def _into_new_file(self, name: str, content: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._directory / name, content, write=self._write)

    def _into_spare(self, name: str, content: bytes) -> None:
        claimed = self._directory / f"{name}.{os.getpid()}.part"
        for spare in sorted(self._directory.glob(_SPARE.format("*"))):
            try:
                os.rename(spare, claimed)
            except FileNotFoundError:
                continue  # another process was faster
            try:
                write_beginning(claimed, content, flags=0, write=self._write)  # over its beginning: it keeps its room
            except OSError:  # a file system that never writes in place: the spare's room serves all the same
                claimed.unlink()
                return write_whole(self._directory / name, content, write=self._write)
            replace(claimed, self._directory / name)
            return None
        raise OSError(f"no spare file is left in {self._directory}")

    def _into_last_resort(self, name: str, content: bytes) -> None:
        for directory in self._last_resorts:
            try:
                directory.mkdir(mode=0o700, exist_ok=True)
                if _is_ours_alone(directory):
                    return write_whole(directory / name, content, write=self._write)
            except OSError:
                continue
        raise OSError("no other directory takes it")


def _last_resorts(directory: Path) -> tuple[Path, ...]:
    """The machine's memory, where it is a folder (Linux), and the folder for temporary files: both outlive a kill."""
    mark = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:16]
    bases = (Path("/dev/shm"), Path(tempfile.gettempdir()))
    return tuple(base / f"hunyuan-kept-{_user()}-{mark}" for base in bases if base.is_dir())


def _is_ours_alone(directory: Path) -> bool:
    """Whether it is a folder that nobody else can have put there or write to."""
    try:
        found = os.lstat(directory)
    except OSError:
        return False
    if os.name != "posix":
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _user() -> int:
    return os.getuid() if os.name == "posix" else 0
