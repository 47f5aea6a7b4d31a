"""The badge of a node and the server's cost of a graph are two programs: they name one price, whatever is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hunyuan.gateway.models.catalogue import Catalogue
from hunyuan.gateway.models.family import Family
from tests.kit.browser import Tab
from tests.kit.routes import post

_BADGES = """async nodes => {
  const {costOf} = await import('/extensions/hunyuan-image-3/models.js');
  return nodes.map(node => {
    const {credits, atLeast} = costOf(node);
    return [credits, atLeast];
  });
}"""


def drawn(type: str, family: Family) -> Iterator[dict[str, Any]]:
    """Nodes of this type: each choice of each input, each of them linked, with images and without, several tasks."""
    usual = {each.name: each.usual for each in family.parameters if each.kind != "task"}
    plain: dict[str, Any] = {"prompt": "priced", "reuse": False, "count": 2, "task_ids": "", **usual}
    yield from (node(type, {**plain, "model": model}) for model in family.models)
    for each in family.parameters:
        yield from (node(type, {**plain, each.name: value}) for value in (*each.choices, each.least, each.most))
        yield node(type, plain, each.name)
    for name in ("count", "model", "prompt", "image", "task_ids"):
        yield node(type, plain, name)
    yield node(type, {**plain, "image_urls": "https://example.com/a.png"})
    one, two = "n1a2b3c4d5e6f7081", "n2a2b3c4d5e6f7082"
    for ids in (one, f"{one} {two}", f"{one},{two}\n{one}", f"{one}；{two}、{one}"):
        yield node(type, {**plain, "task_ids": ids})
    yield node(type, {**plain, "count": 1}, "model", "image")


def node(type: str, inputs: dict[str, Any], *linked: str) -> dict[str, Any]:
    standing = {name: value for name, value in inputs.items() if name not in linked and value is not None}
    return {"id": "1", "type": type, "inputs": standing, "linked": {name: {} for name in linked}}


def test_the_badge_and_the_graph_have_one_price(tab: Tab) -> None:
    types = {"HunyuanGenerate": 0, "HunyuanEdit": 0} | {family.node: n for n, family in enumerate(Catalogue().families)}
    nodes = [each for type, place in types.items() for each in drawn(type, Catalogue().families[place])]
    badges = tab.page.evaluate(_BADGES, nodes)
    assert len({credits for credits, _ in badges}) > 10, "the prices differ, so that a wrong one is seen"
    wrong = []
    for each, badge in zip(nodes, badges, strict=True):
        answer = post(tab.server, "cost", {"nodes": [each]}).json()
        if badge != [answer["credits"], answer["at_least"]]:
            wrong.append((each, badge, [answer["credits"], answer["at_least"]]))
    assert wrong == [], "\n".join(map(str, wrong))
