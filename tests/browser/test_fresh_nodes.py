"""A node just made, in each face: its sizes are shown as people read them, and its seed stays what it says."""

from __future__ import annotations

import base64
from typing import Any

from playwright.sync_api import expect

from tests.kit.browser import Tab
from tests.kit.comfy_stories import save
from tests.kit.tasks_page import generate, put, unheard, wait_for_output, wait_until_idle

_FRESH = """async () => {
  await window.app.loadGraphData({version: 0.4, nodes: [], links: [], last_node_id: 0, last_link_id: 0});
  const node = window.LiteGraph.createNode('HunyuanEdit');
  const other = window.LiteGraph.createNode('HunyuanGenerate');
  node.pos = [420, 130];
  other.pos = [900, 130];
  for (const each of [node, other]) window.app.graph.add(each);
  const preview = window.LiteGraph.createNode('PreviewImage');
  preview.pos = [1300, 130];
  window.app.graph.add(preview);
  other.connect(0, preview, 0);
  other.widgets.find(widget => widget.name === 'prompt').value = 'a fresh node';
}"""
_WIDGETS = """type => {
  const node = window.app.graph.nodes.find(node => node.type === type);
  const size = node.widgets.find(widget => widget.name === 'size');
  const seed = node.widgets.find(widget => widget.name === 'seed');
  const values = typeof size.options.values === 'function' ? size.options.values() : size.options.values;
  return {
    size: size.value, labels: values.map(value => size.options.getOptionLabel(value)), shown: size._displayValue,
    seed: seed.value, control: seed.linkedWidgets[0].value,
  };
}"""
_CHOOSE = """size => {
  const node = window.app.graph.nodes.find(node => node.type === 'HunyuanGenerate');
  node.widgets.find(widget => widget.name === 'size').value = size;
}"""
_LAST_SEED = """seed => {
  const node = window.app.graph.nodes.find(node => node.type === 'HunyuanGenerate');
  const items = window.app.canvas.getNodeMenuOptions(node).filter(item => item?.content?.endsWith(String(seed)));
  items[0]?.callback();
  return items.length === 1;
}"""
_RUN = """() => new Promise(done => {
  window.app.api.addEventListener('execution_success', () => done(), {once: true});
  window.app.queuePrompt(0);
})"""
WORDS = {"en": ["as the input", "custom"], "zh": ["与输入一致", "自定义"]}


def widgets(tab: Tab, type_: str) -> dict[str, Any]:
    return dict(tab.page.evaluate(_WIDGETS, type_))


def test_sizes_show_their_ratio_and_go_out_as_before(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    tab.page.evaluate(_FRESH)
    edit, generate = widgets(tab, "HunyuanEdit"), widgets(tab, "HunyuanGenerate")
    assert [edit["labels"][0], edit["labels"][-1]] == WORDS[face.locale]
    assert generate["labels"][:2] == ["1024×1024 · 1:1", "1280×720 · 16:9"]
    assert "1344×704 · 21:11" in generate["labels"]
    assert len(set(generate["labels"])) == len(generate["labels"]) == 22
    if face.vue_nodes and face.frontend == "new":
        shown = tab.page.get_by_role("combobox", name="size").filter(has_text="1024×1024 · 1:1")
        expect(shown).to_be_visible()
    elif not face.vue_nodes:
        assert generate["shown"] == "1024×1024 · 1:1"
    for size in ("832*1216", "640*704"):  # one of the list, and one of an older workflow
        tab.page.evaluate(_CHOOSE, size)
        assert tab.to_api()["2"]["inputs"]["size"] == size
    assert tab.errors() == []


def test_a_fresh_seed_stays_and_each_run_draws_one(face_tab: Tab) -> None:
    tab = face_tab
    sandbox = tab.server.sandbox
    sandbox.reset()
    tab.page.evaluate(_FRESH)
    tab.page.evaluate(_CHOOSE, "1024*1024")
    for run in (1, 2):
        tab.queue()
        sandbox.wait("delivered", run)
        assert (widgets(tab, "HunyuanGenerate")["seed"], widgets(tab, "HunyuanGenerate")["control"]) == (-1, "fixed")
    seeds = [create["body"]["seed"] for create in sandbox.state(full=True)["creates"]]
    tab.page.wait_for_function(_LAST_SEED, arg=seeds[-1])  # its run has ended
    tab.page.evaluate(_RUN)
    assert (widgets(tab, "HunyuanGenerate")["seed"], sandbox.billed) == (seeds[-1], 2), "the same picture, for nothing"
    assert len(set(seeds)) == 2
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert tab.errors() == []


_SIDES = """size => {
  const node = window.app.graph.nodes.find(node => node.type === 'HunyuanGenerate');
  const widget = node.widgets.find(widget => widget.name === 'size');
  widget.value = size;
  widget.callback?.(size);
  return node.widgets.filter(widget => ['width', 'height'].includes(widget.name)).map(widget => Boolean(widget.hidden));
}"""


def test_width_and_height_are_seen_only_where_they_count(face_tab: Tab) -> None:
    tab, stays = face_tab, face_tab.face.vue_nodes and face_tab.face.frontend == "pinned"
    tab.page.evaluate(_FRESH)
    assert tab.page.evaluate(_SIDES, "1280*720") == [True, True]
    if tab.face.vue_nodes:
        node = tab.page.locator('[data-node-id="2"]').first
        shown = node.get_by_text("width" if tab.face.locale == "en" else "宽", exact=True)
        expect(shown).to_have_count(1 if stays else 0)
    assert tab.page.evaluate(_SIDES, "custom") == [False, False]
    if tab.face.vue_nodes:
        expect(shown.first).to_be_visible()
    sent = tab.to_api()["2"]["inputs"]
    assert (sent["size"], sent["width"], sent["height"]) == ("custom", 1024, 1024)
    assert tab.page.evaluate(_SIDES, "1024*1024") == [True, True]
    assert tab.to_api()["2"]["inputs"]["width"] == 1024, "what is not seen is sent all the same"
    assert tab.errors() == []


def test_a_picture_whose_run_would_cost_is_not_called_free(tab: Tab) -> None:
    put(tab, {**generate(unheard("no reuse"), seed=-1, reuse=False), "2": save(["1", 0])})
    saved = {**tab.graph(), "extra": {"hunyuan_image_3": {"1": 4711}}}
    tab.load(saved)
    expect(tab.page.get_by_text("Run makes new images with it, for credits.")).to_be_visible()


# What the front-end would show in the tab of each open workflow: the types of its nodes.
_OPEN_STATES = """() => Object.fromEntries(window.app.extensionManager.workflow.openWorkflows.map(each =>
  [each.path, (each.changeTracker?.activeState?.nodes ?? []).map(node => node.type).sort().join()]))"""
_DROP = """bytes => {
  const file = new File([Uint8Array.from(atob(bytes), letter => letter.charCodeAt(0))], 'a.png', {type: 'image/png'});
  const transfer = new DataTransfer();
  transfer.items.add(file);
  const canvas = document.querySelector('#graph-canvas');
  const options = {dataTransfer: transfer, bubbles: true, cancelable: true, clientX: 700, clientY: 700};
  for (const type of ['dragenter', 'dragover', 'drop']) canvas.dispatchEvent(new DragEvent(type, options));
}"""


def test_a_picture_dropped_on_the_page_asks_for_the_same_picture_for_nothing(face_tab: Tab) -> None:
    tab = face_tab
    put(tab, {**generate(unheard("a dropped picture"), seed=-1), "2": save(["1", 0])})
    tab.queue()
    tab.server.sandbox.wait("delivered")
    wait_for_output(tab, "2")
    (made,) = tab.page.evaluate("() => window.app.nodeOutputs[2].images")
    file = tab.server.output_directory / made["subfolder"] / made["filename"]
    seed = tab.server.sandbox.task()["seed"]

    tab.again()
    put(tab, {"1": {"class_type": "EmptyImage", "inputs": {}}, "2": save(["1", 0])})
    before = tab.page.evaluate(_OPEN_STATES)
    tab.page.evaluate(_DROP, base64.b64encode(file.read_bytes()).decode())
    tab.page.wait_for_function(
        "seed => window.app.graph.getNodeById(1)?.widgets.find(each => each.name === 'seed')?.value === seed", arg=seed
    )
    after = tab.page.evaluate(_OPEN_STATES)
    assert {path: after[path] for path in before} == before, "what was open is still what it was"
    with tab.page.expect_response(lambda answer: answer.url.endswith("/prompt")):
        tab.queue()
    wait_until_idle(tab)
    wait_for_output(tab, "2")
    assert tab.server.sandbox.billed == 0, "of the sandbox after it was reset"
    assert tab.errors() == []
