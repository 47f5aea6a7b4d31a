"""Between the journal's rows as values and the columns that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..models import ImageSize, StoredImage, TaskState, TaskType
from ..sentences import Sentence, Sentences, respelled, spelled
from .records import TaskRow

# The fields that a column holds otherwise than the row does; the others are the same in both.
_CODED = {"state", "type", "size", "images", "parameters", "image_fields", "urls", "files", "hidden", "error_text"}
_PLAIN = [field.name for field in fields(TaskRow) if field.name not in _CODED]


def row_from(columns: Mapping[Any, Any]) -> TaskRow:
    """A row from its columns. Raises ValueError, TypeError or KeyError for what no journal has written."""
    return TaskRow(
        **{name: columns[name] for name in _PLAIN},
        state=TaskState(columns["state"]),
        type=TaskType(columns["type"]) if columns["type"] else None,
        size=ImageSize.parse(columns["size"]) if columns["size"] else None,
        images=tuple(_list(columns["images"])),
        parameters=tuple((str(name), value) for name, value in _list(columns["parameters"])),
        image_fields=tuple(_list(columns["image_fields"])),
        urls=tuple(_list(columns["urls"])),
        files=tuple(StoredImage(**file) for file in _list(columns["files"])),
        hidden=bool(columns["hidden"]),
        error_text=_as_said(columns["error_text"], columns["error_said"]),
    )


def columns_of(row: TaskRow) -> dict[str, Any]:
    """The columns of a row."""
    plain = {name: getattr(row, name) for name in _PLAIN}
    return {
        **{name: storable(value) if isinstance(value, str) else value for name, value in plain.items()},
        "state": row.state.value,
        "type": row.type.value if row.type else "",
        "size": row.size.api if row.size else "",
        "images": texts_json(row.images),
        "parameters": json.dumps(row.parameters) if row.parameters else "",
        "image_fields": texts_json(row.image_fields),
        "urls": texts_json(row.urls),
        "files": files_json(row.files),
        "hidden": row.hidden,
        "error_text": storable(row.error_text),
        "error_said": said_json(row.error_text),
    }


def texts_json(texts: Sequence[str]) -> str:
    """A list of texts for a column."""
    return json.dumps(list(texts)) if texts else ""


def files_json(files: Sequence[StoredImage]) -> str:
    """Stored files for a column."""
    return json.dumps([vars(file) for file in files]) if files else ""


def said_json(text: str) -> str:
    """How a sentence of ours was said, for a column; empty for somebody else's words."""
    return json.dumps(spelled(text.each(storable))) if isinstance(text, (Sentence, Sentences)) else ""


def storable(text: str) -> str:
    """What both databases take: no NUL (PostgreSQL), no lone surrogates (UTF-8)."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _as_said(text: str, said: str) -> str:
    """The text of a column as it was said, if it is that text: steps that clear it leave how it was said alone.

    How it was said is for translations only: where damage got at it, the row is as good without.
    """
    try:
        again = respelled(json.loads(said)) if said else text
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return text
    return again if again == text else text


def _list(text: str) -> list[Any]:
    found = json.loads(text) if text else []
    if not isinstance(found, list):
        raise ValueError(f"expected a list, got {type(found).__name__}")
    return found
