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


# Side by side what waits for servers and what keeps a core busy; the browser's last, because Playwright leaves an event
# loop running in this thread. Of those the ones that go through every face first, or one worker ends long after the
# others.
_WAITING, _LAST = ("studio", "comfy", "clients"), "browser"
_LONGEST = {
    f"test_{name}" for name in ("template_layout", "run_again", "faces", "run_line", "run_notice", "gallery_canvas")
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the folders, each in its own order. Windows has no file modes and no limits to set: those stay away there."""
    if os.name != "posix":
        items[:] = [item for item in items if item.get_closest_marker("posix") is None]
    files = list(dict.fromkeys(item.path for item in items))
    waiting = [file for file in files if _folder(file) in _WAITING]
    busy = [file for file in files if _folder(file) not in (*_WAITING, _LAST)]
    last = sorted((file for file in files if _folder(file) == _LAST), key=lambda file: file.stem not in _LONGEST)
    turn = {file: place / len(group) for group in (waiting, busy) for place, file in enumerate(group)}
    turn |= {file: 1 + place for place, file in enumerate(last)}
    items.sort(key=lambda item: turn[item.path])


def _folder(file: Path) -> str:
    return file.relative_to(_TESTS).parts[0]
