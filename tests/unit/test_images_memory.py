"""No second full-size float copy, neither of numpy's nor of torch's making."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from tests.kit.pack import load

images = load("nodes.images.tensors")

SIDE = 1024  # pixels
PIXELS = SIDE * SIDE * 3  # bytes as uint8
FLOATS = 4 * PIXELS
SLACK = 2_000_000  # bytes: stripes and small things


def torch_bytes(work: Callable[[], object]) -> int:
    """All that torch allocates while it works, whether or not it is freed again."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        kept = work()
    del kept
    return sum(max(0, event.self_cpu_memory_usage) for event in profiled.events() or [])


def numpy_peak(work: Callable[[], object]) -> int:
    """The most that Python and numpy hold at one time beyond what they held before."""
    tracemalloc.start()
    try:
        kept = work()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    del kept
    return peak


def test_the_measures_see_a_copy() -> None:
    tensor = torch.rand((1, SIDE, SIDE, 3))
    assert torch_bytes(lambda: tensor * 255.0) >= FLOATS
    assert numpy_peak(lambda: tensor.numpy() * np.float32(255.0)) >= FLOATS


def test_tensor_to_pixels_makes_no_float_copy() -> None:
    tensor = torch.rand((1, SIDE, SIDE, 3))
    assert torch_bytes(lambda: images.image_inputs(tensor)) < SLACK
    assert numpy_peak(lambda: images.image_inputs(tensor)) < PIXELS + SLACK


def test_a_half_precision_tensor_is_converted_in_stripes() -> None:
    tensor = torch.rand((1, SIDE, SIDE, 3)).to(torch.bfloat16)
    single = numpy_peak(lambda: images.image_inputs(tensor))
    assert single < PIXELS + SLACK


def test_pixels_to_tensor_makes_the_batch_and_nothing_else() -> None:
    decoded = [images.DecodedImage(np.full((SIDE, SIDE, 3), shade, np.uint8)) for shade in (0, 99, 255)]
    allocated = torch_bytes(lambda: images.to_tensor(decoded))
    assert 3 * FLOATS <= allocated < 3 * FLOATS + SLACK
    assert numpy_peak(lambda: images.to_tensor(decoded)) < SLACK
