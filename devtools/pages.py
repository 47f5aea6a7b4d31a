"""A real page on a real ComfyUI that pays the sandbox: what the pictures of templates and documents are taken from."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
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

MARGIN = 24  # pixels of the page around the graph
BADGES = 24  # units of the graph above a node, where its badges stand
# Everything that lies over the canvas without being part of the graph.
HIDE = (
    ".side-tool-bar-container, .comfyui-body-top, .subgraph-breadcrumb, .graph-canvas-panel .p-buttongroup, .p-toast"
    " {visibility: hidden !important}"
)
BOX = """badges => {
    const canvas = window.app.canvas, boxes = [...window.app.graph.nodes, ...window.app.graph.groups];
    const sides = boxes.map(box => [...(box.getBounding?.() ?? box.boundingRect ?? box._bounding)]);
    const at = (x, y) => [(x + canvas.ds.offset[0]) * canvas.ds.scale, (y + canvas.ds.offset[1]) * canvas.ds.scale];
    const [left, top] = at(Math.min(...sides.map(box => box[0])), Math.min(...sides.map(box => box[1])) - badges);
    const [right, bottom] = at(
        Math.max(...sides.map(box => box[0] + box[2])), Math.max(...sides.map(box => box[1] + box[3])));
    const {x, y} = canvas.canvas.getBoundingClientRect();
    return [left + x, top + y, right + x, bottom + y];
}"""


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


def graph_of(page: Page) -> Image.Image:
    """The part of the page where the graph is, without what lies over it."""
    left, top, right, bottom = page.evaluate(BOX, BADGES)
    shot = Image.open(io.BytesIO(page.screenshot(style=HIDE))).convert("RGB")
    return shot.crop(
        (
            max(0, int(left) - MARGIN),
            max(0, int(top) - MARGIN),
            min(shot.width, int(right) + MARGIN),
            min(shot.height, int(bottom) + MARGIN),
        )
    )
