"""Where things lie: the checkout, and the git-ignored folders that dev.py fills."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".comfy"  # the ComfyUI copy and the front-ends: shared by demo and test
DEMO = ROOT / ".demo"  # the demo's own base directory: its images stay between runs
REQUIREMENTS = ROOT / "devtools" / "requirements"
LAUNCHER = ROOT / "devtools" / "launch_comfyui.py"
COMFYUI_COPY = CACHE / "ComfyUI"


def venv_python(venv: Path = VENV) -> Path:
    """The interpreter inside a virtual environment, on any platform."""
    if sys.platform == "win32":
        return venv / "Scripts" / "python.exe"
    return venv / "bin" / "python"


def comfyui_path() -> Path:
    """The ComfyUI checkout in use: COMFYUI_PATH, else dev.py's copy."""
    return Path(os.environ.get("COMFYUI_PATH") or COMFYUI_COPY)


def comfyui_python() -> Path:
    """The interpreter that runs ComfyUI: COMFYUI_PYTHON, else dev.py's."""
    return Path(os.environ.get("COMFYUI_PYTHON") or venv_python())
