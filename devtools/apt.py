"""Debian's packages, where this is Debian and we may install them."""

from __future__ import annotations

import os
import shutil
import subprocess

from .console import Steps


def may_install() -> bool:
    """Whether apt-get is there and we are root."""
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def install(title: str, *packages: str) -> str:
    """Install quietly; what apt-get said, for the message if what was wanted is not there after it."""
    steps = Steps(1)
    steps.begin(title)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    said = ""
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        ran = subprocess.run(
            ["apt-get", *command], env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        said += ran.stdout + ran.stderr
    return said
