"""The graph's face: schema, validation, one call, conversion.

Only what reading the schemas needs is imported here; torch, requests and the database come at first use.
"""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io


class HunyuanExtension(ComfyExtension):
    """What ComfyUI loads: the nodes, and at the server's start the collector behind them."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .edit import HunyuanEdit
        from .generate import HunyuanGenerate
        from .image_url import HunyuanImageFromURL, HunyuanImageToURL
        from .task_wait import HunyuanTaskWait

        return [HunyuanGenerate, HunyuanEdit, HunyuanTaskWait, HunyuanImageToURL, HunyuanImageFromURL]


async def comfy_entrypoint() -> HunyuanExtension:
    """Called once by ComfyUI when it loads the pack."""
    from server import PromptServer

    from . import runtime

    runtime.install(PromptServer.instance)
    return HunyuanExtension()
