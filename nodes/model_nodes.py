"""A node a family of models, built from the catalogue's entry: schema, checks at /prompt, one call.

Adding a model is adding an entry; nothing here knows a model by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from . import schema as parts
from .model_sockets import sockets_of

if TYPE_CHECKING:
    from ..hunyuan.gateway.models.family import Family, Parameter

CATEGORY = f"{parts.CATEGORY}/Other models"
MAX_VARIATION = 2**31 - 1
MAX_IMAGES_A_TASK = 16  # of a model whose pages name no maximum


class ModelNode(io.ComfyNode):
    """prompt, the model's own choices and images → IMAGE [B,H,W,3]; `count` tasks at the same time."""

    family: Family

    @classmethod
    def define_schema(cls) -> io.Schema:
        family = cls.family
        return parts.schema(
            node_id=family.node,
            display_name=family.title,
            category=CATEGORY,
            description=description_of(family),
            inputs=list(_inputs(family)),
            outputs=parts.task_outputs(),
            hidden=[io.Hidden.extra_pnginfo],
            search_aliases=["hunyuan", "混元", *family.aliases, *family.all_models],
            not_idempotent=True,
            has_intermediate_output=True,  # the picture on the node, also when ComfyUI answers from its cache
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        """Changes at every run for a drawn seed, and after a run that failed in part."""
        from .run import run_mark

        seed = cls.family.parameter("seed")
        return run_mark(inputs.get(seed.name, seed.usual) if seed else 0)

    @classmethod
    async def execute(cls, **given: Any) -> io.NodeOutput:
        from .model_requests import model_requests
        from .run import Run, create_and_collect

        family = cls.family
        run = Run(
            given.get("wait", True),
            given.get("timeout_s", parts.DEFAULT_TIMEOUT_S),
            given.get("on_failure", parts.RAISE),
            given.get("reuse", True),
            cls.hidden.extra_pnginfo,
        )
        return await create_and_collect(run, lambda here: model_requests(family, given, here))


def model_node(family: Family) -> type[io.ComfyNode]:
    """The node's class."""
    names = list(_checked(family))

    async def validate_inputs(cls: type[ModelNode], /, **given: Any) -> bool | str:
        """Refuses what stands in the graph and cannot be sent, when the prompt is queued."""
        from .model_checks import verdict

        return await verdict(family, given)

    # ComfyUI hands over what the signature names, and leaves its own checks of all else on.
    parameters = [inspect.Parameter("cls", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=parts.ABSENT) for name in names
    ]
    validate_inputs.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    members = {"family": family, "validate_inputs": classmethod(validate_inputs), "__module__": __name__}
    return type(family.node, (ModelNode,), members)


def description_of(family: Family) -> str:
    """What it is and costs, in one or two sentences."""
    amounts = sorted({price.credits for price in family.prices})
    cost = str(amounts[0]) if len(amounts) == 1 else f"{amounts[0]} to {amounts[-1]}"
    edits = " With an image it edits." if family.edit_model else ""
    return f"{family.title}, on the same endpoint and key.{edits} {cost} credits an image."


def _checked(family: Family) -> Iterator[str]:
    """The inputs that /prompt looks at: what ComfyUI itself does not, or not in every version."""
    yield "prompt"
    if len(family.models) > 1:
        yield "model"
    for each in family.parameters:
        if each.kind == "choice":
            yield each.name
        elif each.kind == "task":
            yield "task_ids"
    for sockets in sockets_of(family):
        yield from sockets.images
        if sockets.urls:
            yield sockets.urls


def _inputs(family: Family) -> Iterator[io.Input]:
    yield _prompt(family)
    for each in family.parameters:
        if each.kind == "task":
            tip = f"Ids of finished {family.title.removesuffix(' Upscale')} tasks, one a line; each is one task."
            yield io.String.Input("task_ids", multiline=True, default="", tooltip=tip)
    if len(family.models) > 1:
        yield io.Combo.Input(
            "model",
            options=list(family.models),
            default=family.models[0],
            optional=True,
            tooltip=f"Credits: {_costs(family, 'model', family.models)}.",
        )
    for each in family.parameters:
        if each.kind != "task":
            yield _parameter(family, each)
    yield from _images(family)
    if not family.parameter("seed"):
        yield io.Int.Input(
            "variation",
            default=0,
            min=0,
            max=MAX_VARIATION,
            optional=True,
            tooltip="This model has no seed: the same request is the same picture while reuse is on. "
            "Another number here asks for another one. It is not sent.",
        )
    yield from _run_inputs(family)


def _prompt(family: Family) -> io.Input:
    least = f"{family.prompt_least} to " if family.prompt_least > 1 else "At most "
    return io.String.Input(
        "prompt",
        multiline=True,
        default="upscale" if family.parameter("task") else "",
        tooltip=f"What the image shows. {least}{family.prompt_most} characters.",
    )


def _parameter(family: Family, parameter: Parameter) -> io.Input:
    name = parameter.name
    if parameter.kind == "choice":
        costs = _costs(family, name, parameter.choices)
        told = f" Credits: {costs}." if costs else ""
        return io.Combo.Input(
            name,
            options=list(parameter.choices),
            default=parameter.usual,
            optional=True,
            tooltip=f"{_spoken(name)}, as the API takes it.{told}",
        )
    if parameter.kind == "text":
        return io.String.Input(
            name, multiline=True, default=str(parameter.usual), optional=True, tooltip=f"{_spoken(name)}; may be empty."
        )
    if parameter.kind == "seed":
        return io.Int.Input(
            name,
            default=-1,
            min=-1,
            max=2**64 - 1,
            optional=True,
            tooltip="The same seed and inputs give the same task. -1 draws a new one at every run; info says which "
            "was sent. Above 2147483647 it is folded.",
        )
    most = parameter.most if parameter.most is not None else MAX_IMAGES_A_TASK
    images = "Images of one task; each costs the task's credits." if parameter.per_image else f"{_spoken(name)}."
    return io.Int.Input(
        name, default=parameter.usual, min=parameter.least or 0, max=most, optional=True, tooltip=images
    )


def _costs(family: Family, name: str, choices: tuple[str, ...]) -> str:
    """What each choice costs, where this one alone decides; empty where it does not."""
    deciding = {key for price in family.prices for key, _ in price.when}
    if deciding != {name}:
        return ""
    model = family.models[0]
    costs = {each: family.credits(each if name == "model" else model, {name: each}) for each in choices}
    return ", ".join(f"{choice} {credits}" for choice, credits in costs.items())


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _images(family: Family) -> Iterator[io.Input]:
    for sockets in sockets_of(family):
        field = sockets.field
        most = "" if field.most is None else f" At most {field.most} in all."
        for name in sockets.images:
            if field.is_mask:
                yield io.Mask.Input(name, optional=True, tooltip="Where to change the image: white (1) is changed.")
            else:
                yield io.Image.Input(name, optional=True, tooltip=f"Each image of a batch counts.{most}")
        if sockets.urls:
            yield io.String.Input(
                sockets.urls,
                multiline=True,
                default="",
                optional=True,
                tooltip="Public image URLs instead of or after the images above, one a line or after commas.",
            )


def _run_inputs(family: Family) -> list[io.Input]:
    count, wait, *waiting, _ = parts.run_inputs()
    told = "each with its own seed" if family.parameter("seed") else "with variation, variation + 1 and so on"
    count = io.Int.Input(
        "count",
        default=1,
        min=1,
        max=parts.MAX_COUNT,
        optional=True,
        tooltip=f"So many tasks at the same time, {told}, out as one batch. Each is paid for.",
    )
    reuse = io.Boolean.Input(
        "reuse",
        default=True,
        optional=True,
        tooltip="On: the same request again takes the image that is already paid for, or under way. "
        "Off for a new one, for new credits.",
        **parts.newer(io.Boolean.Input, advanced=True),
    )
    counted = [] if family.parameter("task") else [count]
    return [*counted, wait, *waiting, reuse]
