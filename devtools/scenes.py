"""What the pictures of the templates are made of: a lake with a tea house at some hour, a paper fox, a bottle."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """The colours of a lake. sun: its place as parts of width and height, and its size as a part of the width."""

    sky: tuple[Colour, Colour]
    sun: tuple[float, float, float]
    light: Colour
    far: Colour
    near: Colour
    window: Colour
    stars: bool = False


DAWN = Look(
    ((92, 128, 190), (255, 205, 170)),
    (0.68, 0.40, 0.11),
    (255, 236, 200),
    (150, 150, 190),
    (52, 66, 104),
    (255, 214, 140),
)
NIGHT = Look(
    ((14, 18, 52), (62, 66, 128)),
    (0.70, 0.24, 0.08),
    (236, 240, 255),
    (48, 54, 104),
    (14, 18, 44),
    (255, 196, 92),
    stars=True,
)
AUTUMN = Look(
    ((236, 164, 92), (255, 226, 168)),
    (0.30, 0.34, 0.12),
    (255, 246, 214),
    (206, 128, 88),
    (112, 48, 40),
    (255, 240, 180),
)
SPRING = Look(
    ((120, 206, 222), (226, 246, 232)),
    (0.32, 0.26, 0.09),
    (255, 252, 226),
    (126, 190, 170),
    (36, 104, 96),
    (255, 230, 160),
)
ROSE = Look(
    ((118, 66, 140), (255, 158, 150)),
    (0.50, 0.42, 0.14),
    (255, 222, 196),
    (166, 92, 150),
    (64, 30, 84),
    (255, 220, 150),
)
INK = Look(
    ((214, 208, 196), (246, 242, 232)),
    (0.72, 0.26, 0.09),
    (196, 70, 58),
    (176, 172, 164),
    (52, 52, 56),
    (246, 242, 232),
)


def gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    return ImageOps.colorize(Image.linear_gradient("L").resize(size), top, bottom)


def mixed(one: Colour, two: Colour, part: float) -> Colour:
    """`part` of the second colour in the first."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, two, strict=True))
    return red, green, blue


def lake(size: tuple[int, int], look: Look) -> Image.Image:
    """A lake before mountains, a tea house on its shore."""
    width, height = size
    shore = round(height * 0.64)
    land = gradient((width, shore), *look.sky)
    _sun(land, look)
    pen = ImageDraw.Draw(land)
    for layer in range(3):
        colour = mixed(look.far, look.near, layer / 2)
        crest = [
            (x, shore * (0.62 + 0.13 * layer) - shore * 0.16 * _wave(x / width, layer)) for x in range(0, width + 8, 8)
        ]
        pen.polygon([(0, shore), *crest, (width, shore)], fill=colour)
    _tea_house(pen, width * 0.30, shore, width * 0.30, look)
    picture = Image.new("RGB", size)
    picture.paste(land, (0, 0))
    water = ImageOps.flip(land).resize((width, height - shore)).filter(ImageFilter.GaussianBlur(width / 160))
    picture.paste(
        Image.blend(water, Image.new("RGB", water.size, mixed(look.near, look.sky[0], 0.4)), 0.35), (0, shore)
    )
    ripples, dice = ImageDraw.Draw(picture), random.Random(4)
    for _ in range(26):
        y = shore + (height - shore) * dice.random() ** 1.4
        x, long = dice.random() * width, width * (0.03 + 0.16 * (y - shore) / (height - shore))
        ripples.line((x, y, x + long, y), fill=mixed(look.sky[1], look.light, 0.4), width=max(1, width // 320))
    return picture


def _sun(sky: Image.Image, look: Look) -> None:
    width, height = sky.size
    x, y, radius = look.sun[0] * width, look.sun[1] * height * 1.3, look.sun[2] * width
    dice = random.Random(7)
    if look.stars:
        for _ in range(60):
            place = dice.random() * width, dice.random() * height * 0.7
            ImageDraw.Draw(sky).ellipse((*place, place[0] + width / 200, place[1] + width / 200), fill=(226, 230, 255))
    glow = Image.new("L", sky.size)
    ImageDraw.Draw(glow).ellipse((x - 2 * radius, y - 2 * radius, x + 2 * radius, y + 2 * radius), fill=150)
    sky.paste(look.light, mask=glow.filter(ImageFilter.GaussianBlur(radius * 0.8)))
    ImageDraw.Draw(sky).ellipse((x - radius, y - radius, x + radius, y + radius), fill=look.light)


def _wave(x: float, layer: int) -> float:
    """A mountain's crest, from 0 to about 2."""
    return (
        1 + 0.6 * math.sin(5 * x + 2.1 * layer) + 0.3 * math.sin(13 * x + 4.4 * layer) + 0.1 * math.sin(31 * x + layer)
    )


def _tea_house(pen: ImageDraw.ImageDraw, x: float, ground: float, wide: float, look: Look) -> None:
    """Its middle at x, standing on the ground."""
    half, dark = wide / 2, mixed(look.near, (0, 0, 0), 0.35)
    for level, share in enumerate((1.0, 0.62)):
        w, base = half * share, ground - level * wide * 0.34
        high = wide * 0.2
        pen.rectangle((x - w * 0.7, base - high, x + w * 0.7, base), fill=mixed(dark, look.near, 0.3))
        for column in (-0.42, 0, 0.42):
            at = x + w * column
            pen.rectangle((at - w * 0.13, base - high * 0.8, at + w * 0.13, base - high * 0.2), fill=look.window)
        eaves, ridge = base - high, base - high - wide * 0.15
        roof = [
            (x - w * 1.15, eaves - wide * 0.05),
            (x - w * 0.95, eaves),
            (x + w * 0.95, eaves),
            (x + w * 1.15, eaves - wide * 0.05),
        ]
        pen.polygon([*roof, (x + w * 0.45, ridge), (x - w * 0.45, ridge)], fill=dark)


def fox(size: tuple[int, int], back: Colour, coat: Colour) -> Image.Image:
    """A fox folded of paper, before a plain colour."""
    width, height = size
    picture = gradient(size, mixed(back, (255, 255, 255), 0.25), back)
    folded = folded_fox(size, coat)
    shadow = Image.new("L", size)
    ImageDraw.Draw(shadow).ellipse((width * 0.2, height * 0.78, width * 0.86, height * 0.9), fill=110)
    picture.paste(mixed(back, (0, 0, 0), 0.6), mask=shadow.filter(ImageFilter.GaussianBlur(width / 40)))
    picture.paste(folded, mask=folded)
    return picture


def folded_fox(size: tuple[int, int], coat: Colour) -> Image.Image:
    """The fox alone, on nothing."""
    picture = Image.new("RGBA", size)
    pen = ImageDraw.Draw(picture)
    light, dark, white = mixed(coat, (255, 255, 255), 0.3), mixed(coat, (60, 10, 0), 0.35), (250, 244, 236)
    for fill, points in (
        (dark, ((60, 84), (94, 66), (84, 44), (66, 62))),  # the tail
        (white, ((94, 66), (84, 44), (92, 38))),
        (coat, ((30, 84), (66, 84), (62, 56), (44, 50))),  # the body
        (dark, ((44, 84), (66, 84), (62, 56))),
        (white, ((30, 84), (42, 84), (44, 56))),
        (coat, ((14, 40), (20, 14), (34, 28))),  # ears
        (dark, ((70, 40), (62, 14), (48, 28))),
        (light, ((14, 40), (42, 26), (42, 66))),  # the head
        (coat, ((70, 40), (42, 26), (42, 66))),
        (white, ((14, 40), (32, 46), (42, 66))),
        (white, ((70, 40), (52, 46), (42, 66))),
        ((40, 30, 36), ((38, 60), (46, 60), (42, 66))),
        ((40, 30, 36), ((28, 41), (34, 43), (31, 46))),
        ((40, 30, 36), ((56, 41), (50, 43), (53, 46))),
    ):
        pen.polygon([(x * size[0] / 100, y * size[1] / 100) for x, y in points], fill=fill)
    return picture


def bottle(size: tuple[int, int], glass: Colour) -> Image.Image:
    """A bottle alone, on nothing."""
    width, height = size
    picture = Image.new("RGBA", size)
    shape = Image.new("L", size)
    pen = ImageDraw.Draw(shape)
    pen.rounded_rectangle((width * 0.32, height * 0.36, width * 0.68, height * 0.86), width * 0.07, fill=255)
    pen.polygon(
        [(width * a, height * b) for a, b in ((0.34, 0.40), (0.44, 0.27), (0.56, 0.27), (0.66, 0.40))], fill=255
    )
    pen.rectangle((width * 0.44, height * 0.16, width * 0.56, height * 0.3), fill=255)
    body = ImageOps.colorize(
        Image.linear_gradient("L").rotate(90).resize(size),
        mixed(glass, (255, 255, 255), 0.55),
        mixed(glass, (0, 0, 0), 0.45),
    )
    picture.paste(body, mask=shape)
    face = ImageDraw.Draw(picture)
    face.rectangle((width * 0.43, height * 0.14, width * 0.57, height * 0.22), fill=(236, 214, 170))
    face.rectangle((width * 0.32, height * 0.52, width * 0.68, height * 0.72), fill=(250, 246, 238))
    face.ellipse(
        (width * 0.45, height * 0.56, width * 0.55, height * 0.56 + width * 0.1), fill=mixed(glass, (0, 0, 0), 0.2)
    )
    face.rectangle((width * 0.36, height * 0.40, width * 0.385, height * 0.84), fill=(255, 255, 255, 120))
    return picture


def painted(picture: Image.Image) -> Image.Image:
    """The same as a watercolour: soft areas, darker edges."""
    soft = picture.filter(ImageFilter.ModeFilter(picture.width // 50 | 1)).filter(ImageFilter.GaussianBlur(2))
    edges = ImageOps.invert(picture.convert("L").filter(ImageFilter.FIND_EDGES)).filter(ImageFilter.GaussianBlur(1.5))
    washed = Image.blend(soft, Image.new("RGB", soft.size, (255, 250, 238)), 0.35)
    return ImageChops.multiply(washed, edges.convert("RGB"))
