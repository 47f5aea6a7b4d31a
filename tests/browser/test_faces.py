"""A run in each face of ComfyUI: both front-ends, both renderers, both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TabFactory
from tests.browser.harness import FACES, Face, Tab
from tests.browser.tasks_page import expect_thumbnail, generate, open_tasks, picture, put, row, wait_for_output

PROMPTS = {"en": "A paper crane on a windowsill, morning light", "zh": "窗台上的纸鹤，清晨的光线"}
TEXTS = {
    "en": {"title": "Hunyuan Generate", "size": "size", "cost": "50 credits", "running": "running", "done": "Done"},
    "zh": {"title": "混元文生图", "size": "尺寸", "cost": "50 积分", "running": "生成中", "done": "已完成"},
}
_NODE = """() => {
  const node = window.app.graph.nodes.find(node => node.type === 'HunyuanGenerate');
  return {
    title: node.title,
    size: node.widgets.find(widget => widget.name === 'size').label,
    output: node.outputs[0].localized_name,
    badges: node.badges.map(badge => (typeof badge === 'function' ? badge() : badge).text),
    text: node.widgets.find(widget => widget.name === '$$node-text-preview')?.value ?? '',
    images: window.app.nodeOutputs[node.id]?.images?.length ?? 0,
  };
}"""


@pytest.mark.parametrize("face", FACES, ids=str)
def test_a_node_tells_its_cost_its_state_and_shows_its_images(open_tab: TabFactory, face: Face) -> None:
    tab = open_tab(face)
    texts = TEXTS[face.locale]
    tab.server.sandbox.tasks(seconds=None)  # until told
    prompt = PROMPTS[face.locale]  # one a front-end's server: nothing to be reused
    put(tab, generate(prompt, count=2))
    node = tab.page.evaluate(_NODE)
    assert node["title"] == texts["title"]
    assert node["size"] == texts["size"]
    assert texts["cost"] in node["badges"]
    if face.vue_nodes:  # on the canvas the badge is drawn, not written
        expect(shown_node(tab).get_by_text(texts["cost"], exact=True)).to_be_visible()

    open_tasks(tab)
    tab.queue()
    tab.server.sandbox.wait("billed", count=2)
    said = f"{texts['running']} · "
    if face.vue_nodes:
        expect(shown_node(tab).get_by_text(said).first).to_be_visible()
    else:
        tab.page.wait_for_function(f"said => ({_NODE})().text.includes(said)", arg=said)
    expect(row(tab, prompt)).to_have_count(2)
    picture(tab, f"running-{face}")
    tab.server.sandbox.finish()
    wait_for_output(tab, "2", count=2)
    assert tab.page.evaluate(_NODE)["images"] == 2  # the node's own preview
    for number in range(2):
        expect(row(tab, prompt).nth(number).get_by_text(texts["done"])).to_be_visible()
        expect_thumbnail(row(tab, prompt).nth(number))
    picture(tab, f"done-{face}")
    assert tab.server.sandbox.billed == 2
    assert tab.errors() == []


@pytest.mark.parametrize("face", [FACES[1], FACES[3]], ids=str)
def test_the_estimate_follows_the_count_and_the_mode_in_nodes_2(open_tab: TabFactory, face: Face) -> None:
    tab = open_tab(face)
    put(tab, generate("a paper boat", count=2))
    node = shown_node(tab)
    words = "积分" if face.locale == "zh" else "credits"
    expect(node.get_by_text(f"50 {words}", exact=True)).to_be_visible()
    more = node.locator("[data-testid=increment], button:has(.pi-plus), button:has([class*=plus])")
    before = int(tab.page.evaluate("() => window.app.graph.nodes[0].widgets.find(w => w.name === 'count').value"))
    more.nth(3).click()  # width, height, seed, count
    tab.page.wait_for_function(
        "before => window.app.graph.nodes[0].widgets.find(w => w.name === 'count').value === before + 1", arg=before
    )
    expect(node.get_by_text(f"75 {words}", exact=True)).to_be_visible()
    assert tab.errors() == []


def shown_node(tab: Tab):  # type: ignore[no-untyped-def]
    """The generating node in Nodes 2.0."""
    return tab.page.locator('[data-node-id="1"]').first
