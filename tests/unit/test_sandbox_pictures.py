"""The sandbox's pictures: the known pixels that other tests rely on."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from sandbox.odd_bodies import bomb, spoiled
from sandbox.pictures import FRAME, Picture, background, draw, expected_png, prompt_colour, tile_boxes, tinted


def _open(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _flat(colour: tuple[int, int, int], size: tuple[int, int], kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("style", ["marked", "plain", "noise"])
@pytest.mark.parametrize("size", [(1024, 1024), (256, 1536), (257, 301)])
def test_frame_and_corner_tell_seed_and_prompt(style: str, size: tuple[int, int]) -> None:
    image = _open(draw(Picture("一只猫", 11, size, style=style)))
    assert image.size == size
    width, height = size
    for pixel in ((0, 0), (FRAME - 1, height // 2), (width // 2, height - 1), (width - 1, FRAME)):
        assert image.getpixel(pixel) == background(11)
    for pixel in ((width - 1, 0), (width - FRAME, FRAME - 1)):
        assert image.getpixel(pixel) == prompt_colour("一只猫")


def test_pictures_differ_by_seed_and_by_prompt_and_are_the_same_again() -> None:
    assert expected_png("a", 1, (512, 512)) == expected_png("a", 1, (512, 512))
    assert len({background(seed) for seed in range(1000)}) > 990
    assert prompt_colour("a") != prompt_colour("b")
    assert expected_png("a", 1, (512, 512)) != expected_png("b", 1, (512, 512))


def test_a_marked_picture_says_that_it_is_one() -> None:
    """Something bright and slanted crosses its middle, and its foot is darkened for the caption."""
    marked = _open(draw(Picture("a", 5, (1024, 1024))))
    across = [sum(marked.getpixel((x, 512))) for x in range(1024)]  # type: ignore[arg-type]
    assert max(across) - min(across) > 100
    foot, above = marked.getpixel((900, 1000)), marked.getpixel((900, 800))
    assert isinstance(foot, tuple)
    assert isinstance(above, tuple)
    assert sum(foot) < sum(above)


@pytest.mark.parametrize("style", ["marked", "plain"])
def test_an_edit_shows_its_inputs_tinted_in_their_places(style: str) -> None:
    size, sizes, colours = (1024, 768), [(640, 480), (300, 900)], [(200, 10, 30), (10, 20, 220)]
    inputs = tuple(_flat(colour, each) for colour, each in zip(colours, sizes, strict=True))
    image = _open(draw(Picture("merge", 4, size, style=style, inputs=inputs)))
    boxes = tile_boxes(size, sizes)
    for colour, (width, height), (left, top, right, bottom) in zip(colours, sizes, boxes, strict=True):
        assert abs((right - left) / (bottom - top) - width / height) < 0.02
        for pixel in ((left, top), (right - 1, bottom - 1), ((left + right) // 2, (top + bottom) // 2)):
            got = image.getpixel(pixel)
            assert isinstance(got, tuple)
            assert all(abs(a - b) <= 1 for a, b in zip(got, tinted(colour, 4), strict=True))
    assert boxes[0][2] <= boxes[1][0]


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_other_formats_hold_the_same_picture(kind: str) -> None:
    content = draw(Picture("a", 1, (512, 512), style="plain", format=kind))
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == kind.upper()
        got = image.convert("RGB").getpixel((5, 256))
    assert isinstance(got, tuple)
    assert all(abs(a - b) <= 2 for a, b in zip(got, background(1), strict=True))


def test_odd_bodies_are_what_they_say() -> None:
    whole = expected_png("a", 1, (512, 512))
    half, _ = spoiled("truncated", whole, "image/png")
    with pytest.raises(OSError, match="truncated"):
        _open(half)
    assert spoiled("wrong_type", whole, "image/png") == (whole, "text/plain")
    assert len(bomb()) < 1_000_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(bomb()))
