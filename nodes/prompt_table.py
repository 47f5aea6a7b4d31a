"""Prompts out of one text: lines, parts between separators, or the `prompt` column of CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import re

from ..hunyuan.errors import InvalidRequestError
from ..hunyuan.sentences import say

COLUMN = "prompt"
_HEADER_CELL = re.compile(r"[\w .\-]{0,40}")
_DELIMITERS = (",", ";", "\t")
_ESCAPES = {"\\n": "\n", "\\t": "\t"}  # as people type them into a field of one line


def read_prompts(text: str, separator: str = "", skip_empty: bool = True) -> list[str]:
    """The prompts in their order, without blanks around them.

    With a separator the text is parted there and nowhere else. Without one, JSON is known by its brackets, CSV by a
    first line with a column `prompt`; anything else is one prompt a line. Raises InvalidRequestError for a table that
    has a row without a prompt, and where no prompt is left.
    """
    text = text.removeprefix("\ufeff")
    if separator:
        found = text.split(_unescaped(separator))
    else:
        found = next((rows for rows in (_from_json(text), _from_csv(text)) if rows is not None), text.splitlines())
    prompts = [each.strip() for each in found]
    if skip_empty:
        prompts = [each for each in prompts if each]
    if not prompts:
        raise InvalidRequestError(say("text holds no prompt."), do=say("Write one prompt a line."))
    return prompts


def _unescaped(separator: str) -> str:
    for typed, meant in _ESCAPES.items():
        separator = separator.replace(typed, meant)
    return separator


def _from_json(text: str) -> list[str] | None:
    """Of an array of texts or of objects, or of one object a line; None where it is no JSON."""
    start = text.lstrip()[:1]
    if start not in ("[", "{"):
        return None
    try:
        rows = json.loads(text) if start == "[" else [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:  # also prompts begin with a bracket
        return _one_object(text) if start == "{" else None
    return [_of_row(number, row) for number, row in enumerate(rows, 1)]


def _one_object(text: str) -> list[str] | None:
    """Of a single object over several lines."""
    try:
        return [_of_row(1, json.loads(text))]
    except ValueError:
        return None


def _of_row(number: int, row: object) -> str:
    found = row
    if isinstance(row, dict):
        found = next((value for key, value in row.items() if str(key).strip().lower() == COLUMN), None)
    if not isinstance(found, str):
        raise InvalidRequestError(
            say('Entry {number} of the JSON in text has no "{column}" that is a text.', number=number, column=COLUMN),
            do=say('Give texts, or objects such as {{"{column}": "..."}}.', column=COLUMN),
        )
    return found


def _from_csv(text: str) -> list[str] | None:
    """The column's cells; None where the first line is no header with such a column."""
    head = next(iter(text.splitlines()), "")
    for delimiter in _DELIMITERS:
        names = [cell.strip() for cell in next(csv.reader([head], delimiter=delimiter), [])]
        if COLUMN not in (name.lower() for name in names) or not all(_HEADER_CELL.fullmatch(name) for name in names):
            continue
        place = [name.lower() for name in names].index(COLUMN)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
        return [row[place] if place < len(row) else "" for row in rows if row]
    return None
