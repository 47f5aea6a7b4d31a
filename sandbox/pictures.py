"""The pictures: plainly marked, deterministic from prompt, seed, size and inputs, with known pixels.

Known pixels in every picture (marked, plain, noise): the frame of FRAME pixels is background(seed), the
square in the top right corner prompt_colour(prompt), and input i lies in tile_boxes(size, sizes)[i].
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside

FRAME = 16  # pixels
TINT = 0.25  # the share of background(seed) in an input's tile
FONTS = ("NotoSansCJK-Regular.ttc", "msyh.ttc", "PingFang.ttc", "DejaVuSans.ttf")


@dataclasses.dataclass(frozen=True)
class Picture:
    """All that a picture depends on. `inputs`: the encoded input images."""

    prompt: str
    seed: int
    size: tuple[int, int]  # width, height in pixels
    style: str = "marked"  # marked, plain, noise
    format: str = "png"  # png, jpeg, webp
    inputs: tuple[bytes, ...] = ()


def background(seed: int) -> Colour:
    """The colour of the frame: by seed alone, each channel 64 to 191."""
    return _colour(f"seed {seed}")


def prompt_colour(prompt: str) -> Colour:
    """The colour of the square in the top right corner: by prompt alone."""
    return _colour(f"prompt {prompt}")


def tinted(colour: Sequence[int], seed: int) -> Colour:
    """What an input's pixel becomes in an edit with `seed` (exact to 1)."""
    red, green, blue = (
        round(own * (1 - TINT) + tint * TINT) for own, tint in zip(colour[:3], background(seed), strict=True)
    )
    return red, green, blue


def tile_boxes(size: tuple[int, int], inputs: Sequence[tuple[int, int]]) -> list[Box]:
    """Where the inputs (sizes in pixels) lie in an edit of `size`: one centred, two side by side, ratio kept."""
    width, height = size
    cells: list[Box]
    if len(inputs) == 1:
        cells = [(width // 4, height // 4, width - width // 4, height - height // 4)]
    else:
        gap, top, bottom = width // 16, height // 4, height - height // 4
        cells = [(gap, top, width // 2 - gap // 2, bottom), (width // 2 + gap // 2, top, width - gap, bottom)]
    return [_fitted(cell, inside) for cell, inside in zip(cells, inputs, strict=False)]


@functools.lru_cache(maxsize=32)
def draw(picture: Picture) -> bytes:
    """The encoded picture. Slow (up to 0.1 s at 1536*1536) the first time, then from memory."""
    return encode(compose(picture), picture)


def expected_png(prompt: str, seed: int, size: tuple[int, int], inputs: Sequence[bytes] = ()) -> bytes:
    """The PNG a default task brings for these inputs."""
    return draw(Picture(prompt, seed, size, inputs=tuple(inputs)))


def compose(picture: Picture) -> Image.Image:
    canvas: Image.Image = _STYLES[picture.style](picture)
    pen = ImageDraw.Draw(canvas)
    if picture.style == "marked":
        _mark(canvas, picture)
    tiles = [_opened(content) for content in picture.inputs]
    for tile, box in zip(tiles, tile_boxes(picture.size, [tile.size for tile in tiles]), strict=False):
        small = tile.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BOX)
        tint = Image.new("RGB", small.size, background(picture.seed))
        canvas.paste(Image.blend(small, tint, TINT), box[:2])
    width, height = picture.size
    for inset in range(FRAME):
        pen.rectangle((inset, inset, width - 1 - inset, height - 1 - inset), outline=background(picture.seed))
    pen.rectangle((width - FRAME, 0, width - 1, FRAME - 1), fill=prompt_colour(picture.prompt))
    return canvas


def encode(image: Image.Image, picture: Picture) -> bytes:
    out = io.BytesIO()
    if picture.format == "jpeg":
        image.save(out, "JPEG", quality=95, subsampling=0)
    elif picture.format == "webp":
        image.save(out, "WEBP", lossless=True, method=0)
    else:
        image.save(out, "PNG", compress_level=0 if picture.style == "noise" else 1)
    return out.getvalue()


def _plain(picture: Picture) -> Image.Image:
    return Image.new("RGB", picture.size, background(picture.seed))


def _noise(picture: Picture) -> Image.Image:
    width, height = picture.size
    return Image.frombytes("RGB", picture.size, random.Random(picture.seed).randbytes(width * height * 3))


def _scene(picture: Picture) -> Image.Image:
    """A gradient with a few discs: something to look at that no one takes for a real picture."""
    width, height = picture.size
    fade = Image.linear_gradient("L").resize(picture.size)
    canvas = Image.composite(
        Image.new("RGB", picture.size, _colour(f"sky {picture.seed} {picture.prompt}")), _plain(picture), fade
    )
    pen = ImageDraw.Draw(canvas, "RGBA")
    chance = random.Random(f"{picture.seed} {picture.prompt}")
    for _ in range(7):
        x, y = chance.randrange(width), chance.randrange(height)
        radius = chance.randrange(width // 16, width // 4)
        fill = (chance.randrange(256), chance.randrange(256), chance.randrange(256), 70)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    return canvas


_STYLES = {"marked": _scene, "plain": _plain, "noise": _noise}


def _mark(canvas: Image.Image, picture: Picture) -> None:
    width, height = picture.size
    side = min(width, height)
    word = Image.new("L", (side, side // 3), 0)
    ImageDraw.Draw(word).text((side // 2, side // 6), "SANDBOX", fill=150, font=_font(side // 6), anchor="mm")
    slanted = word.rotate(30, expand=True)
    white = Image.new("RGB", slanted.size, (255, 255, 255))
    canvas.paste(white, ((width - slanted.width) // 2, (height - slanted.height) // 2), slanted)
    text_size = max(12, side // 36)
    pen = ImageDraw.Draw(canvas, "RGBA")
    pen.rectangle((0, height - FRAME - 7 * text_size // 2, width, height), fill=(0, 0, 0, 150))
    facts = f"SANDBOX, not a real picture · seed {picture.seed} · {width}*{height}"
    excerpt = " ".join(picture.prompt.split())[:60]
    for line, text in enumerate((facts, excerpt)):
        place = (FRAME + text_size // 2, height - FRAME - int((3.2 - 1.5 * line) * text_size))
        pen.text(place, text, fill=(255, 255, 255, 255), font=_font(text_size))


@functools.lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _fitted(cell: Box, inside: tuple[int, int]) -> Box:
    left, top, right, bottom = cell
    scale = min((right - left) / inside[0], (bottom - top) / inside[1])
    width, height = max(1, int(inside[0] * scale)), max(1, int(inside[1] * scale))
    x, y = (left + right - width) // 2, (top + bottom - height) // 2
    return x, y, x + width, y + height


def _colour(text: str) -> Colour:
    red, green, blue = (64 + byte // 2 for byte in hashlib.sha256(text.encode()).digest()[:3])
    return red, green, blue
