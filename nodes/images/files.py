"""What a file's own bytes say before Pillow sees them: its kind, and a WebP's size."""

from __future__ import annotations

import struct

from ...hunyuan.sentences import Sentence, say


def kind_of(data: bytes) -> str | None:
    """PNG, JPEG, WEBP, GIF or AVIF by the first bytes; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[4:8] == b"ftyp" and (b"avif" in data[8:64] or b"avis" in data[8:64]):
        return "AVIF"
    return None


def describe(data: bytes) -> Sentence:
    """What the bytes look like, for the error's reader."""
    if not data:
        return say("it is empty")
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:9].lower() == b"<!doctype" or start[:5].lower() == b"<html":
        return say("it is an HTML page of {size:,} bytes", size=len(data))
    if start[:1] in (b"{", b"["):
        return say("it is JSON of {size:,} bytes", size=len(data))
    if start[:1] == b"<":
        return say("it is XML or SVG of {size:,} bytes", size=len(data))
    return say("{size:,} bytes that begin with {start}", size=len(data), start=data[:12].hex(" "))


def webp_size(data: bytes) -> tuple[int, int]:
    """Canvas width and height from the first chunk (WebP container specification); (0, 0) is refused by the caller."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0
