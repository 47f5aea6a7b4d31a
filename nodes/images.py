"""IMAGE and MASK tensors, to and from pixels: the door to everything that touches torch, numpy and Pillow.

`image_decode` makes pixels of bytes and `image_encode` bytes of pixels; both are loaded at first use, so that reading
the nodes' schemas costs nothing. Between them and the tensors stand uint8 pixels, which also are an image's identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

from ..hunyuan.errors import InputImageError
from ..hunyuan.models import EncodedImage, ImageInput

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..hunyuan.settings import Settings

_STRIPE_VALUES = 262_144  # float32 values converted at a time: 1 MB, stays in the processor's cache


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """One decoded file.

    pixels: uint8 [H,W,3]. alpha: uint8 [H,W], 255 opaque; None where there is none or none was asked for.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    alpha: NDArray[np.uint8] | None = field(default=None, repr=False)
    mime: str = "image/png"
    note: str = ""

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])

    @property
    def digest(self) -> str:
        """What `image_inputs` finds when the image comes back as a tensor: its identity is `pixels:<digest>` then."""
        return pixels_digest(self.pixels)


@dataclass(frozen=True)
class EncodeOptions:
    """How an input image is encoded for its upload: `jpeg`, `png` or `webp`, at most max_side pixels and max_bytes."""

    format: str = "jpeg"
    matte: str = "#ffffff"
    max_side: int = 4096
    max_bytes: int = 10_000_000

    @classmethod
    def of(cls, settings: Settings) -> EncodeOptions:
        """The user's choice."""
        return cls(
            format=settings.upload_format,
            matte=settings.upload_matte,
            max_side=settings.upload_max_side,
            max_bytes=settings.upload_max_bytes,
        )


def decode(data: bytes, *, alpha: bool = False) -> DecodedImage:
    """Reads a file's bytes, see image_decode. Raises NotAnImageError, TooLargeError. Blocks tens of milliseconds."""
    from .image_decode import read_pixels

    pixels, transparency, mime, note = read_pixels(data, alpha=alpha)
    return DecodedImage(pixels, transparency, mime, note)


def pixels_digest(pixels: NDArray[np.uint8]) -> str:
    """64 hex characters of a uint8 [H,W,C] array's shape and content: equal pixels, equal digest."""
    import numpy as np

    digest = hashlib.sha256("x".join(str(side) for side in pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def to_tensor(images: Sequence[DecodedImage]) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Gives (IMAGE float32 [B,H,W,3] in 0..1, notes); the first image's size counts for all (ratio kept, centred)."""
    import torch

    if not images:
        raise ValueError("to_tensor needs at least one image")
    width, height = images[0].width, images[0].height
    batch = torch.empty((len(images), height, width, 3), dtype=torch.float32)
    notes = []
    for index, image in enumerate(images):
        pixels = _sized(image.pixels, width, height)
        # v / 255 in float32, times 255 again, is v for all 256 values, which SaveImage's truncation relies on
        torch.div(torch.from_numpy(pixels), 255.0, out=batch[index])
        if pixels is not image.pixels:
            notes.append(
                f"Image {index + 1} was scaled and cut from {image.width}×{image.height} "
                f"to the first image's {width}×{height}."
            )
        if image.note:
            notes.append(f"Image {index + 1}: {image.note}")
    return batch, tuple(notes)


def to_mask(images: Sequence[DecodedImage]) -> torch.Tensor:
    """MASK float32 [B,H,W] in the first image's size: 1 where transparent (as LoadImage has it), 0 without alpha."""
    import torch

    width, height = images[0].width, images[0].height
    batch = torch.zeros((len(images), height, width), dtype=torch.float32)
    for index, image in enumerate(images):
        if image.alpha is not None:
            torch.div(torch.from_numpy(255 - _sized(image.alpha, width, height)), 255.0, out=batch[index])
    return batch


def _sized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if pixels.shape[:2] == (height, width):
        return pixels
    from .image_encode import cover

    return cover(pixels, width, height)


def image_inputs(tensor: torch.Tensor, options: EncodeOptions | None = None) -> list[ImageInput]:
    """One input an item of an IMAGE batch [B,H,W,C] (C 1, 3 or 4), known by its pixels and encoded only when asked.

    Raises InputImageError for what is no IMAGE. Blocking: milliseconds an image.
    """
    chosen = options or EncodeOptions()
    return [
        ImageInput(identity=f"pixels:{pixels_digest(pixels)}", encode=partial(_encode, pixels, chosen))
        for pixels in tensor_pixels(tensor)
    ]


def _encode(pixels: NDArray[np.uint8], options: EncodeOptions) -> EncodedImage:
    from .image_encode import encode

    return encode(pixels, options)


def tensor_pixels(tensor: torch.Tensor) -> list[NDArray[np.uint8]]:
    """uint8 [H,W,3] or [H,W,4] of each batch item, by SaveImage's rule: times 255, cut to 0..255, fraction dropped.

    NaN becomes 0. A tensor [H,W,C] counts as a batch of one, one channel as gray. Raises InputImageError otherwise.
    """
    import numpy as np
    import torch

    batch = tensor.unsqueeze(0) if tensor.ndim == 3 else tensor
    usable = batch.dtype.is_floating_point or batch.dtype == torch.uint8
    if batch.ndim != 4 or batch.shape[3] not in (1, 3, 4) or 0 in batch.shape or not usable:
        raise InputImageError(
            f"An IMAGE must be [batch, height, width, channels] of floats with 1, 3 or 4 channels, "
            f"got {list(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}."
        )
    pixels = [_to_uint8(item) for item in batch]
    return [np.repeat(item, 3, axis=2) if item.shape[2] == 1 else item for item in pixels]


def _to_uint8(image: torch.Tensor) -> NDArray[np.uint8]:
    """[H,W,C] in stripes, so that no second float copy of the whole image is ever made."""
    import torch

    if image.dtype == torch.uint8:
        return cast("NDArray[np.uint8]", image.cpu().contiguous().numpy())
    height, width, channels = image.shape
    rows = max(1, _STRIPE_VALUES // (width * channels))
    out = torch.empty((height, width, channels), dtype=torch.uint8)
    scratch = torch.empty((min(rows, height), width, channels), dtype=torch.float32)
    for top in range(0, height, rows):
        stripe = scratch[: min(rows, height - top)]
        stripe.copy_(image[top : top + rows].detach())
        stripe.mul_(255.0).nan_to_num_(nan=0.0, posinf=255.0, neginf=0.0).clamp_(0.0, 255.0)
        out[top : top + rows].copy_(stripe)
    return cast("NDArray[np.uint8]", out.numpy())
