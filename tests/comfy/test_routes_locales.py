"""The translations against the live schema of a real ComfyUI, through the route that the page reads them from."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.kit.comfy_fixtures import PaidServer


@pytest.fixture
def schema(comfy: PaidServer) -> dict[str, Any]:
    """Our nodes in /object_info, in the shape of nodeDefs.json."""
    found = comfy.object_info()
    nodes = {name: node for name, node in found.items() if node["python_module"] == "custom_nodes.hunyuan-image-3"}
    assert nodes
    return {name: _texts(node) for name, node in nodes.items()}


def _texts(node: dict[str, Any]) -> dict[str, Any]:
    inputs = {}
    for each in (node["input"].get("required", {}), node["input"].get("optional", {})):
        for name, spec in each.items():
            options = spec[1] if len(spec) > 1 else {}
            inputs[name] = {"name": name, "tooltip": options["tooltip"]}
            if options.get("control_after_generate"):
                inputs["control_after_generate"] = {}
    outputs = zip(node["output_name"], node["output_tooltips"], strict=True)
    return {
        "display_name": node["display_name"],
        "description": node["description"],
        "inputs": inputs,
        "outputs": {str(index): {"name": name, "tooltip": tip} for index, (name, tip) in enumerate(outputs)},
    }


def test_the_english_texts_are_the_schemas_own(comfy: PaidServer, schema: dict[str, Any]) -> None:
    told = comfy.get_json("/i18n")["en"]["nodeDefs"]
    for node in told.values():
        if "control_after_generate" in node["inputs"]:
            node["inputs"]["control_after_generate"] = {}
    assert told == schema


def test_the_chinese_texts_leave_nothing_out(comfy: PaidServer, schema: dict[str, Any]) -> None:
    told = comfy.get_json("/i18n")["zh"]["nodeDefs"]
    assert set(told) == set(schema)
    for name, node in schema.items():
        assert set(told[name]["inputs"]) == set(node["inputs"])
        assert set(told[name]["outputs"]) == set(node["outputs"])
        texts = [told[name]["display_name"], told[name]["description"]]
        for part in (*told[name]["inputs"].values(), *told[name]["outputs"].values()):
            texts += [part["name"], part["tooltip"]]
        assert all(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in texts), texts


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_is_served_with_its_pictures_where_the_page_looks_for_them(
    comfy: PaidServer, schema: dict[str, Any], language: str
) -> None:
    docs = f"{comfy.url}/extensions/hunyuan-image-3/docs"  # the front-end's rule, for pictures too
    for node in schema:
        page = comfy.http.get(f"{docs}/{node}/{language}.md", timeout=30)
        assert page.status_code == 200
        pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.content.decode())
        assert pictures
        for picture in pictures:
            answer = comfy.http.get(f"{docs}/{picture}", timeout=30)
            assert answer.headers["Content-Type"] == "image/png", picture
