"""Every command in the documents is one that runs, and none of dev.py's is missing."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.environment import GROUPS
from devtools.pythons import SUPPORTED
from hunyuan.settings.store import FIELDS, variable
from tests.kit.documents import DOCUMENTS, READMES, ROOT, commands, name, project
from tests.kit.workflow_files import TEMPLATES


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_command_is_one_that_runs(document: Path) -> None:
    for words in commands(document):
        assert is_known(words), f"{name(document)}: {shlex.join(words)}"


def is_known(words: list[str]) -> bool:
    """Whether a command can run as it stands. What each dev.py command does, the other tests run."""
    if len(words) == 1 and words[0].startswith("HUNYUAN_"):
        return words[0].partition("=")[0] in map(variable, FIELDS)
    return any(check(words) for check in (is_dev, is_install, is_registry, is_script, is_request))


def is_dev(words: list[str]) -> bool:
    match words:
        case ["python3", "dev.py", command, *options]:
            return takes(command, options)
        case [".venv/bin/python", "-m", "devtools.workflow_versions" | "devtools.module_map" as module]:
            return (ROOT / f"{module.replace('.', '/')}.py").is_file()
        case [".venv/bin/python", "-m", "devtools.thumbnails" | "devtools.screenshots" as module, *templates]:
            return (ROOT / f"{module.replace('.', '/')}.py").is_file() and set(templates) <= set(TEMPLATES)
    return False


def is_install(words: list[str]) -> bool:
    match words:
        case ["cd", "ComfyUI/custom_nodes"]:
            return True
        case ["git", "clone", address]:
            return address == project()["urls"]["Repository"]
        case ["python", "-m", "pip", "install", "-r", file]:
            return (ROOT / file.removeprefix(f"{project()['name']}/")).is_file()
        case ["python", "-m", "pip", "install", *packages]:
            return set(packages) <= {"aiohttp", "boto3", "psycopg[binary]", "comfy-cli", "nodesafe"}
    return False


def is_registry(words: list[str]) -> bool:
    """Programs of others: comfy-cli and nodesafe."""
    own = ["comfy", "node", "install", project()["name"]]
    return words == own or " ".join(words) in ("comfy node validate", "comfy node pack", "nodesafe scan node")


def is_script(words: list[str]) -> bool:
    match words:
        case ["python", "-m", "sandbox", *options]:
            return all(option in help_of("-m", "sandbox") for option in options if option.startswith("--"))
        case ["python", script, *options] if script.endswith(".py"):
            told = help_of(str(ROOT / script))
            return all(option in told for option in options if option.startswith("--"))
    return False


def is_request(words: list[str]) -> bool:
    """A request to ComfyUI: tests/comfy/test_automation.py sends it."""
    return words[0] == "curl" and words in commands("docs/automation.md")


def takes(command: str, options: list[str]) -> bool:
    if command == "test":  # what follows is pytest's
        return all((ROOT / option).exists() for option in options if "/" in option)
    told = help_of("dev.py", command)
    return all(option in told or option in GROUPS for option in options)


@functools.cache
def help_of(*command: str) -> str:
    asked = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert asked.returncode == 0, f"{shlex.join(command)}: {asked.stderr}"
    return asked.stdout


def test_the_two_commands_stand_in_both_readmes_and_all_commands_in_contributing() -> None:
    for readme in READMES:
        assert {"demo", "test"} <= {words[2] for words in commands(readme) if words[:2] == ["python3", "dev.py"]}
    known = set(re.findall(r"^    (\w+) {2,}", help_of("dev.py"), re.MULTILINE))
    told = {words[2] for words in commands("CONTRIBUTING.md") if words[:2] == ["python3", "dev.py"]}
    assert told == known
    assert {"demo", "test"} < known


def test_the_hosted_jobs_run_commands_that_exist_under_every_supported_python() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")}
    assert sorted(files) == ["publish.yml", "test.yml"]
    for file, said in files.items():
        called = [line.split() for line in re.findall(r"run: python dev\.py (.+)$", said, re.MULTILINE)]
        assert called, file
        for command, *options in called:
            assert takes(command, options), f"{file}: {command}"
    (matrix,) = re.findall(r"^ +python: \[(.+)\]$", files["test.yml"], re.MULTILINE)
    assert [tuple(map(int, each.strip('"').split("."))) for each in matrix.split(", ")] == list(SUPPORTED)
    assert "os: [ubuntu-latest, windows-latest, macos-latest]" in files["test.yml"]
