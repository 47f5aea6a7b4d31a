"""The image inputs of another model's node, by the entry's image fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..hunyuan.gateway.models.family import Family, ImageField


class Sockets(NamedTuple):
    """The inputs of a node that one image field has: IMAGE or MASK sockets, and a list of URLs (empty for a mask)."""

    field: ImageField
    images: tuple[str, ...]
    urls: str


def sockets_of(family: Family) -> Iterator[Sockets]:
    """For `image` there are `image`, `image_2`, … and `image_urls`; for `reference_images` `reference_image_urls`."""
    for field in family.images:
        images = tuple(field.input if number == 1 else f"{field.input}_{number}" for number in _numbers(field))
        yield Sockets(field, images, "" if field.is_mask else f"{field.input.removesuffix('s')}_urls")


def _numbers(field: ImageField) -> range:
    return range(1, max(1, field.inputs) + 1)
