"""What a file's own bytes say before Pillow sees them: its kind, a WebP's size, whether it ends where it should."""

from __future__ import annotations

import struct


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


def describe(data: bytes) -> str:
    """What the bytes look like, for the error's reader."""
    if not data:
        return "it is empty"
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:9].lower() == b"<!doctype" or start[:5].lower() == b"<html":
        return f"it is an HTML page of {len(data):,} bytes"
    if start[:1] in (b"{", b"["):
        return f"it is JSON of {len(data):,} bytes"
    if start[:1] == b"<":
        return f"it is XML or SVG of {len(data):,} bytes"
    return f"{len(data):,} bytes that begin with {data[:12].hex(' ')}"


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


def is_complete(data: bytes, kind: str) -> bool:
    """Whether a file of this kind goes on to its end mark."""
    return _HAS_END[kind](data)


def _png_has_end(data: bytes) -> bool:
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IEND":
            return True
        position += 12 + length
    return False


def _jpeg_has_end(data: bytes) -> bool:
    """Walks the segments to the first scan (thumbnails have end marks of their own), then looks for the end mark."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return False
        marker = data[position + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7:  # fill bytes, and markers without a body
            position += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:
            return data.rfind(b"\xff\xd9", position) > 0
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def _gif_has_end(data: bytes) -> bool:
    """Walks the blocks to the end of the first frame (GIF89a specification); what follows it is not read."""
    position = 13 + _gif_colours(data[10:11])
    while position < len(data):
        block, position = data[position], position + 1
        if block == 0x3B:  # the trailer: no frame at all, which is for Pillow to say
            return True
        if block not in (0x21, 0x2C):
            continue  # Pillow and browsers pass over stray bytes between blocks
        if block == 0x2C:
            position += 9 + _gif_colours(data[position + 8 : position + 9])
        position += 1  # an extension's label or a frame's code size
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
        if block == 0x2C:
            return position <= len(data)
    return False


def _gif_colours(flags: bytes) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _avif_has_end(data: bytes) -> bool:
    """Walks the outermost boxes (ISO/IEC 14496-12)."""
    position = 0
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        if length < 8:  # 0: up to the end of the file, wherever that is; what is no length is for Pillow to say
            return True
        position += length
    return position <= len(data)


def _webp_has_end(data: bytes) -> bool:
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


_HAS_END = {
    "PNG": _png_has_end,
    "JPEG": _jpeg_has_end,
    "WEBP": _webp_has_end,
    "GIF": _gif_has_end,
    "AVIF": _avif_has_end,
}
