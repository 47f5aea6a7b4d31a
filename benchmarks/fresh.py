"""Loads the pack in a fresh interpreter as ComfyUI does, with stand-ins for ComfyUI's modules; prints JSON.

`ms`: from the import of its `__init__` to the last schema; `busy_ms`: what of that the processor took; `heavy`: what it
loaded of the modules that cost most; `nodes`: the ids of its nodes. Run as a script, never imported:
`python benchmarks/fresh.py <the pack's folder>`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

HEAVY = ("torch", "numpy", "PIL", "requests", "urllib3", "sqlalchemy", "sqlite3", "boto3", "botocore", "psycopg")


class Anything:
    """Takes every call and has every attribute."""

    def __init__(self, *_: Any, **named: Any) -> None:
        self.__dict__.update(named)

    def __call__(self, *_: Any, **__: Any) -> Any:
        return Anything()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()


class Schema:
    """ComfyUI's node schema; the pack passes it the keywords that its signature has."""

    def __init__(self, node_id: str, inputs: Any = (), outputs: Any = ()) -> None:
        self.node_id = node_id


class Node:
    """ComfyUI's base class of nodes."""


class Extension:
    """ComfyUI's base class of extensions."""


def _stand_ins() -> None:
    latest, server, api = ModuleType("comfy_api.latest"), ModuleType("server"), ModuleType("comfy_api")
    latest.io = Anything(ComfyNode=Node, Schema=Schema)  # type: ignore[attr-defined]
    latest.ComfyExtension = Extension  # type: ignore[attr-defined]
    server.PromptServer = Anything(instance=Anything())  # type: ignore[attr-defined]
    folders = ModuleType("folder_paths")
    folders.get_user_directory = lambda: str(Path(__file__).parent / "no such folder")  # type: ignore[attr-defined]
    sys.modules |= {"comfy_api": api, "comfy_api.latest": latest, "server": server, "folder_paths": folders}


async def _load(pack: Path) -> list[str]:
    name = "a_name_that_the_pack_does_not_know"
    spec = importlib.util.spec_from_file_location(name, pack / "__init__.py", submodule_search_locations=[str(pack)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    extension = await module.comfy_entrypoint()
    return [node.define_schema().node_id for node in await extension.get_node_list()]


def main() -> None:
    del sys.path[0]  # this folder: its module names are no business of the pack
    import aiohttp.web  # noqa: F401 - ComfyUI has it before any pack

    _stand_ins()
    began, used = time.perf_counter(), time.process_time()
    nodes = asyncio.run(_load(Path(sys.argv[1])))
    milliseconds = (time.perf_counter() - began) * 1000.0
    busy = (time.process_time() - used) * 1000.0
    heavy = sorted(name for name in HEAVY if name in sys.modules)
    print(json.dumps({"ms": milliseconds, "busy_ms": busy, "heavy": heavy, "nodes": nodes}))


if __name__ == "__main__":
    main()
