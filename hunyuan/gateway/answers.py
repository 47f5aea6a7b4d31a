"""Finds a task's fields in the JSON of a gateway whose answers nobody documented: pure functions.

Known shapes: the vendor's `{"code", "message", "data": {"task_id", "status"}}` and `{"id", "status", ...}`, its music
pages' `data.type` with `data.response_data[]`, the upstream's `data.outputs[]`, OpenAI's `data: [{"b64_json"}]`, what
sites with the same envelope document, and what a third party's client looks for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from . import json_bytes, status_words
from .answer_images import as_object, images

__all__ = ["code", "credits", "id_in_pieces", "images", "parse", "progress", "status_word", "task_id", "words"]

Json: TypeAlias = dict[str, Any]

_MOST_RECORDS = 8  # objects that are searched for a task's fields
_MOST_CREDITS = 1_000_000  # of one task: what is above is no price
_BARE_ID = re.compile(r"(?!.*//)\w[\w\-.:/]{5,511}(?<!\.png|\.jpg|jpeg|webp)", re.ASCII)  # in the place of the data
_TASK_PLACES = ("data", "task", "result", "response", "output")
# Keys without case, '_' and '-'; the surest first.
_TASK_ID_KEYS = ("taskid", "jobid")
_STATUS_KEYS = ("status", "state", "taskstatus", "taskstate", "jobstatus", "successflag")
_ERROR_KEYS = ("error", "errors")
_FAILURE_KEYS = (
    *("errormessage", "errormsg", "errmsg", "failreason", "failmsg", "failmessage", "failurereason", "failedreason"),
    "errordescription",
)
_MESSAGE_KEYS = (
    *_FAILURE_KEYS,
    *("taskstatusmsg", "statusmsg", "statusmessage", "message", "msg", "detail", "reason"),
)
_CODE_KEYS = ("code", "errorcode", "errcode", "failcode")
_CREDIT_KEYS = (
    *("consumedcredits", "creditsconsumed", "consumecredits", "consumedcredit", "creditconsumed"),
    *("creditsused", "usedcredits", "creditscharged", "chargedcredits", "creditscost", "creditcost", "costcredits"),
)
_NO_WORDS = frozenset({"", "success", "succeeded", "successful", "ok", "null", "none", "nil", "undefined", "0"})

id_in_pieces = json_bytes.id_in_pieces


def parse(body: bytes) -> Json | None:
    """The answer as an object, or None if none stands in it. A list stands for its `data`.

    Of several objects the last that tells of a task counts, with the id that any of them names.
    """
    found = [root for value in json_bytes.values(body) if (root := _root(value)) is not None]
    if len(found) < 2:
        return found[0] if found else None
    telling = [root for root in found if status_word(root) or images(root, ())]
    named = [root for root in found if given_id(root)] or [root for root in found if task_id(root)]
    chosen = (telling or named or found[:1])[-1]
    return {**chosen, "task_id": task_id(named[-1])} if named and not given_id(chosen) else chosen


def _root(value: object) -> Json | None:
    if isinstance(value, str):
        value = next(iter(json_bytes.values(value.encode("utf-8", "replace"))), None)
    if isinstance(value, list):
        return {"data": value}
    return value if isinstance(value, dict) else None


def fold(key: str) -> str:
    """A key as keys are compared: `task_id`, `taskId` and `Task-ID` are `taskid`."""
    return re.sub(r"[_\-]", "", key.lower())


def _fields(record: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """What a record has under these keys, in the keys' order."""
    by_key = {fold(key): value for key, value in record.items()}
    return ((key, by_key[key]) for key in keys if key in by_key)


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
            if len(found) < _MOST_RECORDS and (record := as_object(inner)) is not None:
                found.append(record)
    return [*found[1:], root]


def _errors(root: Json) -> list[Any]:
    """What stands under `error` anywhere, empty or not."""
    records = task_records(root)
    return [value for record in (root, *records) for _, value in _fields(record, _ERROR_KEYS)]


def given_id(root: Json) -> str:
    """The task's id under a key that is only for that, or an empty text."""
    return _first_id(value for record in task_records(root) for _, value in _fields(record, _TASK_ID_KEYS))


def task_id(root: Json) -> str:
    """The task's id, or an empty text."""
    records = task_records(root)
    found = given_id(root) or _first_id(record.get("id") for record in records)  # `id` may be that of something else
    data = root.get("data")
    if found or not isinstance(data, str) or not _BARE_ID.fullmatch(data.strip()) or images(root, ()):
        return found
    return data.strip()


def named_in_refusal(root: Json) -> str:
    """The id of the task that a refusal names, wherever: under `error` as well, as `running_task_id` and the like."""
    errors = _error_objects(root)
    places = [*task_records(root), *errors]
    places += [inner for error in errors for inner in map(as_object, error.values()) if inner is not None]
    return _first_id(value for place in places for key, value in place.items() if fold(key).endswith(_TASK_ID_KEYS))


def _first_id(values: Iterator[Any]) -> str:
    for value in values:
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def status_word(root: Json) -> str:
    """The status word in its plain form (`IN-PROGRESS` is `in_progress`), or an empty text."""
    records = task_records(root)
    for record in records:
        word = _word_of(record, is_inner=record is not records[-1])
        if word:
            return word
    return ""


def own_status(root: Json) -> str:
    """The status word of the task itself, not of the envelope."""
    return next((word for record in task_records(root)[:-1] if (word := _word_of(record, is_inner=True))), "")


def _word_of(record: Json, *, is_inner: bool) -> str:
    """Numbers count where it is known what they mean, or at least that they are the task's; `type` where it holds a
    state."""
    for key, value in _fields(record, _STATUS_KEYS):
        number = _number(value)
        if isinstance(value, str) and value.strip() and number is None:
            return status_words.plain(value)
        meant = status_words.NUMBERS.get(key)
        if meant is not None and number is not None:
            return meant.get(number, str(number))
        if is_inner and number is not None and 0 <= number < 100:
            return str(number)
    kind = record.get("type")
    if is_inner and isinstance(kind, str) and kind.strip().lower() != "error" and status_words.state_of(kind):
        return status_words.plain(kind)
    return ""


def _number(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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


def credits(root: Json) -> int | None:
    """How many credits the task cost, where the answer says so; a fraction counts as a whole one."""
    records = task_records(root)
    usages = [usage for record in records if (usage := as_object(record.get("usage"))) is not None]
    for record in (*records, *usages):
        for _, value in _fields(record, _CREDIT_KEYS):
            if isinstance(value, str) and re.fullmatch(r"\s*\d{1,7}(\.\d{1,9})?\s*", value):
                value = float(value)
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST_CREDITS:
                return math.ceil(value)
    return None


def words(root: Json) -> str:
    """What the gateway says of a failure, or an empty text."""
    return error_words(root) or next((text for record in task_records(root) if (text := _message(record))), "")


def error_words(root: Json) -> str:
    """What stands in the fields that are only for failures, or an empty text. A link is none: that is a result."""
    for error in _errors(root):
        if text := _message(error):
            return text
    for record in task_records(root):
        for _, value in _fields(record, _FAILURE_KEYS):
            text = _message(value)
            if text and not re.match(r"https?://|data:|/", text, re.IGNORECASE):
                return text
    return ""


def _message(value: object, depth: int = 0) -> str:
    if isinstance(value, str):
        inside = as_object(value)
        text = _message(inside, depth + 1) if inside is not None and depth < 4 else value.strip()
        return "" if text.lower() in _NO_WORDS else text
    if isinstance(value, list):
        return "; ".join(text for text in (_message(item, depth + 1) for item in value[:5]) if text)
    if isinstance(value, dict) and depth < 4:
        return next((text for _, inner in _fields(value, _MESSAGE_KEYS) if (text := _message(inner, depth + 1))), "")
    return ""


def code(root: Json) -> str:
    """The error code: the error's own, else the task's, else the envelope's; empty for a success or none."""
    return next(_codes((*_error_objects(root), *task_records(root)), _CODE_KEYS), "")


def codes(root: Json) -> list[str]:
    """Every error code that the answer has, those of OpenAI's `error.type` too."""
    errors = _error_objects(root)
    return [*_codes((*errors, *task_records(root)), _CODE_KEYS), *_codes(errors, ("type",))]


def _codes(records: Iterable[Json], keys: tuple[str, ...]) -> Iterator[str]:
    for record in records:
        for _, value in _fields(record, keys):
            text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
            if text and not _is_success(text):
                yield text[:40]


def _error_objects(root: Json) -> list[Json]:
    return [error for value in _errors(root) if (error := as_object(value)) is not None]


def _is_success(text: str) -> bool:
    return text.lower() in _NO_WORDS or re.fullmatch(r"2\d\d", text) is not None


def has_error(root: Json) -> bool:
    """Whether the answer says by any field but the status that something went wrong."""
    return bool(code(root)) or has_failure(root)


def has_failure(root: Json) -> bool:
    """As has_error, but for a code alone: 1 is a success to some."""
    return root.get("success") is False or bool(error_words(root)) or any(map(_says, _errors(root)))


def _says(value: object) -> bool:
    """Whether an error's value is more than a place for one."""
    if isinstance(value, dict | list):
        return any(map(_says, value.values() if isinstance(value, dict) else value))
    return value.strip().lower() not in _NO_WORDS if isinstance(value, str) else value not in (None, False, 0, 200)


def is_flagged(root: Json) -> bool:
    """Whether the upstream says of the finished image that its moderation keeps it back."""
    flags = [value for record in task_records(root) for _, value in _fields(record, ("hasnsfwcontents",))]
    return any(value is True or (isinstance(value, list) and True in value) for value in flags)
