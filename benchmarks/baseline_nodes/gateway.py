"""What both baselines share: the body of a create, and where an answer holds what."""

from __future__ import annotations

import os
from typing import Any

from comfy_api.latest import io


def base_url() -> str:
    return os.environ["HUNYUAN_BASE_URL"].rstrip("/")


def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ['HUNYUAN_API_KEY']}"}


def body(prompt: str, seed: int, size: str) -> dict[str, Any]:
    return {"model": "hunyuan-image-3", "prompt": prompt, "type": "text-to-image", "size": size, "seed": seed}


def create_url() -> str:
    return f"{base_url()}/api/v1/images/generations"


def task_url(answer: dict[str, Any]) -> str:
    return f"{base_url()}/api/v1/tasks/{answer['data']['task_id']}"


def status(answer: dict[str, Any]) -> str:
    return str(answer["data"]["status"]).lower()


def image_url(answer: dict[str, Any]) -> str:
    return str(answer["data"]["images"][0])


def schema(node_id: str) -> io.Schema:
    """prompt, seed and size in; one IMAGE [B,H,W,3] out."""
    return io.Schema(
        node_id=node_id,
        category="benchmark",
        inputs=[
            io.String.Input("prompt"),
            io.Int.Input("seed", default=0, min=0, max=2**31 - 1),
            io.String.Input("size", default="512*512"),
        ],
        outputs=[io.Image.Output()],
        hidden=[io.Hidden.unique_id],
    )
