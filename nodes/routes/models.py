"""What the page knows of the models: their nodes and prices, and the node that makes a task again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...hunyuan.errors import InvalidRequestError
from ...hunyuan.limits import HUNYUAN_MODEL
from ...hunyuan.models import TaskType
from ..model_sockets import sockets_of
from ..schema import CUSTOM, SIZES

if TYPE_CHECKING:
    from ...hunyuan.gateway.models.catalogue import Catalogue
    from ...hunyuan.gateway.models.family import Family
    from ...hunyuan.journal.records import TaskRow

HUNYUAN_NODES = ("HunyuanGenerate", "HunyuanEdit")


def families(catalogue: Catalogue) -> dict[str, Any]:
    """`{"families": […]}`, Hunyuan Image 3 first: what a price follows from, and the values where none is chosen."""
    return {"families": [_public(family) for family in catalogue.families]}


def family_of_node(catalogue: Catalogue, node: str) -> Family | None:
    """The family whose tasks a node of this type creates."""
    return next((family for family in catalogue.families if node in _nodes(family)), None)


def family_of_row(catalogue: Catalogue, row: TaskRow) -> Family | None:
    """The family of a task; its own nodes' where `HUNYUAN_MODEL` renamed the model."""
    return catalogue.get(HUNYUAN_MODEL) if row.type else catalogue.of_model(row.model)


def node_of(catalogue: Catalogue, row: TaskRow, urls: Sequence[str | None]) -> dict[str, Any] | None:
    """The node that makes the same request as a new task, for `credits`; None where the catalogue has none for it.

    urls: of the row's input images. seed: the name of its seed, empty where it has none. masks: input name → URL.
    """
    family = family_of_row(catalogue, row)
    if family is None:
        return None
    try:
        credits = family.credits(row.model, dict(row.parameters))
    except InvalidRequestError:
        return None
    inputs: dict[str, Any] = {"prompt": row.prompt, "reuse": False}
    if row.type:
        type, seed, masks = HUNYUAN_NODES[row.type is TaskType.EDIT], "seed", dict[str, str | None]()
        inputs |= {"count": 1, **_size(row)}
        if row.type is TaskType.EDIT:
            inputs["image_urls"] = _lines(urls)
    else:
        type, seed = family.node, _seed(family)
        own, masks = _own_inputs(family, row, urls)
        inputs |= own
    return {"type": type, "inputs": inputs, "masks": masks, "seed": seed, "credits": credits}


def _own_inputs(
    family: Family, row: TaskRow, urls: Sequence[str | None]
) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The inputs of another model's node, and the masks by their input."""
    inputs: dict[str, Any] = {} if family.parameter("task") else {"count": 1}
    if len(family.models) > 1 and row.model in family.models:
        inputs["model"] = row.model
    if not family.parameter("seed"):
        inputs["variation"] = row.variation
    for name, value in row.parameters:
        parameter = next((each for each in family.parameters if each.name == name), None)
        if parameter is not None and parameter.kind != "seed":
            inputs["task_ids" if parameter.kind == "task" else name] = value
    masks: dict[str, str | None] = {}
    for sockets in sockets_of(family):
        own = [url for name, url in zip(row.image_fields, urls, strict=True) if name == sockets.field.name]
        if sockets.urls and own:
            inputs[sockets.urls] = _lines(own)
        elif own:
            masks[sockets.images[0]] = own[0]
    return inputs, masks


def _size(row: TaskRow) -> dict[str, Any]:
    if row.size is None:
        return {}
    known = row.size.api in SIZES
    return {"size": row.size.api} if known else {"size": CUSTOM, "width": row.size.width, "height": row.size.height}


def _lines(urls: Sequence[str | None]) -> str:
    return "\n".join(url or "" for url in urls)


def _seed(family: Family) -> str:
    """The name of its seed, empty where it has none."""
    found = family.parameter("seed")
    return found.name if found else ""


def _nodes(family: Family) -> tuple[str, ...]:
    return HUNYUAN_NODES if family.key == HUNYUAN_MODEL else (family.node,)


def _public(family: Family) -> dict[str, Any]:
    usual = {each.name: each.usual for each in family.parameters}
    return {
        "key": family.key,
        "title": family.title,
        "nodes": _nodes(family),
        "models": family.all_models,
        "edit_model": family.edit_model,
        "image_inputs": [name for sockets in sockets_of(family) for name in (*sockets.images, sockets.urls) if name],
        "usual": {**usual, "model": family.models[0]},
        "per_image": [each.name for each in family.parameters if each.per_image],
        "seed": _seed(family),
        "by_task": family.parameter("task") is not None,
        "prices": [{"credits": price.credits, "when": dict(price.when)} for price in family.prices],
    }
