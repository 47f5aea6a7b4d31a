"""CONTRIBUTING's map is the code's own: every module is on it, with what it says of itself."""

from __future__ import annotations

import pytest

from devtools import module_map


def test_the_map_is_as_the_modules_are() -> None:
    """After a new module or another first sentence: .venv/bin/python -m devtools.module_map"""
    document = module_map.DOCUMENT.read_text(encoding="utf-8")
    assert document == module_map.with_map(document)


@pytest.mark.parametrize("folder", module_map.FOLDERS)
def test_every_module_says_in_a_sentence_what_it_is_for(folder: str) -> None:
    there = [path for room, path in module_map.modules() if room == folder]
    assert there
    assert [path.name for path in there if not 15 <= len(module_map.sentence(path)) <= 240] == []
