"""The pack installed twice: one copy serves, the other says so and stands aside."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from devtools.paths import ROOT
from devtools.process import PACK
from tests.kit.comfy_fixtures import ServerFactory
from tests.kit.comfy_stories import assert_drawn, saved
from tests.kit.known_durations import remember_quick_tasks

PARTS = ("__init__.py", "pyproject.toml", "hunyuan", "nodes", "web", "locales", "workflows", "subgraphs")


def copy_to(folder: Path) -> None:
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / part)


def test_one_of_two_copies_serves_and_the_other_names_both(comfy_server: ServerFactory) -> None:
    server = comfy_server(start=False)
    remember_quick_tasks(server.state_directory)
    both = {"comfyui-hunyuan.git copy", PACK}  # a dot: ComfyUI names modules without
    copy_to(server.base / "custom_nodes" / "comfyui-hunyuan.git copy")
    server.start()

    (line,) = [line for line in server.log().splitlines() if "is installed twice" in line]
    named = re.search(r"twice: (.*) serves, (.*) stands aside", line)
    assert named is not None
    serves, aside = (Path(each) for each in named.groups())
    assert {serves.name, aside.name} == both
    assert serves.is_dir() and aside.is_dir()

    scripts = server.http.get(f"{server.url}/extensions", timeout=30).json()
    assert {script.split("/")[2] for script in scripts} & both == {serves.name}
    modules = {told["python_module"] for told in server.object_info().values()}
    assert modules & {f"custom_nodes.{name}" for name in both} == {f"custom_nodes.{serves.name}"}

    entry = server.run(saved("from one copy only"))
    server.succeeded(entry)
    assert_drawn(server.images(entry, "2")[0], "from one copy only", 7, (256, 256))
    assert server.get_json("/hunyuan/summary")["credits"]["session"]["spent"] == 25
    assert server.sandbox.billed == 1
