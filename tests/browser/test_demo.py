"""`dev.py demo --serve`: prompt to PNGs, what was spent, and ComfyUI left open with the workflow on the canvas."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from devtools.paths import ROOT
from tests.kit.browser import READY

TEMPLATE = json.loads((ROOT / "workflows" / "06 Generate then edit.json").read_text(encoding="utf-8"))


@pytest.fixture
def served() -> Iterator[tuple[list[str], subprocess.Popen[str]]]:
    """The demo's lines up to the address, and the process that stays."""
    environment = {**os.environ, "BROWSER": f"{sys.executable} -c pass %s", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "devtools.demo", "--serve"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if "is open at" in line:
            break
    yield lines, process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # not SIGKILL: it has a ComfyUI to end
    process.communicate(timeout=60)


def test_the_demo_saves_images_tells_the_cost_and_stays_open(
    served: tuple[list[str], subprocess.Popen[str]], chromium: Browser
) -> None:
    lines, process = served
    told = "\n".join(lines)
    assert "Spent in all: 50 credits" in told, told
    saved = [Path(found) for found in re.findall(r"image: (.+\.png)$", told, re.MULTILINE)]
    assert [Image.open(path).size for path in saved] == [(1024, 1024), (1344, 960)]

    address = re.findall(r"is open at (\S+)", told)[0]
    page = chromium.new_page()
    page.set_default_timeout(60_000)  # milliseconds, as every page of these tests has
    page.goto(address)
    page.wait_for_function(READY)
    page.wait_for_function("() => window.app.graph.nodes.some(node => node.type === 'HunyuanEdit')")
    canvas = json.loads(page.evaluate("() => JSON.stringify(window.app.graph.serialize())"))
    assert sorted(node["type"] for node in canvas["nodes"]) == sorted(node["type"] for node in TEMPLATE["nodes"])
    page.close()

    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
