"""The archive that would be published, installed into a fresh ComfyUI: it runs the demo's workflow."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from sandbox.pictures import background, prompt_colour
from tests.kit.archive import build
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.workflow_files import TEMPLATES

PACK = "hunyuan-image-3"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed") / PACK
    with zipfile.ZipFile(build(folder.parent / "node.zip")) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def fresh(session_servers: ServerFactory, installed: Path) -> PaidServer:
    return session_servers(pack=installed)


def test_the_demos_workflow_runs(fresh: PaidServer, installed: Path) -> None:
    workflow = json.loads((installed / "workflows" / "api" / "generate_local_edit.json").read_text(encoding="utf-8"))
    entry = fresh.run(workflow)
    fresh.succeeded(entry)
    nodes = {node["_meta"]["title"]: number for number, node in workflow.items()}
    (first,) = fresh.images(entry, nodes["Save the first image"])
    (edited,) = fresh.images(entry, nodes["Save the edited image"])
    for picture, size, node in (
        (first, (1024, 1024), "Hunyuan Image 3 Generate"),
        (edited, (1344, 960), "Hunyuan Image 3 Edit"),
    ):
        given = workflow[nodes[node]]["inputs"]
        assert picture.size == size
        assert picture.getpixel((3, 3)) == background(given["seed"])
        assert picture.getpixel((picture.width - 4, 3)) == prompt_colour(given["prompt"])
    assert fresh.sandbox.billed == 2


def test_all_its_parts_are_served(fresh: PaidServer, installed: Path) -> None:
    known = fresh.object_info()
    ours = {name for name, told in known.items() if told["python_module"] == f"custom_nodes.{PACK}"}
    assert ours == set(json.loads((Path(__file__).parent / "contract.json").read_text(encoding="utf-8")))
    assert sorted(fresh.get_json("/workflow_templates")[PACK]) == TEMPLATES
    names = [told["name"] for told in fresh.get_json("/global_subgraphs").values()]
    assert [names.count(path.stem) for path in (installed / "subgraphs").glob("*.json")] == [1, 1]
    texts = fresh.get_json("/i18n")
    assert texts["zh"]["nodeDefs"]["HunyuanGenerate"]["display_name"] == "混元图像 3 文生图"
    assert "hunyuan" in texts["en"]
    scripts = fresh.http.get(f"{fresh.url}/extensions", timeout=30).json()
    shipped = {f"/extensions/{PACK}/{path.name}" for path in (installed / "web").glob("*.js")}
    assert shipped <= set(scripts)
    for script in shipped:
        assert fresh.http.get(fresh.url + script, timeout=30).status_code == 200


def test_it_leaves_nothing_in_its_own_folder(fresh: PaidServer, installed: Path) -> None:
    """What it keeps stands in ComfyUI's user folder: an update replaces the pack's own."""
    with zipfile.ZipFile(installed.parent / "node.zip") as archive:
        shipped = set(archive.namelist())
    there = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    assert {path for path in there - shipped if "__pycache__" not in path} == set()
    assert (fresh.state_directory / "journal.sqlite3").is_file()
