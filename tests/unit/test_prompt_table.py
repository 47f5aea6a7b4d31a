"""Prompts out of one text, in each form that people have them."""

from __future__ import annotations

import json

import pytest

from tests.kit.pack import load

table = load("nodes.prompt_table")
errors = load("hunyuan.errors")

TWO = ["a red kite, over dunes", "a blue boat"]
FORMS = {
    "lines": "a red kite, over dunes\n\n  a blue boat  \n",
    "Windows lines": "a red kite, over dunes\r\na blue boat\r\n",
    "csv": 'prompt\n"a red kite, over dunes"\na blue boat\n',
    "csv with other columns": 'id,Prompt,size\n1,"a red kite, over dunes",1024*1024\n2,a blue boat,\n3,,\n',
    "csv of a spreadsheet": "\ufeffid;prompt\r\n1;a red kite, over dunes\r\n2;a blue boat\r\n",
    "tabs": "id\tprompt\n1\ta red kite, over dunes\n2\ta blue boat\n",
    "json texts": json.dumps(TWO),
    "json objects": json.dumps([{"prompt": each, "seed": 7} for each in TWO], indent=1),
    "json lines": "\n".join(json.dumps({"Prompt": each}) for each in TWO) + "\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_its_prompts(form: str) -> None:
    assert table.read_prompts(FORMS[form]) == TWO


@pytest.mark.parametrize(
    ("text", "separator", "found"),
    [
        ("a kite\nover dunes\n---\na boat\n---\n", "---", ["a kite\nover dunes", "a boat"]),
        ("a kite\nover dunes\n\na boat", "\\n\\n", ["a kite\nover dunes", "a boat"]),
        ("a kite|a boat", "|", ["a kite", "a boat"]),
        ('prompt\n["a"]', "---", ['prompt\n["a"]']),
    ],
)
def test_a_separator_keeps_prompts_of_several_lines_whole(text: str, separator: str, found: list[str]) -> None:
    assert table.read_prompts(text, separator) == found


def test_a_cell_may_hold_several_lines_and_quotes() -> None:
    assert table.read_prompts('n,prompt\n1,"a sign\nthat says ""open"""\n') == ['a sign\nthat says "open"']


@pytest.mark.parametrize(
    "text",
    ["[portrait] a cat", "{soft light} a cat\n{hard light} a dog", "A story about a prompt, told twice", "prompts"],
)
def test_what_only_looks_like_a_table_is_lines(text: str) -> None:
    assert table.read_prompts(text) == text.splitlines()


def test_empty_ones_stay_where_they_are_wanted() -> None:
    assert table.read_prompts("a\n\nb\n", skip_empty=False) == ["a", "", "b"]
    assert table.read_prompts("n,prompt\n1,a\n2,\n", skip_empty=False) == ["a", ""]


def test_a_single_object_over_several_lines() -> None:
    assert table.read_prompts(json.dumps({"prompt": "a cat"}, indent=2)) == ["a cat"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "text holds no prompt"),
        ("prompt,size\n", "text holds no prompt"),
        ('[{"prompt": "a"}, {"text": "b"}]', "Entry 2"),
        ("[1, 2]", "Entry 1"),
        ('["a", null]', "Entry 2"),
    ],
)
def test_a_table_without_prompts_is_told(text: str, words: str) -> None:
    with pytest.raises(errors.InvalidRequestError, match=words):
        table.read_prompts(text)
