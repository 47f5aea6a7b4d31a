"""The rules between the rooms: arrows go down only, no circles, and heavy things are imported when they are used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("hunyuan", "nodes", "sandbox", "devtools", "benchmarks", "tests")

# Each room uses only rooms below it in this list; the ground is for everybody.
LIBRARY = ("jobs", "journal", "storage", "sources", "gateway", "http", "settings")
GROUND = {
    "hunyuan/errors",
    "hunyuan/models",
    "hunyuan/limits",
    "hunyuan/addresses",
    "hunyuan/atomic_file",
    "hunyuan/task_ids",
    "hunyuan/sentences",
}
# What a folder may use of the others. The pack itself (hunyuan, nodes) stands alone.
USES = {
    "hunyuan": set(),
    "nodes": {"hunyuan"},
    "sandbox": set(),
    "devtools": {"sandbox", "hunyuan"},
    "benchmarks": {"devtools", "sandbox", "hunyuan", "nodes"},
    "tests": {"benchmarks", "devtools", "sandbox", "hunyuan", "nodes"},
}
COMFY = {"comfy", "comfy_api", "comfy_api_nodes", "comfy_execution", "server", "folder_paths", "torch", "numpy", "PIL"}
HEAVY = {"torch", "numpy", "PIL", "requests", "sqlalchemy", "boto3", "psycopg", "urllib3", "filelock"}
GRAPH_NODES = {"generate", "edit", "task_wait", "image_url", "prompt_list", "model_nodes"}


@dataclass(frozen=True)
class Arrow:
    """One import of one of our files. foreign: it names no file of ours. for_types: only the type checker sees it."""

    source: str
    target: str
    foreign: bool
    relative: bool
    at_top: bool
    for_types: bool


def _files() -> dict[str, Path]:
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").as_posix()
            found[name.removesuffix("/__init__")] = path
    return found


FILES = _files()


def _arrows(source: str, path: Path) -> Iterator[Arrow]:
    """Everything it imports, wherever that stands: lazily or for the type checker counts too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    types = {id(sub) for node in ast.walk(tree) if _is_for_types(node) for sub in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name.replace(".", "/")
                yield Arrow(source, name, name not in FILES, False, id(node) in top, id(node) in types)
        elif isinstance(node, ast.ImportFrom):
            base = _base(path, node)
            for alias in node.names:
                inner = f"{base}/{alias.name}" if base else alias.name
                target = inner if inner in FILES else base
                yield Arrow(source, target, target not in FILES, node.level > 0, id(node) in top, id(node) in types)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _base(path: Path, node: ast.ImportFrom) -> str:
    named = (node.module or "").replace(".", "/")
    if not node.level:
        return named
    folder = path.relative_to(ROOT).parents[node.level - 1].as_posix()
    return "/".join(part for part in (folder if folder != "." else "", named) if part)


ARROWS = [arrow for name, path in FILES.items() for arrow in _arrows(name, path)]
OURS = [arrow for arrow in ARROWS if not arrow.foreign and arrow.source != arrow.target]


def folder_of(name: str) -> str:
    return name.split("/")[0]


def room_of(name: str) -> str:
    """The room of a library's file; empty for the ground and for other folders."""
    parts = name.split("/")
    return parts[1] if parts[0] == "hunyuan" and len(parts) > 1 and name not in GROUND else ""


def test_there_is_something_to_look_at() -> None:
    assert {folder_of(name) for name in FILES} == set(FOLDERS)
    assert len(OURS) > 300


def test_rooms_of_the_library_use_only_rooms_below_them() -> None:
    wrong = [
        f"{arrow.source} -> {arrow.target}"
        for arrow in OURS
        if room_of(arrow.source)
        and room_of(arrow.target)
        and LIBRARY.index(room_of(arrow.source)) > LIBRARY.index(room_of(arrow.target))
    ]
    assert not wrong


def test_the_library_has_these_rooms_and_no_others() -> None:
    rooms = {room_of(name) for name in FILES if folder_of(name) == "hunyuan"} - {""}
    assert rooms == set(LIBRARY)


def test_the_ground_stands_on_itself() -> None:
    wrong = [
        f"{arrow.source} -> {arrow.target}" for arrow in OURS if arrow.source in GROUND and arrow.target not in GROUND
    ]
    assert not wrong


def test_folders_use_only_what_they_may() -> None:
    wrong = [
        f"{arrow.source} -> {arrow.target}"
        for arrow in OURS
        if folder_of(arrow.target) not in {folder_of(arrow.source), *USES[folder_of(arrow.source)]}
    ]
    assert not wrong


def test_no_circles_between_files() -> None:
    uses: dict[str, set[str]] = {}
    for arrow in OURS:
        uses.setdefault(arrow.source, set()).add(arrow.target)
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in sorted(uses.get(name, ())):
                walk(target, (*way, name))
            done.add(name)

    for name in FILES:
        walk(name, ())


@pytest.mark.parametrize("name", [name for name in FILES if folder_of(name) == "hunyuan"])
def test_the_library_knows_nothing_of_comfyui_tensors_or_pixels(name: str) -> None:
    assert not {folder_of(arrow.target) for arrow in ARROWS if arrow.source == name and arrow.foreign} & COMFY


def test_the_pack_imports_its_own_parts_relatively() -> None:
    """ComfyUI loads it under a name that nobody knows beforehand."""
    wrong = [
        f"{arrow.source} -> {arrow.target}"
        for arrow in ARROWS
        if folder_of(arrow.source) in ("hunyuan", "nodes")
        and not arrow.relative
        and folder_of(arrow.target) in (set(FOLDERS) - {"nodes"})
    ]
    assert not wrong


def test_nodes_of_the_graph_never_import_each_other() -> None:
    graph = {f"nodes/{name}" for name in GRAPH_NODES}
    assert graph <= set(FILES)
    assert not [arrow for arrow in OURS if arrow.source in graph and arrow.target in graph]


def test_the_routes_have_one_door() -> None:
    def inside(name: str) -> bool:
        return name.startswith("nodes/routes/")

    entered = {arrow.target for arrow in OURS if inside(arrow.target) and not inside(arrow.source)}
    assert entered == {"nodes/routes/handlers"}


def test_only_the_images_room_touches_numpy_pillow_and_torch() -> None:
    wrong = [
        f"{arrow.source} -> {arrow.target}"
        for arrow in ARROWS
        if arrow.foreign
        and not arrow.for_types
        and folder_of(arrow.source) == "nodes"
        and not arrow.source.startswith("nodes/images/")
        and folder_of(arrow.target) in {"numpy", "PIL", "torch"}
    ]
    assert not wrong


def test_nothing_heavy_is_imported_while_comfyui_loads_the_pack() -> None:
    """Whatever the nodes and their start bring in by themselves, and what that brings in, names no heavy package."""
    loaded, waiting = set(), ["nodes", "nodes/runtime", *(f"nodes/{name}" for name in sorted(GRAPH_NODES))]
    while waiting:
        name = waiting.pop()
        if name in loaded:
            continue
        loaded.add(name)
        brings = [arrow for arrow in ARROWS if arrow.source == name and arrow.at_top]
        assert not {folder_of(arrow.target) for arrow in brings if arrow.foreign} & HEAVY, name
        waiting += [arrow.target for arrow in brings if not arrow.foreign]
        waiting += [
            parent for arrow in brings if "/" in arrow.target and (parent := arrow.target.rsplit("/", 1)[0]) in FILES
        ]
    assert len(loaded) > 5
