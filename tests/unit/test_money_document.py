"""docs/money.md names a test for every failure point: each of them must be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "money.md"


def test_every_test_that_the_document_names_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT.read_text(encoding="utf-8")))
    assert len(named) > 50
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
