"""Nodes for comparison, loaded by the benchmarks beside the pack and by nobody else.

They do what HunyuanGenerate does, in the two ways that are common: with ComfyUI's own API client, and with a
synchronous loop that asks every five seconds. The gateway and its key come from the pack's own environment variables.
"""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io
from server import PromptServer

from . import looking


class BaselineExtension(ComfyExtension):
    """What ComfyUI loads."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .client import BenchClient
        from .plain import BenchBlock, BenchLag, BenchPoller, BenchPrompts, BenchSink

        return [BenchClient, BenchPoller, BenchSink, BenchBlock, BenchLag, BenchPrompts]


async def comfy_entrypoint() -> BaselineExtension:
    """Called once by ComfyUI when it loads the pack."""
    looking.register(PromptServer.instance.routes)
    return BaselineExtension()
