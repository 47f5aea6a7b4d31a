"""The help pages: one a node and language, naming every input and output, with pictures that exist and are small."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from PIL import Image

from devtools.paths import ROOT

DOCS = ROOT / "web" / "docs"
NODES: dict[str, Any] = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
MOST_BYTES = 300_000


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("node", NODES)
def test_a_help_page_names_everything_and_shows_a_picture(node: str, language: str) -> None:
    page = (DOCS / node / f"{language}.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    for name in NODES[node]["inputs"]:
        assert name == "control_after_generate" or f"`{name}`" in page, name
    for output in NODES[node]["outputs"].values():
        assert f"`{output['name']}`" in page
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page)
    assert pictures
    for picture in pictures:
        path = DOCS / picture  # ComfyUI takes them from there
        assert path.stat().st_size <= MOST_BYTES
        with Image.open(path) as opened:
            assert min(opened.size) >= 200


@pytest.mark.parametrize("node", NODES)
def test_the_chinese_help_names_inputs_and_outputs_as_the_node_shows_them(node: str) -> None:
    page = (DOCS / node / "zh.md").read_text(encoding="utf-8")
    texts = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))[node]
    for name, shown in texts["inputs"].items():
        assert name == "control_after_generate" or f"{shown['name']} `{name}`" in page, name
    for number, output in NODES[node]["outputs"].items():
        assert f"{texts['outputs'][number]['name']} `{output['name']}`" in page, output["name"]


def test_there_are_no_pages_and_no_pictures_that_nothing_shows() -> None:
    assert {path.name for path in DOCS.iterdir()} == set(NODES)
    for node in NODES:
        pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / node).glob("*.md"))
        for path in (DOCS / node).iterdir():
            assert path.suffix == ".md" or path.name in pages
