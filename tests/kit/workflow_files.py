"""The workflows that are shipped, and what ComfyUI's page makes of them: saved form to API form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from devtools.paths import ROOT

WORKFLOWS = ROOT / "workflows"
TEMPLATES = sorted(path.stem for path in WORKFLOWS.glob("*.json"))
NOTES = ("MarkdownNote", "Note")
MUTED = 2  # LiteGraph's LGraphEventMode.NEVER
FROM_OUTSIDE = -10  # LiteGraph's id of a subgraph's own inputs
_CONTROLS = ("fixed", "increment", "decrement", "randomize")

Api = dict[str, dict[str, Any]]


def template(name: str) -> dict[str, Any]:
    """One of TEMPLATES as it is saved."""
    return dict(json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8")))


def to_api(workflow: dict[str, Any], *, unmute: bool = False) -> Api:
    """What the page sends to /prompt for a saved workflow: no notes, no muted nodes (unless `unmute`), no subgraphs."""
    subgraphs = {each["id"]: each for each in workflow.get("definitions", {}).get("subgraphs", [])}
    links = [(each[0], each[1], each[2]) for each in workflow["links"]]
    nodes = [node for node in workflow["nodes"] if node["type"] not in NOTES and (unmute or node["mode"] != MUTED)]
    return dict(_flat(nodes, links, subgraphs, "", []))


def _flat(
    nodes: list[dict[str, Any]],
    links: list[tuple[int, int, int]],
    subgraphs: dict[str, dict[str, Any]],
    prefix: str,
    outside: list[Any],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Nodes by their ids, those of a subgraph as `outer:inner`. `outside`: what a subgraph's own inputs are given."""
    there = {node["id"]: node for node in nodes}
    origins = {link: (origin, slot) for link, origin, slot in links}

    def source(origin: int, slot: int) -> Any:
        if origin == FROM_OUTSIDE:
            return outside[slot]
        inner = subgraphs.get(there[origin]["type"])
        if inner is None:
            return [f"{prefix}{origin}", slot]
        (link,) = (each for each in inner["links"] if each["id"] == inner["outputs"][slot]["linkIds"][0])
        return [f"{prefix}{origin}:{link['origin_id']}", link["origin_slot"]]

    for node in nodes:
        given = dict(_widgets(node))
        for each in node["inputs"]:
            if each["link"] is not None and origins[each["link"]][0] in {FROM_OUTSIDE, *there}:
                given[each["name"]] = source(*origins[each["link"]])
        inner = subgraphs.get(node["type"])
        if inner is None:
            yield f"{prefix}{node['id']}", {"class_type": node["type"], "inputs": given}
        else:
            inside = [(each["id"], each["origin_id"], each["origin_slot"]) for each in inner["links"]]
            values = [given.get(each["name"]) for each in inner["inputs"]]
            yield from _flat(inner["nodes"], inside, subgraphs, f"{prefix}{node['id']}:", values)


def _widgets(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The widgets' names and values: in order, where a seed's control has a value and no name."""
    values = list(node["widgets_values"])
    for each in node["inputs"]:
        if "widget" in each:
            yield each["name"], values.pop(0)
            if each["name"] == "seed" and values and values[0] in _CONTROLS:
                values.pop(0)
    assert values in ([], ["image"]), f"node {node['id']} ({node['type']}) has values left over: {values}"


def note(name: str) -> str:
    """The text of a template's note."""
    return "\n".join(node["widgets_values"][0] for node in template(name)["nodes"] if node["type"] in NOTES)
