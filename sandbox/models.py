"""The other models on the endpoint, as the vendor's pages describe them: what a create may hold, and what it costs.

Written down from the pages independently of the pack, so that each checks the other. What a page leaves open is open
here as well: no maximum where none is told, any ratio or size of the right form where a list ends with "etc.".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

RATIO, PIXELS, PIXELS_X = r"\d{1,2}:\d{1,2}", r"\d{3,4}\*\d{3,4}", r"\d{3,4}x\d{3,4}"
SEED_MAX = 2_147_483_647


@dataclasses.dataclass(frozen=True)
class OneOf:
    """A text out of a list; or of a form, where the page gives no full list. The first is the default."""

    choices: tuple[str, ...]
    form: str = ""

    def fault(self, value: object) -> str:
        if isinstance(value, str) and (value in self.choices or (self.form and re.fullmatch(self.form, value))):
            return ""
        return f"must be one of {', '.join(self.choices)}, got {str(value)[:40]!r}"


@dataclasses.dataclass(frozen=True)
class Whole:
    """A whole number."""

    least: int
    most: int | None = None

    def fault(self, value: object) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= self.least
        if good and (self.most is None or value <= self.most):  # type: ignore[operator]
            return ""
        return f"must be an integer from {self.least} to {self.most or 'any'}, got {str(value)[:40]!r}"


@dataclasses.dataclass(frozen=True)
class Words:
    """Any text."""

    def fault(self, value: object) -> str:
        return "" if isinstance(value, str) and value else "must be a text"


@dataclasses.dataclass(frozen=True)
class Urls:
    """Input images. most: None where no maximum is told; single: one URL instead of a list."""

    most: int | None = None
    single: bool = False
    required: bool = False

    def fault(self, value: object) -> str:
        urls = [value] if self.single else value
        if not isinstance(urls, list) or not urls or not all(isinstance(url, str) and url for url in urls):
            return "must be a URL" if self.single else "must be a list of URLs"
        if self.most is not None and len(urls) > self.most:
            return f"takes at most {self.most}, got {len(urls)}"
        return ""


@dataclasses.dataclass(frozen=True)
class Model:
    """name: as it ends a task's id. price: credits of one image for what was asked."""

    name: str
    price: Callable[[Mapping[str, Any]], int]
    fields: Mapping[str, OneOf | Whole | Words] = dataclasses.field(default_factory=dict)
    images: Mapping[str, Urls] = dataclasses.field(default_factory=dict)
    prompt: tuple[int, int] = (1, 5000)
    required: tuple[str, ...] = ()


def _flat(credits: int) -> Callable[[Mapping[str, Any]], int]:
    return lambda asked: credits


def _flux(asked: Mapping[str, Any]) -> int:
    return {"pro": {"1K": 5, "2K": 7}, "flex": {"1K": 14, "2K": 24}}[asked["type"]][asked["resolution"]]


_FIVE = OneOf(("1:1", "16:9", "9:16", "4:3", "3:4"))
_IDEOGRAM_V3 = {"aspect_ratio": _FIVE, "style": OneOf(("Auto", "General", "Realistic", "Design"))}
_IDEOGRAM_IMAGES = {"image": Urls(1, single=True), "mask_image": Urls(1, single=True), "reference_images": Urls()}
_IMAGEN: dict[str, OneOf | Whole | Words] = {
    "aspect_ratio": _FIVE,
    "negative_prompt": Words(),
    "num_images": Whole(1),
    "seed": Whole(0, SEED_MAX),
}
_SEEDREAM = {
    "aspect_ratio": OneOf(("1:1", "4:3", "3:4", "16:9", "9:16", "2:3", "3:2", "21:9")),
    "quality": OneOf(("basic", "high")),
}
_RECRAFT = {"image_size": OneOf(("1024x1024",), PIXELS_X)}
_KLING_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9", "auto")

MODELS: dict[str, Model] = {
    "flux-2": Model(
        "flux2",
        _flux,
        {
            "type": OneOf(("pro", "flex")),
            "resolution": OneOf(("1K", "2K")),
            "aspect_ratio": OneOf(("1:1", "16:9", "9:16"), RATIO),
        },
        {"input_urls": Urls(8)},
        prompt=(3, 5000),
    ),
    "grok-imagine/text-to-image": Model("grokimagine", _flat(5)),
    "grok-imagine/upscale": Model("grokupscale", _flat(12), {"task_id": Words()}, required=("task_id",)),
    "kling-image-o1": Model(
        "klingo1",
        lambda asked: {"image-to-image": 6, "ai-multi-shot": 16}[asked["type"]],
        {
            "type": OneOf(("image-to-image", "ai-multi-shot")),
            "aspect_ratio": OneOf(_KLING_RATIOS),
            "resolution": OneOf(("1k", "2k")),
            "num_images": Whole(1, 9),
        },
        {"images": Urls(10)},
    ),
    "ideogram-v3-turbo": Model("ideogram3", _flat(8), _IDEOGRAM_V3, _IDEOGRAM_IMAGES),
    "ideogram-v3-balanced": Model("ideogram3", _flat(13), _IDEOGRAM_V3, _IDEOGRAM_IMAGES),
    "ideogram-v3-quality": Model("ideogram3", _flat(20), _IDEOGRAM_V3, _IDEOGRAM_IMAGES),
    "ideogram-v4": Model(
        "ideogram4",
        _flat(12),
        {
            "size": OneOf(("1:1", "16:9", "9:16", "3:4", "4:3", "3:2", "2:3", "9:21", "21:9")),
            "rendering_speed": OneOf(("BALANCED", "TURBO", "QUALITY")),
            "output_format": OneOf(("png", "jpeg", "webp")),
        },
    ),
    "imagen4-fast": Model("imagen4", _flat(4), _IMAGEN),
    "imagen4": Model("imagen4", _flat(8), _IMAGEN),
    "imagen4-ultra": Model("imagen4", _flat(12), _IMAGEN),
    "gpt-image-1-5": Model(
        "gptimage15",
        lambda asked: {"medium": 10, "high": 28}[asked["quality"]],
        {"aspect_ratio": OneOf(("1:1", "2:3", "3:2")), "quality": OneOf(("medium", "high"))},
        {"input_urls": Urls()},
    ),
    "seedream/4.5-text-to-image": Model("seedream45", _flat(12), _SEEDREAM),
    "seedream/4.5-edit": Model("seedream45", _flat(12), _SEEDREAM, {"image_urls": Urls(required=True)}),
    "cogview-4": Model(
        "cogview4",
        _flat(4),
        {"size": OneOf(("1024*1024", "768*1344", "864*1152"), PIXELS), "quality": OneOf(("hd", "standard"))},
        prompt=(1, 1000),
    ),
    "recraft-v4-text-to-image": Model("recraft4", _flat(10), _RECRAFT),
    "recraft-v4-pro-text-to-image": Model("recraft4", _flat(60), _RECRAFT),
    "recraft-v4-text-to-image-pro": Model("recraft4", _flat(60), _RECRAFT),  # an older page's value
}
UPSCALED = {"grok-imagine/upscale": ("grok-imagine/text-to-image", "grok-imagine/upscale")}
"""Of a model that takes an earlier task: the models whose tasks these may be."""


def fault_of(model: Model, given: Mapping[str, Any]) -> str:
    """What of a create's body the model does not take, in words; empty where it takes it all."""
    prompt = given.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        return "prompt is required"
    least, most = model.prompt
    if not least <= len(prompt) <= most:
        return f"prompt must be {least} to {most} characters, got {len(prompt)}"
    missing = [name for name in model.required if name not in given]
    missing += [name for name, urls in model.images.items() if urls.required and name not in given]
    if missing:
        return f"{missing[0]} is required"
    rules = {**model.fields, **model.images}
    for name, value in given.items():
        if name in ("model", "prompt"):
            continue
        if name not in rules:
            return f"{name} is not a parameter of this model"
        if fault := rules[name].fault(value):
            return f"{name} {fault}"
    return ""


def asked_of(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter with its value, the default where it is left out."""
    defaults = {name: rule.choices[0] for name, rule in model.fields.items() if isinstance(rule, OneOf)}
    return {**defaults, **{name: given[name] for name in model.fields if name in given}}


def pixels_of(asked: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of the picture: as asked, or of about 512 * 512 in the ratio asked."""
    for name in ("size", "image_size", "aspect_ratio"):
        value = str(asked.get(name, ""))
        if match := re.fullmatch(r"(\d+)[*x](\d+)", value):
            return int(match[1]), int(match[2])
        if match := re.fullmatch(r"(\d+):(\d+)", value):
            across, down = int(match[1]), int(match[2])
            side = 512 / (across * down) ** 0.5
            return round(across * side), round(down * side)
    return 512, 512


def urls_of(model: Model, given: Mapping[str, Any]) -> tuple[str, ...]:
    """All input images, in the order of the model's fields."""
    found: list[str] = []
    for name, urls in model.images.items():
        if name in given:
            found += [given[name]] if urls.single else given[name]
    return tuple(found)
