"""The pictures in the help pages of the other models' nodes: each run once in a real page against the sandbox.

python -m devtools.node_pictures [node …]      with .venv's Python, after `dev.py setup`
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, ViewportSize

from hunyuan.gateway.models.catalogue import Catalogue

from .pages import RUN, graph_of, opened
from .paths import ROOT

DOCS = ROOT / "web" / "docs"
VIEWPORT: ViewportSize = {"width": 1600, "height": 1200}
MOST_BYTES = 300_000
EARLIER = "HunyuanGrokImagine"  # makes the task that an upscale goes on from
PROMPT = "A lighthouse at dusk, painted in thick strokes"
# One node with a picture on it; with an earlier node, the second one takes its task ids.
PLACE = """([names, prompt]) => {
    const graph = window.app.graph;
    graph.clear();
    const nodes = names.map((name, index) => {
        const node = window.LiteGraph.createNode(name);
        node.pos = [index * 480, 0];
        graph.add(node);
        const text = node.widgets.find(widget => widget.name === 'prompt');
        text.value = prompt;
        return node;
    });
    const last = nodes[nodes.length - 1], shown = window.LiteGraph.createNode('PreviewImage');
    shown.pos = [names.length * 480, 0];
    graph.add(shown);
    last.connect(0, shown, 0);
    if (nodes.length > 1) {
        const input = last.inputs.findIndex(each => each.name === 'task_ids');
        nodes[0].connect(2, last, input);
    }
}"""


def main(names: Sequence[str]) -> int:
    wanted = names or [family.node for family in Catalogue().others]
    for locale in ("en", "zh"):
        with opened(VIEWPORT, {"Comfy.Locale": locale}) as page:
            for name in wanted:
                _take(page, name, DOCS / name / f"{locale}.png")
    return 0


def _take(page: Page, name: str, path: Path) -> None:
    nodes: list[Any] = [EARLIER, name] if name == "HunyuanGrokUpscale" else [name]
    page.evaluate(PLACE, [nodes, PROMPT])
    page.evaluate(RUN)
    page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.wait_for_timeout(1500)  # the view moves there
    size = _save(graph_of(page), path)
    print(f"{path.relative_to(ROOT)}: {size} bytes", flush=True)
    help_page = path.with_suffix(".md")  # which shows another node's picture until this one has its own
    text = help_page.read_text(encoding="utf-8")
    help_page.write_text(text.replace(f"(HunyuanGenerate/{path.name})", f"({name}/{path.name})"), encoding="utf-8")


def _save(picture: Image.Image, path: Path) -> int:
    """As a PNG of few colours, no larger than MOST_BYTES; its size in bytes."""
    width = 800
    while True:
        small = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        small.quantize(128).save(out, "PNG", optimize=True)
        if out.tell() <= MOST_BYTES:
            path.write_bytes(out.getvalue())
            return out.tell()
        width -= 80


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
