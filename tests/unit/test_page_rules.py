"""What the page's scripts must not do, and how they hang together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devtools.paths import ROOT

WEB = ROOT / "web"
SCRIPTS = sorted(WEB.glob("*.js"))
# Never called by Nodes 2.0, or lost in API-format export.
FORBIDDEN = ("onDrawForeground", "onDrawBackground", "onMouseDown", "addWidget(", "addDOMWidget", "ComfyWidgets")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_canvas_hooks_no_widgets_no_markup_from_texts_no_polling(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for word in (*FORBIDDEN, "innerHTML", "insertAdjacentHTML", "eval("):
        assert word not in text, word
    if path.name not in ("api.js", "run_only.js"):  # the only fetch layer; and what holds a request of ComfyUI's back
        assert not re.search(r"\bfetch\w*\(|XMLHttpRequest|WebSocket|scripts/api", text)
    if "setInterval" in text:
        assert re.findall(r"setInterval\((.*?),", text) == ["() => tickSeconds(this.element)"]
    assert len(text.splitlines()) <= 300


def test_each_script_is_used_and_nothing_else_lies_there() -> None:
    """ComfyUI imports every script under web/: what nobody imports would still run in every page."""
    entry = WEB / "hunyuan.js"
    reached = {entry}
    waiting = [entry]
    while waiting:
        for name in re.findall(r'from "\./([\w.]+)"', waiting.pop().read_text(encoding="utf-8")):
            path = WEB / name
            assert path.is_file(), name
            if path not in reached:
                reached.add(path)
                waiting.append(path)
    assert reached == set(WEB.rglob("*.js"))
