"""From the gallery onto the canvas: dragged or by a button, in free space or into a node, in each face of ComfyUI."""

from __future__ import annotations

import uuid
from typing import Any

from playwright.sync_api import Locator, expect

from tests.kit.browser import Tab
from tests.kit.tasks_page import (
    act,
    drag_steps,
    follow_drag,
    generate,
    made,
    open_tasks,
    picture,
    put,
    row,
    unheard,
    wait_for_output,
)

# Two nodes that lie on each other, as the renderer shows them.
_ON_EACH_OTHER = """() => {
  const {graph, ds} = window.app.canvas, title = window.LiteGraph.NODE_TITLE_HEIGHT;
  const boxes = graph.nodes.map(node => {
    const shown = window.LiteGraph.vueNodesMode && document.querySelector(`[data-node-id="${node.id}"]`);
    if (shown) {
      const at = shown.getBoundingClientRect();
      return {name: `${node.type} ${node.id}`, x: at.x / ds.scale, y: at.y / ds.scale,
        width: at.width / ds.scale, height: at.height / ds.scale};
    }
    const [x, y] = node.pos, [width, height] = node.size;
    return {name: `${node.type} ${node.id}`, x, y: y - title, width, height: height + title};
  });
  const pairs = boxes.flatMap((one, at) => boxes.slice(at + 1).map(other => [one, other]));
  return pairs.filter(([one, other]) => one.x < other.x + other.width && other.x < one.x + one.width
    && one.y < other.y + other.height && other.y < one.y + one.height).map(pair => pair.map(each => each.name));
}"""
_LOADED = """() => window.app.graph.nodes.filter(node => node.type === 'LoadImage').map(node => ({
  id: String(node.id), image: node.widgets.find(widget => widget.name === 'image').value, pos: [...node.pos],
}))"""


def loaded(tab: Tab, count: int) -> list[dict[str, Any]]:
    """The Load Image nodes, once there are so many."""
    tab.page.wait_for_function(f"count => ({_LOADED})().length === count", arg=count)
    return list(tab.page.evaluate(_LOADED))


def drag(tab: Tab, found: Locator, to: tuple[float, float]) -> None:
    """By its picture, to a place of the window."""
    box = found.locator(".hunyuan-look").bounding_box()
    task = found.get_attribute("data-task")
    assert box is not None
    follow_drag(tab)
    mouse = tab.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    for part in (0.2, 0.6, 1.0, 1.0):
        mouse.move(box["x"] + (to[0] - box["x"]) * part, box["y"] + (to[1] - box["y"]) * part)
    mouse.up()
    assert drag_steps(tab) == [f"dragstart {task}", "dragend copy"]


def test_what_is_put_on_the_canvas_never_lands_on_anything(face_tab: Tab) -> None:
    tab = face_tab
    prompt = unheard("a globe")
    found = made(tab, prompt, size="custom", width=640, height=1408)
    put(tab, generate("something that stands there"))
    for number in range(1, 4):
        act(found, "use")
        loaded(tab, number)
    for name in ("wait", "use", "wait"):
        act(found, name)
    loaded(tab, 4)
    tab.settle()
    picture(tab, f"free-space-{tab.face}")
    assert tab.page.evaluate(_ON_EACH_OTHER) == []
    names = {node["image"] for node in loaded(tab, 4)}
    assert len(names) == 1  # the same picture is one file
    assert tab.errors() == []


def test_it_goes_up_through_comfyuis_own_route_and_runs(face_tab: Tab) -> None:
    tab = face_tab
    prompt = unheard("a globe")
    found = made(tab, prompt)
    with tab.page.expect_response(lambda answer: answer.url.endswith("/upload/image")) as uploaded:
        act(found, "use")
    assert uploaded.value.status == 200
    (node,) = loaded(tab, 1)
    stored = tab.server.input_directory / node["image"]
    task_id = tab.server.sandbox.task()["task_id"]
    assert node["image"].startswith(f"hunyuan_{task_id}")
    assert stored.read_bytes() == tab.server.http.get(original(tab, found), timeout=30).content
    assert [text for text in tab.warnings() if "deprecat" in text] == []
    assert [entry.text for entry in tab.console if "checkState" in entry.text] == []
    tab.page.evaluate(
        """() => {
          const {graph} = window.app, preview = window.LiteGraph.createNode('PreviewImage');
          graph.add(preview);
          graph.nodes.find(node => node.type === 'LoadImage').connect(0, preview, 0);
        }"""
    )
    tab.queue()
    wait_for_output(tab, tab.page.evaluate("() => String(window.app.graph.nodes.at(-1).id)"))
    assert tab.errors() == []


def original(tab: Tab, found: Locator) -> str:
    return f"{tab.server.url}/hunyuan/tasks/{found.get_attribute('data-task')}/image"


def test_a_picture_is_dragged_into_free_space_and_onto_a_node(face_tab: Tab) -> None:
    tab = face_tab
    prompt = unheard("a globe")
    found = made(tab, prompt)
    drag(tab, found, (700, 300))
    (node,) = loaded(tab, 1)
    dropped = tab.page.evaluate("() => window.app.canvas.ds.convertCanvasToOffset([700, 300])")
    assert abs(node["pos"][0] - dropped[0]) < 60
    assert abs(node["pos"][1] - dropped[1]) < 120

    other = unheard("another globe")
    on_it = tab.page.evaluate(
        """() => {
          const {ds, canvas} = window.app.canvas, [node] = window.app.graph.nodes;
          const box = canvas.getBoundingClientRect();
          const [x, y] = [0, 1].map(side => (node.pos[side] + 100 + ds.offset[side]) * ds.scale);
          return [x + box.x, y + box.y];
        }"""
    )
    drag(tab, made(tab, other), (on_it[0], on_it[1]))
    tab.page.wait_for_function(f"before => ({_LOADED})()[0].image !== before", arg=node["image"])
    (after,) = loaded(tab, 1)
    assert after["id"] == node["id"]
    assert after["pos"] == node["pos"]

    drag(tab, row(tab, prompt), (on_it[0] + 20, on_it[1] - 20))  # one of two is dragged onto a node
    tab.page.wait_for_function(f"before => ({_LOADED})()[0].image === before", arg=node["image"])
    assert tab.page.evaluate(_ON_EACH_OTHER) == []
    assert tab.server.sandbox.billed == 2
    assert tab.errors() == []


def test_what_no_node_got_is_not_used(tab: Tab) -> None:
    """One file of two is gone: the other one is put on the canvas, and counts alone."""
    mark = uuid.uuid4().hex[:6]
    open_tasks(tab)
    for number in range(2):
        tab.server.succeeded(tab.server.run(generate(f"globe {number} {mark}", wait=False)))
    tab.server.sandbox.wait("delivered", 2)
    for number in range(2):
        expect(row(tab, f"globe {number} {mark}").locator(".hunyuan-mark")).to_have_count(1)
    gone = row(tab, f"globe 1 {mark}").get_attribute("data-task")
    tab.page.route(f"**/hunyuan/tasks/{gone}/image*", lambda route: route.fulfill(status=404, json={}))
    row(tab, f"globe 0 {mark}").locator(".hunyuan-check").click()
    row(tab, f"globe 1 {mark}").locator(".hunyuan-look").click(modifiers=["Shift"])
    tab.page.locator('[data-action="chosen-use"]').click()
    loaded(tab, 1)
    expect(row(tab, f"globe 0 {mark}").locator(".hunyuan-mark")).to_have_count(0)
    expect(row(tab, f"globe 1 {mark}").locator(".hunyuan-mark")).to_have_count(1)
    tab.page.unroute(f"**/hunyuan/tasks/{gone}/image*")


def test_several_are_chosen_and_dragged_or_used_at_once(face_tab: Tab) -> None:
    tab = face_tab
    mark = uuid.uuid4().hex[:6]
    open_tasks(tab)
    for number in range(3):
        made(tab, f"globe {number} {mark}")
    for number in (0, 2):
        row(tab, f"globe {number} {mark}").locator(".hunyuan-look").click(modifiers=["Control"])
    drag(tab, row(tab, f"globe 2 {mark}"), (650, 300))
    loaded(tab, 2)
    row(tab, f"globe 1 {mark}").locator(".hunyuan-look").click(modifiers=["Shift"])
    tab.page.locator('[data-action="chosen-use"]').click()
    loaded(tab, 5)
    tab.settle()
    assert tab.page.evaluate(_ON_EACH_OTHER) == []
    tab.page.locator('[data-action="chosen-none"]').click()
    expect(tab.page.locator(".hunyuan-bar")).to_be_hidden()
    assert tab.errors() == []
