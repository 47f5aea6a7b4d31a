"""Other people's ComfyUI clients and linters, in the versions the tests were written with: from PyPI and npm.

They live in folders of their own under `.comfy/`, so that `.venv` stays what it is. Without node and npm those from npm
are left out: the command says so, and their tests are not collected.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from .console import Steps, stop
from .environment import make_venv
from .paths import CACHE, REQUIREMENTS, venv_python
from .pip import pip

PYTHON_CLIENTS = CACHE / "clients-python"
NODE_CLIENTS = CACHE / "clients-node"
_PYTHON_LIST = REQUIREMENTS / "clients.txt"
_NODE_LIST = REQUIREMENTS / "clients.json"


def npm() -> str | None:
    """The npm of this machine; None where it or node is missing."""
    return shutil.which("npm") if shutil.which("node") else None


def ensure() -> None:
    """Install what is missing or has another version. Safe to repeat after a failure."""
    if not _is_there(PYTHON_CLIENTS, _PYTHON_LIST):
        _install_python()
    if npm() is None:
        print("      no node and npm here: the clients from npm are left out", flush=True)
    elif not _is_there(NODE_CLIENTS, _NODE_LIST):
        _install_node()


def program(name: str) -> str:
    """The path of a client's command-line program from PyPI."""
    return str(venv_python(PYTHON_CLIENTS).with_name(f"{name}.exe" if sys.platform == "win32" else name))


def _install_python() -> None:
    steps = Steps(1)
    steps.begin("Clients of ComfyUI from PyPI (for the tests)")
    CACHE.mkdir(exist_ok=True)
    if not venv_python(PYTHON_CLIENTS).exists():
        make_venv(PYTHON_CLIENTS)
    pip(venv_python(PYTHON_CLIENTS), ["install", "--requirement", str(_PYTHON_LIST)], steps)
    _stamp(PYTHON_CLIENTS).write_text(_wanted(_PYTHON_LIST))


def _install_node() -> None:
    steps = Steps(1)
    steps.begin("Clients of ComfyUI from npm (for the tests)")
    NODE_CLIENTS.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_NODE_LIST, NODE_CLIENTS / "package.json")
    options = ["--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--legacy-peer-deps"]
    command = [str(npm()), "install", *options]
    done = subprocess.run(command, cwd=NODE_CLIENTS, capture_output=True, text=True, check=False)
    if done.returncode:
        stop(f"npm failed (exit {done.returncode}) in {NODE_CLIENTS}:\n{(done.stdout + done.stderr)[-2000:]}")
    _stamp(NODE_CLIENTS).write_text(_wanted(_NODE_LIST))


def _is_there(folder: Path, listed: Path) -> bool:
    return _stamp(folder).exists() and _stamp(folder).read_text() == _wanted(listed)


def _stamp(folder: Path) -> Path:
    return folder / ".stamp"


def _wanted(listed: Path) -> str:
    return hashlib.sha256(f"{sys.version_info[:2]}".encode() + listed.read_bytes()).hexdigest()
