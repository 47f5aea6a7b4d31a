"""Which way up a picture wants to be seen, from its EXIF block or its XMP text.

Read here, not by Pillow: of a hostile block of 64 KB Pillow makes hundreds of MB, since each of its thousands of
entries may name the whole block as its value. Of all entries only the one that counts is looked at.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from PIL import Image

_ORIENTATION = 0x0112  # EXIF 2.3, tag Orientation
_SHORT, _LONG = 3, 4  # the types that it comes in (TIFF 6.0)
_XMP = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(image: Image.Image) -> Image.Image:
    """The image the way it wants to be seen, itself where that is as it is; a broken EXIF block counts as none."""
    turn = _TURNS.get(_of_exif(image.info.get("exif")) or _of_xmp(image.info))
    if turn is None:
        return image
    result = image.transpose(turn)
    result.info.update(image.info)
    return result


def _of_exif(block: Any) -> int:
    """The tag's value in the first directory (TIFF 6.0), 0 where there is none."""
    if not isinstance(block, bytes):
        return 0
    block = block.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 0
    (start,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, start) if start + 2 <= len(block) else (0,)
    whole = block[start + 2 : start + 2 + 12 * count]
    for tag, kind, number, value in struct.iter_unpack(f"{order}HHI4s", whole[: len(whole) // 12 * 12]):
        if tag == _ORIENTATION and kind in (_SHORT, _LONG) and number >= 1:
            return int(struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", value)[0])
    return 0


def _of_xmp(info: dict[str | tuple[int, int], Any]) -> int:
    text = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    found = _XMP.search(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    return int(found[1]) if found else 0
