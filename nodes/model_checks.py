"""What ComfyUI asks of another model's node when a prompt is queued (see prompt_checks)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .input_values import split_urls
from .model_requests import strange_model
from .model_sockets import sockets_of
from .prompt_checks import (
    Verdict,
    characters_verdict,
    fault_verdict,
    strange_task_verdict,
    task_ids_of,
    url_list_verdict,
)
from .schema import ABSENT

if TYPE_CHECKING:
    from ..hunyuan.gateway.models.family import Family


async def verdict(family: Family, given: Mapping[str, Any]) -> Verdict:
    """True, or the first sentence. given: what ComfyUI hands over: None where an input is linked."""
    given = {name: value for name, value in given.items() if value is not ABSENT}
    prompt = given.get("prompt")
    found = characters_verdict(prompt)
    if found is not True:
        return found
    counts = {}
    for sockets in sockets_of(family):
        found = url_list_verdict(sockets.urls, given.get(sockets.urls))
        if found is not True:
            return found
        linked = sum(name in given for name in sockets.images)
        unknown = sockets.urls in given and given[sockets.urls] is None
        # At least so many: a linked image may be a batch, and linked URLs may be any.
        counts[sockets.field.name] = linked + len(split_urls(given.get(sockets.urls) or "")) + unknown
    typed = {each.name: given[each.name] for each in family.parameters if given.get(each.name) is not None}
    for fault in family.faults(
        "x" * family.prompt_least if prompt is None else prompt, given.get("model") or family.models[0], typed, counts
    ):
        if fault.code != "no_task":  # its input is task_ids
            return fault_verdict(family.title, fault)
    return await _task_verdict(family, given) if family.parameter("task") else True


async def _task_verdict(family: Family, given: Mapping[str, Any]) -> Verdict:
    from .runtime import ready_runtime

    if given.get("task_ids") is None:
        return True
    found, here = await task_ids_of(given["task_ids"]), ready_runtime()
    if isinstance(found, str):
        return found
    if here is None:
        return True
    for task_id in found:
        stranger = await asyncio.wrap_future(here.call(strange_model, family, task_id, here))
        if stranger:
            return strange_task_verdict(family.title, task_id, stranger)
    return True
