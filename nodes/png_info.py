"""What a picture tells of itself: seeds, task ids, sizes, credits and model of the run that made it.

It goes into ComfyUI's `extra_pnginfo`, whose every key SaveImage and others write into the file:
`{"hunyuan_image_3": {<node id>: {"tasks": [{"seed", "task_id", "size", "credits", "model"}, …]}}}`, in the order of the
node's batch. The page's workflow in there gets the first seed that each node drew, as
`{"extra": {"hunyuan_image_3": {<node id>: <seed>}}}`: opened from the picture, it asks for the same picture
(web/seed_of_picture.js). A node that ComfyUI takes from its cache is not run and tells nothing. The paid bytes on disk
stay as they came; of them the journal knows the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .status.reporting import Outcome

KEY = "hunyuan_image_3"


def write(extra_pnginfo: object, node_id: str, outcomes: Sequence[Outcome]) -> None:
    """Adds these tasks to what the prompt's pictures are told, where its client lets them be told anything.

    A node that runs once for each item of a list adds to what the earlier items told.
    """
    if not isinstance(extra_pnginfo, dict):
        return
    ours = extra_pnginfo.setdefault(KEY, {})
    tasks = ours.setdefault(node_id, {"tasks": []})["tasks"]
    tasks += [_task(each) for each in outcomes if each.collected is not None]
    workflow = extra_pnginfo.get("workflow")
    if tasks and isinstance(workflow, dict):
        extra = workflow["extra"] = workflow.get("extra") or {}
        extra.setdefault(KEY, {}).setdefault(node_id, tasks[0]["seed"])


def _task(outcome: Outcome) -> dict[str, Any]:
    """size: of the image as it came, in the API's form. credits: what this run spent, 0 for what was there."""
    assert outcome.collected is not None
    row, (first, *_) = outcome.collected.row, outcome.collected.images
    return {
        "seed": outcome.seed if outcome.seed is not None else row.seed,
        "task_id": row.task_id,
        "size": f"{first.width}*{first.height}",
        "credits": row.credits if outcome.paid else 0,
        "model": row.model,
    }
