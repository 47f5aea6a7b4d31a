"""What the registry and other people's linters say of the pack and its workflows; none of them needs the network."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from devtools.clients import program
from devtools.paths import ROOT, comfyui_path
from tests.kit.archive import contents
from tests.kit.clients import run_program
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.workflow_files import TEMPLATES, template, to_api

API = sorted((ROOT / "workflows" / "api").glob("*.json"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack as the registry gets it, in a custom_nodes folder."""
    place = tmp_path_factory.mktemp("install") / "custom_nodes" / "hunyuan-image-3"
    for name in contents():
        goal = place / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, goal)
    return place


def test_comfy_node_validate_finds_nothing(archive: Path) -> None:
    home = archive.parent.parent
    ran = run_program([program("comfy"), "--skip-prompt", "node", "validate"], home, archive)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "All validation checks passed" in ran.stdout + ran.stderr


@pytest.mark.parametrize("name", [path.stem for path in API])
def test_comfy_lint_finds_nothing_in_the_workflows_for_automation(comfy: PaidServer, tmp_path: Path, name: str) -> None:
    workflow = tmp_path / f"{name}.json"
    shutil.copyfile(ROOT / "workflows" / "api" / f"{name}.json", workflow)
    assert_lint_is_content(comfy, workflow)


@pytest.mark.parametrize("name", TEMPLATES)
def test_comfy_lint_finds_nothing_in_the_templates_as_the_page_sends_them(
    comfy: PaidServer, tmp_path: Path, name: str
) -> None:
    workflow = tmp_path / f"{name}.json"
    workflow.write_text(json.dumps(to_api(template(name), unmute=True)), encoding="utf-8")
    assert_lint_is_content(comfy, workflow)


def assert_lint_is_content(server: PaidServer, workflow: Path) -> None:
    shutil.copyfile(comfyui_path() / "input" / "example.png", server.input_directory / "example.png")
    ran = run_program([program("comfy-lint"), "--strict", "--server", server.url, str(workflow)], workflow.parent)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_comfy_import_guard_says_that_nothing_will_break(archive: Path, tmp_path: Path) -> None:
    """Against the ComfyUI of these tests, as the clone it would otherwise fetch."""
    clone = tmp_path / "cache" / "ComfyUI"
    for path in comfyui_path().rglob("*.py"):
        goal = clone / path.relative_to(comfyui_path())
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, goal)
    owner = ["-c", "user.name=tests", "-c", "user.email=tests@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A", "-f"], [*owner, "commit", "-q", "-m", "as it is here"]):
        subprocess.run(["git", *words], cwd=clone, check=True, capture_output=True)
    command = [program("comfy-import-guard"), "--offline", "--json", "--cache-dir", str(tmp_path / "cache"), "check"]
    options = ["--comfy-dir", str(archive.parent.parent), "--target", "HEAD", "--no-update", "--strict"]
    ran = run_program([*command, *options], tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
