"""The map in CONTRIBUTING.md: modules with the first sentence it says of itself: `python -m devtools.module_map`"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .paths import ROOT

FOLDERS = ("hunyuan", "nodes", "web", "sandbox", "devtools", "benchmarks", "tests/kit")
DOCUMENT = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- map: python -m devtools.module_map -->\n", "<!-- end of map -->\n"
_JSDOC = re.compile(r"/\*\*\s*(.*?)\*/", re.DOTALL)


def sentence(path: Path) -> str:
    """The first sentence of a module's docstring or JSDoc; empty where there is none."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        said = ast.get_docstring(ast.parse(text)) or ""
    else:
        found = _JSDOC.search(text)
        said = re.sub(r"^ *\* ?", "", found[1], flags=re.MULTILINE) if found else ""
    first = " ".join(said.split("\n\n")[0].split("\n@")[0].split())
    first = re.sub(r":? `python[^`]*`[:.]?", ".", first).replace("..", ".")  # how it is called stands in the file
    return re.split(r"(?<=[^.][.])\s(?=[A-Z\"])", first, maxsplit=1)[0].lstrip(". ")


def modules() -> Iterator[tuple[str, Path]]:
    """The files of each folder as git knows them, new ones included: folder, path."""
    for folder in FOLDERS:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", f"{folder}/*.py", f"{folder}/*.js"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        yield from ((folder, ROOT / name) for name in sorted(set(listed.stdout.split())) if (ROOT / name).is_file())


def drawn() -> str:
    """The map as Markdown: a table a room."""
    rooms: dict[str, list[str]] = {}
    for _, path in modules():
        room = path.parent.relative_to(ROOT).as_posix()
        said = sentence(path).replace("|", "\\|")
        lines = rooms.setdefault(room, [])
        if path.stem == "__init__":
            lines.insert(0, f"\n### {room}/\n\n{said}\n\n| module | what it is for |\n| --- | --- |")
        else:
            if not lines:
                lines.append(f"\n### {room}/\n\n| module | what it is for |\n| --- | --- |")
            lines.append(f"| `{path.name}` | {said} |")
    return "\n".join(line for lines in rooms.values() for line in lines) + "\n\n"


def with_map(document: str) -> str:
    """The document with the map as it is now."""
    before, rest = document.split(BEGIN)
    return before + BEGIN + drawn() + END + rest.split(END)[1]


if __name__ == "__main__":
    DOCUMENT.write_text(with_map(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
