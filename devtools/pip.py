"""pip as a subprocess of the virtual environment, with its progress shown as a counter."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from .console import Steps, megabytes, stop

_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)")
_NAME = re.compile(r"^\s*(?:Downloading|Processing|Using cached) (?:\S*/)?([^\s/]+)")


def pip(python: Path, arguments: Sequence[str], steps: Steps, *, check: bool = True) -> bool:
    """Run `pip arguments`; True if it succeeded. With `check`, failure stops dev.py with pip's words."""
    command = [str(python), "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments]
    tail: deque[str] = deque(maxlen=25)
    name, files = "", 0
    # Bytecode of all these packages would take longer than the downloads, and most of it is never imported.
    environment = {**os.environ, "PIP_NO_COMPILE": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.rstrip()
            if found := _PROGRESS.match(line):
                done, size = int(found[1]), int(found[2])
                of = f" of {megabytes(size)}" if size else ""
                steps.counter(f"{files} files, {name}: {megabytes(done)}{of}")
                continue
            tail.append(line)
            if found := _NAME.match(line):
                name, files = _package(found[1]), files + 1
                steps.counter(f"{files} files, {name}")
            elif line.startswith("Installing collected packages"):
                steps.counter(f"unpacking {line.count(',') + 1} packages")
    steps.clear()
    if process.returncode and check:
        stop(
            f"pip failed (exit {process.returncode}) on: pip {' '.join(arguments)}\n"
            + "\n".join(f"    {line}" for line in tail)
            + "\nNothing was half-installed that a second run would not finish: "
            "check the network or the free disk space, then run the same command again."
        )
    return process.returncode == 0


def _package(file: str) -> str:
    """`torch 2.13.0` of `torch-2.13.0-cp311-….whl`."""
    return " ".join(file.split("-")[:2])
