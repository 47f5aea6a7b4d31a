"""Finds a task's fields in the JSON of a gateway whose answers nobody documented: pure functions.

Known shapes: the vendor's `{"code", "message", "data": {"task_id", "status"}}` and `{"id", "status", …}`, the
upstream's `data.outputs[]`, OpenAI's `data: [{"b64_json"}]`, and what a third party's client looks for.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

Json: TypeAlias = dict[str, Any]

_MOST_RECORDS = 8  # objects that are searched for a task's fields
_DEEPEST = 16  # levels of nesting that are searched for images
_TASK_ID_KEYS = ("task_id", "taskId", "job_id", "jobId")
_STATUS_KEYS = ("status", "state", "task_status", "taskStatus", "job_status")
_MESSAGE_KEYS = ("message", "msg", "detail", "reason", "error_message", "errorMessage", "fail_reason", "failReason")
_CODE_KEYS = ("code", "error_code", "errorCode", "err_code")
_TASK_PLACES = ("data", "task", "result", "response", "output")

# Keys of images, without case, '_' and '-', the surest first. Requests use none of the first group.
_RESULT_KEYS = (
    *("outputs", "output", "outputurls", "outputurl", "outputimages", "outputimage"),
    *("results", "result", "resulturls", "resulturl", "resultimages", "resultimage", "resultjson", "response"),
)
_IMAGE_KEYS = (
    *("images", "imageurls", "imageurl", "image", "urls", "url", "fileurl"),
    *("b64json", "b64", "base64", "imagebase64", "data"),
)
_REQUEST_IMAGES = "images"  # the request's own field: in an echo of the request it is not the result
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
_MIMES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")


def parse(body: bytes) -> Json | None:
    """The answer as an object, or None if it is not JSON or no object. A list stands for its `data`."""
    try:
        value = json.loads(body)
        if isinstance(value, str):
            value = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        return {"data": value}
    return value if isinstance(value, dict) else None


def task_records(root: Json) -> list[Json]:
    """The objects in which a task's fields may stand: the nearest to the surface first, the answer itself last.

    Lists are lists of results, not of tasks, but for `data`.
    """
    found = [root]
    for outer in found:
        for key in _TASK_PLACES:
            inner = outer.get(key)
            if isinstance(inner, list) and key != "data":
                continue
            if len(found) < _MOST_RECORDS and (record := _as_object(inner)) is not None:
                found.append(record)
    return [*found[1:], root]


def task_id(root: Json) -> str:
    """The task's id, or an empty text."""
    records = task_records(root)
    for keys in (_TASK_ID_KEYS, ("id",)):  # a bare `id` may be that of something else
        for value in (record.get(key) for record in records for key in keys):
            if isinstance(value, str) and value.strip():
                return value.strip()
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
    data = root.get("data")
    return data.strip() if isinstance(data, str) and re.fullmatch(r"\s*[\w-]{6,128}\s*", data, re.ASCII) else ""


def status_word(root: Json) -> str:
    """The status word in its plain form (`IN-PROGRESS` → `in_progress`), or an empty text."""
    for record in task_records(root):
        for key in _STATUS_KEYS:
            value = record.get(key)
            if isinstance(value, str) and value.strip() and not value.strip().isdigit():
                word = re.sub(r"[\s\-]+", "_", value.strip().lower())
                return re.sub(r"^task_(status|state)_", "", word)
    return ""


def progress(root: Json) -> float | None:
    """0..1. Whole numbers and what is above 1 are percent."""
    for record in task_records(root):
        for key in ("progress", "percent", "percentage"):
            share = _share(record.get(key), percent=key != "progress")
            if share is not None:
                return share
    return None


def _share(value: object, *, percent: bool) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,3}(\.\d{1,9})?\s*%?\s*", value):
        percent = percent or "%" in value or "." not in value
        value = float(value.strip().rstrip("% "))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        return None
    whole = percent or value > 1 or isinstance(value, int)
    return value / 100 if whole else float(value)


def words(root: Json) -> str:
    """What the gateway says of a failure, or an empty text."""
    records = task_records(root)
    errors = [record.get("error") or record.get("errors") for record in (root, *records)]
    for error in errors:
        text = _message(error)
        if text:
            return text
    for record in records:
        text = _message(record)
        if text and text.lower() not in ("success", "succeeded", "ok"):
            return text
    return ""


def _message(value: object) -> str:
    if isinstance(value, str):
        inside = _as_object(value)
        return _message(inside) if inside is not None else value.strip()
    if isinstance(value, list):
        return "; ".join(text for text in map(_message, value[:5]) if text)
    if isinstance(value, dict):
        for key in _MESSAGE_KEYS:
            text = _message(value.get(key)) if value.get(key) is not value else ""
            if text:
                return text
    return ""


def code(root: Json) -> str:
    """The error code: the error's own, else the task's, else the envelope's; empty for a success or none."""
    records = task_records(root)
    errors = [error for record in (root, *records) if (error := _as_object(record.get("error"))) is not None]
    for record in (*errors, *records):
        for key in _CODE_KEYS:
            value = record.get(key)
            text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
            if text and not _is_success(text):
                return text[:40]
    return ""


def _is_success(text: str) -> bool:
    return text.lower() in ("0", "success", "succeeded", "ok") or re.fullmatch(r"2\d\d", text) is not None


def has_error(root: Json) -> bool:
    """Whether the answer says by any field but the status that something went wrong."""
    return bool(code(root)) or root.get("success") is False or any(record.get("error") for record in task_records(root))


def images(root: Json, request_inputs: Collection[str]) -> tuple[str, ...]:
    """URLs and `data:` URIs of the finished images, in order, each once; never one of the request's inputs."""
    echoes = frozenset(form for text in request_inputs for form in _forms(text))
    return tuple(dict.fromkeys(_in_object(root, echoes, 0)))


def _forms(text: str) -> Iterator[str]:
    yield text
    yield unquote(text)
    if text.startswith("data:"):
        yield text.partition(",")[2]


def _in_object(record: Mapping[str, Any], echoes: frozenset[str], depth: int) -> list[str]:
    """The images under the surest key that has any: an object names the same image in several ways."""
    by_key = {re.sub(r"[_\-]", "", key.lower()): value for key, value in record.items()}
    order = [*_RESULT_KEYS, *_IMAGE_KEYS]
    if "prompt" in by_key:
        order.remove(_REQUEST_IMAGES)
        order.append(_REQUEST_IMAGES)
    for key in order:
        found = _in_value(by_key.get(key), echoes, depth + 1)
        if found:
            return found
    return []


def _in_value(value: object, echoes: frozenset[str], depth: int) -> list[str]:
    if depth > _DEEPEST:
        return []
    if isinstance(value, dict):
        return _in_object(value, echoes, depth)
    if isinstance(value, list):
        return [image for item in value for image in _in_value(item, echoes, depth + 1)]
    if isinstance(value, str):
        inside = _unpacked(value)
        return _in_text(value.strip(), echoes) if inside is None else _in_value(inside, echoes, depth + 1)
    return []


def _in_text(text: str, echoes: frozenset[str]) -> list[str]:
    if text in echoes or unquote(text[:8192]) in echoes:
        return []
    if re.match(r"https?://[^\s/]", text, re.IGNORECASE) and not re.search(r"\s", text):
        return [text]
    if re.match(r"data:[^,]{0,200},", text, re.IGNORECASE):
        return [] if text.partition(",")[2] in echoes else [text]
    mime = _base64_mime(text)
    return [f"data:{mime};base64,{text}"] if mime else []


def _base64_mime(text: str) -> str:
    """The type of an image in bare base64 by its first bytes, or an empty text."""
    if len(text) < 40 or not re.fullmatch(r"[A-Za-z0-9+/_\-]{40}", text[:40]):
        return ""
    try:
        head = base64.b64decode(text[:40].replace("-", "+").replace("_", "/"))
    except binascii.Error:
        return ""
    if head[4:8] == b"ftyp":
        return "image/avif"
    return next((mime for magic, mime in zip(_MAGIC, _MIMES, strict=True) if head.startswith(magic)), "")


def _unpacked(text: str) -> object:
    """What a JSON string inside the JSON holds, or None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _as_object(value: object) -> Json | None:
    if isinstance(value, str):
        value = _unpacked(value)
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    return value if isinstance(value, dict) else None
