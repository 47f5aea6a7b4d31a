"""The pictures in ComfyUI's template browser: each workflow of workflows/ run in a real page against the sandbox.

python -m devtools.thumbnails [name …]      with .venv's Python, after `dev.py setup`
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize

from .pages import WORKFLOWS, opened, run

WIDTH = 640  # pixels
MAX_BYTES = 60_000
MARGIN = 24  # pixels of the page around the graph
BADGES = 24  # units of the graph above a node, where its badges stand
VIEWPORT: ViewportSize = {"width": 2400, "height": 1500}
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


def main(names: Sequence[str]) -> int:
    with opened(VIEWPORT) as page:
        for name in names or sorted(path.stem for path in WORKFLOWS.glob("*.json")):
            run(page, name)
            size = _save(graph_of(page), WORKFLOWS / f"{name}.jpg")
            print(f"workflows/{name}.jpg: {size} bytes", flush=True)
    return 0


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
