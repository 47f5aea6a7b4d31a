"""The virtual environment: made once, filled by groups, each with a stamp of what it holds."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from .console import Steps, stop
from .paths import REQUIREMENTS, VENV, venv_python
from .pip import pip

TORCH = "2.13.0"
# PyTorch's own index of CPU builds: PyPI's Linux wheel of the same number brings several GB of CUDA.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# Installed in this order. The demo leaves `comfyui` out when COMFYUI_PYTHON brings its own; some tests need torch here.
GROUPS = ("base", "comfyui", "test")
_FILES = {
    "base": ("base.txt",),
    "comfyui": ("comfyui-nodeps.txt", "comfyui.txt"),
    "test": ("test.txt",),
}
_STEPS = {"base": 1, "comfyui": 3, "test": 1}


def fingerprint(group: str) -> str:
    """What a group's stamp must read: its requirement lists, the torch number and this Python."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} torch {TORCH}".encode())
    for name in _FILES[group]:
        digest.update((REQUIREMENTS / name).read_bytes())
    return digest.hexdigest()


def _stamp(group: str) -> Path:
    return VENV / f".stamp-{group}"


def missing(groups: Iterable[str]) -> list[str]:
    """The groups whose stamp is absent or belongs to another requirement list, in install order."""
    wanted = set(groups)
    if not venv_python().exists():
        return [group for group in GROUPS if group in wanted]
    return [
        group
        for group in GROUPS
        if group in wanted and (not _stamp(group).exists() or _stamp(group).read_text() != fingerprint(group))
    ]


def install(groups: list[str]) -> None:
    """Make `.venv` if there is none and install the groups into it. Safe to repeat after a failure."""
    fresh = not venv_python().exists()
    steps = Steps(sum(_STEPS[group] for group in groups) + fresh)
    if fresh:
        steps.begin(f"Virtual environment in {VENV.name} (Python {sys.version.split()[0]})")
        make_venv(VENV)
        pip(venv_python(), ["install", "--upgrade", "pip>=24.1"], steps)
    for group in groups:
        if group == "comfyui":
            _install_comfyui_needs(steps)
        else:
            steps.begin(f"Packages: {group}")
            _install_file(f"{group}.txt", steps)
        _stamp(group).write_text(fingerprint(group))


def make_venv(target: Path, python: str = sys.executable) -> None:
    """Create a virtual environment with pip in it."""
    if python == sys.executable and importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        stop(
            f"This Python ({sys.executable}) cannot make virtual environments: its ensurepip module is missing.\n"
            f"On Debian and Ubuntu: sudo apt-get install python{version}-venv\n"
            "Then run the same command again."
        )
    made = subprocess.run([python, "-m", "venv", str(target)], capture_output=True, text=True, check=False)
    if made.returncode:
        stop(f"Could not make the virtual environment {target}:\n{made.stdout}{made.stderr}")


def _install_comfyui_needs(steps: Steps) -> None:
    steps.begin(f"torch {TORCH} for CPU (about 200 MB)")
    _install_torch(steps)
    steps.begin("Packages: comfyui, without their own dependencies")
    _install_file("comfyui-nodeps.txt", steps, "--no-deps")
    steps.begin("Packages: comfyui")
    _install_file("comfyui.txt", steps)


def _install_torch(steps: Steps) -> None:
    if sys.platform.startswith("linux"):
        cpu = ["install", "--progress-bar", "raw", f"torch=={TORCH}+cpu"]
        if pip(venv_python(), cpu, steps, check=False):  # a CPU wheel that pip knows of already
            return
        index = ["--retries", "1", "--extra-index-url", TORCH_CPU_INDEX]
        if pip(venv_python(), [*cpu, *index], steps, check=False):
            return
        print("      no CPU build found; taking the index's own build, which is larger", flush=True)
    pip(venv_python(), ["install", "--progress-bar", "raw", f"torch=={TORCH}"], steps)


def _install_file(name: str, steps: Steps, *options: str) -> None:
    arguments = ["install", "--progress-bar", "raw", *options, "--requirement", str(REQUIREMENTS / name)]
    pip(venv_python(), arguments, steps)
