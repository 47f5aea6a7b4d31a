"""The graphs that are timed, in ComfyUI's API format."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

_numbers = itertools.count(1)

Graph = dict[str, dict[str, Any]]
OURS, CLIENT, PLAIN = "HunyuanGenerate", "BenchClient", "BenchPoller"


def generate(kind: str, prompts: Sequence[str], height: int = 512, count: int = 1) -> Graph:
    """One node of `kind` a prompt, each with a sink: 512*height pixels, seeds never used before."""
    graph: Graph = {}
    for number, prompt in enumerate(prompts):
        inputs: dict[str, Any] = {"prompt": prompt, "seed": next(_numbers) * 8}
        if kind == OURS:
            inputs |= {"size": "custom", "width": 512, "height": height, "count": count}
        else:
            inputs |= {"size": f"512*{height}"}
        graph[f"{number}"] = {"class_type": kind, "inputs": inputs}
        graph[f"{number}s"] = {"class_type": "BenchSink", "inputs": {"images": [f"{number}", 0]}}
    return graph


def beside(*graphs: Graph) -> Graph:
    """Several graphs of `generate` as one."""
    joined: Graph = {}
    for number, graph in enumerate(graphs):
        for name, node in graph.items():
            inputs = {key: _moved(value, number) for key, value in node["inputs"].items()}
            joined[f"{number}.{name}"] = {**node, "inputs": inputs}
    return joined


def _moved(value: Any, number: int) -> Any:
    return [f"{number}.{value[0]}", value[1]] if isinstance(value, list) else value


def blocking(seconds: float) -> Graph:
    """A synchronous node that holds the event loop; never from the cache."""
    inputs = {"seconds": seconds, "run": f"run {next(_numbers)}"}
    return {
        "block": {"class_type": "BenchBlock", "inputs": inputs},
        "blocks": {"class_type": "BenchSink", "inputs": {"images": ["block", 0]}},
    }


def lag(seconds: float) -> Graph:
    """A node that watches the event loop; never from the cache."""
    return {"lag": {"class_type": "BenchLag", "inputs": {"seconds": seconds, "run": f"run {next(_numbers)}"}}}


def listed(prompt: str, count: int) -> Graph:
    """A list of prompts into one node of ours."""
    return {
        "prompts": {"class_type": "BenchPrompts", "inputs": {"prompt": prompt, "count": count}},
        "0": {
            "class_type": OURS,
            "inputs": {
                "prompt": ["prompts", 0],
                "seed": next(_numbers) * 8,
                "size": "custom",
                "width": 512,
                "height": 512,
            },
        },
        "0s": {"class_type": "BenchSink", "inputs": {"images": ["0", 0]}},
    }
