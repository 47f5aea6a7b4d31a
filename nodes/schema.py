"""The inputs and outputs that the task nodes share. Ids and names are a public contract (frozen by a snapshot test)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any

from comfy_api.latest import io

from ..hunyuan.limits import MAX_PROMPT_CHARACTERS, MAX_SIDE, MIN_SIDE

CATEGORY = "Hunyuan Image"
# What people type who look for this model, in whatever language ComfyUI is.
SEARCHED = ("hunyuan image 3", "hunyuan image", "hunyuan", "tencent", "tencent hunyuan", "混元", "混元图像", "腾讯混元")
CUSTOM = "custom"
MATCH_INPUT = "match input"
MODEL_SIZES = {  # the model's own landscape sizes with their ratios, as Tencent names them
    "1024*1024": "1:1",
    "1088*960": "17:15",
    "1152*896": "9:7",
    "1216*832": "19:13",
    "1280*768": "5:3",
    "1344*704": "21:11",
    "1408*640": "11:5",
}
SIZES = (
    *("1024*1024", "1280*720", "720*1280", "1152*864", "864*1152", "1248*832", "832*1248", "1536*1024", "1024*1536"),
    *("1088*960", "960*1088", "1152*896", "896*1152", "1216*832", "832*1216"),
    *("1280*768", "768*1280", "1344*704", "704*1344", "1408*640", "640*1408"),
)
DEFAULT_SIZE = "1024*1024"
DEFAULT_SIDE = 1024
DEFAULT_TIMEOUT_S = 600
MAX_COUNT = 8
MAX_TIMEOUT_S = 86400
ABSENT: Any = object()  # an optional input that is not linked; one that is linked may still give None
RAISE, BLOCK = "raise", "block"


def schema(**wanted: Any) -> io.Schema:
    """io.Schema with those keywords that this ComfyUI knows; newer ones than its own are left out."""
    known = _keywords(io.Schema)
    return io.Schema(**{name: value for name, value in wanted.items() if name in known})


def newer(cls: Any, **wanted: Any) -> dict[str, Any]:
    """The keywords among `wanted` that this ComfyUI's input class takes (`advanced` came with 0.10.0)."""
    known = _keywords(cls)
    return {name: value for name, value in wanted.items() if name in known}


@cache
def _keywords(cls: Any) -> frozenset[str]:
    return frozenset(inspect.signature(cls).parameters)


def prompt_input(tooltip: str) -> io.Input:
    """The prompt: the only required input of the nodes that create."""
    return io.String.Input(
        "prompt", multiline=True, default="", tooltip=f"{tooltip} At most {MAX_PROMPT_CHARACTERS} characters."
    )


def size_inputs(first: Sequence[str] = ()) -> list[io.Input]:
    """`size` as literal API values (the page shows their ratios), and `width` and `height` for `custom`."""
    options = [*first, *SIZES, CUSTOM]
    match = f"{MATCH_INPUT}: the nearest size to the first input image that the API takes. " if first else ""
    own = ", ".join(f"{size} ({ratio})" for size, ratio in MODEL_SIZES.items())
    return [
        io.Combo.Input(
            "size",
            options=options,
            default=options[0],
            optional=True,
            tooltip=f"Width*height in pixels, as the API takes it. {match}{CUSTOM}: width and height below. "
            f"The model's own sizes: {own}, and upright.",
        ),
        *(
            io.Int.Input(
                side,
                default=DEFAULT_SIDE,
                min=MIN_SIDE,
                max=MAX_SIDE,
                optional=True,
                tooltip=f"Pixels, {MIN_SIDE} to {MAX_SIDE}; used with size = {CUSTOM}.",
            )
            for side in ("width", "height")
        ),
    ]


def seed_input() -> io.Input:
    """-1 to 2**64-1, so that linked 64-bit seeds pass; larger ones are folded."""
    return io.Int.Input(
        "seed",
        default=-1,
        min=-1,
        max=2**64 - 1,
        control_after_generate=True,
        optional=True,
        tooltip="The same seed and inputs give the same task. -1 stays -1 and draws a new one at every run; "
        "info says which was sent. Above 2147483647 it is folded.",
    )


def run_inputs() -> list[io.Input]:
    """How many, and whether and how long to wait."""
    return [
        io.Int.Input(
            "count",
            default=1,
            min=1,
            max=MAX_COUNT,
            optional=True,
            tooltip="So many tasks at the same time, with seeds seed, seed+1, …, out as one batch. "
            "Each costs 25 credits.",
        ),
        io.Boolean.Input(
            "wait",
            default=True,
            optional=True,
            tooltip="Off: create the tasks, give their ids at once and stop what hangs on the images; "
            "Hunyuan Image 3 Task Wait collects them later.",
            **newer(io.Boolean.Input, advanced=True),
        ),
        *waiting_inputs(),
        io.Boolean.Input(
            "reuse",
            default=True,
            optional=True,
            tooltip="On: the same request again takes the image that is already paid for, or under way. "
            "Off: a new image with the same seed, for new credits.",
            **newer(io.Boolean.Input, advanced=True),
        ),
    ]


def waiting_inputs() -> list[io.Input]:
    """`timeout_s` and `on_failure`."""
    return [
        io.Int.Input(
            "timeout_s",
            default=DEFAULT_TIMEOUT_S,
            min=1,
            max=MAX_TIMEOUT_S,
            optional=True,
            tooltip="Seconds this node waits. The tasks go on by themselves and can be collected later.",
            **newer(io.Int.Input, advanced=True),
        ),
        io.Combo.Input(
            "on_failure",
            options=[RAISE, BLOCK],
            default=RAISE,
            optional=True,
            tooltip="raise: a failure stops the whole prompt. block: only what hangs on this node stops.",
            **newer(io.Combo.Input, advanced=True),
        ),
    ]


def task_outputs() -> list[io.Output]:
    """What all task nodes give. Their names are the contract; ComfyUI wants ids that no input has."""
    return [
        io.Image.Output("output_images", display_name="images", tooltip="[B,H,W,3], the originals' pixels."),
        io.String.Output("output_image_urls", display_name="image_urls", tooltip="The gateway's links, one a line."),
        io.String.Output(
            "output_task_ids", display_name="task_ids", tooltip="One a line, for Hunyuan Image 3 Task Wait."
        ),
        io.String.Output("output_info", display_name="info", tooltip="JSON: seeds, sizes, seconds, credits, failures."),
    ]
