"""The pictures in ComfyUI's template browser: drawn, one for each workflow, to say what it does.

python -m devtools.thumbnails [name …]      with .venv's Python, after `dev.py setup`
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from .paths import ROOT
from .scenes import (
    AUTUMN,
    DAWN,
    INK,
    NIGHT,
    ROSE,
    SPRING,
    Colour,
    bottle,
    folded_fox,
    fox,
    gradient,
    lake,
    mixed,
    painted,
)

SIDE = 640  # pixels of a picture
FINE = 2  # drawn so many times as large
MAX_BYTES = 60_000
ACCENT: Colour = (255, 176, 84)
WHITE: Colour = (255, 255, 255)
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the picture


class Sheet:
    """One picture: a dark ground with things laid on it, in pixels of the finished picture."""

    def __init__(self, ground: Colour) -> None:
        self.image = gradient((SIDE * FINE, SIDE * FINE), mixed(ground, WHITE, 0.12), mixed(ground, (0, 0, 0), 0.45))

    def pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image, "RGBA")

    def card(self, box: Box, draw: Callable[[tuple[int, int]], Image.Image], tilt: float = 0) -> None:
        """A picture with round corners, a white rim and a shadow. tilt: degrees."""
        width, height = round((box[2] - box[0]) * FINE), round((box[3] - box[1]) * FINE)
        card = Image.new("RGBA", (width, height))
        rim = 5 * FINE
        for inset, fill in ((0, Image.new("RGB", (width, height), WHITE)), (rim, draw((width, height)))):
            mask = Image.new("L", (width, height))
            edge = (inset, inset, width - 1 - inset, height - 1 - inset)
            ImageDraw.Draw(mask).rounded_rectangle(edge, 16 * FINE - inset, fill=255)
            card.paste(fill, mask=mask)
        card = card.rotate(tilt, Image.Resampling.BICUBIC, expand=True)
        left = round((box[0] + box[2]) / 2 * FINE - card.width / 2)
        top = round((box[1] + box[3]) / 2 * FINE - card.height / 2)
        shadow = Image.new("L", self.image.size)
        shadow.paste(card.getchannel("A").point(lambda value: value * 3 // 5), (left, top + 8 * FINE))
        self.image.paste((0, 0, 0), mask=shadow.filter(ImageFilter.GaussianBlur(12 * FINE)))
        self.image.paste(card, (left, top), card)

    def prompt(self, box: Box, lines: int = 2) -> None:
        """A bubble with words: bars, which every language reads."""
        left, top, right, bottom = (each * FINE for each in box)
        pen = self.pen()
        pen.rounded_rectangle((left, top, right, bottom), 18 * FINE, fill=(250, 247, 240, 255))
        step = (bottom - top) / (lines + 1)
        for line in range(lines):
            y = top + step * (line + 1)
            end = right - 26 * FINE - (right - left) * (0.34 if line == lines - 1 else 0.04 * line)
            pen.line((left + 26 * FINE, y, end, y), fill=(96, 98, 116, 255), width=11 * FINE)
        pen.line((end + 12 * FINE, y - 13 * FINE, end + 12 * FINE, y + 13 * FINE), fill=(*ACCENT, 255), width=5 * FINE)

    def arrow(self, start: tuple[float, float], end: tuple[float, float], colour: Colour = ACCENT) -> None:
        (x, y), (to_x, to_y) = ((each[0] * FINE, each[1] * FINE) for each in (start, end))
        long = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
        along, head = ((to_x - x) / long, (to_y - y) / long), 20 * FINE
        back = to_x - along[0] * head, to_y - along[1] * head
        pen = self.pen()
        pen.line((x, y, *back), fill=(*colour, 255), width=9 * FINE)
        sides = [(back[0] - along[1] * head * s, back[1] + along[0] * head * s) for s in (0.85, -0.85)]
        pen.polygon([(to_x, to_y), *sides], fill=(*colour, 255))

    def dashes(self, box: Box) -> None:
        """The edge of a mask, an ellipse."""
        for angle in range(0, 360, 18):
            self.pen().arc(tuple(each * FINE for each in box), angle, angle + 10, fill=(*WHITE, 255), width=5 * FINE)

    def text(self, place: tuple[float, float], words: str, size: int, colour: Colour = WHITE) -> None:
        font = ImageFont.load_default(size * FINE)
        self.pen().text((place[0] * FINE, place[1] * FINE), words, fill=(*colour, 255), font=font, anchor="mm")

    def label(self, place: tuple[float, float], words: str) -> None:
        """A name or a number on a dark plate, its middle at the place."""
        across, down = 20 + 6.5 * len(words), 19
        plate = (place[0] - across, place[1] - down, place[0] + across, place[1] + down)
        self.pen().rounded_rectangle([each * FINE for each in plate], down * FINE, fill=(24, 26, 40, 205))
        self.text(place, words, 24)


def text_to_image() -> Sheet:
    sheet = Sheet((58, 76, 128))
    sheet.card((52, 150, 588, 590), partial(lake, look=DAWN))
    sheet.prompt((92, 50, 548, 190))
    return sheet


def edit_an_image() -> Sheet:
    sheet = Sheet((70, 58, 122))
    sheet.card((196, 210, 606, 606), partial(lake, look=NIGHT))
    sheet.card((34, 40, 320, 316), partial(lake, look=DAWN), 4)
    sheet.prompt((352, 66, 602, 168))
    sheet.arrow((326, 250), (396, 300))
    return sheet


def edit_and_compare() -> Sheet:
    def halves(size: tuple[int, int]) -> Image.Image:
        before, after = lake(size, DAWN), painted(lake(size, SPRING))
        before.paste(after.crop((size[0] // 2, 0, *size)), (size[0] // 2, 0))
        return before

    sheet = Sheet((44, 94, 104))
    sheet.card((50, 80, 590, 560), halves)
    pen, middle, height = sheet.pen(), SIDE * FINE // 2, 560 * FINE
    pen.line((middle, 84 * FINE, middle, height - 4 * FINE), fill=(*WHITE, 255), width=6 * FINE)
    pen.ellipse([middle - 36 * FINE, 284 * FINE, middle + 36 * FINE, 356 * FINE], fill=(*WHITE, 255))
    for side in (-1, 1):
        tip = middle + side * 24 * FINE
        points = [(tip, 320 * FINE), (tip - side * 15 * FINE, 307 * FINE), (tip - side * 15 * FINE, 333 * FINE)]
        pen.polygon(points, fill=(44, 94, 104, 255))
    return sheet


def edit_inside_a_mask() -> Sheet:
    hole = (96, 150, 346, 430)

    def patched(size: tuple[int, int]) -> Image.Image:
        picture = lake(size, DAWN)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).ellipse([(each - 50) * FINE for each in hole], fill=255)
        picture.paste(lake(size, NIGHT), mask=mask.filter(ImageFilter.GaussianBlur(6 * FINE)))
        return picture

    sheet = Sheet((92, 58, 96))
    sheet.card((50, 50, 590, 590), patched)
    sheet.dashes(hole)
    sheet.prompt((330, 430, 570, 540))
    return sheet


def merge_two_images() -> Sheet:
    def both(size: tuple[int, int]) -> Image.Image:
        picture = lake(size, ROSE)
        animal = folded_fox((size[1] * 3 // 5, size[1] * 3 // 5), (236, 122, 58))
        picture.paste(animal, (size[0] * 2 // 5, size[1] * 2 // 5 - 6), animal)
        return picture

    sheet = Sheet((96, 62, 84))
    sheet.card((40, 40, 300, 290), partial(fox, back=(214, 220, 226), coat=(236, 122, 58)), 3)
    sheet.card((340, 40, 600, 290), partial(lake, look=ROSE), -3)
    sheet.card((110, 310, 530, 614), both)
    sheet.arrow((190, 286), (230, 336))
    sheet.arrow((450, 286), (410, 336))
    return sheet


def generate_then_edit() -> Sheet:
    def warm(size: tuple[int, int]) -> Image.Image:
        return Image.blend(lake(size, DAWN), Image.new("RGB", size, ACCENT), 0.35)

    sheet = Sheet((48, 84, 92))
    sheet.card((30, 60, 290, 270), partial(lake, look=DAWN))
    sheet.card((190, 230, 450, 420), warm)
    sheet.card((320, 390, 612, 600), partial(lake, look=NIGHT))
    sheet.prompt((326, 70, 606, 170))
    sheet.prompt((34, 470, 286, 570))
    sheet.arrow((316, 120), (276, 120))
    sheet.arrow((292, 520), (336, 520))
    return sheet


def product_shot() -> Sheet:
    def kitchen(size: tuple[int, int]) -> Image.Image:
        picture = gradient(size, (250, 236, 214), (232, 206, 178))
        pen = ImageDraw.Draw(picture, "RGBA")
        pen.polygon(
            [(0, 0), (size[0] * 0.5, 0), (size[0] * 0.95, size[1] * 0.7), (size[0] * 0.2, size[1] * 0.7)],
            fill=(255, 250, 236, 150),
        )
        pen.rectangle((0, size[1] * 0.7, *size), fill=(226, 222, 220, 255))
        pen.ellipse((size[0] * 0.42, size[1] * 0.78, size[0] * 0.95, size[1] * 0.88), fill=(120, 104, 100, 130))
        picture = picture.filter(ImageFilter.GaussianBlur(7 * FINE))
        thing = bottle((size[1], size[1]), (46, 122, 108))
        picture.paste(thing, ((size[0] - size[1]) // 2, 0), thing)
        return picture

    def cut_out(size: tuple[int, int]) -> Image.Image:
        picture = Image.new("RGB", size, (246, 246, 246))
        square, pen = size[0] // 10, ImageDraw.Draw(picture)
        for row in range(12):
            for column in range(row % 2, 12, 2):
                pen.rectangle(
                    (column * square, row * square, (column + 1) * square, (row + 1) * square), fill=(208, 210, 214)
                )
        thing = bottle(size, (46, 122, 108))
        picture.paste(thing, mask=thing)
        return picture

    sheet = Sheet((104, 84, 64))
    sheet.card((214, 60, 604, 590), kitchen)
    sheet.card((36, 220, 256, 460), cut_out, 4)
    sheet.arrow((252, 500), (330, 540))
    return sheet


COATS: tuple[tuple[Colour, Colour], ...] = (
    ((190, 216, 226), (236, 122, 58)),
    ((244, 214, 170), (176, 84, 60)),
    ((214, 200, 232), (122, 96, 178)),
    ((202, 224, 196), (220, 158, 60)),
)
CELLS: tuple[Box, ...] = ((46, 46, 312, 312), (328, 46, 594, 312), (46, 328, 312, 594), (328, 328, 594, 594))


def grid_of_seeds() -> Sheet:
    sheet = Sheet((60, 66, 96))
    for number, (box, (back, coat)) in enumerate(zip(CELLS, COATS, strict=True)):
        sheet.card(box, partial(fox, back=back, coat=coat))
        sheet.label((box[0] + 52, box[1] + 34), str(100 + number))
    return sheet


LOOKS = (AUTUMN, SPRING, NIGHT, ROSE)


def list_of_prompts() -> Sheet:
    sheet = Sheet((52, 80, 86))
    for row, look in enumerate(LOOKS):
        top = 34 + 146 * row
        sheet.prompt((36, top + 24, 300, top + 112))
        sheet.arrow((312, top + 68), (366, top + 68))
        sheet.card((378, top, 604, top + 136), partial(lake, look=look))
    return sheet


def submit_now_collect_later() -> Sheet:
    sheet = Sheet((36, 42, 84))
    sheet.card((226, 250, 604, 596), partial(lake, look=NIGHT))
    sheet.card(
        (36, 50, 330, 320), lambda size: Image.blend(lake(size, NIGHT), Image.new("RGB", size, (58, 64, 110)), 0.82)
    )
    pen, (x, y, radius) = sheet.pen(), (183 * FINE, 185 * FINE, 66 * FINE)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=(*WHITE, 255), width=9 * FINE)
    pen.line((x, y - 42 * FINE, x, y, x + 30 * FINE, y + 18 * FINE), fill=(*ACCENT, 255), width=9 * FINE, joint="curve")
    sheet.arrow((350, 150), (430, 232))
    return sheet


def one_prompt_four_models() -> Sheet:
    sheet = Sheet((74, 60, 108))
    drawn: tuple[Callable[[tuple[int, int]], Image.Image], ...] = (
        partial(lake, look=DAWN),
        lambda size: painted(lake(size, SPRING)),
        partial(lake, look=INK),
        lambda size: ImageOps.posterize(lake(size, ROSE), 2),
    )
    for box, draw in zip(CELLS, drawn, strict=True):
        sheet.card(box, draw)
    for (left, top, right, bottom), name in zip(CELLS, ("Hunyuan 3", "FLUX.2", "Seedream", "GPT Image"), strict=True):
        sheet.label(((left + right) / 2, top + 34 if top < SIDE / 2 else bottom - 34), name)
    sheet.prompt((150, 264, 490, 376))
    return sheet


def seedream_edit() -> Sheet:
    sheet = Sheet((44, 98, 84))
    sheet.card((190, 190, 606, 606), partial(lake, look=AUTUMN))
    sheet.label((398, 566), "Seedream 4.5")
    sheet.card((36, 40, 316, 310), partial(lake, look=SPRING), 4)
    sheet.prompt((350, 60, 602, 150))
    sheet.arrow((322, 236), (392, 286), WHITE)
    return sheet


def ideogram_poster_with_a_mask() -> Sheet:
    sheet = Sheet((122, 70, 58))
    sheet.card((116, 30, 524, 610), partial(lake, look=AUTUMN))
    for words, y, size in (("THE LONG", 122, 58), ("SUMMER", 192, 74)):
        sheet.text((323, y + 4), words, size, (150, 66, 48))
        sheet.text((320, y), words, size)
    sheet.dashes((132, 56, 508, 262))
    sheet.label((320, 570), "Ideogram V3")
    return sheet


def main(names: Sequence[str]) -> int:
    for path in sorted((ROOT / "workflows").glob("*.json")):
        if not names or path.stem in names:
            draw = globals()[path.stem.partition(" ")[2].lower().replace(" ", "_")]
            size = _save(draw(), path.with_suffix(".jpg"))
            print(f"workflows/{path.stem}.jpg: {size} bytes", flush=True)
    return 0


def _save(sheet: Sheet, path: Path) -> int:
    """As JPEG, as good as MAX_BYTES allow; its size in bytes."""
    small = sheet.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    for quality in range(90, 40, -4):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MAX_BYTES:
            path.write_bytes(out.getvalue())
            return out.tell()
    raise SystemExit(f"{path.name} does not fit into {MAX_BYTES} bytes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
