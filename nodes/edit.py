"""HunyuanEdit: one or two images and a prompt to an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from . import schema as parts

if TYPE_CHECKING:
    import torch


class HunyuanEdit(io.ComfyNode):
    """prompt and one or two images → IMAGE [B,H,W,3]; `count` tasks of 25 credits each, at the same time."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return parts.schema(
            node_id="HunyuanEdit",
            display_name="Hunyuan Image 3 Edit",
            category=parts.CATEGORY,
            description="Edits one image, or merges two, with Hunyuan Image 3. 25 credits an image.",
            inputs=[
                parts.prompt_input("What is to change, or how the two images come together."),
                io.Image.Input("image", optional=True, tooltip="The image to edit; each image of a batch counts."),
                io.Image.Input("image_2", optional=True, tooltip="A second image. One or two in all."),
                io.String.Input(
                    "image_urls",
                    multiline=True,
                    default="",
                    optional=True,
                    tooltip="Public image URLs instead of or after the images above, one a line or after commas.",
                ),
                *parts.size_inputs(first=[parts.MATCH_INPUT]),
                parts.seed_input(),
                *parts.run_inputs(),
            ],
            outputs=parts.task_outputs(),
            hidden=[io.Hidden.extra_pnginfo],
            search_aliases=[*parts.SEARCHED, "image edit", "图像编辑"],
            not_idempotent=True,
            has_intermediate_output=True,  # the picture on the node, also when ComfyUI answers from its cache
        )

    @classmethod
    def validate_inputs(
        cls,
        prompt: str | None = None,
        image: object = parts.ABSENT,
        image_2: object = parts.ABSENT,
        image_urls: str | None = "",
        size: str | None = parts.MATCH_INPUT,
    ) -> bool | str:
        """Refuses what stands in the graph and cannot be sent, when the prompt is queued."""
        from .prompt_checks import edit_images_verdict, first_fault, prompt_verdict, size_verdict

        linked = sum(each is not parts.ABSENT for each in (image, image_2))
        return first_fault(
            prompt_verdict(prompt),
            edit_images_verdict(linked, image_urls),
            size_verdict(size, [parts.CUSTOM, parts.MATCH_INPUT]),
        )

    @classmethod
    def fingerprint_inputs(cls, seed: int = -1, **inputs: Any) -> str:
        """Changes at every run for seed -1, and after a run that failed in part."""
        from .run import run_mark

        return run_mark(seed)

    @classmethod
    async def execute(
        cls,
        prompt: str,
        image: torch.Tensor = parts.ABSENT,
        image_2: torch.Tensor = parts.ABSENT,
        image_urls: str = "",
        size: str = parts.MATCH_INPUT,
        width: int = parts.DEFAULT_SIDE,
        height: int = parts.DEFAULT_SIDE,
        seed: int = -1,
        count: int = 1,
        wait: bool = True,
        timeout_s: int = parts.DEFAULT_TIMEOUT_S,
        on_failure: str = parts.RAISE,
        reuse: bool = True,
    ) -> io.NodeOutput:
        from .requests import Wanted, edit_requests
        from .run import Run, create_and_collect

        wanted = Wanted(prompt, size, width, height, seed, count)
        linked = {"image": image, "image_2": image_2}
        images = {name: each for name, each in linked.items() if each is not parts.ABSENT}
        return await create_and_collect(
            Run(wait, timeout_s, on_failure, reuse, cls.hidden.extra_pnginfo),
            lambda run: edit_requests(wanted, images, image_urls, run),
        )
