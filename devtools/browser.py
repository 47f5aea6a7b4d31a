"""A Chromium for the browser tests: found where it is, installed where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .console import Steps, stop
from .paths import venv_python

_NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome", "msedge")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
_ASK_PLAYWRIGHT = (
    "from playwright.sync_api import sync_playwright\n"
    "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
)


def find() -> Path | None:
    """CHROMIUM_PATH, a Chromium or Chrome of the system, or Playwright's own; None if there is none."""
    if given := os.environ.get("CHROMIUM_PATH"):
        if not Path(given).is_file():
            stop(f"CHROMIUM_PATH={given} does not exist: set it to a Chromium or Chrome, or unset it.")
        return Path(given)
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    for place in _PLACES:
        if Path(place).is_file():
            return Path(place)
    return _playwrights()


def ensure() -> Path:
    """`find`, after an installation if need be: Debian's package as root, else Playwright's build."""
    if found := find():
        return found
    steps = Steps(1)
    steps.begin("A browser for the tests")
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        _run(["apt-get", "update", "-q"])
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        packages = ["chromium", "fonts-noto-cjk"]
        _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], environment)
        if found := find():  # Ubuntu's package of that name holds no browser
            return found
    options = ["--with-deps"] if sys.platform.startswith("linux") and getattr(os, "geteuid", lambda: 1)() == 0 else []
    installed = _run([str(venv_python()), "-m", "playwright", "install", *options, "chromium"])
    found = _playwrights()
    if found is None:
        stop(
            "No browser was found, and none could be installed:\n"
            f"{installed[-1500:]}\n"
            "Install Chromium or Google Chrome, or set CHROMIUM_PATH to one."
        )
    return found


def _playwrights() -> Path | None:
    if not venv_python().exists():
        return None
    asked = subprocess.run(
        [str(venv_python()), "-c", _ASK_PLAYWRIGHT], capture_output=True, text=True, timeout=60, check=False
    )
    path = Path(asked.stdout.strip())
    return path if asked.returncode == 0 and path.is_file() else None


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run an installer quietly; what it said, for the message if no browser stands there after it."""
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    return ran.stdout + ran.stderr
