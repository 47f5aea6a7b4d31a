"""The shipped templates on the canvas, in each face: readable at once, nothing over another, no wire behind a node."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from tests.kit.browser import Tab
from tests.kit.workflow_files import MUTED, TEMPLATES, template

READABLE = 0.6  # of the view: below it ComfyUI leaves texts on nodes out
BADGES = 22  # units above a node's title, where its badges stand
# How far inside of its own two nodes a wire may run: to the middle of a slot, and a hair's breadth to others.
OWN, OTHERS = 30, 4

_OPEN = """async workflow => {
  await window.app.loadGraphData(workflow);
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const {scale, offset} = window.app.canvas.ds;
  const sides = window.app.canvas.canvas.getBoundingClientRect();
  return {scale, view: [-offset[0], -offset[1], sides.width / scale - offset[0], sides.height / scale - offset[1]]};
}"""
_RUN = """() => new Promise((done, failed) => {
  window.app.api.addEventListener('execution_success', () => done(), {once: true});
  window.app.api.addEventListener('execution_error', ({detail}) => failed(detail.exception_message), {once: true});
  window.app.queuePrompt(0);
})"""
# Every node's sides in the graph's units, as it is drawn, and which nodes each wire runs behind.
_MEASURE = """async ([vue, own, others]) => {
  const {canvas, graph} = window.app;
  const pictures = [...document.querySelectorAll('img')].filter(image => image.src.includes('/view'));
  await Promise.all(pictures.map(image => image.decode().catch(() => {})));
  const rough = graph.nodes.map(node => [...node.pos, node.pos[0] + node.size[0], node.pos[1] + node.size[1]]);
  const [left, top] = [0, 1].map(at => Math.min(...rough.map(sides => sides[at])) - 200);
  const [right, bottom] = [2, 3].map(at => Math.max(...rough.map(sides => sides[at])) + 600);
  const {width, height} = canvas.canvas.getBoundingClientRect();
  canvas.ds.scale = Math.min(width / (right - left), height / (bottom - top)); // what is out of view is not drawn
  canvas.ds.offset[0] = -left;
  canvas.ds.offset[1] = -top;
  canvas.setDirty(true, true);
  let told = '', same = 0;
  while (same < 3) {  // until nothing moves any more
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const now = JSON.stringify([canvas.ds.scale, [...canvas.ds.offset], graph.nodes.map(node => sidesOf(node))]);
    same = now === told ? same + 1 : 0;
    told = now;
  }
  function sidesOf(node) {
    if (!vue) {
      const [x, y, width, height] = node.boundingRect ?? node.getBounding();
      return [x, y, x + width, y + height];
    }
    const {left, top, right, bottom} = document.querySelector(`[data-node-id="${node.id}"]`).getBoundingClientRect();
    const {x, y} = canvas.canvas.getBoundingClientRect(), {scale, offset} = canvas.ds;
    return [(left - x) / scale - offset[0], (top - y) / scale - offset[1],
      (right - x) / scale - offset[0], (bottom - y) / scale - offset[1]];
  }
  canvas.draw(true, true);
  const paper = new OffscreenCanvas(Math.ceil((right - left) / 2), Math.ceil((bottom - top) / 2));
  const brush = paper.getContext('2d', {willReadFrequently: true});
  brush.setTransform(0.5, 0, 0, 0.5, -left / 2, -top / 2);
  brush.lineWidth = 3;
  const draw = path => {
    brush.clearRect(left, top, 2 * paper.width, 2 * paper.height);
    brush.stroke(path);
  };
  const isDrawnIn = ([x, y, right, bottom], inset) => {
    const place = [x - left + inset, y - top + inset, right - x - 2 * inset, bottom - y - 2 * inset];
    const {data} = brush.getImageData(...place.map(each => Math.round(each / 2)));
    for (let at = 3; at < data.length; at += 4) if (data[at] > 127) return true;
    return false;
  };
  const nodes = graph.nodes.map(node => ({id: node.id, title: node.title, sides: sidesOf(node)}));
  const ends = ({origin_id: from, target_id: to}) => [from, to];
  const wires = [...graph.links.values()].map(link => ({path: link.path, ends: ends(link)}));
  for (const {path, linkIds} of graph.reroutes.values())
    wires.push({path, ends: [...linkIds].flatMap(id => ends(graph.links.get(id)))});
  const behind = wires.flatMap(({path, ends}) => {
    draw(path);
    const met = nodes.filter(({id, sides}) => isDrawnIn(sides, ends.includes(id) ? own : others));
    return met.map(({title}) => [ends.join(' to '), title]);
  });
  const red = graph.nodes.filter(node => node.has_errors || !window.LiteGraph.registered_node_types[node.type]);
  return {nodes, behind, red: red.map(node => node.title), drawn: wires.every(wire => wire.path instanceof Path2D)};
}"""


def faults(tab: Tab, name: str) -> Iterator[str]:
    """What is wrong with a template as this face shows it, before and after its run."""
    workflow = template(name)
    opened = tab.page.evaluate(_OPEN, workflow)
    if opened["scale"] < READABLE:
        yield f"opens at {opened['scale']}"
    yield from geometry(tab, opened["view"], "before")
    if any(node["mode"] == MUTED for node in workflow["nodes"]):
        tab.page.evaluate("() => window.app.graph.nodes.forEach(node => { node.mode = 0 })")
    tab.page.evaluate(_RUN)
    yield from geometry(tab, opened["view"], "after")


def geometry(tab: Tab, view: list[float], when: str) -> Iterator[str]:
    seen: dict[str, Any] = tab.page.evaluate(_MEASURE, [tab.face.vue_nodes, OWN, OTHERS])
    assert seen["drawn"]
    if seen["red"]:
        yield f"{when}: {seen['red']} are red"
    note = next(node for node in seen["nodes"] if node["title"].startswith("Read me"))
    if not (view[0] <= note["sides"][0] and view[1] <= note["sides"][1] and note["sides"][2] <= view[2]):
        yield f"{when}: the note is out of the view"
    for one, two in combinations(seen["nodes"], 2):
        if overlap(one["sides"], two["sides"]):
            yield f"{when}: {one['title']} {rounded(one)} and {two['title']} {rounded(two)} overlap"
    for wire, title in seen["behind"]:
        yield f"{when}: the wire from {wire} runs behind {title}"


def overlap(one: list[float], two: list[float]) -> bool:
    """Whether two nodes lie on each other, with the badges above them."""
    across = one[0] < two[2] and two[0] < one[2]
    return across and one[1] - BADGES < two[3] and two[1] - BADGES < one[3]


def rounded(node: dict[str, Any]) -> list[int]:
    return [round(side) for side in node["sides"]]


def test_templates_are_laid_out_before_and_after_a_run(face_tab: Tab) -> None:
    found = {name: list(faults(face_tab, name)) for name in TEMPLATES}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert face_tab.errors() == []
