"""Every node of the shipped workflows names its pack and version, so that a shared file says what is missing.

python -m devtools.workflow_versions      after a workflow was saved in ComfyUI, or the version was raised
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from .paths import ROOT

CORE = "comfy-core"
_PROPERTIES = '"properties": '


def files() -> list[Path]:
    """The workflows that are shipped in the page's form, and the blueprints."""
    return [*sorted((ROOT / "workflows").glob("*.json")), *sorted((ROOT / "subgraphs").glob("*.json"))]


def stamped(text: str) -> str:
    """The same file with `cnr_id` and `ver` in the properties of every node, and nothing else changed."""
    nodes: list[dict[str, Any]] = []

    def remember(value: dict[str, Any]) -> dict[str, Any]:
        if {"id", "type", "properties"} <= value.keys():
            nodes.append(value)
        return value

    json.loads(text, object_hook=remember)  # objects come in the order of their ends, as their properties do
    decoder, pieces, at = json.JSONDecoder(), [], 0
    for node in nodes:
        start = text.index(_PROPERTIES, at) + len(_PROPERTIES)
        given, end = decoder.raw_decode(text, start)
        rest = {name: value for name, value in given.items() if name not in ("cnr_id", "ver")}
        pieces += [text[at:start], json.dumps({**_origin(str(node["type"])), **rest}, ensure_ascii=False)]
        at = end
    return "".join([*pieces, text[at:]])


def _origin(type_: str) -> dict[str, str]:
    """Whose node it is. A subgraph's own node, whose type is an id, is ours like what it is made of."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ours = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
    if type_ in ours or re.fullmatch(r"[0-9a-f-]{36}", type_):
        return {"cnr_id": _said(r'^name = "(.+)"', project), "ver": _said(r'^version = "(.+)"', project)}
    return {"cnr_id": CORE, "ver": _said(r'^requires-comfyui = ">=(.+)"', project)}


def _said(pattern: str, project: str) -> str:
    found = re.search(pattern, project, re.MULTILINE)
    assert found is not None, pattern
    return found[1]


def main() -> int:
    for path in files():
        before = path.read_text(encoding="utf-8")
        after = stamped(before)
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            print(f"{path.relative_to(ROOT)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
