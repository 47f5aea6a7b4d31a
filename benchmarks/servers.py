"""A real ComfyUI with the pack and the baseline nodes in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devtools.comfy_server import ComfyServer, Workflow
from devtools.process import PACK
from sandbox.client import Sandbox

HERE = Path(__file__).resolve().parent
_IMPORT_TIME = re.compile(rf"([\d.]+) seconds: .*{PACK}\s*$", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


class BenchServer(ComfyServer):
    """One ComfyUI on directories of its own under `base`, paying `sandbox`."""

    def __init__(self, base: Path, sandbox: Sandbox, environment: Mapping[str, str | None] | None = None) -> None:
        own = {"HUNYUAN_API_KEY": sandbox.key, "HUNYUAN_BASE_URL": sandbox.url, **(environment or {})}
        super().__init__(base, own)
        add_baseline(base)

    def timed(self, graph: Workflow, timeout: float = 600) -> tuple[float, dict[str, dict[str, Any]]]:
        """Seconds from execution_start to execution_success by ComfyUI's own stamps, and the outputs by node.

        The stamps, since the messages themselves may wait for the garbage collection that ComfyUI makes after a prompt.
        """
        prompt_id = self.queue(graph)
        entry = self.wait(prompt_id, timeout)
        outputs = self.succeeded(entry)
        at = {kind: data["timestamp"] / 1000.0 for kind, data in entry["status"]["messages"]}  # unix milliseconds
        return at["execution_success"] - at["execution_start"], outputs


def import_seconds(log: str) -> list[float]:
    """What ComfyUI's "Import times" say of the pack, once a start."""
    return [float(found) for found in _IMPORT_TIME.findall(_COLOURS.sub("", log))]


def add_baseline(base: Path) -> None:
    """The baseline nodes into a base directory, before ComfyUI starts on it."""
    place = base / "custom_nodes" / "hunyuan-benchmark"
    shutil.copytree(HERE / "baseline_nodes", place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
