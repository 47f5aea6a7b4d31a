"""Images that came inside answers and lie beside the journal: each is taken over, whatever is wrong with another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hunyuan.errors import JournalError
from hunyuan.storage.kept_answers import KeptAnswers

LINK = "https://files.example/1.png"


@pytest.mark.parametrize("content", ["half a li", "5", "{}", "[]", '"a text"', "[1]"])
def test_a_file_that_is_no_answer_stays_is_told_once_and_holds_up_nothing(tmp_path: Path, content: str) -> None:
    told: list[str] = []
    kept, taken = KeptAnswers(tmp_path, told.append), dict[str, Sequence[str]]()
    (tmp_path / "a.json").write_text(content)
    kept.add("b", [LINK])

    def write(row_id: str, urls: Sequence[str]) -> bool:
        taken[row_id] = urls
        return True

    for _ in range(2):
        kept.flush(write)
    assert taken == {"b": [LINK]}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert ["a.json" in text for text in told] == [True]


def test_an_answer_that_the_journal_refuses_holds_up_no_other(tmp_path: Path) -> None:
    told: list[str] = []
    kept, taken = KeptAnswers(tmp_path, told.append), list[str]()
    for row_id in ("a", "b", "c"):
        kept.add(row_id, [LINK])

    def write(row_id: str, urls: Sequence[str]) -> object:
        taken.append(row_id)
        if row_id == "a":
            raise JournalError("The disk is full.")
        return None if row_id == "b" else True  # b is of another journal

    kept.flush(write)
    assert taken == ["a", "b", "c"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "b.json"]
    assert len(told) == 1
