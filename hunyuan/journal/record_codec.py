"""Between the journal's rows as values and the columns that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..models import ImageSize, StoredImage, TaskState, TaskType
from .records import TaskRow

_TIMES = (
    "created_at", "submitted_at", "polled_at", "finished_at", "seconds", "collected_at", "delivered_at", "lost_at",
    "evicted_at",
)  # fmt: skip
_PLAIN = (
    "id", "fingerprint", "task_id", "prompt", "seed", "model", "base_url", "account", "credits", "prompt_id", "node_id",
    "session", "owner", "user_id", *_TIMES, "error_code", "error_text", "choices", "variation", "price",
)  # fmt: skip


def row_from(columns: Mapping[Any, Any]) -> TaskRow:
    """A row from its columns. Raises ValueError, TypeError or KeyError for what no journal has written."""
    plain: dict[str, Any] = {name: columns[name] for name in _PLAIN}
    for name in _TIMES:
        if type(plain[name]) is int:  # JSON and SQLite have no 7.0
            plain[name] = float(plain[name])
    return TaskRow(
        **plain,
        state=TaskState(columns["state"]),
        type=TaskType(columns["type"]) if columns["type"] else None,
        size=ImageSize.parse(columns["size"]) if columns["size"] else None,
        images=tuple(_list(columns["images"])),
        parameters=tuple((str(name), value) for name, value in _list(columns["parameters"])),
        image_fields=tuple(_list(columns["image_fields"])),
        urls=tuple(_list(columns["urls"])),
        files=tuple(StoredImage(**file) for file in _list(columns["files"])),
        hidden=bool(columns["hidden"]),
    )


def columns_of(row: TaskRow) -> dict[str, Any]:
    """The columns of a row."""
    columns = {name: getattr(row, name) for name in _PLAIN}
    for name, value in columns.items():
        if isinstance(value, str):
            columns[name] = storable(value)
    columns["state"] = row.state.value
    columns["type"] = row.type.value if row.type else ""
    columns["size"] = row.size.api if row.size else ""
    columns["images"] = texts_json(row.images)
    columns["parameters"] = json.dumps(row.parameters) if row.parameters else ""
    columns["image_fields"] = texts_json(row.image_fields)
    columns["urls"] = texts_json(row.urls)
    columns["files"] = files_json(row.files)
    columns["hidden"] = row.hidden
    return columns


def texts_json(texts: Sequence[str]) -> str:
    """A list of texts for a column."""
    return json.dumps(list(texts)) if texts else ""


def files_json(files: Sequence[StoredImage]) -> str:
    """Stored files for a column."""
    return json.dumps([vars(file) for file in files]) if files else ""


def storable(text: str) -> str:
    """What both databases take: no NUL (PostgreSQL), no lone surrogates (UTF-8)."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _list(text: str) -> list[Any]:
    found = json.loads(text) if text else []
    if not isinstance(found, list):
        raise ValueError(f"expected a list, got {type(found).__name__}")
    return found
