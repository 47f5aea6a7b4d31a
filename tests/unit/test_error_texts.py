"""English messages stand in plain punctuation, which every console has; and a failure shows its bare name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hunyuan import errors
from tests.kit.pack import load

ROOT = Path(__file__).parents[2]
FANCY = set("\u201c\u201d\u2018\u2019\u2192\u2026")  # curly quotes, arrow, ellipsis
FOR_THE_PAGE = {"texts.py", "chinese.py", "schema.py"}  # status line, Chinese, and tooltips: never printed
QUOTES_TO_REMOVE = {"pasted_keys.py"}  # what is looked for in a pasted key


def said(path: Path) -> list[ast.Constant]:
    """The strings of a module that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if id(text) not in docstrings]


@pytest.mark.parametrize(
    "path",
    [
        path
        for room in ("hunyuan", "nodes")
        for path in (ROOT / room).rglob("*.py")
        if path.name not in FOR_THE_PAGE | QUOTES_TO_REMOVE
    ],
    ids=lambda path: path.stem,
)
def test_messages_are_in_plain_punctuation(path: Path) -> None:
    assert [(text.lineno, text.value) for text in said(path) if FANCY & set(str(text.value))] == []


def all_of(cls: type[Exception]) -> list[type[Exception]]:
    below: list[type[Exception]] = cls.__subclasses__()
    return [cls, *(each for sub in below for each in all_of(sub))]


def test_every_failure_is_shown_by_its_bare_name() -> None:
    """ComfyUI and Python put the module in front, there a folder of the machine; but not that of `builtins`."""
    for tree in (errors.HunyuanError, load("hunyuan.errors").HunyuanError):
        found = all_of(tree)
        assert len(found) > 30
        assert {each.__module__ for each in found} == {"builtins"}
