"""A real ComfyUI with the pack and the baseline nodes in it, and the graphs that are timed."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devtools.paths import comfyui_path
from devtools.process import PACK
from tests.comfy.harness import ComfyServer, Workflow
from tests.sandbox_client import Sandbox

HERE = Path(__file__).resolve().parent
_IMPORT_TIME = re.compile(rf"([\d.]+) seconds: .*{PACK}\s*$", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_numbers = itertools.count(1)

Graph = dict[str, dict[str, Any]]
OURS, CLIENT, PLAIN = "HunyuanGenerate", "BenchClient", "BenchPoller"


def has_client() -> bool:
    """Whether this ComfyUI brings an API client of the shape that the baseline uses (from 0.3.64 on)."""
    return (comfyui_path() / "comfy_api_nodes" / "util" / "client.py").is_file()


class BenchServer(ComfyServer):
    """One ComfyUI on directories of its own under `base`, paying `sandbox`."""

    def __init__(self, base: Path, sandbox: Sandbox, environment: Mapping[str, str | None] | None = None) -> None:
        own = {"HUNYUAN_API_KEY": sandbox.key, "HUNYUAN_BASE_URL": sandbox.url, **(environment or {})}
        super().__init__(base, own)
        add_baseline(base)

    def timed(self, graph: Workflow, timeout: float = 600) -> tuple[float, dict[str, dict[str, Any]]]:
        """Seconds from execution_start to execution_success as the websocket tells them, and the outputs by node."""
        prompt_id = self.queue(graph)
        outputs = self.succeeded(self.wait(prompt_id, timeout))
        (began,) = self.messages("execution_start", prompt_id)
        (ended,) = self.messages("execution_success", prompt_id)
        return ended.at - began.at, outputs

    def import_seconds(self) -> list[float]:
        """What ComfyUI's "Import times" say of the pack, once a start."""
        return [float(found) for found in _IMPORT_TIME.findall(_COLOURS.sub("", self.log()))]


def add_baseline(base: Path) -> None:
    """The baseline nodes into a base directory, before ComfyUI starts on it."""
    place = base / "custom_nodes" / "hunyuan-benchmark"
    shutil.copytree(HERE / "baseline_nodes", place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)


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
