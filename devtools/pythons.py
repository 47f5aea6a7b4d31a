"""The library's tests under each other Python that is at hand, without those that say nothing of the interpreter."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from .console import Steps
from .environment import make_venv
from .paths import CACHE, REQUIREMENTS, ROOT, venv_python
from .pip import pip
from .process import run_child

SUPPORTED = ((3, 10), (3, 11), (3, 12), (3, 13))
_PROBE = "import ensurepip, sys; print(*sys.version_info[:2])"

_LIBRARY = re.compile(r"^(?:import|from) hunyuan\b", re.MULTILINE)
_BEYOND = re.compile(r"^\s*(?:import|from) (?:torch|devtools|benchmarks)\b", re.MULTILINE)


def others() -> dict[tuple[int, int], str]:
    """Supported Pythons on this machine, by version, apart from the one that runs dev.py."""
    found: dict[tuple[int, int], str] = {}
    for version in SUPPORTED:
        if version == sys.version_info[:2]:
            continue
        for candidate in _candidates(version):
            if _version(candidate) == version:
                found[version] = candidate
                break
    return found


def run_all(environment: Mapping[str, str]) -> Iterator[tuple[str, float, subprocess.CompletedProcess[str]]]:
    """The library's tests under the oldest and the newest Python, without the long ones and each with one case: name,
    seconds, outcome.

    What those two agree on, the ones between them need not tell once more. More cases mostly are other values for the
    same lines; where they try the interpreter's own modules, the test is marked `every_python` and runs with all.
    """
    for version, python in others().items():
        if version in (SUPPORTED[0], SUPPORTED[-1]):
            venv = _ensure_venv(version, python)
            yield "the library under Python {}.{}".format(*version), *_run(venv, environment)


def run_own(environment: Mapping[str, str]) -> int:
    """All of the library's tests under the Python that runs dev.py: no ComfyUI, no browser, any platform."""
    return run_child(_command(_ensure_venv(sys.version_info[:2], sys.executable)), environment)


def _run(venv: Path, environment: Mapping[str, str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    began = time.monotonic()
    ran = subprocess.run(
        [*_command(venv), "-m", "not long", "--one-case"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return time.monotonic() - began, ran


def _command(venv: Path) -> list[str]:
    files = [str(path) for path in sorted((ROOT / "tests" / "unit").glob("test_*.py")) if _of_library(path)]
    return [str(venv_python(venv)), "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]


def _of_library(test: Path) -> bool:
    """Whether it imports the library, no torch, which runs in ComfyUI's own Python, and none of the project's tools."""
    text = test.read_text(encoding="utf-8")
    return bool(_LIBRARY.search(text)) and not _BEYOND.search(text)


def _ensure_venv(version: tuple[int, int], python: str) -> Path:
    venv = CACHE / "python{}.{}".format(*version)
    requirements = REQUIREMENTS / "unit.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = venv / ".stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return venv
    steps = Steps(1)
    steps.begin("Packages for Python {}.{}".format(*version))
    if not venv_python(venv).exists():
        CACHE.mkdir(exist_ok=True)
        make_venv(venv, python)
    pip(venv_python(venv), ["install", "--requirement", str(requirements)], steps)
    stamp.write_text(wanted)
    return venv


def _candidates(version: tuple[int, int]) -> Iterator[str]:
    name = "python{}.{}".format(*version)
    if found := shutil.which(name):
        yield found
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"]
    for root in roots:
        for place in sorted(root.glob("{}.{}.*".format(*version)), reverse=True):
            yield str(venv_python(place))
    if sys.platform == "win32" and (launcher := shutil.which("py")):
        asked = subprocess.run(
            [launcher, "-{}.{}".format(*version), "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            yield asked.stdout.strip()


def _version(python: str) -> tuple[int, int] | None:
    """What it says of itself; None where it does not run (a pyenv shim of a version that is not chosen)."""
    try:
        asked = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    if asked.returncode:
        return None
    major, minor = asked.stdout.split()
    return int(major), int(minor)
