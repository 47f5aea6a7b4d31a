"""The graph's face: schema, validation, one call, conversion.

Only what reading the schemas needs is imported here; torch, requests and the database come at first use.
"""

from __future__ import annotations

import logging

from comfy_api.latest import ComfyExtension, io

from .comfyui.one_copy import FOLDER, serving_copy

LOG = logging.getLogger("hunyuan")


class HunyuanExtension(ComfyExtension):
    """What ComfyUI loads: the nodes, and at the server's start the collector behind them."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .edit import HunyuanEdit
        from .generate import HunyuanGenerate
        from .image_url import HunyuanImageFromURL, HunyuanImageToURL
        from .prompt_list import HunyuanPromptList
        from .task_wait import HunyuanTaskWait

        images = [HunyuanImageToURL, HunyuanImageFromURL]
        return [HunyuanGenerate, HunyuanEdit, HunyuanTaskWait, *images, HunyuanPromptList]


class _Nothing(ComfyExtension):
    """What ComfyUI gets of a copy that stands aside."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return []


def stands_aside() -> bool:
    """Whether another copy of the pack serves in this ComfyUI."""
    return serving_copy() is not None


async def comfy_entrypoint() -> ComfyExtension:
    """Called once by ComfyUI when it loads the pack."""
    if (first := serving_copy()) is not None:
        LOG.warning(
            "Hunyuan Image 3 is installed twice: %s serves, %s stands aside. Remove one of the two folders.",
            first,
            FOLDER,
        )
        return _Nothing()
    from server import PromptServer

    from . import runtime

    runtime.install(PromptServer.instance)
    return HunyuanExtension()
