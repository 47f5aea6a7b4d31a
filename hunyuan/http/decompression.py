"""Bodies that came packed although nobody asked for it: unpacked a little at a time, so that a cap on bytes holds.

Left to urllib3, a piece is unpacked whole in its versions before 2.6 (2025), chains of codings too: of some KB come
gigabytes, or minutes of copying, before anybody can count them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")  # RFC 9110, 8.4.1
_AT_A_TIME = 262_144  # bytes
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS


def unpacked(pieces: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The body's own bytes, piece by piece; coding: one of CODINGS. Raises ValueError for a broken or cut body."""
    if coding in ("", "identity"):
        yield from pieces
        return
    unpacker: Any = None
    for piece in pieces:
        while piece:
            if unpacker is not None and unpacker.eof and (coding == "deflate" or not piece.startswith(b"\x1f\x8b")):
                break  # padding after the last member
            if unpacker is None or unpacker.eof:
                unpacker = _unpacker(coding, piece)
            try:
                yield unpacker.decompress(piece, _AT_A_TIME)
            except zlib.error as broken:
                raise ValueError(f"the body is no whole {coding}") from broken
            piece = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    if unpacker is not None and not unpacker.eof:
        raise ValueError(f"the body is no whole {coding}")


def leniently(pieces: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """As `unpacked`, for a server that means well: a body that is not packed as it says, or packed though it does not
    say so, is given as what it is. Raises ValueError for one that is broken or cut further on."""
    rest = iter(pieces)
    first = next(rest, b"")
    while len(first) < len(_GZIP_MAGIC) and (more := next(rest, b"")):
        first += more
    if coding in ("", "identity"):
        coding = "gzip" if first.startswith(_GZIP_MAGIC) else ""
    if coding and not _begins(first, coding):
        coding = ""
    yield from unpacked(chain([first], rest), coding)


def _begins(start: bytes, coding: str) -> bool:
    """Whether a body begins as one that is packed so."""
    if coding != "deflate":
        return start.startswith(_GZIP_MAGIC)
    try:
        _unpacker(coding, start).decompress(start, _AT_A_TIME)
    except zlib.error:
        return False
    return True


def _unpacker(coding: str, start: bytes) -> Any:
    if coding != "deflate":
        return zlib.decompressobj(_GZIP)
    # "deflate" means zlib's format, but some servers leave its header away.
    has_header = start[0] & 0x0F == zlib.DEFLATED and (len(start) < 2 or int.from_bytes(start[:2], "big") % 31 == 0)
    return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
