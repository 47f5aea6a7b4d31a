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
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from ...hunyuan.errors import NotAnImageError, TooLargeError
from .files import describe, is_complete, kind_of, webp_size

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
    kind = kind_of(data)
    if kind is None:
        raise NotAnImageError(
            f"The file is not an image that can be read here: {describe(data)}.",
            why="PNG, JPEG, WebP, GIF and AVIF are read.",
        )
    if kind == "WEBP":  # Pillow allocates a WebP's whole canvas while opening it
        _check_size(*webp_size(data))
    _check_complete(data, kind)
    try:
        image = _open(data, kind)
        _check_size(*image.size)
        image.decodermaxblock = max(image.decodermaxblock, len(data))  # all at once: a pause costs the decoder time
        image.load()
        turned = _turned(image)
        colours, note = _srgb(turned)
        transparency = _alpha(turned) if alpha else None
        return Read(_array(colours), transparency, _is_opaque(turned), _MIMES[kind], note)
    except (NotAnImageError, TooLargeError):
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise TooLargeError(f"The {kind} file is too large to decode: {error}.") from error
    except Exception as error:  # Pillow's plugins raise nearly anything on a damaged file; the cause stays attached
        raise NotAnImageError(
            f"The {kind} file of {len(data):,} bytes is damaged and cannot be decoded: {error or type(error).__name__}."
        ) from error


def _open(data: bytes, kind: str) -> ImageFile.ImageFile:
    try:
        return Image.open(BytesIO(data), formats=[kind])
    except (UnidentifiedImageError, TypeError, KeyError) as error:
        if kind == "AVIF" and "AVIF" not in Image.OPEN:
            raise NotAnImageError("The file is AVIF, which this Pillow cannot read.", do="Update Pillow.") from error
        if isinstance(error, UnidentifiedImageError):  # its own text shows an object of Python
            raise NotAnImageError(f"The {kind} file of {len(data):,} bytes has a damaged beginning.") from error
        raise


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise NotAnImageError(f"The image says it is {width}×{height} pixels.")
    if width * height > MAX_PIXELS:
        raise TooLargeError(
            f"The image says it is {width}×{height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels are decoded."
        )


def _check_complete(data: bytes, kind: str) -> None:
    """Refuses what ends too early; Pillow alone fills the rest with gray when LOAD_TRUNCATED_IMAGES is on."""
    if not is_complete(data, kind):
        raise NotAnImageError(f"The {kind} file is cut short: it ends after {len(data):,} bytes without its end mark.")


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


def _array(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 [H,W,3], read-only, of an image in mode RGB.

    What `np.asarray` gives, in half the time: that has Pillow write 64 KB pieces, and then joins them.
    """
    width, height = image.size
    try:
        encoder = Image._getencoder("RGB", "raw", ("RGB",))  # Pillow's own way; it has no public one for one piece
        encoder.setimage(image.im, (0, 0, width, height))
        written = encoder.encode(width * height * 3)[2]
    except (AttributeError, TypeError):  # a Pillow that has changed this
        written = b""
    if len(written) != width * height * 3:
        return np.asarray(image)
    return np.frombuffer(written, np.uint8).reshape(height, width, 3)


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
