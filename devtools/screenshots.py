"""The pictures in the READMEs, taken from a real page on the sandbox.

python -m devtools.screenshots      with .venv's Python, after `dev.py setup`
"""

from __future__ import annotations

import io
import sys

from PIL import Image
from playwright.sync_api import Page, ViewportSize

from .pages import graph_of, opened, run
from .paths import ROOT

IMAGES = ROOT / "docs" / "images"
VIEWPORT: ViewportSize = {"width": 1600, "height": 860}
WIDE: ViewportSize = {"width": 2400, "height": 1200}  # all of the workflow at a zoom that shows its texts
# With what is in the tabs: the chosen one's cross is visible by a rule of its own.
TOOLBAR = (
    ".graph-canvas-panel .p-buttongroup, .p-toast, .workflow-tabs-container, .workflow-tabs-container *"
    " {visibility: hidden !important}"
)
# ComfyUI's note of a finished run, which lies over the graph for a while.
WITHOUT_NOTE = """() => {
    for (const words of document.querySelectorAll('span, div')) {
        const text = words.textContent;
        if (/job completed/.test(text) && text.length < 40) words.style.display = 'none';
    }
}"""


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for locale, ending in (("en", ""), ("zh", ".zh")):
        with opened(VIEWPORT, {"Comfy.Locale": locale}) as page:
            page.add_style_tag(content=TOOLBAR)
            page.set_viewport_size(WIDE)
            run(page, "06 Generate then edit")
            page.evaluate(WITHOUT_NOTE)
            _save(graph_of(page), f"workflow{ending}")
            page.set_viewport_size(VIEWPORT)
            _take_sidebar(page, f"sidebar{ending}")
        with opened(VIEWPORT, {"Comfy.Locale": locale}, key=False) as page:
            page.add_style_tag(content=TOOLBAR)
            page.evaluate("() => window.app.extensionManager.command.execute('Hunyuan.SetKey')")
            page.wait_for_timeout(1500)
            _take(page, f"key-dialog{ending}")
    return 0


def _take_sidebar(page: Page, picture: str) -> None:
    for name in ("08 Grid of seeds", "10 Submit now collect later", "02 Edit an image"):
        run(page, name)
    page.evaluate("() => window.app.extensionManager.command.execute('Hunyuan.ShowTasks')")
    page.wait_for_timeout(2500)  # the panel slides in, its pictures load
    _take(page, picture)


def _take(page: Page, name: str) -> None:
    """The whole page."""
    page.evaluate(WITHOUT_NOTE)
    _save(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), name)


def _save(picture: Image.Image, name: str) -> None:
    """As a PNG of 256 colours, which is enough for a dark interface."""
    path = IMAGES / f"{name}.png"
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"docs/images/{path.name}: {path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    sys.exit(main())
