"""What holds for every test: nobody's real key, no proxy, a loopback gateway only."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.kit.faces import FACES

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
# loop running in this thread.
_WAITING, _LAST = ("studio", "comfy", "clients"), "browser"
# Before the others of their kind, or one worker ends minutes after the rest: the file that takes longest, and the one
# that has every face, for a face is one worker's from its first test on.
_FIRST = ("test_stops", "test_faces")


@pytest.hookimpl(optionalhook=True)  # the library's tests run without xdist too
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker takes a file at a time, and of the page all tests of one face: it costs seconds to open."""
    from xdist.scheduler import LoadFileScheduling

    class ByFileAndFace(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            face = next((str(face) for face in FACES if f"{face}]" in nodeid or f"[{face}" in nodeid), None)
            return face or super()._split_scope(nodeid)

    return ByFileAndFace(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-case", action="store_true", help="of each parametrized test only the first case")


@pytest.hookimpl(trylast=True)  # what the command line leaves out is gone by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mix the folders, each in its own order. Windows has no file modes and no limits to set: those stay away there."""
    if config.getoption("--one-case"):
        firsts = {_test_of(item): item for item in reversed(items)}
        items[:] = [item for item in items if firsts[_test_of(item)] is item or item.get_closest_marker("every_python")]
    if os.name != "posix":
        items[:] = [item for item in items if item.get_closest_marker("posix") is None]
    files = sorted(dict.fromkeys(item.path for item in items), key=lambda file: file.stem not in _FIRST)
    waiting = [file for file in files if _folder(file) in _WAITING]
    busy = [file for file in files if _folder(file) not in (*_WAITING, _LAST)]
    last = [file for file in files if _folder(file) == _LAST]
    turn = {file: place / len(group) for group in (waiting, busy) for place, file in enumerate(group)}
    turn |= {file: 1 + place for place, file in enumerate(last)}
    items.sort(key=lambda item: turn[item.path])


def _test_of(item: pytest.Item) -> tuple[Path, str]:
    return item.path, item.name.partition("[")[0]


def _folder(file: Path) -> str:
    return file.relative_to(_TESTS).parts[0]
