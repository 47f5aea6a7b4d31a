"""HunyuanTaskWait: task ids to their images."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import schema as parts


class HunyuanTaskWait(io.ComfyNode):
    """task ids → IMAGE [B,H,W,3]; costs nothing. A collected task comes from the disk, without the gateway."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return parts.schema(
            node_id="HunyuanTaskWait",
            display_name="Hunyuan Image 3 Task Wait",
            category=parts.CATEGORY,
            description="Collects the images of tasks that are under way or done. Costs no credits.",
            inputs=[
                io.String.Input(
                    "task_ids",
                    multiline=True,
                    default="",
                    tooltip="Task ids, one a line or after commas, typed or linked from another Hunyuan node.",
                ),
                *parts.waiting_inputs(),
            ],
            outputs=parts.task_outputs(),
            hidden=[io.Hidden.extra_pnginfo],
            search_aliases=[*parts.SEARCHED, "collect", "任务"],
            not_idempotent=True,
            has_intermediate_output=True,  # the picture on the node, also when ComfyUI answers from its cache
        )

    @classmethod
    async def validate_inputs(cls, task_ids: str | None = None) -> bool | str:
        """Refuses ids that stand in the graph and cannot be any, when the prompt is queued."""
        from .prompt_checks import task_ids_verdict

        return await task_ids_verdict(task_ids)

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        """Changes after a run that failed in part."""
        from .run import run_mark

        return run_mark(0)

    @classmethod
    async def execute(
        cls,
        task_ids: str,
        timeout_s: int = parts.DEFAULT_TIMEOUT_S,
        on_failure: str = parts.RAISE,
    ) -> io.NodeOutput:
        from .run import Run, collect_by_id

        return await collect_by_id(Run(True, timeout_s, on_failure, True, cls.hidden.extra_pnginfo), task_ids)
