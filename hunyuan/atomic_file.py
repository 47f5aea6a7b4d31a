"""Writing whole files: whenever the power is cut, the old file is there or the new one, never a part of it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_TRIES = 8  # Windows: a virus scanner or a second reader may hold the target for a moment


def write_whole(
    target: Path,
    data: bytes,
    *,
    mode: int = 0o600,
    write: Callable[[int, bytes], int] = os.write,
    sleep: Callable[[float], None] = time.sleep,
    move: Callable[[Path, Path], None] = os.replace,
    is_needless: Callable[[], bool] = lambda: False,
) -> None:
    """Writes a file beside the target (`.….tmp`), onto the disk, and puts it in the target's place.

    mode: of the new file. write: as os.write. The rest: see `replace`. Raises OSError, and leaves nothing behind then.
    """
    scratch = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        write_beginning(scratch, data, flags=os.O_CREAT | os.O_EXCL, mode=mode, write=write)
        if not replace(scratch, target, sleep=sleep, move=move, is_needless=is_needless):
            scratch.unlink()
    except BaseException:
        with suppress(OSError):
            scratch.unlink()
        raise


def write_beginning(
    file: Path,
    data: bytes,
    *,
    flags: int,
    mode: int = 0o600,
    write: Callable[[int, bytes], int] = os.write,
    sync: bool = True,
) -> None:
    """Writes a file's first bytes. flags: of os.open, besides that it is written to. sync: onto the disk itself.

    Raises OSError; a part may be written then.
    """
    handle = os.open(file, os.O_WRONLY | flags | getattr(os, "O_BINARY", 0), mode)
    try:
        while data:
            data = data[write(handle, data) :]
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def replace(
    source: Path,
    target: Path,
    *,
    sleep: Callable[[float], None] = time.sleep,
    move: Callable[[Path, Path], None] = os.replace,
    is_needless: Callable[[], bool] = lambda: False,
) -> bool:
    """Moves source onto target, atomically and for good: the folder is synced too. Waits up to 1.4 s where it is held.

    is_needless: asked when it is held; True ends it, with the source left where it is, and gives False.
    sleep: seconds. Raises OSError, after the last try also PermissionError.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            move(source, target)
        except PermissionError:
            if is_needless():
                return False
            if attempt == _TRIES:
                raise
            sleep(0.05 * attempt)
        else:
            break
    _sync_folder(target.parent)
    return True


def _sync_folder(folder: Path) -> None:
    """Windows has no such call and needs none; some network drives have none either."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
