"""Bodies that are not the picture the client asked for."""

from __future__ import annotations

import functools
import gzip
import struct
import zlib
from collections.abc import Callable

HTML = """<!DOCTYPE html>
<html><head><title>{status} {reason}</title></head>
<body><center><h1>{status} {reason}</h1></center><hr><center>nginx</center></body></html>
"""
BOMB_SIDE = 20_000  # pixels: 400 megapixels


def html_page(status: int, reason: str) -> bytes:
    return HTML.format(status=status, reason=reason).encode()


@functools.lru_cache(maxsize=1)
def bomb() -> bytes:
    """A small, valid 8-bit grey PNG that decodes to 400 million pixels."""
    packer, checksum = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS), 1
    rows, times = bytes((BOMB_SIDE + 1) * 100), BOMB_SIDE // 100
    # Packed once: after a full flush the same bytes stand for the same rows again.
    block = packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(times):
        checksum = zlib.adler32(rows, checksum)
    packed = b"\x78\xda" + block * times + packer.flush() + struct.pack(">I", checksum)
    header = struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def spoiled(kind: str, content: bytes, content_type: str) -> tuple[bytes, str]:
    """`content` turned into the odd body of that kind (see rules.IMAGES), and its content type."""
    if kind == "truncated":
        return content[: len(content) // 2], content_type
    if kind == "html":
        return html_page(200, "OK"), "text/html; charset=utf-8"
    if kind == "wrong_type":
        return content, "text/plain"
    if kind == "bomb":
        return bomb(), "image/png"
    if kind == "empty":
        return b"", content_type
    return bytes(range(256)) * 16, content_type


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "second_object": lambda body: body + b'{"trace": "0af7651916cd43dd", "took_ms": 12}',
    "second_error": lambda body: body + b'\n{"code": 500, "message": "Internal server error"}\n',
    "log_line": lambda body: body + b'\n{"status": "error", "message": "log sink unreachable"}\n',
    "markup": lambda body: b"<br />\n<b>Warning</b>: Undefined key [x] in <b>/srv/a.php</b><br />\n" + body,
    "comment": lambda body: b"<!-- proxy -->" + body,
    "notice": lambda body: b"[notice] " + body,
    "ndjson": lambda body: b'{"status": "pending"}\n' + body + b"\n{}\n",
    "stream": lambda body: b"event: message\ndata: " + body + b"\n\ndata: [DONE]\n\n",
    "mark": lambda body: b"\xef\xbb\xbf" + body,
    "prefix": lambda body: b")]}',\n" + body,
    "warning": lambda body: b"Warning: [pool] connection reset in /srv/app.php on line 7\n" + body,
    "nul": lambda body: b"\0\0" + body.replace(b", ", b"\0, ") + bytes(64),
    "broken_utf8": lambda body: body[:1] + b'"region": "caf\xe9 \xc3(\xf0\x9f", ' + body[1:],
    "control": lambda body: body[:1] + b'"region": "a\nb\tc\x01", ' + body[1:],
    "utf16": lambda body: body.decode().encode("utf-16"),
    "gzip": gzip.compress,
    "gzip_unsaid": gzip.compress,
    "gzip_not": lambda body: body,
    "deflate": zlib.compress,
    "br_not": lambda body: body,
    "cut": lambda body: body[:-2],
}
_SAID = {"gzip": "gzip", "gzip_not": "gzip", "deflate": "deflate", "br_not": "br"}


def wrapped(kind: str, body: bytes) -> tuple[bytes, dict[str, str]]:
    """The gateway's own answer with that around or in it (a key of WRAPPINGS), and the headers that say so."""
    said = _SAID.get(kind)
    return WRAPPINGS[kind](body), {"Content-Encoding": said} if said else {}


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
