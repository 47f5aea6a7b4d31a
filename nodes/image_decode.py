"""Bytes to pixels: files from a network, read as if they were hostile.

PNG, JPEG, WebP, GIF (first frame) and, where this Pillow has it, AVIF. What is not one of these by its first bytes
never reaches a Pillow plugin; sizes are checked before a pixel is decoded; cut files are refused even where another
custom node has switched Pillow's `LOAD_TRUNCATED_IMAGES` on for the whole process.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ..hunyuan.errors import NotAnImageError, TooLargeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 64_000_000  # of one decoded image
_ORIENTATION_TAG = 0x0112  # EXIF 2.3, tag Orientation
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif", "AVIF": "image/avif"}


class Read(NamedTuple):
    """pixels: uint8 [H,W,3]. alpha: uint8 [H,W] or None. opaque: whether the file shows exactly these pixels."""

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    opaque: bool
    mime: str
    note: str


def read_pixels(data: bytes, *, alpha: bool) -> Read:
    """The first picture of a file.

    alpha: whether transparency is read; without it an image's own transparency is ignored (the colours stay).
    Raises NotAnImageError and TooLargeError, both saying what was got.
    """
    kind = _kind(data)
    if kind is None:
        raise NotAnImageError(
            f"The file is not an image that can be read here: {_describe(data)}.",
            why="PNG, JPEG, WebP, GIF and AVIF are read.",
        )
    if kind == "WEBP":  # Pillow allocates a WebP's whole canvas while opening it
        _check_size(*_webp_size(data))
    _check_complete(data, kind)
    try:
        image = _open(data, kind)
        _check_size(*image.size)
        image.load()
        turned = _turned(image)
        colours, note = _srgb(turned)
        transparency = _alpha(turned) if alpha else None
        return Read(np.asarray(colours), transparency, _is_opaque(turned), _MIMES[kind], note)
    except (NotAnImageError, TooLargeError):
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise TooLargeError(f"The {kind} file is too large to decode: {error}.") from error
    except Exception as error:  # Pillow's plugins raise nearly anything on a damaged file; the cause stays attached
        raise NotAnImageError(
            f"The {kind} file of {len(data):,} bytes is damaged and cannot be decoded: {error or type(error).__name__}."
        ) from error


def _open(data: bytes, kind: str) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=[kind])
    except (UnidentifiedImageError, TypeError, KeyError) as error:
        if kind == "AVIF" and "AVIF" not in Image.OPEN:
            raise NotAnImageError("The file is AVIF, which this Pillow cannot read.", do="Update Pillow.") from error
        if isinstance(error, UnidentifiedImageError):  # its own text shows an object of Python
            raise NotAnImageError(f"The {kind} file of {len(data):,} bytes has a damaged beginning.") from error
        raise


def _kind(data: bytes) -> str | None:
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


def _describe(data: bytes) -> str:
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


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise NotAnImageError(f"The image says it is {width}×{height} pixels.")
    if width * height > MAX_PIXELS:
        raise TooLargeError(
            f"The image says it is {width}×{height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels are decoded."
        )


def _webp_size(data: bytes) -> tuple[int, int]:
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


def _check_complete(data: bytes, kind: str) -> None:
    """Refuses what ends too early; Pillow alone fills the rest with gray when LOAD_TRUNCATED_IMAGES is on."""
    if not _HAS_END[kind](data):
        raise NotAnImageError(f"The {kind} file is cut short: it ends after {len(data):,} bytes without its end mark.")


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


def _turned(image: Image.Image) -> Image.Image:
    """The image the way its EXIF orientation wants to be seen; broken EXIF counts as none."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except (OSError, ValueError, TypeError, SyntaxError, LookupError, struct.error):
        turn = None  # a damaged appendix is no reason to refuse a paid picture
    if turn is None:
        return image
    result = image.transpose(turn)
    result.info.update(image.info)
    return result


def _srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """The image in mode RGB, its embedded colour profile applied; the note says where that was not possible."""
    plain = _eight_bit(image)
    if plain.mode == "P" and "transparency" in plain.info:
        plain = plain.convert("RGBA")  # straight to RGB, Pillow warns on the console
    profile = image.info.get("icc_profile")
    if not profile:
        return plain if plain.mode == "RGB" else plain.convert("RGB"), ""  # convert() copies even where it need not
    gray = plain.mode in ("L", "LA", "1")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if gray and source.profile.xcolor_space.strip() == "GRAY":
            plain = plain.convert("L")
        elif plain.mode not in ("RGB", "CMYK"):
            plain = plain.convert("RGB")
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), plain.mode, "RGB")
        if plain.mode == "RGB" and _changes_nothing(transform):
            return plain, ""
        converted = ImageCms.applyTransform(plain, transform)
    except (ImageCms.PyCMSError, ImportError, OSError, ValueError) as error:  # ImportError: a Pillow without LittleCMS
        return plain.convert("RGB"), f"its colour profile could not be used ({error}); its colours are taken as sRGB"
    if converted is None:  # only for inPlace=True, says Pillow's signature
        raise NotAnImageError("The colour profile's conversion gave no image.")
    return converted, ""


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a profile is sRGB in all but name: then the pixels stay as they are, bit for bit."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    converted = ImageCms.applyTransform(Image.fromarray(colours), transform)
    return bool(np.abs(np.asarray(converted).astype(np.int16) - colours).max() <= 1)


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit gray to its high byte, which is what Pillow itself makes of 16-bit colour (rawmode RGB;16B)."""
    if not image.mode.startswith("I"):
        return image
    values: NDArray[Any] = np.asarray(image).astype(np.int64)
    return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))


def _is_opaque(image: Image.Image) -> bool:
    if "transparency" in image.info:
        return False
    return "A" not in image.getbands() or image.getchannel("A").getextrema() == (255, 255)


def _alpha(image: Image.Image) -> NDArray[np.uint8] | None:
    clear = image.info.get("transparency")
    if image.mode.startswith("I"):  # 16-bit gray, where one value may stand for transparent
        return None if clear is None else np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8)
    if clear is not None:
        image = image.convert("RGBA")
    if "A" not in image.getbands():
        return None
    return np.array(image.getchannel("A"))
