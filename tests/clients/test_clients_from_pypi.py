"""comfy-api-simplified, comfy-script and comfy-cli run the shipped workflow: the saved picture, progress, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import urlopen

from devtools.clients import program
from tests.kit.clients import (
    Told,
    assert_rises,
    driver,
    gets_exactly_the_saved_picture,
    is_told_of_a_refusal,
    run_program,
)
from tests.kit.comfy_fixtures import PaidServer

simplified, script = driver("simplified.py"), driver("script.py")


def comfy_run(server: PaidServer, workflow: Path, folder: Path) -> Told:
    """`comfy run --wait`, and the files behind the addresses it gives."""
    options = ["--wait", "--host", "127.0.0.1", "--port", str(server.port), "--timeout", "60"]
    ran = run_program(
        [program("comfy"), "--skip-prompt", "--json-stream", "run", "--workflow", str(workflow), *options], folder
    )
    events = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    found = Told(output=ran.stdout + ran.stderr)
    end = events[-1]
    if not end["ok"]:
        assert ran.returncode != 0
        found.refused.append(json.dumps(end["error"]))
        return found
    found.progress = [(each["completed"], each["total"]) for each in events if each["type"] == "progress"]
    for number, address in enumerate(end["data"]["outputs"]):
        file = folder / f"{number}.received"
        with urlopen(address, timeout=30) as answer:
            file.write_bytes(answer.read())
        found.received.append(file)
    return found


def test_comfy_api_simplified_gets_the_saved_picture(comfy: PaidServer, tmp_path: Path) -> None:
    """It took the status texts for the image; it tells of no progress."""
    gets_exactly_the_saved_picture(comfy, simplified, "for comfy-api-simplified", tmp_path)


def test_comfy_api_simplified_is_told_of_a_refusal(comfy: PaidServer, tmp_path: Path) -> None:
    is_told_of_a_refusal(comfy, simplified, "refused to comfy-api-simplified", tmp_path)


def test_comfy_script_gets_the_saved_picture_and_progress(comfy: PaidServer, tmp_path: Path) -> None:
    # Not from ComfyUI's cache: that run may end before this client hears anything, and it then waits for ever.
    assert_rises(gets_exactly_the_saved_picture(comfy, script, "for comfy-script", tmp_path, ["anew"]).progress)


def test_comfy_script_is_told_of_a_refusal(comfy: PaidServer, tmp_path: Path) -> None:
    """By getting no result: it does not listen to why."""
    is_told_of_a_refusal(comfy, script, "refused to comfy-script", tmp_path)


def test_comfy_cli_gets_the_saved_picture_and_progress(comfy: PaidServer, tmp_path: Path) -> None:
    told = gets_exactly_the_saved_picture(comfy, comfy_run, "for comfy-cli", tmp_path)
    assert_rises(told.progress, to_the_end=False)  # it draws now and then, and may end before it drew the last step


def test_comfy_cli_is_told_of_a_refusal(comfy: PaidServer, tmp_path: Path) -> None:
    (why,) = is_told_of_a_refusal(comfy, comfy_run, "refused to comfy-cli", tmp_path).refused
    assert "moderation" in why
    assert "not allowed here" in why
