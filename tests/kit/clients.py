"""Runs another person's client on the shipped workflow, and compares what it got with what ComfyUI saved."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from devtools.clients import NODE_CLIENTS, PYTHON_CLIENTS
from devtools.paths import ROOT, venv_python
from sandbox.pictures import background, prompt_colour
from tests.kit.comfy_fixtures import PaidServer

DRIVERS = Path(__file__).parent / "drivers"
WORKFLOW = ROOT / "workflows" / "api" / "text_to_image.json"
SEED = 11  # of that workflow
Client = Callable[[PaidServer, Path, Path], "Told"]  # server, workflow, folder for what it receives


@dataclass
class Told:
    """What a client printed. `progress`: value and scale, in order."""

    received: list[Path] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    output: str = ""


def run_program(command: Sequence[str], home: Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A program, run in `folder`, with a home of its own, no proxy, and nothing told to its makers."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    environment |= {"XDG_CACHE_HOME": str(home / ".cache"), "DO_NOT_TRACK": "1", "NODE_CLIENTS": str(NODE_CLIENTS)}
    environment |= {"PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
    return subprocess.run(
        command,
        cwd=folder or home,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def driver(name: str) -> Client:
    """A client by the script of drivers/ that uses it."""

    def run(server: PaidServer, workflow: Path, folder: Path) -> Told:
        interpreter = "node" if name.endswith(".mjs") else str(venv_python(PYTHON_CLIENTS))
        ran = run_program([interpreter, str(DRIVERS / name), server.url, str(workflow), str(folder)], folder)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return told(ran, folder)

    return run


def told(ran: subprocess.CompletedProcess[str], folder: Path) -> Told:
    found = Told(output=ran.stdout + ran.stderr)
    for line in ran.stdout.splitlines():
        if not line.startswith("{"):
            continue
        event: dict[str, Any] = json.loads(line)
        assert "preview" not in event, "nobody asked for previews"
        if "progress" in event:
            found.progress.append((event["progress"][0], event["progress"][1]))
        if "refused" in event:
            found.refused.append(event["refused"])
    found.received = sorted([*folder.glob("*.received"), *folder.glob("*.pixels.png")])
    return found


def workflow_with(prompt: str, folder: Path) -> Path:
    """The shipped workflow with another prompt, so that no other test has paid for it."""
    workflow = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    workflow["1"]["inputs"]["prompt"] = prompt
    file = folder / "workflow.json"
    file.write_text(json.dumps(workflow), encoding="utf-8")
    return file


def gets_exactly_the_saved_picture(
    server: PaidServer, client: Client, prompt: str, folder: Path, runs: Sequence[str] = ("anew", "from the cache")
) -> Told:
    """What the first run told. The second one ComfyUI answers from its cache."""
    workflow = workflow_with(prompt, folder)
    server.sandbox.tasks(seconds=2)  # long enough for progress between its ends
    before, tellings = saved_files(server), []
    for number in runs:
        place = folder / number
        place.mkdir()
        tellings.append(found := client(server, workflow, place))
        assert not found.refused, found.output
        assert len(found.received) == 1, found.output
    (saved,) = saved_files(server) - before
    for found in tellings:
        assert_same(found.received[0], saved)
    with Image.open(saved) as picture:
        assert picture.size == (1280, 720)
        assert picture.getpixel((3, 3)) == background(SEED)
        assert picture.getpixel((picture.width - 4, 3)) == prompt_colour(prompt)
    assert server.sandbox.billed == 1
    return tellings[0]


def assert_same(received: Path, saved: Path) -> None:
    """Byte for byte; of a client that gives pixels only, pixel for pixel."""
    if received.name.endswith(".pixels.png"):
        with Image.open(received) as got, Image.open(saved) as wanted:
            assert ImageChops.difference(got.convert("RGB"), wanted.convert("RGB")).getbbox() is None
    else:
        assert received.read_bytes() == saved.read_bytes()


def saved_files(server: PaidServer) -> set[Path]:
    return set((server.output_directory / "hunyuan").glob("*.png"))


def assert_rises(progress: Sequence[tuple[int, int]], *, to_the_end: bool = True) -> None:
    """Whole steps on one scale that rise (to its end), with some between."""
    ours = [value for value, scale in progress if scale == 100]
    assert ours == sorted(ours)
    assert ours[-1] == 100 or not to_the_end
    assert any(0 < value < 100 for value in ours)


def is_told_of_a_refusal(server: PaidServer, client: Client, prompt: str, folder: Path) -> Told:
    server.sandbox.script(on="create", prompt=prompt, status=400, code=1200, message="not allowed here")
    found = client(server, workflow_with(prompt, folder), folder)
    assert found.received == []
    assert found.refused, found.output
    assert server.sandbox.billed == 0
    return found
