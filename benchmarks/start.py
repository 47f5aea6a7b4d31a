"""What the pack costs ComfyUI's start, and what `/object_info` costs of our nodes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.paths import ROOT, comfyui_python
from devtools.process import clean_environment
from sandbox.client import start_process

from .table import Row, Spread

if TYPE_CHECKING:
    from devtools.comfy_server import ComfyServer

FRESH = Path(__file__).resolve().parent / "fresh.py"
GOAL = 50.0  # milliseconds, as ComfyUI's "Import times" show them: 0.0 seconds


def fresh() -> dict[str, Any]:
    """The pack in a fresh interpreter: `ms`, `busy_ms`, `heavy` (modules it should not load), `nodes`."""
    command = [str(comfyui_python()), str(FRESH), str(ROOT)]
    environment = clean_environment()
    # As at a user's second start: Python has written down what it compiled.
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=60, env=environment)
    return dict(json.loads(done.stdout))


def look(server: ComfyServer, nodes: list[str]) -> list[str]:
    """What ComfyUI's main thread opens, lists or connects to while it answers /object_info for these nodes."""
    server.http.post(f"{server.url}/bench/watch", timeout=30).raise_for_status()
    for node in nodes:
        assert node in server.get_json(f"/object_info/{node}")
    return list(server.get_json("/bench/watch")["notes"])


def run(starts: int = 3, say: Callable[[str], None] = print) -> dict[str, Any]:
    """`fresh_ms`, `heavy`, `log_seconds` (of ComfyUI's own log), `opened` and `requests` by /object_info."""
    from .servers import BenchServer, import_seconds

    samples = [fresh() for _ in range(3 * starts)]
    log_seconds, opened, requests = [], [], 0
    with start_process() as sandbox:
        for number in range(starts):
            with tempfile.TemporaryDirectory() as folder:
                server = BenchServer(Path(folder), sandbox)
                try:
                    server.start()
                    log_seconds += import_seconds(server.log())
                    if number == 0:
                        before = len(sandbox.requests())
                        opened = look(server, samples[0]["nodes"])
                        requests = len(sandbox.requests()) - before
                finally:
                    server.stop()
            say(f"  start {number + 1}: {log_seconds[-1]} s in ComfyUI's Import times")
    return {
        "fresh_ms": [sample["ms"] for sample in samples],
        "heavy": samples[0]["heavy"],
        "log_seconds": log_seconds,
        "opened": opened,
        "requests": requests,
    }


def rows(result: dict[str, Any]) -> list[Row]:
    """The table's lines."""
    milliseconds = Spread(tuple(result["fresh_ms"]), "ms", 0)
    clean = not result["heavy"] and milliseconds.median <= GOAL
    log = Spread(tuple(result["log_seconds"]), "s", 1)
    calls = len(result["opened"]) + result["requests"]
    return [
        Row("import of the pack in a fresh interpreter", milliseconds, goal=f"≤ {GOAL:g} ms", met=clean),
        Row("import of the pack in ComfyUI's “Import times”", log, goal="0.0 s", met=max(log.values) < GOAL / 1000),
        Row("files read and calls made by /object_info of our nodes", str(calls), goal="0", met=calls == 0),
    ]


if __name__ == "__main__":
    from .table import text

    print(text(rows(run(1 if "--quick" in sys.argv else 3))))
