"""A Chromium for the browser tests: found where it is, installed where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from . import apt
from .console import Steps, stop
from .paths import venv_python

# The shell draws no window that nobody sees: a page opens in two thirds of the time.
_SHELL = "chromium-headless-shell"
_NAMES = (_SHELL, "chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome", "msedge")
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
    if apt.may_install():
        apt.install("A browser for the tests", _SHELL, "fonts-noto-cjk")
        if found := find():  # Ubuntu has no such package
            return found
    steps = Steps(1)
    steps.begin("A browser for the tests: Playwright's")
    options = ["--with-deps"] if apt.may_install() else []
    command = [str(venv_python()), "-m", "playwright", "install", *options, "chromium"]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = _playwrights()
    if found is None:
        stop(
            "No browser was found, and none could be installed:\n"
            f"{(ran.stdout + ran.stderr)[-1500:]}\n"
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
