"""Walks a file's parts before Pillow does: whether it goes on to its end mark, and whether it is made to cost time.

A picture has few parts for its size. What has more of them (scans, fill bytes, empty chunks, blocks of one byte) is
refused before a pixel is decoded, since Pillow takes each in a loop of Python's, or for each goes over all pixels. No
walk takes more steps than the file may have parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...hunyuan.errors import NotAnImageError
from ...hunyuan.sentences import Sentence, say

JPEG_SCANS = 40  # libjpeg's own progression has 10, for four inks 18; each goes over all pixels
JPEG_FILL = 4096  # bytes between markers before the first scan; encoders write none
_SEGMENTS = 4096  # of a JPEG, boxes of an AVIF
_GIF_HEAD_BLOCKS, _GIF_HEAD_BYTES = 8192, 2**20  # comments and other extensions before the first frame
_FEW, _BYTES_A_CHUNK, _BYTES_A_BLOCK = 1024, 1024, 64  # libpng writes 8192 bytes a chunk, GIF encoders 254 a block

_FILL = re.compile(rb"\xff+")
_MARKER = re.compile(rb"\xff+[^\x00\x01\xff\xd0-\xd7]")  # in a scan's data: no escaped byte and no restart
_EXIF, _XMP = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00"
_KEPT = (b"ICC_PROFILE\x00", b"Adobe")  # what the colours are made by
_NEVER_IN_FRONT = frozenset({0x00, 0xC8, 0xD8, 0xD9, *range(0xF0, 0xFE)})  # Pillow steps over these two bytes a time


def is_complete(data: bytes, kind: str) -> bool:
    """Whether a file of this kind goes on to its end mark. Raises NotAnImageError for one with too many parts."""
    return _WALKS[kind](data)


class _Parts:
    """Counts up to a bound."""

    def __init__(self, kind: str, name: Sentence, most: int) -> None:
        self.kind, self.name, self.most, self.seen = kind, name, most, 0

    def add(self, count: int = 1) -> None:
        self.seen += count
        if self.seen > self.most:
            raise NotAnImageError(
                say(
                    "The {kind} file has more than {most:,} {name}: no picture of its size needs so many.",
                    kind=self.kind,
                    most=self.most,
                    name=self.name,
                ),
                why=say("Such a file is made to cost time, not to be seen."),
            )


def _png(data: bytes) -> bool:
    position, chunks = 8, _Parts("PNG", say("chunks"), _FEW + len(data) // _BYTES_A_CHUNK)
    while position + 12 <= len(data):
        chunks.add()
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IEND":
            return True
        position += 12 + length
    return False


def _jpeg(data: bytes) -> bool:
    """Segment by segment to the first scan, as Pillow goes (thumbnails have end marks of their own), then the scans."""
    segments = _Parts("JPEG", say("segments"), _SEGMENTS)
    for marker, start, _ in _jpeg_segments(data):
        segments.add()
        if marker == 0xDA:
            return _jpeg_scans(data, start + 2, segments)
    return False


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, where it starts, where it ends) up to the first scan, or up to what no picture has there."""
    position, fill = 2, _Parts("JPEG", say("fill bytes"), JPEG_FILL)
    while run := _FILL.match(data, position):
        fill.add(run.end() - position - 1)
        start, end = run.end() - 1, run.end() + 1
        marker = data[end - 1] if end <= len(data) else 0
        if marker in _NEVER_IN_FRONT:
            return
        if marker != 0x01 and not 0xD0 <= marker <= 0xD7:  # markers without a body
            end += int.from_bytes(data[end : end + 2], "big")
        yield marker, start, end
        if marker == 0xDA:
            return
        position = end


def lean_jpeg(data: bytes) -> tuple[bytes, bytes, bytes]:
    """(the file with only what its pixels are made of, its EXIF block, its XMP text); of a file that was walked.

    While it opens a JPEG, Pillow reads every entry of EXIF and of the list of further pictures (MPF). Each may name the
    whole block as its value: of 64 KB it makes gigabytes.
    """
    kept, exif, xmp = [data[:2]], b"", b""
    for marker, start, end in _jpeg_segments(data):
        body = data[start + 4 : end]
        if marker == 0xDA:
            return b"".join([*kept, data[start:]]), exif, xmp
        if marker == 0xE1 and body.startswith(_EXIF):
            exif = exif or body.removeprefix(_EXIF)
        elif marker == 0xE1 and body.startswith(_XMP):
            xmp = xmp or body
        elif not 0xE0 <= marker <= 0xEF or body.startswith(_KEPT) or marker == 0xE0:
            kept.append(data[start:end])
    return data, exif, xmp


def _jpeg_scans(data: bytes, position: int, segments: _Parts) -> bool:
    """From behind the first scan's marker to the end mark; the data between markers is passed over by the search."""
    if data.count(b"\xff\xda", position) < JPEG_SCANS:  # never fewer than there are, and counted in no time
        return data.rfind(b"\xff\xd9", position) > 0
    scans = _Parts("JPEG", say("scans"), JPEG_SCANS)
    scans.add()
    while found := _MARKER.search(data, position + int.from_bytes(data[position : position + 2], "big")):
        segments.add()
        position = found.end()
        marker = data[position - 1]
        if marker == 0xD9:
            return True
        if marker == 0xDA:
            scans.add()
    return False


def _gif(data: bytes) -> bool:
    """Block by block to the end of the first frame (GIF89a specification); what follows it is not read."""
    position = 13 + _gif_colours(data[10:11])
    head = _Parts("GIF", say("blocks before its picture"), _GIF_HEAD_BLOCKS)
    size = _Parts("GIF", say("bytes before its picture"), _GIF_HEAD_BYTES)
    while position < len(data):
        head.add()
        block, position = data[position], position + 1
        if block == 0x3B:  # the trailer: no frame at all, which is for Pillow to say
            return True
        if block == 0x2C:
            position += 10 + _gif_colours(data[position + 8 : position + 9])
            return _gif_blocks(data, position, _Parts("GIF", say("blocks"), _FEW + len(data) // _BYTES_A_BLOCK)) >= 0
        if block == 0x21:  # other bytes are stray ones, which Pillow and browsers pass over
            start = position
            position = _gif_blocks(data, position + 1, head)
            if position < 0:
                return False
            size.add(position - start)
    return False


def _gif_blocks(data: bytes, position: int, blocks: _Parts) -> int:
    """Where a chain of blocks ends; -1 where the file ends before."""
    while position < len(data) and data[position]:
        blocks.add()
        position += 1 + data[position]
    return position + 1 if position < len(data) else -1


def _gif_colours(flags: bytes) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _avif(data: bytes) -> bool:
    """The outermost boxes (ISO/IEC 14496-12)."""
    position, boxes = 0, _Parts("AVIF", say("boxes"), _SEGMENTS)
    while position + 8 <= len(data):
        boxes.add()
        length = int.from_bytes(data[position : position + 4], "big")
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        if length < 8:  # 0: up to the end of the file, wherever that is; what is no length is for Pillow to say
            return True
        position += length
    return position <= len(data)


def _webp(data: bytes) -> bool:
    """The chunks of the container (WebP container specification), as far as it says that it goes."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < end:
        return False
    position, chunks = 12, _Parts("WEBP", say("chunks"), _FEW + len(data) // _BYTES_A_CHUNK)
    while position + 8 <= end:
        chunks.add()
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + length + (length & 1)
    return True


_WALKS = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "GIF": _gif, "AVIF": _avif}
