"""ComfyUI's own API client with its own defaults, against our gateway: create, poll, download."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import gateway


class BenchClient(io.ComfyNode):
    """Thin, as ComfyUI's own partner nodes are. Fails where this ComfyUI has no such client."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return gateway.schema("BenchClient")

    @classmethod
    async def execute(cls, prompt: str, seed: int, size: str) -> io.NodeOutput:
        from comfy_api_nodes.util.client import ApiEndpoint, poll_op_raw, sync_op_raw
        from comfy_api_nodes.util.download_helpers import download_url_to_image_tensor

        created: dict[str, Any] = await sync_op_raw(
            cls,
            ApiEndpoint(gateway.create_url(), "POST", headers=gateway.headers()),
            data=gateway.body(prompt, seed, size),
        )
        done: dict[str, Any] = await poll_op_raw(
            cls,
            ApiEndpoint(gateway.task_url(created), headers=gateway.headers()),
            status_extractor=gateway.status,
        )
        return io.NodeOutput(await download_url_to_image_tensor(gateway.image_url(done)))
