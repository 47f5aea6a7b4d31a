"""From a node's inputs to validated requests: seeds, sizes, input images. Blocking; runs on a worker."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..hunyuan.errors import HunyuanError, InvalidRequestError, MissingKeyError
from ..hunyuan.limits import MAX_INPUT_IMAGES, MAX_SEED, MAX_SIDE, MIN_SIDE
from ..hunyuan.models import GenerationRequest, ImageInput, ImageSize, TaskType
from ..hunyuan.sentences import say
from .input_values import is_url, split_urls, text, whole
from .schema import CUSTOM, DEFAULT_SIZE, MATCH_INPUT, MAX_COUNT

if TYPE_CHECKING:
    import torch

    from ..hunyuan.settings.store import Settings
    from .runtime import Runtime

URL_LOOK_SECONDS = 20.0  # for fetching an image by URL to learn its size


@dataclass(frozen=True)
class Wanted:
    """A node's inputs as they came."""

    prompt: str
    size: str
    width: int
    height: int
    seed: int
    count: int

    def checked(self) -> Wanted:
        """Of the types the node declares, whatever was linked. Raises InvalidRequestError."""
        prompt, size = text("prompt", self.prompt), text("size", self.size)
        width, height = (whole(name, side) for name, side in (("width", self.width), ("height", self.height)))
        return Wanted(
            prompt, size, width, height, whole("seed", self.seed, -1), whole("count", self.count, 1, MAX_COUNT)
        )


@dataclass
class Prepared:
    """What is to be created, and what the user should know about it."""

    requests: list[tuple[GenerationRequest, Sequence[ImageInput]]]
    notes: list[str] = field(default_factory=list)
    seed_given: int = -1


def text_requests(wanted: Wanted, settings: Settings) -> Prepared:
    """One request a task of HunyuanGenerate. Raises MissingKeyError, InvalidRequestError."""
    require_key(settings)
    wanted = wanted.checked()
    return _prepare(wanted, TaskType.TEXT_TO_IMAGE, _plain_size(wanted), (), settings.model)


def edit_requests(wanted: Wanted, images: Mapping[str, object], image_urls: str, runtime: Runtime) -> Prepared:
    """One request a task of HunyuanEdit; `images` are the linked IMAGE inputs by their names.

    Raises MissingKeyError, InvalidRequestError, InputImageError.
    """
    from .images.options import EncodeOptions
    from .images.tensors import as_image, image_inputs

    settings = runtime.settings_store.load()
    require_key(settings)
    wanted = wanted.checked()
    tensors = [as_image(name, value) for name, value in images.items()]
    urls = split_urls(text("image_urls", image_urls))
    for url in urls:
        if not is_url(url, "data:image/"):
            raise InvalidRequestError(
                say("{url!r} in image_urls is not an http or https URL.", url=url[:80]), do=say("One URL a line.")
            )
    count = sum(tensor.shape[0] if tensor.ndim == 4 else 1 for tensor in tensors) + len(urls)
    if not 1 <= count <= MAX_INPUT_IMAGES:  # before any work on the pixels
        raise InvalidRequestError(
            say("An edit takes one or two input images in all, got {count}.", count=count),
            do=say("Connect image, image_2 or image_urls; each image of a batch counts."),
        )
    options = EncodeOptions.of(settings)
    inputs = [item for tensor in tensors for item in image_inputs(tensor, options)]
    inputs += [ImageInput(identity=runtime.sources.identity_of(url), url=url) for url in urls]
    notes: list[str] = []
    if wanted.size == MATCH_INPUT:
        size = _matching(_first_size(tensors, urls, runtime, notes), notes)
    else:
        size = _plain_size(wanted)
    prepared = _prepare(wanted, TaskType.EDIT, size, inputs, settings.model)
    prepared.notes = [*notes, *prepared.notes]
    return prepared


def require_key(settings: Settings) -> None:
    """Raises MissingKeyError."""
    if not settings.api_key:
        raise MissingKeyError(
            say("No API key is set."),
            do=say(
                "Put it in with the command 'Hunyuan: set the API key' (or Settings > Hunyuan Image 3), "
                "or set the environment variable HUNYUAN_API_KEY before ComfyUI starts. It is never an "
                "input of a node."
            ),
        )


def _prepare(wanted: Wanted, type: TaskType, size: ImageSize, inputs: Sequence[ImageInput], model: str) -> Prepared:
    seeds = seeds_for(wanted.seed, wanted.count)
    identities = tuple(item.identity for item in inputs)
    requests = [(GenerationRequest(type, wanted.prompt, size, seed, model, identities), inputs) for seed in seeds]
    notes = []
    if wanted.seed > MAX_SEED:
        notes.append(f"The seed {wanted.seed} is above {MAX_SEED} and was folded to {seeds[0]}.")
    return Prepared(requests, notes, wanted.seed)


def seeds_for(seed: int, count: int) -> list[int]:
    """The seeds that are sent: seed, seed+1, …, each folded into 0 to 2147483647; -1 draws the first.

    Folding is the remainder by 2**31, so that neighbours stay neighbours.
    """
    first = secrets.randbelow(MAX_SEED + 1) if seed == -1 else seed
    return [(first + k) % (MAX_SEED + 1) for k in range(count)]


def _plain_size(wanted: Wanted) -> ImageSize:
    if wanted.size == CUSTOM:
        return ImageSize(wanted.width, wanted.height)
    return ImageSize.parse(wanted.size)


def _first_size(
    tensors: Sequence[torch.Tensor], urls: Sequence[str], runtime: Runtime, notes: list[str]
) -> ImageSize | None:
    """Width and height of the first input image; None where its URL cannot be looked at from here."""
    if tensors:
        height, width = tensors[0].shape[-3:-1]  # [B,H,W,C]
        return ImageSize(int(width), int(height))
    from .images.tensors import decode

    try:
        image = decode(runtime.client.download(urls[0], URL_LOOK_SECONDS))
    except HunyuanError as error:
        notes.append(
            f"The size of the image behind image_urls could not be read ({error.what}); {DEFAULT_SIZE} was used."
        )
        return None
    return ImageSize(image.width, image.height)


def _matching(given: ImageSize | None, notes: list[str]) -> ImageSize:
    if given is None:
        return ImageSize.parse(DEFAULT_SIZE)
    nearest = nearest_size(given)
    if nearest != given:
        same = abs(nearest.width * given.height / (nearest.height * given.width) - 1) < 0.01
        ratio = "same ratio" if same else "the ratio differs: the API's sides end at 256 and 1536"
        notes.append(f"The input is {given.api}; the nearest size the API takes is {nearest.api} ({ratio}).")
    return nearest


def nearest_size(given: ImageSize) -> ImageSize:
    """The size nearest to `given` with both sides 256 to 1536 pixels, in its ratio where that is possible."""
    scale = min(1.0, MAX_SIDE / max(given.width, given.height))
    scale = max(scale, MIN_SIDE / min(given.width, given.height))

    def side(pixels: int) -> int:
        return max(MIN_SIDE, min(MAX_SIDE, round(pixels * scale)))

    return ImageSize(side(given.width), side(given.height))
