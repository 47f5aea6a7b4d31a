"""A ComfyUI page in a real Chromium, with everything it complained about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.faces import Face

OURS = ("hunyuan",)  # in the text or the address of what is ours to answer for
# Newer front-ends show the page first and put the default workflow on the canvas later: the spinner ends with that.
READY = """() => {
  const manager = window.app?.extensionManager;
  return Boolean(window.app?.graph && manager && !manager.spinner && manager.workflow?.activeWorkflow
    && !document.querySelector('#splash, #splash-loader, .p-blockui-mask'));
}"""
# What the page has asked for by fetch: how many answers it waits for, and whose JSON it has read. Playwright tells of
# answers when they reach the browser, which is earlier, and of "networkidle" once a page only.
ASKING = """(() => {
  if (window.asking) return;
  const asking = window.asking = {open: 0, read: []};
  const {fetch} = window;
  window.fetch = async (...request) => {
    asking.open++;
    try {
      const answer = await fetch(...request);
      const json = answer.json.bind(answer);
      answer.json = async () => {
        const told = await json();
        asking.read.push(answer.url);
        return told;
      };
      return answer;
    } finally {
      asking.open--;
    }
  };
})()"""

# Software draws every frame of a spinner here: what moves stands still instead.
STILL = """addEventListener('DOMContentLoaded', () => {
  const style = document.createElement('style');
  style.textContent = '*, ::before, ::after { animation: none !important; transition: none !important }';
  document.head.append(style);
})"""

_EMPTY = """async () => {
  document.querySelectorAll('dialog[open]').forEach(dialog => dialog.close());
  document.querySelectorAll('.hunyuan-notice').forEach(notice => notice.remove());
  window.app.extensionManager.sidebarTab.activeSidebarTabId = null;
  Object.keys(localStorage).filter(key => /^hunyuan/i.test(key)).forEach(key => localStorage.removeItem(key));
  await window.app.loadGraphData({version: 0.4, nodes: [], links: [], last_node_id: 0, last_link_id: 0});
}"""


@dataclass
class Tab:
    """An open page. `page` is Playwright's; the rest is what these tests need over and over."""

    page: Page
    context: BrowserContext
    server: PaidServer
    face: Face
    console: list[ConsoleMessage] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def errors(self, *, everybodys: bool = False) -> list[str]:
        """Console errors, uncaught exceptions and failed requests since the page opened: ours, or everybody's."""
        told = [f"{entry.text} ({entry.location.get('url', '')})" for entry in self.console if entry.type == "error"]
        told += self.failures
        return [text for text in told if everybodys or _ours(text)]

    def forget_the_unreachable(self) -> None:
        """Forget the requests that no server answered so far: the test took it away."""
        self.console[:] = [entry for entry in self.console if "net::ERR_" not in entry.text]

    def warnings(self) -> list[str]:
        """Console warnings of ours."""
        told = [f"{entry.text} ({entry.location.get('url', '')})" for entry in self.console if entry.type == "warning"]
        return [text for text in told if _ours(text)]

    def load_api(self, workflow: Mapping[str, Any], name: str = "test") -> None:
        """Put an API-format workflow onto the canvas, as dropping its file does."""
        self.page.evaluate("([workflow, name]) => window.app.loadApiJson(workflow, name)", [workflow, name])

    def load(self, workflow: Mapping[str, Any]) -> None:
        """Put a saved workflow onto the canvas, as opening its file does."""
        self.page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)

    def graph(self) -> dict[str, Any]:
        """The canvas as a saved workflow."""
        return dict(json.loads(self.page.evaluate("() => JSON.stringify(window.app.graph.serialize())")))

    def to_api(self) -> dict[str, Any]:
        """The canvas as an API-format workflow."""
        told = self.page.evaluate("async () => JSON.stringify((await window.app.graphToPrompt()).output)")
        return dict(json.loads(told))

    def queue(self) -> None:
        """Press Run."""
        self.page.evaluate("() => window.app.queuePrompt(0)")

    def client_id(self) -> str:
        return str(self.page.evaluate("() => window.app.api?.clientId ?? sessionStorage.getItem('clientId')"))

    def command(self, name: str) -> None:
        """Execute a command by its id, as its menu entry does."""
        self.page.evaluate("name => window.app.extensionManager.command.execute(name)", name)

    def again(self) -> Tab:
        """The same page for another test: nothing on the canvas, the sidebar closed, no complaints, a new sandbox."""
        self.server.start_over()
        write_settings(self.server, self.face, {})  # another page of this test file may have another language
        self.page.evaluate(_EMPTY)
        self.console.clear()
        self.failures.clear()
        return self

    def anew(self) -> None:
        """Open the page again as a browser does that was never there, but for its cache."""
        self.server.start_over()
        write_settings(self.server, self.face, {})
        self.page.goto(f"{self.server.url}/hunyuan/models")  # the same origin, without ComfyUI's page
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.goto(self.server.url)
        self.ready()

    def reload(self) -> None:
        """Reload the page as F5 does, and wait until it is ready."""
        self.page.reload()
        self.ready()

    def ready(self) -> None:
        """Wait until the front-end has finished starting, and the pack's page has its first totals."""
        self.page.wait_for_function(READY)
        self.has_read("summary")

    def has_read(self, path: str) -> None:
        """Wait until the page has read an answer of /hunyuan/<path> since it was opened; all that hangs on it is done.

        What reads the JSON runs in the same turn: before anything that a test asks the page afterwards.
        """
        self.page.wait_for_function(
            "path => window.asking.read.some(url => new URL(url).pathname.endsWith(`/hunyuan/${path}`))", arg=path
        )

    def settle(self) -> None:
        """Wait until the page has drawn twice and waits for no answer: what it just did has asked for all it needs."""
        self.page.wait_for_function(
            """async () => {
              await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
              return window.asking.open === 0;
            }"""
        )

    # -- listening: wired up by the fixture before the page is opened ---------------------------

    def listen(self) -> None:
        self.page.on("console", lambda entry: self.console.append(entry))
        self.page.on("pageerror", lambda error: self.failures.append(f"uncaught: {error}\n{error.stack or ''}"))
        self.page.on("response", self._response)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.failures.append(f"{response.status} {response.request.method} {response.url}")


def _ours(text: str) -> bool:
    """Whether the pack answers for it. ComfyUI's page asks its own registry about every node, ours too."""
    return "api.comfy.org" not in text and any(word in text.lower() for word in OURS)


def write_settings(server: PaidServer, face: Face, more: Mapping[str, Any]) -> None:
    """The user's ComfyUI settings for the next page, through ComfyUI's own route."""
    settings = {
        "Comfy.TutorialCompleted": True,  # or the template browser opens over everything
        "Comfy.Locale": face.locale,
        "Comfy.VueNodes.Enabled": face.vue_nodes,
        "Comfy.Workflow.ShowMissingModelsWarning": False,
        "Comfy.ColorPalette": "dark",  # whatever a test that failed left
        **more,
    }
    answer = server.http.post(
        f"{server.url}/settings", data=json.dumps(settings), headers={"Content-Type": "application/json"}, timeout=30
    )
    answer.raise_for_status()
