"""Tensors to pixels, identities and upload bytes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tests.kit.pack import load

images = load("nodes.images.tensors")
masks = load("nodes.images.masks")
errors = load("hunyuan.errors")


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def floats(pixels: np.ndarray) -> torch.Tensor:
    """As ComfyUI's LoadImage makes a tensor."""
    return torch.from_numpy(pixels.astype(np.float32) / 255.0)[None]


def save_image(tensor: torch.Tensor) -> np.ndarray:
    """ComfyUI's SaveImage rule (nodes.py, 0.3.75 to 0.33.0), written down again."""
    return np.clip(255.0 * tensor.cpu().numpy(), 0, 255).astype(np.uint8)


def only(tensor: torch.Tensor, **options: object) -> Any:
    (item,) = images.image_inputs(tensor, images.EncodeOptions(**options))
    return item


def opened(encoded: Any) -> Any:
    image = Image.open(io.BytesIO(encoded.data))
    assert image.size == (encoded.width, encoded.height)
    return image


def test_all_256_values_survive_tensor_and_back() -> None:
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    tensor, _ = images.to_tensor([images.DecodedImage(values)])
    assert (images.tensor_pixels(tensor)[0] == values).all()
    assert (save_image(tensor[0]) == values).all()


def test_a_result_is_recognised_after_saveimage_and_loadimage() -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise(33, 21)).save(buffer, "JPEG", quality=80)
    result = images.decode(buffer.getvalue())
    tensor, _ = images.to_tensor([result])
    file = io.BytesIO()
    Image.fromarray(save_image(tensor[0])).save(file, "PNG", compress_level=4)
    loaded = floats(np.array(Image.open(file).convert("RGB")))
    identity = f"pixels:{result.digest}"
    assert only(tensor).identity == identity
    assert only(loaded).identity == identity
    loaded[0, 3, 4, 1] = 1.0 - loaded[0, 3, 4, 1]
    assert only(loaded).identity != identity, "one changed pixel is another image"


def test_a_digest_knows_the_shape() -> None:
    flat = np.zeros((2, 8, 3), np.uint8)
    assert images.pixels_digest(flat) != images.pixels_digest(flat.reshape(8, 2, 3))
    assert images.pixels_digest(flat) == images.pixels_digest(np.zeros((4, 8, 3), np.uint8)[::2])


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=4, max_dims=4, max_side=9).map(lambda s: (*s[:3], 3)),
        elements=st.floats(-2, 2, width=32),
    )
)
def test_uint8_is_what_saveimage_writes(array: np.ndarray) -> None:
    pixels = images.tensor_pixels(torch.from_numpy(array))
    assert len(pixels) == array.shape[0]
    for got, item in zip(pixels, array, strict=True):
        assert (got == save_image(torch.from_numpy(item))).all()


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 4),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3, 4]),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8]),
    layout=st.sampled_from(["plain", "strided", "permuted"]),
)
def test_any_shape_dtype_and_layout(
    batch: int, height: int, width: int, channels: int, dtype: torch.dtype, layout: str
) -> None:
    base = torch.rand((batch, channels, height, width * 2)) * 255
    tensor = (base if dtype == torch.uint8 else base / 255).to(dtype).permute(0, 2, 3, 1)[:, :, ::2]
    if layout == "plain":
        tensor = tensor.contiguous()
    elif layout == "strided":
        tensor = tensor.flip(1)
    items = images.image_inputs(tensor)
    assert len(items) == batch
    scale = 1 if dtype == torch.uint8 else 255
    for item in items:
        encoded = item.encode()
        assert encoded.mime == "image/jpeg"
        assert opened(encoded).size == (width, height)
    pixels = images.tensor_pixels(tensor)
    assert all(item.shape == (height, width, 4 if channels == 4 else 3) for item in pixels)
    if dtype == torch.float16:
        expected = save_image(tensor[-1])
    else:
        expected = (tensor[-1].float() * scale).clamp(0, 255).numpy().astype(np.uint8)
    assert (pixels[-1][..., :channels] == expected).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_result_is_recognised_in_half_precision(dtype: torch.dtype) -> None:
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    result = images.DecodedImage(values)
    halved = images.to_tensor([result])[0].to(dtype)
    assert (images.tensor_pixels(halved)[0] == values).all()
    assert only(halved).identity == f"pixels:{result.digest}"


def test_not_a_number_and_infinity_become_pixels(recwarn: pytest.WarningsRecorder) -> None:
    tensor = torch.tensor([[[[float("nan"), float("inf"), -float("inf")]]]])
    assert images.tensor_pixels(tensor)[0].tolist() == [[[0, 255, 0]]]
    assert [str(warning.message) for warning in recwarn] == [], "what a processor makes of NaN by itself differs"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_the_largest_numbers_become_pixels_without_a_word(dtype: torch.dtype, recwarn: pytest.WarningsRecorder) -> None:
    most = torch.finfo(dtype).max
    tensor = torch.tensor([[[[most, -most, 0.5]]]], dtype=dtype)
    with np.errstate(all="raise"):  # what a custom node may have set for the whole process
        assert images.tensor_pixels(tensor)[0].tolist() == [[[255, 0, 127]]]
    assert [str(warning.message) for warning in recwarn] == []


def test_conversion_in_stripes_covers_large_images() -> None:
    pixels = noise(1301, 777)
    assert (images.tensor_pixels(floats(pixels))[0] == pixels).all()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros((1, 4, 4, 2)),
        torch.zeros((1, 4, 4, 5)),
        torch.zeros((4, 4)),
        torch.zeros((0, 4, 4, 3)),
        torch.zeros((1, 0, 4, 3)),
        torch.zeros((1, 1, 4, 4, 3)),
        torch.zeros((1, 4, 4, 3), dtype=torch.int64),
        torch.zeros((1, 4, 4, 3), dtype=torch.complex64),
    ],
    ids=str,
)
def test_what_is_no_image_is_refused_with_its_shape(tensor: torch.Tensor) -> None:
    with pytest.raises(errors.InputImageError) as caught:
        images.image_inputs(tensor)
    assert str(list(tensor.shape)) in str(caught.value)


def test_the_tensor_is_left_as_it_was() -> None:
    tensor = torch.full((1, 8, 8, 3), 1.5)
    images.image_inputs(tensor)[0].encode()
    assert float(tensor.max()) == 1.5


def test_jpeg_is_444_at_95_by_default() -> None:
    encoded = only(floats(noise(64, 64))).encode()
    assert encoded.mime == "image/jpeg"
    image = opened(encoded)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=95)
    reference: Any = Image.open(buffer)
    assert image.layer[0][1:3] == image.layer[1][1:3] == (1, 1), "chroma is not subsampled"
    assert image.quantization[0] == reference.quantization[0], "tables of quality 95"
    assert encoded.note == ""


def test_png_is_exact() -> None:
    pixels = noise(40, 30)
    encoded = only(floats(pixels), format="png").encode()
    assert encoded.mime == "image/png"
    assert (np.asarray(opened(encoded)) == pixels).all()


def test_webp_is_close() -> None:
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    encoded = only(floats(smooth), format="webp").encode()
    image = opened(encoded)
    assert image.format == "WEBP"
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - smooth).mean() < 3


def test_png_keeps_alpha() -> None:
    pixels = noise(20, 20, 4)
    image = opened(only(floats(pixels), format="png").encode())
    assert image.mode == "RGBA"
    assert (np.asarray(image) == pixels).all()


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_alpha_is_flattened_on_the_matte_and_told(kind: str) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, 16:] = (0, 0, 255, 255)
    encoded = only(floats(pixels), format=kind, matte="#ff0000").encode()
    image = np.asarray(opened(encoded).convert("RGB")).astype(int)
    assert np.abs(image[16, 4] - (255, 0, 0)).max() < 6
    assert np.abs(image[16, 28] - (0, 0, 255)).max() < 6
    assert "#ff0000" in encoded.note


def test_opaque_alpha_needs_no_note() -> None:
    pixels = noise(8, 8, 4)
    pixels[..., 3] = 255
    assert only(floats(pixels)).encode().note == ""


def test_over_the_side_cap_it_is_scaled_down_and_told() -> None:
    encoded = only(floats(noise(200, 100)), max_side=128).encode()
    assert (encoded.width, encoded.height) == (128, 64)
    assert "200×100" in encoded.note
    assert "128×64" in encoded.note


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_over_the_byte_cap_it_is_scaled_down_and_told(kind: str) -> None:
    full = len(only(floats(noise(300, 200)), format=kind).encode().data)
    encoded = only(floats(noise(300, 200)), format=kind, max_bytes=full // 5).encode()
    assert len(encoded.data) <= full // 5
    assert len(encoded.data) > full // 10, "not smaller than it has to be"
    assert abs(encoded.width / encoded.height - 1.5) < 0.05
    assert "scaled down" in encoded.note


def test_an_impossible_byte_cap_ends() -> None:
    encoded = only(floats(noise(300, 200)), max_bytes=1).encode()
    assert (encoded.width, encoded.height) == (1, 1)


def test_encoding_waits_until_it_is_asked() -> None:
    tensor = floats(noise(8, 8))
    item = only(tensor, format="png")
    tensor.zero_()
    assert np.asarray(opened(item.encode())).any(), "it holds its own pixels"


def test_another_packs_default_device_changes_no_conversion() -> None:
    """ "meta" stands for any other device: what is made there by mistake has no values at all."""
    pixels = noise(9, 7)
    torch.set_default_device("meta")
    try:
        batch, _ = images.to_tensor([images.DecodedImage(pixels), images.DecodedImage(noise(5, 5))])
        mask = images.to_mask([images.DecodedImage(pixels, noise(9, 7, 1)[..., 0])])
        back = images.tensor_pixels(batch)[0]
    finally:
        torch.set_default_device("cpu")
    assert batch.device.type == mask.device.type == "cpu"
    assert (back == pixels).all()


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros((1, 8, 8, 3), device="meta"), "meta device"),
        (torch.zeros((1, 8, 8, 3)).to_sparse(), "layout sparse_coo"),
    ],
)
def test_a_tensor_without_pixels_is_refused(tensor: torch.Tensor, words: str) -> None:
    for read in (images.tensor_pixels, lambda given: images.as_image("image", given)):
        with pytest.raises(errors.InputImageError, match=words):
            read(tensor)


def test_bfloat16_is_read_as_it_is() -> None:
    tensor = torch.linspace(0, 1, 64).reshape(1, 4, 16, 1).to(torch.bfloat16)
    wanted = (tensor.to(torch.float32).numpy() * np.float32(255)).astype(np.uint8)
    assert (images.tensor_pixels(tensor)[0] == wanted[0]).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.bool])
def test_a_mask_of_shares_or_of_yes_and_no_is_a_picture(kind: torch.dtype) -> None:
    mask = torch.tensor([[1, 0], [0, 1]]).to(kind)
    for given_mask in (mask, mask[None]):
        picture = images.tensor_pixels(masks.mask_image("mask", given_mask))[0]
        assert picture[:, :, 0].tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize(
    "wrong",
    [
        torch.ones(1, 8, 8, dtype=torch.int64),
        torch.ones(1, 0, 8),
        torch.ones(2, 8, 8),
        torch.ones(1, 8, 8, device="meta"),
        torch.ones(8, 8).to_sparse(),
        "a text",
    ],
    ids=["integers", "empty", "two", "meta", "sparse", "text"],
)
def test_any_other_mask_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(errors.InputImageError, match=r"^mask must be a MASK of one item, got "):
        masks.mask_image("mask", wrong)
