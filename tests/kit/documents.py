"""The documents as the tests read them: their text, tables, links and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")
DOCUMENTS = sorted(
    [
        *(path for path in ROOT.glob("*.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "web" / "docs").rglob("*.md"),
        ROOT / "sandbox" / "README.md",
    ]
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


def text(document: str | Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def prose(document: str | Path) -> str:
    """Without the code blocks."""
    return FENCE.sub("", text(document))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def rows(document: str | Path, first: str) -> Iterator[list[str]]:
    """The cells of each row of the tables whose first header cell is `first`."""
    inside = False
    for line in text(document).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0] == first:
            inside = True
        elif inside and not set(line) <= set("|- "):
            yield cells


def codes(cell: str) -> list[str]:
    return CODE.findall(cell)


def commands(document: str | Path) -> list[list[str]]:
    """What a reader would type: the lines of bash blocks, and inline code that begins like a command."""
    found: list[list[str]] = []
    for _, language, body in FENCE.findall(text(document)):
        if language in ("bash", "sh"):
            found += [shlex.split(line) for line in body.replace("\\\n", " ").splitlines() if line.strip()]
    for code in CODE.findall(prose(document)):
        if re.match(r"(python3?|pip|git|comfy|\.venv/bin/python) [\w-]", code):
            found.append(shlex.split(code))
    return found


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project, as far as the documents repeat it (tomllib came with Python 3.11)."""
    said = text("pyproject.toml")
    urls = dict(re.findall(r'^"?([A-Z][\w ]+)"? = "(https://[^"]+)"$', said, re.MULTILINE))
    (own,) = re.findall(r'^name = "(.+)"$', said, re.MULTILINE)
    (version,) = re.findall(r'^version = "(.+)"$', said, re.MULTILINE)
    return {"name": own, "urls": urls, "version": version}
