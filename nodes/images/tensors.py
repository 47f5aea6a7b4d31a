"""IMAGE and MASK tensors, to and from pixels: the door to everything that touches torch, numpy and Pillow.

`image_decode` makes pixels of bytes and `image_encode` bytes of pixels; both are loaded at first use, so that reading
the nodes' schemas costs nothing. Between them and the tensors stand uint8 pixels, which also are an image's identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ...hunyuan.errors import InputImageError
from ...hunyuan.limits import MOST_PIXELS
from ...hunyuan.models import EncodedImage, ImageInput
from ...hunyuan.sentences import say
from .options import EncodeOptions

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


_STRIPE_VALUES = 65_536  # float32 values converted at a time: 256 KB stay in the processor's cache
_BITS_OF_255 = 0x437F0000  # 255.0 as IEEE 754 writes it


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """One decoded file.

    pixels: uint8 [H,W,3]. alpha: uint8 [H,W], 255 opaque; None where there is none or none was asked for.
    opaque: False where the file has transparency, so that it shows something else than `pixels`.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    alpha: NDArray[np.uint8] | None = field(default=None, repr=False)
    mime: str = "image/png"
    note: str = ""
    opaque: bool = True

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


def decode(data: bytes, max_pixels: int = MOST_PIXELS, *, alpha: bool = False) -> DecodedImage:
    """Reads a file's bytes, see decode.py; max_pixels: width times height at most.

    Raises NotAnImageError, TooLargeError. Blocks tens of milliseconds, and while other decodes need the memory.
    """
    from .decode import read_pixels

    read = read_pixels(data, alpha=alpha, max_pixels=max_pixels)
    return DecodedImage(read.pixels, read.alpha, read.mime, read.note, read.opaque)


def pixels_digest(pixels: NDArray[np.uint8]) -> str:
    """64 hex characters of a uint8 [H,W,C] array's shape and content: equal pixels, equal digest."""
    import numpy as np

    digest = hashlib.sha256("x".join(str(side) for side in pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def to_tensor(images: Sequence[DecodedImage], origins: Sequence[str] = ()) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Gives (IMAGE float32 [B,H,W,3] in 0..1, notes); the first image's size counts for all (ratio kept, centred).

    origins: where each image is from, for the notes.
    """
    import torch

    if not images:
        raise ValueError("to_tensor needs at least one image")
    width, height = images[0].width, images[0].height
    batch = torch.empty((len(images), height, width, 3), dtype=torch.float32, device="cpu")
    notes = []
    for index, image in enumerate(images):
        pixels = _sized(image.pixels, width, height)
        _divide(pixels, batch[index].numpy())
        if pixels is not image.pixels:
            origin = f" ({origins[index]})" if origins else ""
            notes.append(
                f"Image {index + 1}{origin} was scaled and cut from {image.width}×{image.height} "
                f"to the first image's {width}×{height}."
            )
        if image.note:
            notes.append(f"Image {index + 1}: {image.note}")
    return batch, tuple(notes)


def to_mask(images: Sequence[DecodedImage]) -> torch.Tensor:
    """MASK float32 [B,H,W] in the first image's size: 1 where transparent (as LoadImage has it), 0 without alpha."""
    import torch

    width, height = images[0].width, images[0].height
    batch = torch.zeros((len(images), height, width), dtype=torch.float32, device="cpu")
    for index, image in enumerate(images):
        if image.alpha is not None:
            _divide(255 - _sized(image.alpha, width, height), batch[index].numpy())
    return batch


def _divide(pixels: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
    """pixels / 255 into `out`: what SaveImage makes of it, times 255 in float32, is v for all 256 values again.

    Multiplied, which is faster than divided: 1 / 255 rounds up in float32, so that no product falls below v / 255, and
    the largest is 1.0.
    """
    import numpy as np

    rows = max(1, _STRIPE_VALUES // max(1, pixels[0].size))
    for top in range(0, pixels.shape[0], rows):
        stripe = out[top : top + rows]
        np.copyto(stripe, pixels[top : top + rows])
        np.multiply(stripe, np.float32(1.0 / 255.0), out=stripe)


def _sized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if pixels.shape[:2] == (height, width):
        return pixels
    from .encode import cover

    return cover(pixels, width, height)


def as_image(name: str, value: object) -> torch.Tensor:
    """What an IMAGE input got, if it is one: [B,H,W,C] or [H,W,C]. Raises InputImageError, naming the input."""
    import torch

    if isinstance(value, torch.Tensor):
        _check_image(value, name)
        return value
    from ..input_values import described

    raise InputImageError(
        say("{name} must be an IMAGE, got {got}.", name=name, got=described(value)),
        do=say(
            "Look at what is linked to {name}: a LATENT needs VAE Decode, a file LoadImage, a list one of its items.",
            name=name,
        ),
    )


def _check_image(tensor: torch.Tensor, name: str) -> None:
    """Raises InputImageError for what has not the shape of images, or no pixels in it."""
    import torch

    shape = (1, *tensor.shape) if tensor.ndim == 3 else tuple(tensor.shape)
    usable = tensor.dtype.is_floating_point or tensor.dtype == torch.uint8
    if len(shape) != 4 or shape[3] not in (1, 3, 4) or 0 in shape or not usable:
        raise InputImageError(
            say(
                "{name} must be [batch, height, width, channels] of floats with 1, 3 or 4 channels, got "
                "{shape} of {kind}.",
                name=name,
                shape=list(tensor.shape),
                kind=str(tensor.dtype).removeprefix("torch."),
            )
        )
    if tensor.is_meta or tensor.layout is not torch.strided:
        layout = str(tensor.layout).removeprefix("torch.")
        raise InputImageError(
            say("{name} must hold pixels, got a tensor on the meta device, which has none to read.", name=name)
            if tensor.is_meta
            else say(
                "{name} must hold pixels, got a tensor of layout {layout}, which has none to read.",
                name=name,
                layout=layout,
            )
        )


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
    from .encode import encode

    return encode(pixels, options)


def tensor_pixels(tensor: torch.Tensor) -> list[NDArray[np.uint8]]:
    """uint8 [H,W,3] or [H,W,4] of each batch item, by SaveImage's rule: times 255, cut to 0..255, fraction dropped.

    NaN becomes 0. A tensor [H,W,C] counts as a batch of one, one channel as gray. Raises InputImageError otherwise.
    """
    import numpy as np
    import torch

    _check_image(tensor, "An IMAGE")
    batch = tensor.unsqueeze(0) if tensor.ndim == 3 else tensor
    if batch.dtype == torch.uint8:
        pixels = [np.ascontiguousarray(item.cpu().numpy()) for item in batch]
    else:
        pixels = [_to_uint8(item) for item in batch]
    return [np.repeat(item, 3, axis=2) if item.shape[2] == 1 else item for item in pixels]


def _to_uint8(image: torch.Tensor) -> NDArray[np.uint8]:
    """[H,W,C] in stripes, so that no second float copy of the whole image is ever made.

    With numpy, on one thread: torch shares each small step out to all cores, which costs ten times as much when they
    are busy.
    """
    import numpy as np
    import torch

    image = image.detach()
    half = image.dtype == torch.float16
    height, width, channels = image.shape
    out = np.empty((height, width, channels), np.uint8)
    rows = max(1, _STRIPE_VALUES // (width * channels))
    scratch = np.empty((min(rows, height), width, channels), np.float32)
    for top in range(0, height, rows):
        source = image[top : top + rows].to(device="cpu", dtype=torch.float32).numpy()
        stripe = scratch[: source.shape[0]]
        with np.errstate(over="ignore"):
            np.multiply(source, np.float32(255.0), out=stripe)
            if half:  # SaveImage multiplies in the tensor's own precision, and its rounding gives v / 255 back as v
                np.copyto(stripe, stripe.astype(np.float16))
        # As unsigned integers the floats from 0 to 255 end at 255.0's own bits; negatives, NaN and larger ones follow.
        if stripe.view(np.uint32).max() > _BITS_OF_255:
            np.nan_to_num(stripe, copy=False, nan=0.0)
            np.clip(stripe, 0.0, 255.0, out=stripe)
        np.copyto(out[top : top + rows], stripe, casting="unsafe")
    return out
