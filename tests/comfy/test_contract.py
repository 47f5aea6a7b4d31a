"""The nodes' ids, inputs, defaults and outputs are a public contract: contract.json holds them, and only a deliberate
change edits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import save, show

CONTRACT = Path(__file__).with_name("contract.json")
PINNED = ("default", "min", "max", "multiline", "control_after_generate", "forceInput")


def contract_of(node: dict[str, Any]) -> dict[str, Any]:
    """What a workflow relies on, in the form that every ComfyUI from 0.3.75 gives."""
    return {
        "category": node["category"],
        "required": {name: _input(given) for name, given in node["input"].get("required", {}).items()},
        "optional": {name: _input(given) for name, given in node["input"].get("optional", {}).items()},
        "outputs": [[name, type_] for name, type_ in zip(node["output_name"], node["output"], strict=True)],
        "lists": [name for name, is_list in zip(node["output_name"], node["output_is_list"], strict=True) if is_list],
    }


def _input(given: list[Any]) -> dict[str, Any]:
    options = given[1] if len(given) > 1 else {}
    found = {name: options[name] for name in PINNED if options.get(name) is not None}
    choices = given[0] if isinstance(given[0], list) else options.get("options")
    kind = "COMBO" if isinstance(given[0], list) else given[0]
    return {"type": kind, **found, **({"options": choices} if choices is not None else {})}


def test_the_nodes_are_what_the_contract_says(comfy: PaidServer) -> None:
    nodes = comfy.object_info()
    ours = {name: contract_of(node) for name, node in nodes.items() if node["category"].startswith("Hunyuan Image")}
    assert ours == json.loads(CONTRACT.read_text(encoding="utf-8"))


def test_the_outputs_are_named_as_the_contract_says(comfy: PaidServer) -> None:
    for name in ("HunyuanGenerate", "HunyuanEdit", "HunyuanTaskWait"):
        node = comfy.object_info()[name]
        assert node["output_name"] == ["images", "image_urls", "task_ids", "info"]
        assert node["output"] == ["IMAGE", "STRING", "STRING", "STRING"]
        assert not node.get("api_node"), "never a comfy.org partner's node"
        assert list(node["input"]["required"]) == (["task_ids"] if name == "HunyuanTaskWait" else ["prompt"])


def test_no_input_takes_a_key_or_an_address(comfy: PaidServer) -> None:
    for name, node in json.loads(CONTRACT.read_text(encoding="utf-8")).items():
        for given in [*node["required"], *node["optional"]]:
            assert not {"key", "token", "secret", "base", "endpoint"} & set(given.split("_")), (name, given)
    assert comfy.sandbox.key not in json.dumps(comfy.object_info())


def test_a_minimal_workflow_of_each_task_node_is_accepted(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": {"class_type": "HunyuanGenerate", "inputs": {"prompt": "minimal"}},
            "2": {"class_type": "HunyuanEdit", "inputs": {"prompt": "minimal too", "image": ["1", 0]}},
            "3": {"class_type": "HunyuanTaskWait", "inputs": {"task_ids": ["2", 2]}},
            "4": save(["3", 0]),
            "5": show(["3", 1]),
        }
    )
    comfy.succeeded(entry)
    assert comfy.images(entry, "4")[0].size == (1024, 1024)
    assert comfy.sandbox.billed == 2
