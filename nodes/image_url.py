"""HunyuanImageToURL and HunyuanImageFromURL: between IMAGE tensors and URLs, outside any task. They cost no credits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from comfy_api.latest import io

from ..hunyuan.sentences import say
from . import schema as parts
from .status.interrupt import interruptible

if TYPE_CHECKING:
    import torch

    from ..hunyuan.models import ImageInput, ResolvedImage
    from .images.tensors import DecodedImage
    from .runtime import Runtime

T = TypeVar("T")
R = TypeVar("R")

DOWNLOAD_DEADLINE = 120.0  # seconds a URL
PAUSES = (0.5, 2.0)  # seconds before a second and a third try
AT_ONCE = 4  # images of one node that are under way at the same time


class HunyuanImageToURL(io.ComfyNode):
    """IMAGE [B,H,W,C] → one URL a batch item, by the ways set up in the settings."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return parts.schema(
            node_id="HunyuanImageToURL",
            display_name="Hunyuan Image to URL",
            category=parts.CATEGORY,
            description="Gives each image a URL: of the earlier result it is, of your own upload, or a data: URI.",
            inputs=[io.Image.Input("image", tooltip="Each image of a batch gets a URL of its own.")],
            outputs=[
                io.String.Output("image_urls", display_name="image_urls", tooltip="One URL a line, in order."),
                io.String.Output("info", display_name="info", tooltip="JSON: the way and bytes of each image."),
            ],
            search_aliases=["hunyuan", "upload", "image url", "混元", "图像上传"],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        """Changes when a link handed out earlier has stopped working, so that no dead one comes out of the cache."""
        from .runtime import ready_runtime

        built = ready_runtime()
        return str(built.sources.stale()) if built is not None else "0"

    @classmethod
    async def execute(cls, image: torch.Tensor) -> io.NodeOutput:
        from ..hunyuan.jobs.background_loop import Pool
        from .images.options import EncodeOptions
        from .images.tensors import as_image, image_inputs
        from .runtime import runtime
        from .status.run_events import in_the_users_language

        with in_the_users_language():
            built = await runtime()
            settings = await built.run(built.settings_store.load)
            options = EncodeOptions.of(settings)
            inputs: list[ImageInput] = await built.run(image_inputs, as_image("image", image), options)
            resolved: Sequence[ResolvedImage] = await _each(
                inputs, lambda item: built.run_in(Pool.UPLOADS, built.sources.resolve, item)
            )
        inputs_told = [{"way": item.way, "bytes": item.uploaded, "note": item.note} for item in resolved]
        return io.NodeOutput("\n".join(item.url for item in resolved), _json({"inputs": inputs_told}))


class HunyuanImageFromURL(io.ComfyNode):
    """URLs → IMAGE [B,H,W,3] and MASK [B,H,W], 1 where an image is transparent."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return parts.schema(
            node_id="HunyuanImageFromURL",
            display_name="Hunyuan Image from URL",
            category=parts.CATEGORY,
            description="Downloads images: PNG, JPEG, WebP, GIF (first frame), AVIF. The first one's size counts.",
            inputs=[
                io.String.Input(
                    "image_urls",
                    multiline=True,
                    default="",
                    tooltip="http, https or data: URLs, one a line or after commas, typed or linked.",
                )
            ],
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="[B,H,W,3], in the first image's size."),
                io.Mask.Output("mask", display_name="mask", tooltip="From alpha: 1 where transparent, else 0."),
                io.String.Output("info", display_name="info", tooltip="JSON: sizes, formats, what was adapted."),
            ],
            search_aliases=["hunyuan", "download", "load image from url", "混元", "图像下载"],
        )

    @classmethod
    def validate_inputs(cls, image_urls: str | None = None) -> bool | str:
        """Refuses what stands in the graph and is no list of URLs, when the prompt is queued."""
        from .prompt_checks import urls_verdict

        return urls_verdict(image_urls)

    @classmethod
    async def execute(cls, image_urls: str) -> io.NodeOutput:
        from .images.tensors import to_mask, to_tensor
        from .runtime import runtime
        from .status.run_events import in_the_users_language

        with in_the_users_language():
            built = await runtime()
            numbered = list(enumerate(_urls(image_urls), 1))
            decoded = await _each(numbered, lambda item: _fetch(built, *item))
        images, notes = await built.run(to_tensor, decoded)
        mask = await built.run(to_mask, decoded)
        described = [{"width": item.width, "height": item.height, "type": item.mime} for item in decoded]
        return io.NodeOutput(images, mask, _json({"images": described, "notes": list(notes)}))


def _urls(image_urls: str) -> list[str]:
    from ..hunyuan.errors import InvalidRequestError
    from .input_values import is_url, split_urls, text

    urls = split_urls(text("image_urls", image_urls))
    if not urls:
        raise InvalidRequestError(say("image_urls is empty."), do=say("Enter or link at least one URL, one a line."))
    for number, url in enumerate(urls, 1):
        if not is_url(url, "data:"):
            raise InvalidRequestError(
                say("URL {number} of image_urls is no http, https or data: URL: {url!r}.", number=number, url=url[:80])
            )
    return urls


async def _fetch(built: Runtime, number: int, url: str) -> DecodedImage:
    """One image, tried again where only the way to it failed. Errors name the URL's number, and no payment."""
    from ..hunyuan.errors import HunyuanError, Money, RateLimitedError, ServerError, TransportError
    from ..hunyuan.jobs.background_loop import Pool

    for pause in (*PAUSES, None):
        try:
            return await built.run_in(Pool.DOWNLOADS, _download, built, url)
        except HunyuanError as error:
            if pause is None or not isinstance(error, (TransportError, ServerError, RateLimitedError)):
                what = say("URL {number} of image_urls: {what}", number=number, what=error.what)
                raise error.but(what=what, money=Money.UNTOUCHED) from error.__cause__
        await interruptible(asyncio.sleep(pause))
    raise AssertionError("the last try returns or raises")


def _download(built: Runtime, url: str) -> DecodedImage:
    """Blocking."""
    from .images.tensors import decode

    return decode(built.client.download(url, DOWNLOAD_DEADLINE), alpha=True)


async def _each(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """All items, a few at a time, in order; the first failure ends it."""
    slots = asyncio.Semaphore(AT_ONCE)  # of this call's own event loop

    async def one(item: T) -> R:
        async with slots:
            return await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
