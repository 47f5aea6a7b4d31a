"""Bytes to pixels and tensors: every format and mode beside Pillow's own reading of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps, features

from tests.kit.pack import load

images = load("nodes.images.tensors")
errors = load("hunyuan.errors")


def noise(width: int, height: int, channels: int, seed: int = 0) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def assert_like_pillow(data: bytes) -> None:
    """The tensor is what Pillow makes of the same bytes, to 1/255, in RGB and 0..1."""
    decoded = images.decode(data)
    tensor, _ = images.to_tensor([decoded])
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert tensor.dtype == torch.float32
    assert tensor.shape == (1, *expected.shape)
    assert float(tensor.min()) >= 0.0
    assert float(tensor.max()) <= 1.0
    difference = np.abs(tensor[0].numpy() - expected.astype(np.float32) / 255.0)
    assert difference.max() <= 1.0 / 255.0 + 1e-6


KINDS = ["PNG", "JPEG", "WEBP", "GIF"] + (["AVIF"] if features.check("avif") else [])


NO_SUCH_MODE = {("JPEG", "P"), ("JPEG", "RGBA"), ("JPEG", "LA"), ("PNG", "CMYK"), ("GIF", "CMYK")}
PAIRS = [
    (kind, mode)
    for kind in KINDS
    for mode in ("RGB", "L", "P", "RGBA", "LA", "1", "CMYK")
    if (kind, mode) not in NO_SUCH_MODE
]


@pytest.mark.parametrize(("kind", "mode"), PAIRS)
def test_every_format_in_every_mode_it_can_hold(kind: str, mode: str) -> None:
    image = Image.fromarray(noise(37, 23, 3)).convert("RGBA" if mode in ("RGBA", "LA") else "RGB").convert(mode)
    assert_like_pillow(saved(image, kind))


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    mode=st.sampled_from(["RGB", "L", "P", "RGBA", "LA", "1"]),
    kind=st.sampled_from(["PNG", "WEBP", "GIF"]),
    seed=st.integers(0, 2**31),
)
def test_any_size_and_mode_reads_like_pillow(width: int, height: int, mode: str, kind: str, seed: int) -> None:
    image = Image.fromarray(noise(width, height, 4, seed)).convert("RGB" if mode in ("P", "1", "L") else mode)
    assert_like_pillow(saved(image.convert(mode), kind, **({"lossless": True} if kind == "WEBP" else {})))


def png(width: int, height: int, depth: int, colour: int, body: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand (PNG specification 1.2): Pillow writes no 16-bit colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*pair) for pair in extra), chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_keep_their_value(colour: int, channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (9, 11, channels), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    tensor, _ = images.to_tensor([images.decode(png(11, 9, 16, colour, zlib.compress(rows)))])
    expected = values[..., :3] if channels >= 3 else values[..., :1].repeat(3, axis=2)
    assert np.abs(tensor[0].numpy() - expected / 65535.0).max() <= 1 / 255


def test_gif_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    decoded = images.decode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert decoded.pixels.shape == (8, 8, 3)
    assert (decoded.pixels == (255, 0, 0)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_behind_the_end_do_not_cost_the_image(kind: str) -> None:
    data = whole(kind)
    assert (images.decode(data + b"\r\n").pixels == images.decode(data).pixels).all()


def test_stray_bytes_between_a_gifs_blocks_do_not_cost_the_image() -> None:
    data = saved(Image.fromarray(noise(20, 20, 1)), "GIF")
    start = 13 + 3 * 256
    assert data[start] == ord(",")
    assert (images.decode(data[:start] + b"\0\0" + data[start:]).pixels == images.decode(data).pixels).all()


def test_a_gif_that_is_cut_behind_its_first_frame_gives_that_frame() -> None:
    frames = [Image.fromarray(noise(20, 20, 3, seed)) for seed in range(3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"with extensions before it")
    assert (images.decode(data[: len(data) * 2 // 3]).pixels == images.decode(data).pixels).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_rotation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(noise(16, 8, 3)), kind, exif=exif)
    assert images.decode(data).pixels.shape == ((16, 8, 3) if orientation >= 5 else (8, 16, 3))
    assert_like_pillow(data)


def test_damaged_exif_does_not_cost_the_image() -> None:
    data = saved(Image.fromarray(noise(8, 8, 3)), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert images.decode(data).pixels.shape == (8, 8, 3)


def wide_gamut_profile() -> bytes:
    """sRGB's profile with red and green swapped in their colorants: a profile that visibly changes every colour."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    entries = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def test_colour_profile_is_converted_to_srgb() -> None:
    profile = wide_gamut_profile()
    image = Image.new("RGB", (8, 8), (255, 0, 0))
    decoded = images.decode(saved(image, "PNG", icc_profile=profile))
    assert decoded.note == ""
    expected = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    assert expected is not None
    assert np.abs(decoded.pixels.astype(int) - np.asarray(expected)).max() <= 1
    assert decoded.pixels[0, 0, 1] > 200, "red must have become green"


def test_colour_profile_with_alpha_keeps_the_alpha() -> None:
    pixels = noise(8, 8, 4)
    decoded = images.decode(saved(Image.fromarray(pixels), "PNG", icc_profile=wide_gamut_profile()), alpha=True)
    assert (decoded.alpha == pixels[..., 3]).all()


def test_an_srgb_profile_leaves_every_bit() -> None:
    pixels = noise(64, 64, 3)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (images.decode(saved(Image.fromarray(pixels), "PNG", icc_profile=profile)).pixels == pixels).all()


def test_a_profile_that_is_srgb_in_all_but_name_leaves_every_bit() -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    offset = struct.unpack(">I", profile[profile.index(b"rXYZ") + 4 :][:4])[0]
    red = struct.unpack(">i", profile[offset + 8 : offset + 12])[0]
    profile[offset + 8 : offset + 12] = struct.pack(">i", red + 50)  # of 65536: less than one step of 255
    pixels = noise(64, 64, 3)
    converted = ImageCms.profileToProfile(
        Image.fromarray(pixels), ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    assert (np.asarray(converted) != pixels).any(), "the conversion alone would change single bits"
    assert (images.decode(saved(Image.fromarray(pixels), "PNG", icc_profile=bytes(profile))).pixels == pixels).all()


def gray_profile(gamma: float) -> bytes:
    """A profile for gray with a bare curve (ICC.1:2001-04), which Pillow cannot make."""
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"gray\0" + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">iii", 63_190, 65_536, 54_061),
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IHxx", 1, int(gamma * 256)),
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI12s12x4s", start + len(body), b"lcms", 0x02100000, b"mntrGRAYXYZ ", b"acsp")
    return head.ljust(68, b"\0") + struct.pack(">iii", 63_190, 65_536, 54_061).ljust(60, b"\0") + table + body


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "1"])
def test_a_gray_profile_is_applied_to_every_kind_of_gray(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 8), 64 * 257, np.uint16))
    else:
        image = Image.new(mode, (8, 8), (64, 99) if mode == "LA" else {"L": 64, "1": 1}[mode])
    decoded = images.decode(saved(image, "PNG", icc_profile=gray_profile(1.0)), alpha=True)
    assert decoded.note == ""
    assert decoded.pixels[0, 0].tolist() == ([255] * 3 if mode == "1" else [137] * 3), "linear light, shown in sRGB"
    assert (decoded.alpha is None) == (mode != "LA")


def test_gray_with_a_profile_for_colours_is_read_as_colours() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = noise(8, 8, 1)
    decoded = images.decode(saved(Image.fromarray(pixels), "PNG", icc_profile=profile))
    assert decoded.note == ""
    assert (decoded.pixels == pixels[..., None]).all()


def test_ink_with_a_profile_for_colours_is_told() -> None:
    decoded = images.decode(saved(Image.new("CMYK", (8, 8)), "JPEG", icc_profile=wide_gamut_profile()))
    assert "colour profile" in decoded.note


def test_an_unusable_profile_is_told() -> None:
    pixels = noise(8, 8, 3)
    decoded = images.decode(saved(Image.fromarray(pixels), "PNG", icc_profile=b"not a profile at all"))
    assert (decoded.pixels == pixels).all()
    assert "colour profile" in decoded.note


def test_alpha_only_when_asked() -> None:
    pixels = noise(9, 7, 4)
    data = saved(Image.fromarray(pixels), "PNG")
    assert images.decode(data).alpha is None
    asked = images.decode(data, alpha=True)
    assert (asked.alpha == pixels[..., 3]).all()
    assert (asked.pixels == pixels[..., :3]).all(), "colours stay what they are, nothing is premultiplied"
    assert images.to_tensor([asked])[0].shape[3] == 3


def test_a_file_that_is_seen_through_shows_something_else_than_its_pixels() -> None:
    clear, solid = noise(9, 7, 4), noise(9, 7, 4)
    solid[..., 3] = 255
    palette = Image.new("P", (4, 4), 1)
    for data, opaque in (
        (saved(Image.fromarray(clear), "PNG"), False),
        (saved(Image.fromarray(clear), "WEBP", lossless=True), False),
        (saved(palette, "PNG", transparency=0), False),
        (saved(Image.fromarray(solid), "PNG"), True),
        (saved(Image.fromarray(clear[..., :3]), "JPEG"), True),
    ):
        assert images.decode(data).opaque is opaque
        assert images.decode(data, alpha=True).opaque is opaque


def test_palette_transparency_becomes_alpha() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((0, 0), 0)
    alpha = images.decode(saved(image, "PNG", transparency=0), alpha=True).alpha
    assert alpha[0, 0] == 0
    assert alpha[1, 1] == 255


@pytest.mark.parametrize("depth", [8, 16])
def test_a_gray_value_that_stands_for_transparent_becomes_alpha(depth: int) -> None:
    values = np.array([[0, 100], [100, 255]], dtype=">u2" if depth == 16 else np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    data = png(2, 2, depth, 0, zlib.compress(rows), (b"tRNS", struct.pack(">H", 100)))
    assert images.decode(data).alpha is None
    assert images.decode(data, alpha=True).alpha.tolist() == [[255, 0], [0, 255]]


def test_palette_transparency_for_each_entry_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    image = Image.fromarray(noise(8, 8, 3)).quantize(4)
    data = saved(image, "PNG", transparency=bytes([0, 85, 170, 255]))
    decoded = images.decode(data)
    assert [str(warning.message) for warning in recwarn] == []
    assert (decoded.pixels == np.asarray(image.convert("RGB"))).all()


def test_mask_is_one_where_transparent_and_zero_without_alpha() -> None:
    pixels = noise(8, 8, 4)
    with_alpha = images.decode(saved(Image.fromarray(pixels), "PNG"), alpha=True)
    without = images.decode(saved(Image.fromarray(pixels[..., :3]), "PNG"), alpha=True)
    mask = images.to_mask([with_alpha, without])
    assert mask.shape == (2, 8, 8)
    assert np.allclose(mask[0].numpy(), 1 - pixels[..., 3] / 255.0, atol=1e-6)
    assert float(mask[1].abs().max()) == 0.0


def test_a_batch_takes_the_first_size_and_says_so() -> None:
    first = images.DecodedImage(noise(20, 10, 3))
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 10:30] = 255  # the middle 20 columns: what a centred cut keeps
    batch, notes = images.to_tensor([first, images.DecodedImage(wide), first])
    assert batch.shape == (3, 10, 20, 3)
    assert torch.equal(batch[0], batch[2])
    assert float(batch[1].min()) == 1.0
    assert len(notes) == 1
    assert "Image 2" in notes[0]
    assert "40×10" in notes[0]
    assert "20×10" in notes[0]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=4))
def test_any_mix_of_sizes_makes_a_batch(sizes: list[tuple[int, int]]) -> None:
    decoded = [images.DecodedImage(noise(w, h, 3), noise(w, h, 1)) for w, h in sizes]
    batch, notes = images.to_tensor(decoded)
    assert batch.shape == (len(sizes), sizes[0][1], sizes[0][0], 3)
    assert images.to_mask(decoded).shape == batch.shape[:3]
    assert len(notes) == sum(size != sizes[0] for size in sizes)
    assert 0.0 <= float(batch.min()) <= float(batch.max()) <= 1.0


def whole(kind: str) -> bytes:
    return saved(Image.fromarray(noise(64, 64, 3)), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(kind: str, part: float) -> None:
    data = whole(kind)
    with pytest.raises(errors.NotAnImageError) as caught:
        images.decode(data[: int(len(data) * part)])
    assert kind in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused_even_where_pillow_was_told_to_take_it(kind: str, part: float) -> None:
    data = whole(kind)
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # what several custom nodes do to the whole process
    try:
        with pytest.raises(errors.NotAnImageError, match="cut short" if kind != "AVIF" else "AVIF") as caught:
            images.decode(data[: int(len(data) * part)])
        assert "object at 0x" not in str(caught.value)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def test_a_thumbnails_end_is_not_the_images_end() -> None:
    exif = Image.Exif()
    exif[0x010E] = "\xff\xd9" * 10
    data = saved(Image.fromarray(noise(64, 64, 3)), "JPEG", exif=b"Exif\0\0" + exif.tobytes()[6:] + b"\xff\xd9" * 9)
    images.decode(data)
    with pytest.raises(errors.NotAnImageError, match="cut short"):
        images.decode(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "HTML"),
        (b"\n  <html>", "HTML"),
        (b'{"error":{"code":404}}', "JSON"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7 \x00\x01", "25 50 44 46"),
        (b"BM" + b"\0" * 60, "42 4d"),
    ],
)
def test_what_is_no_image_is_named(body: bytes, word: str) -> None:
    with pytest.raises(errors.NotAnImageError, match=word):
        images.decode(body)


def bomb_png() -> bytes:
    return png(50_000, 50_000, 8, 2, zlib.compress(b"\0" * 1000))


def bomb_webp() -> bytes:
    """Nothing that Pillow could open: only the look at its header, before Pillow, can find it too large."""
    canvas = (16_383 - 1).to_bytes(3, "little")
    junk = b"JUNK" + struct.pack("<I", 0xFFFF)
    chunk = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas + canvas + junk
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def bomb_gif() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b";"


def bomb_jpeg() -> bytes:
    data = bytearray(whole("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


@pytest.mark.parametrize(
    ("bomb", "words"),
    [(bomb_png, "too large to decode"), (bomb_jpeg, "too large to decode"), (bomb_webp, "at most 36 megapixels")],
)
def test_a_bomb_is_refused_by_its_header(bomb: Callable[[], bytes], words: str) -> None:
    with pytest.raises(errors.TooLargeError, match=words):
        images.decode(bomb())


def test_a_gif_bomb_is_refused() -> None:
    with pytest.raises((errors.TooLargeError, errors.NotAnImageError)):
        images.decode(bomb_gif())


def test_a_text_chunk_bomb_is_refused() -> None:
    text = b"comment\0\0" + zlib.compress(b"\0" * 100_000_000)
    with pytest.raises((errors.TooLargeError, errors.NotAnImageError)):
        images.decode(png(4, 4, 8, 2, zlib.compress((b"\0" * 13) * 4), (b"zTXt", text)))


def test_just_under_the_cap_is_read_and_just_over_is_not() -> None:
    under, over = Image.new("1", (6000, 6000)), Image.new("1", (6000, 6001))
    assert images.decode(saved(under, "PNG")).pixels.shape == (6000, 6000, 3)
    with pytest.raises(errors.TooLargeError, match="6000×6001"):
        images.decode(saved(over, "PNG"))


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    at=st.floats(0, 1, exclude_max=True),
    junk=st.binary(min_size=1, max_size=40),
)
def test_damage_gives_an_image_or_the_one_error(kind: str, at: float, junk: bytes) -> None:
    data = bytearray(saved(Image.fromarray(noise(16, 16, 3)), kind))
    start = int(len(data) * at)
    data[start : start + len(junk)] = junk
    try:
        shape = images.decode(bytes(data), alpha=True).pixels.shape
    except (errors.NotAnImageError, errors.TooLargeError):
        return
    assert len(shape) == 3
    assert shape[2] == 3


def test_pixels_can_be_written_to_by_the_next_node() -> None:
    tensor, _ = images.to_tensor([images.decode(whole("PNG"))])
    tensor.mul_(0.5)
    assert float(tensor.max()) <= 0.5
