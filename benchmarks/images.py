"""How long an image takes between tensor and bytes: ours, ComfyUI's own converters and Pillow alone, in one run.

`run()` gives a dict for the table; `python -m benchmarks.images` prints it. The measuring happens in a process of its
own, because ComfyUI's folder and this one cannot stand on one import path (both have `nodes`).
"""

from __future__ import annotations

import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = ROOT / "devtools" / "launch_comfyui.py"
SIDE = 1536  # pixels: the largest result there is
ROUNDS = 15
WARM_UP = 10  # rounds until the allocator keeps what is freed: pages fresh from the system would be a third of the time
UPLOAD_TARGET = 0.1  # tensor to upload bytes, as a part of ComfyUI's tensor to base64 PNG
DECODE_TARGET = 1.35  # bytes to tensor, as a multiple of Pillow's decode

Row = dict[str, Any]


def run() -> dict[str, Any]:
    """`rows`: {name, ours_ms, theirs_ms, against, ratio, spread, target, met} each; `comfyui`: whether it was there.

    ours_ms and theirs_ms are medians in milliseconds, spread the quartiles of the paired ratios; theirs_ms is None
    where this ComfyUI has no converters.
    """
    comfyui = os.environ.get("COMFYUI_PATH") or str(ROOT / ".comfy" / "ComfyUI")
    python = os.environ.get("COMFYUI_PYTHON") or sys.executable
    command = [python, str(LAUNCHER), __file__, "--measure", comfyui]
    # The launcher ends with its standard input, so that stays open until the measuring is done.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    if process.returncode:
        raise SystemExit(f"The measuring process ended with {process.returncode}.")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def _measure(comfyui: str) -> dict[str, Any]:
    images = _pack_module("nodes.images.tensors")
    conversions = _comfyui_module(comfyui, "comfy_api_nodes.util.conversions")
    rows: list[Row] = []
    for name, pixels in (("picture with noise", _photo()), ("pure noise", _noise())):
        rows += _upload_rows(name, pixels, images, conversions)
        rows += _decode_rows(name, pixels, images, conversions)
    return {"rows": rows, "comfyui": conversions is not None}


def _upload_rows(name: str, pixels: Any, images: ModuleType, conversions: ModuleType | None) -> list[Row]:
    import torch

    tensor = torch.from_numpy(pixels).to(torch.float32).div_(255.0)[None]
    theirs = None if conversions is None else lambda: conversions.tensor_to_base64_string(tensor)
    against = "ComfyUI tensor to base64 PNG"
    (known,) = images.image_inputs(tensor)
    return [
        _row(
            f"tensor to upload bytes, {name}",
            lambda: images.image_inputs(tensor)[0].encode(),
            theirs,
            against,
            UPLOAD_TARGET,
        ),
        _row(f"  of it encoding alone, {name}", known.encode, theirs, against, None),
    ]


def _decode_rows(name: str, pixels: Any, images: ModuleType, conversions: ModuleType | None) -> list[Row]:
    from PIL import Image

    rows = []
    for kind, options in (("PNG", {"compress_level": 4}), ("JPEG", {"quality": 95, "subsampling": 0})):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind, **options)
        data = buffer.getvalue()

        def ours(data: bytes = data) -> object:
            return images.to_tensor([images.decode(data)])

        def pillow(data: bytes = data) -> object:
            return Image.open(io.BytesIO(data)).load()

        rows.append(_row(f"{kind} to tensor, {name}", ours, pillow, "Pillow's decode alone", DECODE_TARGET))
        if conversions is not None:

            def comfy(data: bytes = data, convert: Any = conversions.bytesio_to_image_tensor) -> object:
                return convert(io.BytesIO(data), "RGB")

            rows.append(_row(f"{kind} to tensor, {name}", ours, comfy, "ComfyUI bytes to tensor", None))
    return rows


def _row(
    name: str, ours: Callable[[], object], theirs: Callable[[], object] | None, against: str, target: float | None
) -> Row:
    """Both in turn, so that a busy moment of the machine meets both."""
    mine: list[float] = []
    other: list[float] = []
    for _ in range(WARM_UP + ROUNDS):
        mine.append(_milliseconds(ours))
        if theirs is not None:
            other.append(_milliseconds(theirs))
    mine, other = mine[WARM_UP:], other[WARM_UP:]
    row: Row = {"name": name, "ours_ms": statistics.median(mine), "theirs_ms": None, "against": against}
    row |= {"ratio": None, "spread": None, "target": target, "met": None}
    if other:
        ratios = [a / b for a, b in zip(mine, other, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4)
        row |= {"theirs_ms": statistics.median(other), "ratio": ratio, "spread": [low, high]}
        row["met"] = None if target is None else ratio <= target
    return row


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000.0


def _noise() -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def _photo() -> Any:
    """Soft shapes under a little grain: about as compressible as a photograph, which pure noise is not."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(1)
    soft = Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).resize((SIDE, SIDE))
    grain = random.normal(0, 4, (SIDE, SIDE, 3))
    return np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8)


def _pack_module(name: str) -> Any:
    """A module of the pack, without its `__init__` files, which need a running ComfyUI."""
    for package, folder in (("pack", ROOT), ("pack.nodes", ROOT / "nodes")):
        module = ModuleType(package)
        module.__path__ = [str(folder)]
        sys.modules[package] = module
    return importlib.import_module(f"pack.{name}")


def _comfyui_module(comfyui: str, name: str) -> ModuleType | None:
    """ComfyUI's own module where it has one (from 0.3.64); its chatter goes to stderr."""
    if not (Path(comfyui) / "comfy_api_nodes" / "util" / "conversions.py").is_file():
        return None
    sys.path.insert(0, comfyui)
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() not in (ROOT, ROOT / "benchmarks")]
    importlib.import_module("utils")  # as main.py does: its nodes.py puts a folder with another `utils` first
    importlib.import_module("comfy.cli_args").args.cpu = True  # its modules look for a graphics card at import
    return importlib.import_module(name)


def _print(result: dict[str, Any]) -> None:
    for row in result["rows"]:
        theirs = "" if row["theirs_ms"] is None else f" {row['theirs_ms']:7.1f} ms  {row['ratio']:5.2f} "
        spread = "" if row["spread"] is None else "({:.2f} to {:.2f})".format(*row["spread"])
        verdict = "" if row["met"] is None else f" target {row['target']}: {'met' if row['met'] else 'MISSED'}"
        print(f"{row['name']:46} {row['ours_ms']:7.1f} ms {theirs}{spread} {row['against']}{verdict}")


if __name__ == "__main__":
    if "--measure" in sys.argv:
        out = sys.stdout
        sys.stdout = sys.stderr
        result = _measure(sys.argv[sys.argv.index("--measure") + 1])
        print(json.dumps(result), file=out, flush=True)
        os._exit(0)  # at once: the launcher's thread still reads standard input
    else:
        _print(run())
