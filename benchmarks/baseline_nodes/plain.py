"""The plain synchronous poller, and what the benchmark's graphs need around it."""

from __future__ import annotations

import asyncio
import io as bytes_io
import time
from typing import Any

from comfy_api.latest import io

from . import gateway

INTERVAL = 5.0  # seconds between polls
LAG_STEP = 0.002  # seconds; how finely the loop's pauses are seen


class BenchPoller(io.ComfyNode):
    """requests and time.sleep in a synchronous node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return gateway.schema("BenchPoller")

    @classmethod
    def execute(cls, prompt: str, seed: int, size: str) -> io.NodeOutput:
        import numpy as np
        import requests
        import torch
        from PIL import Image

        session = requests.Session()
        session.trust_env = False  # to loopback only: no proxy of the surroundings
        session.headers.update(gateway.headers())
        answer = _json(session.post(gateway.create_url(), json=gateway.body(prompt, seed, size), timeout=60))
        url = gateway.task_url(answer)
        while gateway.status(answer) != "completed":
            if gateway.status(answer) == "failed":
                raise RuntimeError(f"The task failed: {answer}")
            time.sleep(INTERVAL)
            answer = _json(session.get(url, timeout=60))
        data = requests.get(gateway.image_url(answer), timeout=60).content
        pixels = np.array(Image.open(bytes_io.BytesIO(data)).convert("RGB")).astype(np.float32) / 255.0
        return io.NodeOutput(torch.from_numpy(pixels)[None])  # HWC -> BHWC


def _json(answer: Any) -> dict[str, Any]:
    answer.raise_for_status()
    return dict(answer.json())


class BenchSink(io.ComfyNode):
    """Ends a graph without work of its own: says how many images came, and of which size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchSink",
            category="benchmark",
            inputs=[io.Image.Input("images")],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images: Any) -> io.NodeOutput:
        return io.NodeOutput(ui={"shapes": [list(images.shape)]})


class BenchBlock(io.ComfyNode):
    """KSampler's stand-in: a synchronous node that holds the event loop for so many seconds, then gives an image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchBlock",
            category="benchmark",
            inputs=[io.Float.Input("seconds"), io.String.Input("run")],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, seconds: float, run: str) -> io.NodeOutput:
        import torch

        time.sleep(seconds)
        return io.NodeOutput(torch.zeros(1, 8, 8, 3))


class BenchLag(io.ComfyNode):
    """Watches ComfyUI's event loop for so many seconds; its longest pauses in milliseconds, longest first."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchLag",
            category="benchmark",
            inputs=[io.Float.Input("seconds"), io.String.Input("run")],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    async def execute(cls, seconds: float, run: str) -> io.NodeOutput:
        end = time.perf_counter() + seconds
        pauses = []
        while (before := time.perf_counter()) < end:
            await asyncio.sleep(LAG_STEP)
            pauses.append((time.perf_counter() - before - LAG_STEP) * 1000.0)
        return io.NodeOutput(ui={"pauses_ms": sorted(pauses, reverse=True)[:5]})


class BenchPrompts(io.ComfyNode):
    """A list of prompts that differ."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchPrompts",
            category="benchmark",
            inputs=[io.String.Input("prompt"), io.Int.Input("count", min=1, max=10_000)],
            outputs=[io.String.Output(is_output_list=True)],
        )

    @classmethod
    def execute(cls, prompt: str, count: int) -> io.NodeOutput:
        return io.NodeOutput([f"{prompt}, item {number}" for number in range(count)])
