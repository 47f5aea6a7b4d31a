"""What must hold in each face of ComfyUI: both front-ends, both renderers, both languages.

A page for each face, in which the tests follow one another.
"""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

from devtools.paths import ROOT
from sandbox.pictures import background, prompt_colour
from tests.kit.browser import Tab
from tests.kit.faces import FACES
from tests.kit.tasks_page import expect_thumbnail, generate, open_tasks, picture, put, row, wait_for_output
from tests.kit.workflow_files import NOTES, TEMPLATES, template, to_api

PACK = "hunyuan-image-3"
BLUEPRINT = "Hunyuan generate then edit"
PREVIEW_WIDGETS = ("preview", "preview_mode", "preview_markdown", "preview_text")  # PreviewAny's own, on the page only
# What ComfyUI's page says of itself: its registry, its models, routes of a newer server, its own old calls.
# The last one: the next workflow comes before it has looked at the inputs of an app.
COMFYUIS_OWN = (
    "api.comfy.org", "huggingface.co", "jobs", "Jobs API", "/api/userdata", "input.link is deprecated",
    "[appModeStore]",
)  # fmt: skip
PROMPTS = {"en": "A paper crane on a windowsill, morning light", "zh": "窗台上的纸鹤，清晨的光线"}
RUN = {"en": "Run", "zh": "运行"}
TEXTS = {
    "en": {
        "title": "Hunyuan Image 3 Generate",
        "size": "size",
        "cost": "50 credits",
        "running": "running",
        "done": "Done",
    },
    "zh": {"title": "混元图像 3 文生图", "size": "尺寸", "cost": "50 积分", "running": "生成中", "done": "已完成"},
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


def test_it_comes_up_and_runs_a_workflow(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    colour = FACES.index(face)  # of its own, or ComfyUI's cache would answer
    # Not the ids of the next test's nodes: the front-end 1.49 gives a node the values of an earlier one with its id.
    size = {"width": 64, "height": 64}
    tab.load_api(
        {
            "11": {"class_type": "EmptyImage", "inputs": {**size, "batch_size": 2, "color": colour}},
            "12": {"class_type": "SaveImage", "inputs": {"images": ["11", 0], "filename_prefix": str(face)}},
        }
    )
    assert {node["type"] for node in tab.graph()["nodes"]} == {"EmptyImage", "SaveImage"}
    assert bool(tab.page.evaluate("() => window.LiteGraph.vueNodesMode")) is face.vue_nodes
    run = tab.page.get_by_role("button", name=RUN[face.locale], exact=True).first
    run.click()
    tab.page.wait_for_function(
        "() => Object.values(window.app.nodeOutputs).some(output => output.images?.length === 2)"
    )
    assert len(list(tab.server.output_directory.glob(f"{face}_*.png"))) == 2
    assert tab.errors() == []


def test_a_node_tells_its_cost_its_state_and_shows_its_images(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    texts = TEXTS[face.locale]
    tab.server.sandbox.tasks(seconds=None)  # until told
    prompt = PROMPTS[face.locale]  # one a front-end's server: nothing to be reused
    put(tab, generate(prompt, count=2))
    node = tab.page.evaluate(_NODE)
    assert node["title"] == texts["title"]
    assert node["size"] == texts["size"]
    assert texts["cost"] in node["badges"]
    if face.vue_nodes:  # on the canvas the badge is drawn, not written
        check_the_estimate(tab)
        put(tab, generate(prompt, count=2))

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


def check_the_estimate(tab: Tab) -> None:
    """What a node of count 2 shows in Nodes 2.0 follows the count as it is changed there."""
    node = shown_node(tab)
    words = "积分" if tab.face.locale == "zh" else "credits"
    expect(node.get_by_text(f"50 {words}", exact=True)).to_be_visible()
    more = node.locator("[data-testid=increment], button:has(.pi-plus), button:has([class*=plus])")
    before = int(tab.page.evaluate("() => window.app.graph.nodes[0].widgets.find(w => w.name === 'count').value"))
    sides = int(node.get_by_text("宽" if tab.face.locale == "zh" else "width", exact=True).count()) * 2
    more.nth(sides + 1).click()  # width and height, where they are seen; seed, count
    tab.page.wait_for_function(
        "before => window.app.graph.nodes[0].widgets.find(w => w.name === 'count').value === before + 1", arg=before
    )
    expect(node.get_by_text(f"75 {words}", exact=True)).to_be_visible()


def shown_node(tab: Tab):  # type: ignore[no-untyped-def]
    """The generating node in Nodes 2.0."""
    return tab.page.locator('[data-node-id="1"]').first


def complaints(tab: Tab) -> list[str]:
    """Everything the console warned of or the page failed at, apart from what ComfyUI's page asks elsewhere."""
    told = [
        f"{entry.text} ({entry.location.get('url', '')})" for entry in tab.console if entry.type in ("warning", "error")
    ]
    return [text for text in [*told, *tab.failures] if not any(word in text for word in COMFYUIS_OWN)]


def test_each_template_loads_without_a_warning_and_with_every_value_in_its_place(face_tab: Tab) -> None:
    tab = face_tab
    tab.settle()
    for name in TEMPLATES:
        before = set(complaints(tab))
        saved = template(name)
        tab.load(saved)
        tab.settle()
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


def test_the_blueprint_is_offered_and_runs(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    offered = tab.server.get_json("/global_subgraphs")
    (entry,) = [(key, each) for key, each in offered.items() if each["name"] == BLUEPRINT]
    assert entry[1]["info"]["node_pack"] == f"custom_nodes.{PACK}"
    told = tab.server.get_json(f"/global_subgraphs/{entry[0]}")
    on_disk = json.loads((ROOT / "subgraphs" / f"{BLUEPRINT}.json").read_text(encoding="utf-8"))
    assert json.loads(told["data"]) == on_disk

    tab.load(on_disk)
    tab.settle()
    prompts = [f"A vase, {face}", f"In blue glass, {face}"]
    tab.page.evaluate(
        """([prompt, edit, folder]) => {
            const [node] = window.app.graph.nodes;
            node.widgets.find(widget => widget.name === 'prompt').value = prompt;
            node.widgets.find(widget => widget.name === 'edit_prompt').value = edit;
            for (const output of ['images', 'first_images']) {
                const save = window.LiteGraph.createNode('SaveImage');
                save.widgets[0].value = `${folder}/${output}`;
                window.app.graph.add(save);
                node.connect(node.outputs.findIndex(each => each.name === output), save, 0);
            }
        }""",
        [*prompts, f"blueprint {face}"],
    )
    tab.server.succeeded(tab.server.run(tab.to_api()))
    for output, prompt in zip(("first_images", "images"), prompts, strict=True):
        picture = tab.server.image(f"{output}_00001_.png", f"blueprint {face}")
        assert picture.getpixel((3, 3)) == background(1)
        assert picture.getpixel((picture.width - 4, 3)) == prompt_colour(prompt)
    assert tab.server.sandbox.billed == 2
    assert tab.errors() == []
