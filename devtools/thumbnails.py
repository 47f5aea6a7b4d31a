"""The pictures in ComfyUI's template browser: each workflow of workflows/ run in a real page against the sandbox.

python -m devtools.thumbnails [name …]      with .venv's Python, after `dev.py setup`
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.sandbox_client import start_process

from . import browser
from .paths import ROOT, comfyui_path
from .process import ComfyProcess

WORKFLOWS = ROOT / "workflows"
WIDTH = 640  # pixels
MAX_BYTES = 60_000
MARGIN = 24  # pixels of the page around the graph
VIEWPORT: ViewportSize = {"width": 2400, "height": 1500}
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False}
MUTED = 2
READY = "() => window.app?.graph && window.app?.extensionManager && !document.querySelector('#splash, .p-blockui-mask')"
# Everything that lies over the canvas without being part of the graph.
HIDE = ".side-tool-bar-container, .comfyui-body-top, .graph-canvas-panel .p-buttongroup, .p-toast {visibility: hidden}"
RUN = """() => new Promise((done, failed) => {
    const api = window.app.api ?? window.comfyAPI.api.api;
    api.addEventListener('execution_success', () => setTimeout(done, 1500), {once: true}); // pictures still load
    api.addEventListener('execution_error', event => failed(event.detail.exception_message), {once: true});
    window.app.queuePrompt(0);
})"""
BOX = """() => {
    const canvas = window.app.canvas, boxes = [...window.app.graph.nodes, ...window.app.graph.groups];
    const sides = boxes.map(box => [...(box.getBounding?.() ?? box.boundingRect ?? box._bounding)]);
    const at = (x, y) => [(x + canvas.ds.offset[0]) * canvas.ds.scale, (y + canvas.ds.offset[1]) * canvas.ds.scale];
    const [left, top] = at(Math.min(...sides.map(box => box[0])), Math.min(...sides.map(box => box[1])));
    const [right, bottom] = at(
        Math.max(...sides.map(box => box[0] + box[2])), Math.max(...sides.map(box => box[1] + box[3])));
    const {x, y} = canvas.canvas.getBoundingClientRect();
    return [left + x, top + y, right + x, bottom + y];
}"""


def main(names: Sequence[str]) -> int:
    wanted = names or sorted(path.stem for path in WORKFLOWS.glob("*.json"))
    with tempfile.TemporaryDirectory() as folder, start_process() as sandbox:
        server = ComfyProcess(Path(folder), {"HUNYUAN_API_KEY": sandbox.key, "HUNYUAN_BASE_URL": sandbox.url})
        shutil.copyfile(comfyui_path() / "input" / "example.png", server.input_directory / "example.png")
        settings = server.user_directory / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
        server.start()
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=browser.ensure(), args=["--no-sandbox"])
                page = chromium.new_page(viewport=VIEWPORT)
                page.goto(server.url)
                page.wait_for_function(READY)
                page.add_style_tag(content=HIDE)
                for name in wanted:
                    size = _save(_taken(page, name), WORKFLOWS / f"{name}.jpg")
                    print(f"workflows/{name}.jpg: {size} bytes", flush=True)
                chromium.close()
        finally:
            server.stop()
    return 0


def _taken(page: Page, name: str) -> Image.Image:
    """The graph after its run; with muted nodes, after a second run with them."""
    workflow = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)
    page.evaluate(RUN)
    if any(node["mode"] == MUTED for node in workflow["nodes"]):
        page.evaluate("() => window.app.graph.nodes.forEach(node => { node.mode = 0 })")
        page.evaluate(RUN)
    page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.wait_for_timeout(1500)  # the view moves there
    left, top, right, bottom = page.evaluate(BOX)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return shot.crop(
        (
            max(0, int(left) - MARGIN),
            max(0, int(top) - MARGIN),
            min(shot.width, int(right) + MARGIN),
            min(shot.height, int(bottom) + MARGIN),
        )
    )


def _save(picture: Image.Image, path: Path) -> int:
    """As JPEG of WIDTH pixels, as good as MAX_BYTES allow; its size in bytes."""
    small = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    for quality in range(88, 40, -4):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MAX_BYTES:
            path.write_bytes(out.getvalue())
            return out.tell()
    raise SystemExit(f"{path.name} does not fit into {MAX_BYTES} bytes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
