"""HunyuanGenerate: text to image."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import schema as parts


class HunyuanGenerate(io.ComfyNode):
    """prompt → IMAGE [B,H,W,3]; `count` tasks of 25 credits each, at the same time."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return parts.schema(
            node_id="HunyuanGenerate",
            display_name="Hunyuan Image 3 Generate",
            category=parts.CATEGORY,
            description="Text to image with Hunyuan Image 3. 25 credits an image.",
            inputs=[
                parts.prompt_input("What the image shows."),
                *parts.size_inputs(),
                parts.seed_input(),
                *parts.run_inputs(),
            ],
            outputs=parts.task_outputs(),
            hidden=[io.Hidden.extra_pnginfo],
            search_aliases=[*parts.SEARCHED, "text to image", "文生图"],
            not_idempotent=True,
            has_intermediate_output=True,  # the picture on the node, also when ComfyUI answers from its cache
        )

    @classmethod
    def validate_inputs(cls, prompt: str | None = None, size: str | None = parts.DEFAULT_SIZE) -> bool | str:
        """Refuses what stands in the graph and cannot be sent, when the prompt is queued."""
        from .prompt_checks import first_fault, prompt_verdict, size_verdict

        return first_fault(prompt_verdict(prompt), size_verdict(size, [parts.CUSTOM]))

    @classmethod
    def fingerprint_inputs(cls, seed: int = -1, **inputs: Any) -> str:
        """Changes at every run for seed -1, and after a run that failed in part."""
        from .run import run_mark

        return run_mark(seed)

    @classmethod
    async def execute(
        cls,
        prompt: str,
        size: str = parts.DEFAULT_SIZE,
        width: int = parts.DEFAULT_SIDE,
        height: int = parts.DEFAULT_SIDE,
        seed: int = -1,
        count: int = 1,
        wait: bool = True,
        timeout_s: int = parts.DEFAULT_TIMEOUT_S,
        on_failure: str = parts.RAISE,
        reuse: bool = True,
    ) -> io.NodeOutput:
        from .requests import Wanted, text_requests
        from .run import Run, create_and_collect

        wanted = Wanted(prompt, size, width, height, seed, count)
        return await create_and_collect(
            Run(wait, timeout_s, on_failure, reuse, cls.hidden.extra_pnginfo),
            lambda run: text_requests(wanted, run.settings),
        )
