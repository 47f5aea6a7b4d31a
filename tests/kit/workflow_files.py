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
_CONTROLS = ("fixed", "increment", "decrement", "randomize")

Api = dict[str, dict[str, Any]]


def template(name: str) -> dict[str, Any]:
    """One of TEMPLATES as it is saved."""
    return dict(json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8")))


def to_api(workflow: dict[str, Any], *, unmute: bool = False) -> Api:
    """What the page sends to /prompt for a saved workflow: no notes, no muted nodes (unless `unmute`)."""
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    nodes = [node for node in workflow["nodes"] if node["type"] not in NOTES and (unmute or node["mode"] != MUTED)]
    there = {str(node["id"]) for node in nodes}
    api: Api = {}
    for node in nodes:
        given = dict(_widgets(node))
        for each in node["inputs"]:
            if each["link"] is not None and links[each["link"]][0] in there:
                given[each["name"]] = links[each["link"]]
        api[str(node["id"])] = {"class_type": node["type"], "inputs": given}
    return api


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
