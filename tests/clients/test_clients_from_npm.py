"""@stable-canvas/comfyui-client and @saintno/comfyui-sdk, as a library and by its command line, run the workflow."""

from __future__ import annotations

import json
from pathlib import Path

from devtools.clients import NODE_CLIENTS
from tests.kit.clients import (
    Told,
    assert_rises,
    driver,
    gets_exactly_the_saved_picture,
    is_told_of_a_refusal,
    run_program,
)
from tests.kit.comfy_fixtures import PaidServer

stable_canvas, saintno = driver("stable_canvas.mjs"), driver("saintno.mjs")


def cfli(server: PaidServer, workflow: Path, folder: Path) -> Told:
    """The command line of @saintno/comfyui-sdk, which downloads what it lists."""
    program = NODE_CLIENTS / "node_modules" / "@saintno" / "comfyui-sdk" / "dist" / "cli.js"
    place = folder / "downloads"
    options = ["--host", server.url, "--json", "--quiet", "--download", "--output", str(place)]
    ran = run_program(["node", str(program), "-f", str(workflow), *options], folder)
    found = Told(output=ran.stdout + ran.stderr)
    if ran.returncode:
        found.refused.append(found.output)
        return found
    listed = json.loads(ran.stdout)
    assert len(listed["_media"]) == 1, listed
    found.received = sorted(place.iterdir())
    return found


def test_stable_canvas_gets_the_saved_picture_and_progress(comfy: PaidServer, tmp_path: Path) -> None:
    assert_rises(gets_exactly_the_saved_picture(comfy, stable_canvas, "for stable-canvas", tmp_path).progress)


def test_stable_canvas_is_told_of_a_refusal(comfy: PaidServer, tmp_path: Path) -> None:
    is_told_of_a_refusal(comfy, stable_canvas, "refused to stable-canvas", tmp_path)


def test_saintnos_sdk_gets_the_saved_picture_and_progress(comfy: PaidServer, tmp_path: Path) -> None:
    """Anew only: it waits for ever for a prompt that ComfyUI answers wholly from its cache, with core's nodes too."""
    assert_rises(gets_exactly_the_saved_picture(comfy, saintno, "for saintno", tmp_path, ["anew"]).progress)


def test_saintnos_sdk_is_told_of_a_refusal(comfy: PaidServer, tmp_path: Path) -> None:
    is_told_of_a_refusal(comfy, saintno, "refused to saintno", tmp_path)


def test_saintnos_command_line_gets_the_saved_picture(comfy: PaidServer, tmp_path: Path) -> None:
    """Anew only, as above: whether it notices the end of a prompt from the cache is a matter of luck."""
    gets_exactly_the_saved_picture(comfy, cfli, "for cfli", tmp_path, ["anew"])


def test_saintnos_command_line_is_told_of_a_refusal(comfy: PaidServer, tmp_path: Path) -> None:
    is_told_of_a_refusal(comfy, cfli, "refused to cfli", tmp_path)
