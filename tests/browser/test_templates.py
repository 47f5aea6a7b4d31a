"""The shipped workflows and the blueprint in the page: listed, loaded without a warning, nothing shifted."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from devtools.paths import ROOT, comfyui_path
from sandbox.pictures import background, prompt_colour
from tests.browser.conftest import TabFactory
from tests.browser.harness import FACES, Face, Tab
from tests.workflow_files import NOTES, TEMPLATES, template, to_api

PACK = "hunyuan-image-3"
BLUEPRINT = "Hunyuan generate then edit"
PREVIEW_WIDGETS = ("preview", "preview_mode", "preview_markdown", "preview_text")  # PreviewAny's own, on the page only
# What ComfyUI's page says of itself: its registry, its models, routes of a newer server, its own old calls.
COMFYUIS_OWN = ("api.comfy.org", "huggingface.co", "jobs", "Jobs API", "/api/userdata", "input.link is deprecated")


def open_with_example(open_tab: TabFactory, face: Face) -> Tab:
    """A page of a ComfyUI that has example.png in its input folder, as every installation does."""
    tab = open_tab(face)
    shutil.copyfile(comfyui_path() / "input" / "example.png", tab.server.input_directory / "example.png")
    tab.reload()
    return tab


def complaints(tab: Tab) -> list[str]:
    """Everything the console warned of or the page failed at, apart from what ComfyUI's page asks elsewhere."""
    told = [
        f"{entry.text} ({entry.location.get('url', '')})" for entry in tab.console if entry.type in ("warning", "error")
    ]
    return [text for text in [*told, *tab.failures] if not any(word in text for word in COMFYUIS_OWN)]


def settle(tab: Tab) -> None:
    """Until the page has drawn twice and asked for nothing more."""
    tab.page.wait_for_load_state("networkidle")
    tab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("face", FACES, ids=str)
def test_each_template_loads_without_a_warning_and_with_every_value_in_its_place(
    open_tab: TabFactory, face: Face
) -> None:
    tab = open_with_example(open_tab, face)
    settle(tab)
    for name in TEMPLATES:
        before = set(complaints(tab))
        saved = template(name)
        tab.load(saved)
        settle(tab)
        assert set(complaints(tab)) - before == set(), name
        assert tab.page.locator(".p-dialog").count() == 0, name
        assert titles(tab.graph()) == titles(saved), name
        sent, expected = tab.to_api(), to_api(saved)
        assert set(sent) == set(expected), name
        for number, node in expected.items():
            assert sent[number]["class_type"] == node["class_type"]
            got = {key: value for key, value in sent[number]["inputs"].items() if key not in PREVIEW_WIDGETS}
            assert got == node["inputs"], f"{name}: node {number}"


def titles(workflow: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((node["type"], node.get("title") or "") for node in workflow["nodes"] if node["type"] in NOTES)


def test_the_template_browser_offers_them_with_their_pictures(tab: Tab) -> None:
    listed = tab.server.get_json("/workflow_templates")[PACK]
    assert sorted(listed) == TEMPLATES
    for name in TEMPLATES:
        picture = tab.server.http.get(f"{tab.server.url}/api/workflow_templates/{PACK}/{name}.jpg", timeout=30)
        assert picture.status_code == 200
        assert picture.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("face", [FACES[0], FACES[3]], ids=str)
def test_the_blueprint_is_offered_and_runs(open_tab: TabFactory, face: Face) -> None:
    tab = open_tab(face)
    offered = tab.server.get_json("/global_subgraphs")
    (entry,) = [(key, each) for key, each in offered.items() if each["name"] == BLUEPRINT]
    assert entry[1]["info"]["node_pack"] == f"custom_nodes.{PACK}"
    told = tab.server.get_json(f"/global_subgraphs/{entry[0]}")
    on_disk = json.loads((ROOT / "subgraphs" / f"{BLUEPRINT}.json").read_text(encoding="utf-8"))
    assert json.loads(told["data"]) == on_disk

    tab.load(on_disk)
    settle(tab)
    prompts = [f"A vase, {face}", f"In blue glass, {face}"]
    tab.page.evaluate(
        """([prompt, edit]) => {
            const [node] = window.app.graph.nodes;
            node.widgets.find(widget => widget.name === 'prompt').value = prompt;
            node.widgets.find(widget => widget.name === 'edit_prompt').value = edit;
            for (const output of ['images', 'first_images']) {
                const save = window.LiteGraph.createNode('SaveImage');
                save.widgets[0].value = `blueprint/${output}`;
                window.app.graph.add(save);
                node.connect(node.outputs.findIndex(each => each.name === output), save, 0);
            }
        }""",
        prompts,
    )
    tab.server.succeeded(tab.server.run(tab.to_api()))
    for output, prompt in zip(("first_images", "images"), prompts, strict=True):
        picture = tab.server.image(f"{output}_00001_.png", "blueprint")
        assert picture.getpixel((3, 3)) == background(1)
        assert picture.getpixel((picture.width - 4, 3)) == prompt_colour(prompt)
    assert tab.server.sandbox.billed == 2
    assert tab.errors() == []
