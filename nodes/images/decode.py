"""Bytes to pixels: files from a network, read as if they were hostile.

PNG, JPEG, WebP, GIF (first frame) and, where this Pillow has it, AVIF. What is not one of these by its first bytes
never reaches a Pillow plugin; sizes and the number of parts are checked before a pixel is decoded; all decodes
together keep to a budget of memory, each to a deadline; cut files are refused even where another custom node has
switched Pillow's `LOAD_TRUNCATED_IMAGES` on for the whole process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from ...hunyuan.errors import NotAnImageError, TooLargeError
from ...hunyuan.limits import MOST_PIXELS
from ...hunyuan.sentences import say
from .budget import MemoryBudget
from .files import describe, kind_of, webp_size
from .orientation import turned
from .walks import is_complete, lean_jpeg

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUDGET = MemoryBudget(512 * 2**20)  # bytes, for the decodes of all threads together
# Of one pixel while its file is decoded: Pillow's image, the same in RGB, the bytes taken out of it (joined of pieces),
# and what the decoder itself keeps (a WebP's two canvases, a progressive JPEG's coefficients).
_BYTES_A_PIXEL = 16
DEADLINE = 30.0  # seconds for one file; 36 megapixels take one or two
_AT_A_TIME = 2**20  # bytes that Pillow's decoder is given, so that the deadline is looked at in between
_STRIPE_PIXELS = 2**18  # taken out of Pillow's image at a time
_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif", "AVIF": "image/avif"}


class Read(NamedTuple):
    """pixels: uint8 [H,W,3]. alpha: uint8 [H,W] or None. opaque: whether the file shows exactly these pixels."""

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    opaque: bool
    mime: str
    note: str


class _Timed(BytesIO):
    """A file in memory that can be read for so many seconds; then reading raises TimeoutError."""

    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self._seconds = seconds
        self.start()

    def start(self) -> None:
        """The time begins, anew where somebody waited for memory meanwhile."""
        self._ends = time.monotonic() + self._seconds

    def read(self, size: int | None = -1, /) -> bytes:
        """As BytesIO has it."""
        if time.monotonic() > self._ends:
            raise TimeoutError(say("within {seconds:g} seconds", seconds=self._seconds))
        return super().read(size)


def read_pixels(data: bytes, *, alpha: bool, max_pixels: int = MOST_PIXELS, deadline: float = DEADLINE) -> Read:
    """The first picture of a file.

    alpha: whether transparency is read; without it an image's own transparency is ignored (the colours stay).
    max_pixels: width times height at most. deadline: seconds, beyond those in which it waits while other threads'
    decodes need the memory.
    Raises NotAnImageError and TooLargeError, both saying what was got.
    """
    kind = kind_of(data)
    if kind is None:
        raise NotAnImageError(
            say("The file is not an image that can be read here: {what}.", what=describe(data)),
            why=say("PNG, JPEG, WebP, GIF and AVIF are read."),
        )
    _check_complete(data, kind)
    with _as_ours(data, kind):
        # Pillow allocates a WebP's whole canvas as it opens it.
        image = None if kind == "WEBP" else _open(data, kind, deadline)
        width, height = webp_size(data) if image is None else image.size
        _check_size(width, height, max_pixels)
        with BUDGET.hold(width * height * _BYTES_A_PIXEL):
            if image is None:
                image = _open(data, kind, deadline)
                _check_size(*image.size, max_pixels)
            if isinstance(image.fp, _Timed):
                image.fp.start()
            return _read(image, kind, alpha=alpha)


@contextmanager
def opened(data: bytes, *, draft: int) -> Iterator[Image.Image]:
    """The image the way it wants to be seen, within the budget; draft: a JPEG may come smaller, not under so many
    pixels a side. For files that were decoded once. Raises NotAnImageError, and what Pillow raises."""
    kind = kind_of(data)
    if kind is None:
        raise NotAnImageError(say("The file is not an image that can be read here: {what}.", what=describe(data)))
    _check_complete(data, kind)
    image = _open(data, kind)
    image.draft("RGB", (draft, draft))
    with BUDGET.hold(image.width * image.height * _BYTES_A_PIXEL):
        yield turned(image)


def _read(image: ImageFile.ImageFile, kind: str, *, alpha: bool) -> Read:
    image.decodermaxblock = max(image.decodermaxblock, _AT_A_TIME)
    image.load()
    upright = turned(image)
    colours, note = _srgb(upright)
    transparency = _alpha(upright) if alpha else None
    return Read(np.asarray(colours), transparency, _is_opaque(upright), _MIMES[kind], note)


@contextmanager
def _as_ours(data: bytes, kind: str) -> Iterator[None]:
    """Pillow's failures as ours; its plugins raise nearly anything on a damaged file, and the cause stays attached."""
    try:
        yield
    except (NotAnImageError, TooLargeError):
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise TooLargeError(
            say("The {kind} file is too large to decode: {reason}.", kind=kind, reason=error)
        ) from error
    except TimeoutError as error:
        raise NotAnImageError(
            say(
                "The {kind} file of {size:,} bytes was not decoded {reason}.",
                kind=kind,
                size=len(data),
                reason=error.args[0],
            )
        ) from error
    except Exception as error:
        raise NotAnImageError(
            say(
                "The {kind} file of {size:,} bytes is damaged and cannot be decoded: {reason}.",
                kind=kind,
                size=len(data),
                reason=error or type(error).__name__,
            )
        ) from error


def _open(data: bytes, kind: str, deadline: float = DEADLINE) -> ImageFile.ImageFile:
    exif, xmp, whole = b"", b"", data
    if kind == "JPEG":
        data, exif, xmp = lean_jpeg(data)
    try:
        image = Image.open(_Timed(data, deadline), formats=[kind])
    except (UnidentifiedImageError, TypeError, KeyError) as error:
        if kind == "AVIF" and "AVIF" not in Image.OPEN:
            raise NotAnImageError(
                say("The file is AVIF, which this Pillow cannot read."), do=say("Update Pillow.")
            ) from error
        if isinstance(error, UnidentifiedImageError):  # its own text shows an object of Python
            raise NotAnImageError(
                say("The {kind} file of {size:,} bytes has a damaged beginning.", kind=kind, size=len(whole))
            ) from error
        raise
    image.info |= {name: block for name, block in (("exif", exif), ("xmp", xmp)) if block}
    return image


def _check_size(width: int, height: int, most: int) -> None:
    if width < 1 or height < 1:
        raise NotAnImageError(say("The image says it is {width}×{height} pixels.", width=width, height=height))
    if width * height > most:
        raise TooLargeError(
            say(
                "The image says it is {width}×{height} pixels; at most {most:.3g} megapixels are decoded here.",
                width=width,
                height=height,
                most=most / 1e6,
            ),
            why=say(
                "A result may have four times the pixels that were asked for, and never more than {most} megapixels.",
                most=MOST_PIXELS // 1_000_000,
            ),
        )


def _check_complete(data: bytes, kind: str) -> None:
    """Refuses what ends too early; Pillow alone fills the rest with gray when LOAD_TRUNCATED_IMAGES is on."""
    if not is_complete(data, kind):
        raise NotAnImageError(
            say(
                "The {kind} file is cut short: it ends after {size:,} bytes without its end mark.",
                kind=kind,
                size=len(data),
            )
        )


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
        raise NotAnImageError(say("The colour profile's conversion gave no image."))
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
    high = np.empty((image.height, image.width), np.uint8)
    for top, stripe in _stripes(image):
        np.copyto(high[top : top + len(stripe)], np.clip(stripe, 0, 65535) >> 8, casting="unsafe")
    return Image.fromarray(high)


def _stripes(image: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """(row, the pixels from that row on), a few rows at a time: no wide copy of the whole image is ever made."""
    rows = max(1, _STRIPE_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))


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
