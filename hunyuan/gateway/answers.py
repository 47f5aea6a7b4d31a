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

from ..models import NO_STATUS
from . import status_words
from .answer_images import as_object, fold, images

__all__ = ["code", "credits", "images", "progress", "status_word", "words"]

Json: TypeAlias = dict[str, Any]

_MOST_RECORDS = 8  # objects that are searched for a task's fields
_MOST_CREDITS = 1_000_000  # of one task: what is above is no price
_DEEPEST = 16  # levels of an error that are looked at
TASK_PLACES = ("data", "task", "job", "tasks", "jobs", "result", "response", "output")
TASK_LISTS = ("data", "tasks", "jobs")  # of them whose lists are of tasks
# Keys without case, '_' and '-'; the surest first.
_TASKS_OWN_STATUS_KEYS = ("taskstatus", "taskstate", "jobstatus", "successflag")
STATUS_KEYS = ("status", "state", *_TASKS_OWN_STATUS_KEYS)
_ERROR_KEYS = ("error", "errors")
_FAILURE_KEYS = (
    *("errormessage", "errormsg", "errmsg", "failreason", "failmsg", "failmessage", "failurereason", "failedreason"),
    *("failuremessage", "failuremsg", "failure", "errordetail", "err"),
    "errordescription",
)
_MESSAGE_KEYS = (
    *_FAILURE_KEYS,
    *("taskstatusmsg", "statusmsg", "statusmessage", "message", "msg", "detail", "reason"),
)
_FAILURE_CODE_KEYS = ("errorcode", "errcode", "failcode")
_CODE_KEYS = ("code", *_FAILURE_CODE_KEYS)
_FLAG_KEYS = ("hasnsfwcontents", "hasnsfwcontent", "hasnsfwconcepts", "hasnsfwconcept", "nsfwcontentdetected")
_CREDIT_KEYS = (
    *("consumedcredits", "creditsconsumed", "consumecredits", "consumedcredit", "creditconsumed"),
    *("creditsused", "usedcredits", "creditscharged", "chargedcredits", "creditscost", "creditcost", "costcredits"),
)
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_NO_WORDS = frozenset(
    {"", "success", "succeeded", "successful", "ok", "null", "none", "nil", "undefined", "0", "n/a", "-", "no error"}
)


def fields(record: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """What a record has under these keys, in the keys' order; `taskId` may be empty beside a `task_id` that is not."""
    by_key: dict[str, Any] = {}
    for key, value in record.items():
        name = fold(key[:40])
        if by_key.get(name) in _EMPTY:
            by_key[name] = value
    return ((key, by_key[key]) for key in keys if key in by_key)


def task_records(root: Json) -> list[Json]:
    """The objects in which a task's fields may stand: the nearest to the surface first, the answer itself last.

    Lists are lists of results, not of tasks, but for `data` and those that are called so.
    """
    found = [root]
    for outer in found:
        for key in TASK_PLACES:
            inner = outer.get(key)
            if isinstance(inner, list) and key not in TASK_LISTS:
                continue
            if len(found) < _MOST_RECORDS and (record := as_object(inner)) is not None:
                found.append(record)
    return [*found[1:], root]


def _errors(root: Json) -> list[Any]:
    """What stands under `error` anywhere, empty or not."""
    records = task_records(root)
    return [value for record in (root, *records) for _, value in fields(record, _ERROR_KEYS)]


def status_word(root: Json) -> str:
    """The status word in its plain form (`IN-PROGRESS` is `in_progress`), or an empty text."""
    records = task_records(root)
    for record in records:
        word = word_of(record, is_inner=record is not records[-1])
        if word:
            return word
    return ""


def own_status(root: Json) -> str:
    """The status word of the task itself, not of the envelope."""
    inner = next((word for record in task_records(root)[:-1] if (word := word_of(record, is_inner=True))), "")
    return inner or word_of(dict(fields(root, _TASKS_OWN_STATUS_KEYS)), is_inner=False)


def odd_status(root: Json) -> str:
    """What stands in a status's place and is no word: `(none)`, `(list)`, `(dict)`, or the value."""
    values = (value for record in task_records(root) for _, value in fields(record, STATUS_KEYS))
    value = next((value for value in values if value not in (None, "")), None)
    return NO_STATUS if value is None else f"({type(value).__name__})" if isinstance(value, dict | list) else str(value)


def has_record(root: Json) -> bool:
    """Whether an object stands where a task's fields do, inside the envelope."""
    return len(task_records(root)) > 1


def word_of(record: Json, *, is_inner: bool) -> str:
    """Numbers count where it is known what they mean, or at least that they are the task's; `type` where it holds a
    state."""
    for key, value in fields(record, STATUS_KEYS):
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
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d{1,9})(?:\.0+)?\s*", value)):
        return int(match[1])
    if isinstance(value, float) and value.is_integer():
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
        for _, value in fields(record, _CREDIT_KEYS):
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
        for _, value in fields(record, _FAILURE_KEYS):
            text = _message(value)
            if text and not re.match(r"https?://|data:|/", text, re.IGNORECASE):
                return text
    return ""


def _message(value: object, depth: int = 0) -> str:
    if isinstance(value, str):
        inside = as_object(value)
        text = _message(inside, depth + 1) if inside is not None and depth < 4 else value.strip()
        return "" if text.lower() in _NO_WORDS else text
    if isinstance(value, list) and depth < 4:
        return "; ".join(text for text in (_message(item, depth + 1) for item in value[:5]) if text)
    if isinstance(value, dict) and depth < 4:
        return next((text for _, inner in fields(value, _MESSAGE_KEYS) if (text := _message(inner, depth + 1))), "")
    return ""


def code(root: Json) -> str:
    """The error code: the error's own, else the task's, else the envelope's; empty for a success or none."""
    return next(_codes((*error_objects(root), *task_records(root)), _CODE_KEYS), "")


def codes(root: Json) -> list[str]:
    """Every error code that the answer has, those of OpenAI's `error.type` too."""
    errors = error_objects(root)
    return [*_codes((*errors, *task_records(root)), _CODE_KEYS), *_codes(errors, ("type",))]


def _codes(records: Iterable[Json], keys: tuple[str, ...]) -> Iterator[str]:
    for record in records:
        for _, value in fields(record, keys):
            text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
            if text and not _is_success(text):
                yield text[:40]


def error_objects(root: Json) -> list[Json]:
    """The errors that are objects, of the answer itself and of its task."""
    return [error for value in _errors(root) if (error := as_object(value)) is not None]


def _is_success(text: str) -> bool:
    return text.lower() in _NO_WORDS or re.fullmatch(r"2\d\d", text) is not None


def has_error(root: Json) -> bool:
    """Whether the answer says by any field but the status that something went wrong."""
    return bool(code(root)) or has_failure(root)


def has_failure(root: Json) -> bool:
    """As has_error, but for a code alone: 1 is a success to some."""
    records = task_records(root)
    refused = any(record.get("success") is False for record in records)
    coded = any(True for _ in _codes(records, _FAILURE_CODE_KEYS))
    return refused or coded or bool(error_words(root)) or any(_says(error) for error in _errors(root))


def says_why(root: Json) -> bool:
    """Whether an error stands in a field of its own, not only in the envelope's message."""
    return any(_says(error) for error in _errors(root)) or any(
        _says(value) for record in task_records(root) for _, value in fields(record, _FAILURE_KEYS)
    )


def _says(value: object, depth: int = 0) -> bool:
    """Whether an error's value is more than a place for one."""
    if isinstance(value, dict) and depth < _DEEPEST:
        told = [inner for _, inner in fields(value, (*_CODE_KEYS, *_MESSAGE_KEYS)) if inner not in _EMPTY]
        if told and not any(_says(inner, depth + 1) for inner in told):
            return False  # {"code": 0, "message": "success", "request_id": ...}
    if isinstance(value, dict | list) and depth < _DEEPEST:
        return any(_says(inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, str):
        return not _is_success(value.strip())
    return value not in (None, False, 0, 200)


def is_flagged(root: Json) -> bool:
    """Whether the upstream says of the finished image that its moderation keeps it back."""
    flags = [value for record in task_records(root) for _, value in fields(record, _FLAG_KEYS)]
    return any(
        each is True or each == "true" for flag in flags for each in (flag if isinstance(flag, list) else [flag])
    )
