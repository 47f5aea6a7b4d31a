"""What the registry reads: pyproject.toml, the archive's files, its rules about code."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from devtools import workflow_versions
from tests.kit.archive import contents, matched, patterns
from tests.kit.documents import ROOT, codes, project, rows, text

ROOMS = {"hunyuan", "nodes", "web", "locales", "workflows", "subgraphs", "docs"}
FILES = {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "README.zh-CN.md", "CHANGELOG.md"}
ALLOWED = re.compile(r".*\.(py|js|css|json|jpg|md|toml|txt)|web/icon\.svg|web/docs/.*\.png|LICENSE")


def comfy() -> dict[str, str]:
    section = text("pyproject.toml").split("[tool.comfy]\n")[1].split("\n\n")[0]
    return dict(re.findall(r'^([\w-]+) = "(.*)"$', section, re.MULTILINE))


def test_the_archive_holds_the_pack_and_nothing_else() -> None:
    files = contents()
    assert {file for file in files if "/" not in file} == FILES
    assert {file.split("/")[0] for file in files if "/" in file} == ROOMS
    assert [file for file in files if not ALLOWED.fullmatch(file)] == []
    assert not [file for file in files if file.startswith("docs/") and not file.endswith(".md")]


def test_every_module_of_the_pack_is_tracked() -> None:
    there = {path.relative_to(ROOT).as_posix() for room in ("hunyuan", "nodes") for path in (ROOT / room).rglob("*.py")}
    assert there <= set(contents())


@pytest.mark.parametrize("pattern", patterns())
def test_every_pattern_of_the_ignore_file_matches_something(pattern: str) -> None:
    if pattern != "/docs/images/":  # pictures come and go
        assert matched(pattern)


def test_what_the_registry_asks_for_is_there() -> None:
    said = comfy()
    assert said["DisplayName"] == "Hunyuan Image 3"
    assert said["requires-comfyui"] == ">=0.3.75"
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]+", said["PublisherId"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", project()["version"])
    assert "comfyui" not in project()["name"].lower()
    assert "web" not in said  # WEB_DIRECTORY says it; both would load the page's part twice


@pytest.mark.parametrize(("key", "largest", "ratio"), [("Icon", 400, 1.0), ("Banner", 2100, 21 / 9)])
def test_icon_and_banner_are_pictures_of_the_right_shape(key: str, largest: int, ratio: float) -> None:
    owner = project()["urls"]["Repository"].removeprefix("https://github.com/")
    address = comfy()[key]
    prefix = f"https://raw.githubusercontent.com/{owner}/main/"
    assert address.startswith(prefix)
    with Image.open(ROOT / address.removeprefix(prefix)) as picture:
        assert max(picture.size) <= largest
        assert picture.width / picture.height == pytest.approx(ratio, abs=0.01)


def test_requirements_are_those_of_the_project() -> None:
    wanted = [line for line in text("requirements.txt").splitlines() if line and not line.startswith("#")]
    (told,) = re.findall(r"^dependencies = \[(.*)\]$", text("pyproject.toml"), re.MULTILINE)
    assert re.findall(r'"([^"]+)"', told) == wanted
    assert [re.split(r"[<>=]", line)[0] for line in wanted] == ["requests"]  # the one that ComfyUI 0.3.75 has not


@pytest.mark.parametrize("file", [file for file in contents() if file.endswith(".py")])
def test_no_eval_no_exec_no_processes_no_pip(file: str) -> None:
    tree = ast.parse(text(file))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__"}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"subprocess", "pip", "pickle", "marshal", "ctypes"}


# The scanner's findings that are a piece of text: where it stands can be looked up.
LITERAL = {"shell_execution", "encoded_payload", "network_call", "info_gathering", "obfuscation_chains"}


def test_what_the_scanner_finds_stands_where_the_document_says() -> None:
    modules = [file for file in contents() if file.endswith(".py")]
    looked_up = set()
    for finding, where, _ in rows("docs/security-scan.md", "finding"):
        kind, *pieces = codes(finding) or [""]
        assert all((ROOT / file).is_file() for file in codes(where))
        if kind in LITERAL:
            looked_up.add(kind)
            found = [file for file in modules if any(piece in text(file) for piece in pieces)]
            assert sorted(codes(where)) == found, finding
    assert looked_up == LITERAL


def nodes_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """All of a workflow's nodes, those of its subgraphs too."""
    inner = workflow.get("definitions", {}).get("subgraphs", [])
    return [*workflow["nodes"], *(node for subgraph in inner for node in nodes_of(subgraph))]


@pytest.mark.parametrize("path", workflow_versions.files(), ids=lambda path: path.stem)
def test_every_node_of_a_shipped_workflow_names_its_pack_and_this_version(path: Path) -> None:
    """After a release's new version, or a workflow saved in ComfyUI: .venv/bin/python -m devtools.workflow_versions"""
    own = {"cnr_id": project()["name"], "ver": project()["version"]}
    core = {"cnr_id": "comfy-core", "ver": comfy()["requires-comfyui"].removeprefix(">=")}
    nodes = nodes_of(json.loads(path.read_text(encoding="utf-8")))
    for node in nodes:
        told = {name: node["properties"][name] for name in ("cnr_id", "ver")}
        assert told in (own, core), node["type"]
        if node["type"].startswith("Hunyuan"):
            assert told == own
    assert any(node["type"].startswith("Hunyuan") for node in nodes)
    assert workflow_versions.stamped(path.read_text(encoding="utf-8")) == path.read_text(encoding="utf-8")
