"""A real Chromium on a real ComfyUI: `open_tab(…)` gives a page, `tab` the plain one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright

from devtools import browser as browsers
from devtools.comfyui import FRONTEND_ROOT
from devtools.paths import comfyui_path
from tests.kit.browser import ASKING, STILL, Tab, write_settings
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_fixtures import comfy_server as comfy_server
from tests.kit.comfy_fixtures import session_servers as session_servers
from tests.kit.faces import FACES, Face
from tests.kit.known_durations import remember_quick_tasks

TabFactory = Callable[..., Tab]
SIZE: ViewportSize = {"width": 1440, "height": 900}
# No page may reach further than this machine, whatever it asks for.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = browsers.find()
    assert path is not None, "No browser: run `python3 dev.py test`, which installs one, or set CHROMIUM_PATH."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def face_server(session_servers: ServerFactory) -> Callable[[str], PaidServer]:
    """The session's ComfyUI for one front-end, started at first use: `pinned` or `new`."""
    started: dict[str, PaidServer] = {}

    def server(frontend: str) -> PaidServer:
        if frontend not in started:
            root = frontend_root(frontend)
            started[frontend] = one = session_servers(frontend_root=root, start=False)
            remember_quick_tasks(one.state_directory)
            one.start()
            example = comfyui_path() / "input" / "example.png"  # as every installation has it
            shutil.copyfile(example, one.input_directory / example.name)
        return started[frontend]

    return server


def frontend_root(frontend: str) -> Path | None:
    """What to give `comfy_server(frontend_root=…)` for a front-end of Face."""
    if frontend == "pinned":
        return None
    assert FRONTEND_ROOT.is_dir(), "The new front-end is not installed: run `python3 dev.py test` once."
    return FRONTEND_ROOT


@contextmanager
def tabs(chromium: Browser, face_server: Callable[[str], PaidServer]) -> Iterator[TabFactory]:
    """`open_tab`, its pages closed at the end."""
    contexts: list[BrowserContext] = []

    def open_(
        face: Face | None = None,
        *,
        server: PaidServer | None = None,
        path: str = "/",
        settings: dict[str, Any] | None = None,
        context: BrowserContext | None = None,
    ) -> Tab:
        face = face or Face()
        if server is None:
            server = face_server(face.frontend)
            server.start_over()
        write_settings(server, face, settings or {})
        if context is None:
            context = chromium.new_context(viewport=SIZE, locale="zh-CN" if face.locale == "zh" else "en-US")
            contexts.append(context)
        context.set_default_timeout(60_000)
        context.add_init_script("localStorage.setItem('vueNodesBannerDismissed', 'true')")  # ComfyUI's advertisement
        context.add_init_script(ASKING)
        context.add_init_script(STILL)
        tab = Tab(context.new_page(), context, server, face)
        tab.listen()
        tab.page.goto(server.url + path)
        tab.ready()
        return tab

    try:
        yield open_
    finally:
        for opened in contexts:
            opened.close()


class Pages:
    """The pages that tests share, one a face, of which one at most is open: others would hear its server too.

    It goes on from test to test as a user's does from task to task. One that was left begins anew, without what the
    tests left in it: its scripts are compiled already, which is most of what a page costs. So does one that another
    file has used, where chance says which file that was: the workers take what comes next.
    """

    def __init__(self, open_: TabFactory) -> None:
        self._open = open_
        self._known: dict[Face, Tab] = {}
        self._used: tuple[Face, Path | None] | None = None  # the open one, and by tests of which file

    def get(self, face: Face, file: Path | None) -> Tab:
        """The page of that face, for a test of that file; None: of any, as they come in the same order in each run."""
        if self._used != (face, file):
            self.leave()
            if face in self._known:
                self._known[face].anew()
            else:
                self._known[face] = self._open(face)
        self._used = face, file
        return self._known[face]

    def leave(self, *, to: Path | None = None) -> None:
        """Close the open page, unless tests of the file `to` use it."""
        if self._used and self._used[1] != to:
            self._known[self._used[0]].page.goto("about:blank")
            self._used = None


@pytest.fixture(scope="session")
def pages(chromium: Browser, face_server: Callable[[str], PaidServer]) -> Iterator[Pages]:
    with tabs(chromium, face_server) as open_:
        yield Pages(open_)


@pytest.fixture
def open_tab(
    request: pytest.FixtureRequest, pages: Pages, chromium: Browser, face_server: Callable[[str], PaidServer]
) -> Iterator[TabFactory]:
    """`open_tab(face, server=…, path="/", settings={…}, context=…)`: a page, ready to be used.

    Each in a browser context of its own (no cookies, no storage of another) unless `context` is given.
    Without `server` it is the session's, its sandbox reset.
    """
    pages.leave(to=request.path)
    with tabs(chromium, face_server) as open_:
        yield open_


@pytest.fixture
def tab(request: pytest.FixtureRequest, pages: Pages) -> Tab:
    """A page in English, on the canvas, with the front-end this ComfyUI pins: one for all tests of a file."""
    return pages.get(Face(), request.path).again()


@pytest.fixture(params=FACES, ids=str)
def face_tab(request: pytest.FixtureRequest, pages: Pages) -> Tab:
    """A page in each face of ComfyUI: one for all its tests, which are one worker's."""
    face: Face = request.param
    return pages.get(face, None).again()
