"""The original files of paid results, by task. Written whole or not at all; only what was delivered is evicted."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..atomic_file import write_whole
from ..errors import DownloadError, HunyuanError
from ..models import StoredImage
from ..sentences import say
from ..task_ids import check_given_id

_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/bmp": "bmp",
}
_STALE_SECONDS = 3600.0  # a temporary file this old belongs to a process that died
_KEEP_REJECTED = 20
_LONGEST_TEXT = 4 * 2**20  # bytes kept of what is no picture
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")
_LONGEST_NAME = 128  # characters of an id in a file's name
_EVICT_TO = 0.9  # of the cap: making room a little at a time would mean a look at the folder for each file


class Evictable(Protocol):
    """A delivered task whose files may go."""

    @property
    def id(self) -> str: ...

    @property
    def files(self) -> tuple[StoredImage, ...]: ...


class EvictionJournal(Protocol):
    """What the store asks of the journal."""

    def evictable(self, limit: int = 100, *, everywhere: bool = False) -> Sequence[Evictable]:
        """Delivered tasks with files, the longest delivered first; everywhere: all, whoever removed theirs."""
        ...

    def mark_evicted(self, row_id: str) -> object:
        """The files of a task were removed."""
        ...


class Copies(Protocol):
    """A store that other machines reach too. Neither call raises."""

    def put(self, name: str, data: bytes, mime: str) -> None:
        """Begins to keep a copy; returns at once."""
        ...

    def get(self, name: str) -> bytes | None:
        """The copy of that name, if it can be had."""
        ...


class ResultStore:
    """Files `<task id>_<index>.<ending>` in one directory. Thread-safe; processes may share the directory.

    shared: the journal also knows the files of other machines' folders.
    copies: where a machine that lacks a file takes it from.
    max_bytes: the cap on all files together, 0 = none; asked anew each time. sleep: in seconds, for the waits between
    tries to replace a file that Windows holds. now: unix seconds. replace: os.replace, or what stands for it.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: Callable[[], int],
        journal: EvictionJournal,
        *,
        shared: bool = False,
        copies: Copies | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        replace: Callable[[Path, Path], None] = os.replace,
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._journal = journal
        self._shared = shared
        self._copies = copies
        self._sleep = sleep
        self._now = now
        self._move = replace
        self._guard = threading.Lock()
        self._ready = False

    def store(self, task_id: str, index: int, data: bytes, mime: str, url: str = "") -> StoredImage:
        """Write one original image (bytes that the caller has decoded once) and return where it lies.

        task_id: the gateway's, or the local row id where there is none. Storing the same again changes nothing; other
        bytes for the same image get a name of their own. Raises InvalidTaskIdError, and DownloadError when the
        directory cannot be written (the task stays collectable).
        """
        digest = hashlib.sha256(data).hexdigest()
        name = file_name(task_id, index, mime)
        try:
            self._prepare()
            target = self.directory / name
            if target.exists() and _digest_of(target) != digest:
                target = target.with_name(f"{target.stem}-{digest[:12]}{target.suffix}")
            new = not target.exists()
            if new:
                self._write(target, data, digest)
        except OSError as failure:
            raise _unwritable(self.directory, failure, task_id) from failure
        if new and self._copies is not None:
            self._copies.put(target.name, data, mime)
        return StoredImage(path=target.name, mime=mime, bytes=len(data), digest=digest, url=url)

    def keep_rejected(
        self, task_id: str, index: int, data: bytes, redact: Callable[[str], str] = lambda text: text
    ) -> str:
        """Keep bytes that were no image, for a look; returns where. The newest 20 are kept. Never raises.

        redact: what a text goes through before; it may hold what its server was asked with. Nobody else may read them.
        """
        folder = self.directory / "rejected"
        try:
            self._prepare()
            folder.mkdir(mode=0o700, exist_ok=True)
            kept = folder / f"{file_name(task_id, index, '')}-{hashlib.sha256(data).hexdigest()[:12]}"
            write_whole(kept, _redacted(data, redact))
            for old in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)[:-_KEEP_REJECTED]:
                old.unlink()
        except (OSError, HunyuanError) as failure:
            return f"no file ({failure})"
        return str(kept)

    def path_of(self, image: StoredImage) -> Path:
        """Where a stored image lies. Its name is the journal's, so anything but a plain name is refused: ValueError."""
        name = image.path
        if not name or name != Path(name).name or name.startswith(".") or set(name) & set("\\/:"):
            raise ValueError(f"{name[:80]!r} is not the name of a result file.")
        return self.directory / name

    def read(self, image: StoredImage) -> bytes:
        """The original bytes, from this machine or else from the copies.

        Raises DownloadError when the file is gone or is not what was stored.
        """
        try:
            return self._read(image)
        except DownloadError:
            data = self._from_copies(image)
            if data is None:
                raise
            return data

    def _read(self, image: StoredImage) -> bytes:
        try:
            data = self.path_of(image).read_bytes()
        except (OSError, ValueError) as failure:
            why = getattr(failure, "strerror", None) or str(failure)
            raise DownloadError(
                say("The stored file {path!r} cannot be read.", path=image.path[:200]), why=say("{reason}.", reason=why)
            ) from failure
        if hashlib.sha256(data).hexdigest() != image.digest:
            raise DownloadError(
                say("The stored file {path!r} is not what was stored: it was changed or is damaged.", path=image.path)
            )
        return data

    def _from_copies(self, image: StoredImage) -> bytes | None:
        """The copy, now on this machine too where there is room for it."""
        try:
            target = self.path_of(image)
        except ValueError:
            return None
        data = self._copies.get(image.path) if self._copies is not None else None
        if data is None or hashlib.sha256(data).hexdigest() != image.digest:
            return None
        with suppress(OSError):  # a full disk keeps nobody from an image that is in hand
            self._prepare()
            self._write(target, data, image.digest)
        return data

    def has(self, image: StoredImage) -> bool:
        """Whether the file lies here in its full size (its content is checked when it is read)."""
        try:
            return self.path_of(image).stat().st_size == image.bytes
        except (OSError, ValueError):
            return False

    def bring(self, image: StoredImage) -> bool:
        """Whether the file lies here, fetched from the copies where it did not."""
        return self.has(image) or self._from_copies(image) is not None

    def size(self) -> int:
        """Bytes of all result files."""
        return sum(size for _, size in self._files())

    def evict(self) -> int:
        """Remove the files of the longest delivered tasks until all is under the cap; returns the bytes freed.

        What was not delivered is never removed, even over the cap. Raises JournalError.
        """
        cap = self._max_bytes()
        with self._guard:
            size = self.size() if cap > 0 else 0
            if size <= cap:
                return 0
            goal, freed = size - int(cap * _EVICT_TO), 0
            while freed < goal:
                rows = self._journal.evictable(everywhere=self._shared)
                for row in rows:
                    if freed >= goal:
                        break
                    here = sum(self._remove(image) for image in row.files)
                    freed += here
                    if here or not self._shared:  # what lies on another machine is not ours to write off
                        self._journal.mark_evicted(row.id)
                if not rows or self._shared:
                    break
            return freed

    def _prepare(self) -> None:
        with self._guard:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._ready:
                return
            for left in self.directory.glob(".*.tmp"):
                with suppress(OSError):
                    if self._now() - left.stat().st_mtime > _STALE_SECONDS:
                        left.unlink()
            self._ready = True

    def _write(self, target: Path, data: bytes, digest: str) -> None:
        def stored_by_another() -> bool:
            return target.exists() and _digest_of(target) == digest

        write_whole(target, data, mode=0o666, sleep=self._sleep, move=self._move, is_needless=stored_by_another)

    def _remove(self, image: StoredImage) -> int:
        try:
            path = self.path_of(image)
            size = path.stat().st_size
            path.unlink()
        except (OSError, ValueError):
            return 0
        return size

    def _files(self) -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError), os.scandir(self.directory) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_file() and not entry.name.startswith("."):
                        yield entry.name, entry.stat().st_size


def file_name(task_id: str, index: int, mime: str) -> str:
    """The file name of one image of a task, different for different ids on every file system.

    Windows and macOS take `A` and `a` for one name, so an id with capitals carries a digest of itself; so does one that
    is long, or has characters that a name may not have. Raises InvalidTaskIdError.
    """
    checked = check_given_id(task_id)
    name = re.sub(r"[^A-Za-z0-9_\-]", "_", checked)[:_LONGEST_NAME]
    if name != checked or name != name.lower():
        name = f"{name}-{hashlib.sha256(checked.encode()).hexdigest()[:8]}"
    return f"{name}_{index}.{_ENDINGS.get(mime, 'img')}"


def _redacted(data: bytes, redact: Callable[[str], str]) -> bytes:
    """A picture's bytes as they are, however damaged; of anything else the beginning, redacted as a text."""
    if data.startswith(_PICTURES) or data[4:8] == b"ftyp":
        return data
    data = data[:_LONGEST_TEXT]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        with suppress(UnicodeError):
            return redact(data.decode("utf-16")).encode("utf-8")
    with suppress(UnicodeError):
        return redact(data.decode("utf-8")).encode("utf-8")
    return redact(data.decode("latin-1")).encode("latin-1")


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _unwritable(directory: Path, failure: OSError, task_id: str) -> DownloadError:
    full = failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return DownloadError(
        say("The image could not be stored in {directory}.", directory=directory),
        why=say("The disk is full.") if full else say("{reason}.", reason=failure.strerror or type(failure).__name__),
        do=say("Free some space, then collect the task again.") if full else say("Check the folder and its rights."),
        task_id=task_id,
    )
