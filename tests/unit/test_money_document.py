"""docs/money.md names a test for every failure point, docs/security.md for every promise: each must be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "money.md"


@pytest.mark.parametrize(("document", "least"), [("money", 50), ("security", 30)])
def test_every_test_that_the_document_names_exists(document: str, least: int) -> None:
    text = (ROOT / "docs" / f"{document}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text))
    assert len(named) > least
    there = {
        (file, node.name)
        for file in {file for file, _ in named}
        for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert named - there == set()


def test_every_row_of_its_tables_names_a_test() -> None:
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    failures = [line for line in rows if line.count(" | ") == 3 and not line.startswith(("| what goes", "| ---"))]
    assert len(failures) > 40
    assert [line for line in failures if "`tests/" not in line.rsplit(" | ", 1)[1]] == []
