"""The rule between the rooms: arrows go down only, and heavy things are imported when they are used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMFY = {"comfy", "comfy_api", "comfy_api_nodes", "comfy_execution", "server", "folder_paths", "torch", "numpy", "PIL"}
TASK_NODES = {"generate", "edit", "task_wait", "image_url"}
PIXELS = {"images", "image_decode", "image_encode", "image_thumbnail"}
HEAVY = {"torch", "numpy", "PIL", "requests", "sqlalchemy", "boto3", "psycopg", "urllib3"}


def modules(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"no modules in {room}"
    return found


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    """What a module imports, as dotted names; relative ones as `.name`, `..room.name`. Type-only imports count not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {id(sub) for node in ast.walk(tree) if _is_typing(node) for sub in ast.walk(node)}
    nodes = tree.body if top_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names |= {base} if node.module else {base + alias.name for alias in node.names}
    return names


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def room_of(name: str) -> str:
    return name.lstrip(".").split(".")[0]


@pytest.mark.parametrize("path", modules("hunyuan"), ids=lambda path: path.name)
def test_the_library_knows_nothing_of_comfyui_tensors_or_nodes(path: Path) -> None:
    for name in imports(path):
        assert room_of(name) not in COMFY | {"nodes", "sandbox", "tests"} or name.startswith("."), name
        assert not name.startswith("..nodes"), name
        depth = len(path.relative_to(ROOT / "hunyuan").parts)
        assert len(name) - len(name.lstrip(".")) <= depth, f"{name} leaves the library"


@pytest.mark.parametrize("leaf", ["errors.py", "models.py"])
def test_errors_and_models_are_leaves(leaf: str) -> None:
    ours = {name for name in imports(ROOT / "hunyuan" / leaf) if name.startswith(".")}
    assert ours <= {".errors"}


@pytest.mark.parametrize("path", modules("nodes"), ids=lambda path: path.name)
def test_task_nodes_never_import_each_other(path: Path) -> None:
    names = {name.lstrip(".").split(".")[0] for name in imports(path) if name.startswith(".")}
    if path.stem in TASK_NODES:
        assert not names & TASK_NODES
    if not path.stem.startswith("routes"):
        assert not {name for name in names if name.startswith("routes")} - {"routes"}


@pytest.mark.parametrize("path", modules("nodes"), ids=lambda path: path.name)
def test_only_the_pixels_room_touches_numpy_pillow_and_torch(path: Path) -> None:
    if path.stem not in PIXELS:
        assert not {room_of(name) for name in imports(path) if not name.startswith(".")} & {"numpy", "PIL", "torch"}


@pytest.mark.parametrize("path", [ROOT / "__init__.py", *modules("nodes")], ids=lambda path: path.name)
def test_nothing_heavy_is_imported_while_comfyui_loads_the_pack(path: Path) -> None:
    if path.stem not in PIXELS - {"images"}:
        assert not {room_of(name) for name in imports(path, top_only=True)} & HEAVY


@pytest.mark.parametrize("room", ["hunyuan", "nodes"])
def test_the_pack_never_imports_the_sandbox_or_the_tests_and_always_relatively(room: str) -> None:
    for path in modules(room):
        for name in imports(path):
            if not name.startswith("."):
                assert room_of(name) not in {"sandbox", "tests", "hunyuan", "devtools", "benchmarks"}, f"{path}: {name}"
