"""The other models as the vendor's pages stood in 2026: every choice and its credits, to compare the pack with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

RATIOS_3 = ("1:1", "16:9", "9:16")
RATIOS_5 = ("1:1", "16:9", "9:16", "4:3", "3:4")
RATIOS_KLING = (*RATIOS_5, "3:2", "2:3", "21:9", "auto")
RATIOS_SEEDREAM = (*RATIOS_5, "2:3", "3:2", "21:9")
RATIOS_IDEOGRAM = (*RATIOS_5, "3:2", "2:3", "9:21", "21:9")


@dataclass(frozen=True)
class Documented:
    """A family as the vendor's pages stood in 2026: every choice, and the credits of an image by what sets them."""

    key: str
    choices: dict[str, tuple[Any, ...]]
    credits: dict[tuple[str, ...], int]  # by the values of `told` in order
    told: tuple[str, ...] = ("model",)
    images: dict[str, int] = field(default_factory=dict)  # field: how many are sent in the test
    prompt: int = 5000


TABLE = (
    Documented(
        "flux-2",
        {"model": ("flux-2",), "type": ("pro", "flex"), "resolution": ("1K", "2K"), "aspect_ratio": RATIOS_3},
        {("pro", "1K"): 5, ("pro", "2K"): 7, ("flex", "1K"): 14, ("flex", "2K"): 24},
        ("type", "resolution"),
        {"input_urls": 8},
    ),
    Documented("grok-imagine", {"model": ("grok-imagine/text-to-image",)}, {("grok-imagine/text-to-image",): 5}),
    Documented(
        "kling-image-o1",
        {
            "model": ("kling-image-o1",),
            "type": ("image-to-image", "ai-multi-shot"),
            "aspect_ratio": RATIOS_KLING,
            "resolution": ("1k", "2k"),
            "num_images": (1, 2, 9),
        },
        {("image-to-image",): 6, ("ai-multi-shot",): 16},
        ("type",),
        {"images": 10},
    ),
    Documented(
        "ideogram-v3",
        {
            "model": ("ideogram-v3-turbo", "ideogram-v3-balanced", "ideogram-v3-quality"),
            "aspect_ratio": RATIOS_5,
            "style": ("Auto", "General", "Realistic", "Design"),
        },
        {("ideogram-v3-turbo",): 8, ("ideogram-v3-balanced",): 13, ("ideogram-v3-quality",): 20},
        images={"image": 1, "mask_image": 1, "reference_images": 3},
    ),
    Documented(
        "ideogram-v4",
        {
            "model": ("ideogram-v4",),
            "size": RATIOS_IDEOGRAM,
            "rendering_speed": ("BALANCED", "TURBO", "QUALITY"),
            "output_format": ("png", "jpeg", "webp"),
        },
        {("ideogram-v4",): 12},
    ),
    Documented(
        "imagen-4",
        {
            "model": ("imagen4-fast", "imagen4", "imagen4-ultra"),
            "aspect_ratio": RATIOS_5,
            "negative_prompt": ("", "blur"),
            "num_images": (1, 4),
            "seed": (0, 7, 2**31 - 1),
        },
        {("imagen4-fast",): 4, ("imagen4",): 8, ("imagen4-ultra",): 12},
    ),
    Documented(
        "gpt-image-1-5",
        {"model": ("gpt-image-1-5",), "aspect_ratio": ("1:1", "2:3", "3:2"), "quality": ("medium", "high")},
        {("medium",): 10, ("high",): 28},
        ("quality",),
        {"input_urls": 5},
    ),
    Documented(
        "seedream-4-5",
        {"model": ("seedream/4.5-text-to-image",), "aspect_ratio": RATIOS_SEEDREAM, "quality": ("basic", "high")},
        {("seedream/4.5-text-to-image",): 12},
        images={"image_urls": 3},
    ),
    Documented(
        "cogview-4",
        {
            "model": ("cogview-4",),
            "size": ("1024*1024", "768*1344", "864*1152"),
            "quality": ("hd", "standard"),
        },
        {("cogview-4",): 4},
        prompt=1000,
    ),
    Documented(
        "recraft-v4",
        {"model": ("recraft-v4-text-to-image", "recraft-v4-pro-text-to-image"), "image_size": ("1024x1024",)},
        {("recraft-v4-text-to-image",): 10, ("recraft-v4-pro-text-to-image",): 60},
    ),
)


def bodies_of(documented: Documented) -> Iterator[dict[str, Any]]:
    """Each choice once with the others as usual, and every combination that sets the price."""
    usual = {name: values[0] for name, values in documented.choices.items()}
    for name, values in documented.choices.items():
        yield from ({**usual, name: value} for value in values)
    priced = [name for name in documented.choices if name in documented.told]
    for values in product(*(documented.choices[name] for name in priced)):
        yield {**usual, **dict(zip(priced, values, strict=True))}
