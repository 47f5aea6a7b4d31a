"""A real page on a real ComfyUI that pays the sandbox: what the pictures of templates and documents are taken from."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, sync_playwright

from sandbox.client import start_process

from . import browser
from .paths import ROOT, comfyui_path
from .process import ComfyProcess

WORKFLOWS = ROOT / "workflows"
MUTED = 2  # LiteGraph's mode of a node that does not run
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False}
READY = "() => window.app?.graph && window.app?.extensionManager && !document.querySelector('#splash, .p-blockui-mask')"
RUN = """() => new Promise((done, failed) => {
    const api = window.app.api ?? window.comfyAPI.api.api;
    api.addEventListener('execution_success', () => setTimeout(done, 1500), {once: true}); // pictures still load
    api.addEventListener('execution_error', event => failed(event.detail.exception_message), {once: true});
    window.app.queuePrompt(0);
})"""


@contextlib.contextmanager
def opened(viewport: ViewportSize, settings: Mapping[str, Any] | None = None, *, key: bool = True) -> Iterator[Page]:
    """A page of that size in pixels, on a ComfyUI of its own whose settings are SETTINGS and these; has it a key?"""
    with tempfile.TemporaryDirectory() as folder, start_process() as sandbox:
        surroundings = {"HUNYUAN_API_KEY": sandbox.key if key else None, "HUNYUAN_BASE_URL": sandbox.url}
        server = ComfyProcess(Path(folder), surroundings)
        shutil.copyfile(comfyui_path() / "input" / "example.png", server.input_directory / "example.png")
        file = server.user_directory / "default" / "comfy.settings.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({**SETTINGS, **(settings or {})}), encoding="utf-8")
        server.start(timeout=300)
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=browser.ensure(), args=["--no-sandbox"])
                page = chromium.new_page(viewport=viewport)
                page.add_init_script("localStorage.setItem('vueNodesBannerDismissed', 'true')")  # ComfyUI's own news
                page.goto(server.url)
                page.wait_for_function(READY)
                yield page
                chromium.close()
        finally:
            server.stop()


def run(page: Page, name: str) -> None:
    """Loads a workflow of workflows/, runs it (with muted nodes: twice, the second time with them), shows all of it."""
    workflow = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)
    page.evaluate(RUN)
    if any(node["mode"] == MUTED for node in workflow["nodes"]):
        page.evaluate("() => window.app.graph.nodes.forEach(node => { node.mode = 0 })")
        page.evaluate(RUN)
    page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.wait_for_timeout(1500)  # the view moves there
