"""What holds for every test: nobody's real key, no proxy, a loopback gateway only."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parent


def pytest_configure() -> None:
    """Forget what the surroundings say about keys, proxies and Ctrl+C, before anything is imported."""
    for name in list(os.environ):
        if name.startswith("HUNYUAN_") or name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}:
            del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job (`… &`) ignores it, and with it each ComfyUI that the tests would end by Ctrl+C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.name == "posix" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the same of a job under nohup


# What takes longest first, so that no worker is left alone with it in the end; the browser's last all the same, because
# Playwright leaves an event loop running in this thread.
_ORDER = ("studio", "comfy", "clients", "contract", "unit", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder, otherwise as collected. Windows has no file modes and no limits to set: those stay away there."""
    if os.name != "posix":
        items[:] = [item for item in items if item.get_closest_marker("posix") is None]
    items.sort(key=lambda item: _ORDER.index(item.path.relative_to(_TESTS).parts[0]))
