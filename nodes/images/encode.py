"""Pixels to the bytes of an upload, and pixels to another size. Whatever is lost on the way stands in a note."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageColor

from ...hunyuan.errors import InputImageError
from ...hunyuan.models import EncodedImage
from ...hunyuan.sentences import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .options import EncodeOptions

_FORMAT_MAX_SIDE = {"jpeg": 65_500, "webp": 16_383, "png": 65_500}  # pixels a side that the format itself can hold
_MARGIN = 0.95  # of the scale that would just meet the cap on bytes, since size does not fall exactly with area
_SIZE_ATTEMPTS = 12


def encode(pixels: NDArray[np.uint8], options: EncodeOptions) -> EncodedImage:
    """Makes the upload's bytes of one image, uint8 [H,W,3] or [H,W,4].

    Transparency is kept in PNG and else flattened on the matte. Over the cap on side or bytes it is scaled down.
    """
    image = Image.fromarray(pixels)
    notes = []
    if image.mode == "RGBA" and options.format != "png":
        if image.getchannel("A").getextrema() != (255, 255):
            notes.append(f"transparency flattened on {options.matte}")
        image = _flatten(image, options.matte)
    longest = max(image.size)
    scale = min(1.0, min(options.max_side, _FORMAT_MAX_SIDE[options.format]) / longest)
    sized, data = image, b""
    for _ in range(_SIZE_ATTEMPTS):
        sized = _scaled(image, scale)
        data = _save(sized, options.format)
        if len(data) <= options.max_bytes or sized.size == (1, 1):
            break
        scale *= math.sqrt(options.max_bytes / len(data)) * _MARGIN
    if sized.size != image.size:
        notes.append(
            f"scaled down for the upload from {image.width}×{image.height} to {sized.width}×{sized.height} "
            f"(at most {options.max_side} px a side and {options.max_bytes:,} bytes)"
        )
    return EncodedImage(data, f"image/{options.format}", sized.width, sized.height, "; ".join(notes))


def cover(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """[H,W,C] or [H,W] scaled to cover width × height, ratio kept, the overhang cut off evenly on both sides."""
    source = Image.fromarray(pixels)
    scale = max(width / source.width, height / source.height)
    cut_width, cut_height = width / scale, height / scale
    left, top = (source.width - cut_width) / 2, (source.height - cut_height) / 2
    box = (max(0.0, left), max(0.0, top), min(source.width, left + cut_width), min(source.height, top + cut_height))
    return np.array(source.resize((width, height), Image.Resampling.LANCZOS, box=box))


def _flatten(image: Image.Image, matte: str) -> Image.Image:
    ground = Image.new("RGB", image.size, ImageColor.getrgb(matte)[:3])
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    if scale >= 1.0:
        return image
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _save(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    try:
        if kind == "jpeg":
            image.save(buffer, "JPEG", quality=95, subsampling=0)  # 4:4:4: edges of red on blue survive
        elif kind == "webp":
            image.save(buffer, "WEBP", quality=95)
        else:
            image.save(buffer, "PNG", compress_level=4)  # ComfyUI's own level
    except (OSError, KeyError, ValueError) as error:  # a Pillow built without this format raises KeyError
        raise InputImageError(
            say(
                "The input image of {width}×{height} pixels could not be written as {kind}: {reason}.",
                width=image.width,
                height=image.height,
                kind=kind,
                reason=error,
            ),
            do=say("Choose another upload_format in the settings."),
        ) from error
    return buffer.getvalue()
