"""Finds the task's id in a gateway's answer, under a key that is only for that, bare, or in words: pure functions.

Keys and nestings are those of the vendor's pages, of sites with the same envelope and of proxies to other vendors
(midjourney-proxy answers a create with `{"code": 1, "description": "Submit success", "result": "<id>"}`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from ..models import TaskState
from .answer_images import as_object, fold, images
from .answers import STATUS_KEYS, TASK_PLACES, Json, error_objects, fields, has_record, task_records, word_of, words
from .json_bytes import id_in_pieces
from .status_words import state_of

__all__ = [
    "given_id",
    "has_envelope",
    "has_task",
    "id_in_error",
    "id_in_pieces",
    "id_in_words",
    "ids_of",
    "named_in_refusal",
    "task_id",
]

_BARE_ID = re.compile(r"(?!.*//)\w[\w\-.:/]{5,511}(?<!\.png|\.jpg|jpeg|webp)", re.ASCII)  # in the place of the data
_ID_IN_WORDS = re.compile(  # has a digit: words have none
    r"\b(?:task|job)(?:[\s_\-]?id)?[\s:=#(\[\"'`]{1,4}(?=[\w\-.:/]{0,511}?\d)([a-z0-9][\w\-.:/]{3,511})",
    re.IGNORECASE | re.ASCII,
)
_NO_ID_IN_WORDS = re.compile(r"\d{1,6}|\d{4}-\d\d-\d\d.*|(?:limit|text|image|type)[\w\-]*", re.IGNORECASE)
_STRING_PLACES = ("data", "task", "job", "result")  # where a gateway may give the bare id itself
# Keys without case, '_' and '-'.
_TASK_ID_KEYS = ("taskid", "jobid")
_BARE_ID_KEYS = ("id",)
_TASK_NAMES = ("task", "job")
_ENVELOPE_KEYS = ("code", "success", "progress", *STATUS_KEYS)
_TELLING_KEYS = ("message", "msg", "detail")


def given_id(root: Json, request_inputs: Collection[str] = ()) -> str:
    """The task's id under a key that is only for that, or an empty text; none of the request's own inputs."""
    return _first_id((value for record in task_records(root) for value in _at(record, _TASK_ID_KEYS)), request_inputs)


def task_id(root: Json, request_inputs: Collection[str] = ()) -> str:
    """The task's id, or an empty text; never one that the request itself named."""
    bare = (value for record in task_records(root) for value in _at(record, _BARE_ID_KEYS))
    found = given_id(root, request_inputs) or _first_id(bare, request_inputs)  # bare: may be that of something else
    if found:
        return found
    places = [text for record in (root, *task_records(root)[:-1]) for text in _bare_strings(record)]
    return "" if not places or images(root, request_inputs) else _first_id(iter(places), request_inputs)


def _bare_strings(record: Json) -> Iterator[str]:
    """What stands in the place of a task and looks like its id. Anywhere but in `data` words may stand as well, and
    beside a status a result."""
    for key in _STRING_PLACES:
        text = _id_text(record.get(key))
        is_id = _BARE_ID.fullmatch(text) is not None if key == "data" else _is_surely_id(text)
        if is_id and (key != "result" or not word_of(record, is_inner=True)):
            yield text


def _is_surely_id(text: str) -> bool:
    return _BARE_ID.fullmatch(text) is not None and any(letter.isdigit() for letter in text)


def named_in_refusal(root: Json, request_inputs: Collection[str] = ()) -> str:
    """The id of the task that a refusal names, wherever: under `error` as well, as `running_task_id` and the like, as
    `existing_task.id`, or in its words."""
    return _first_id(_refusals_ids(root), request_inputs) or id_in_words(words(root)[:2000], request_inputs)


def id_in_words(text: str, request_inputs: Collection[str] = ()) -> str:
    """The id in a sentence like "task abc123 is already running", or an empty text."""
    found = (match[1].rstrip(".:/-") for match in _ID_IN_WORDS.finditer(text))
    return _first_id((each for each in found if not _NO_ID_IN_WORDS.fullmatch(each)), request_inputs)


def id_in_error(root: Json, request_inputs: Collection[str] = ()) -> str:
    """The task's id under a key that is only for that, also inside an error or what stands beside it."""
    places = _near(root)
    values = [value for _, place in places for value in _at(place, _TASK_ID_KEYS)]
    values += [value for key, place in places if key in _TASK_NAMES for value in _at(place, _BARE_ID_KEYS)]
    return _first_id(iter(values), request_inputs)


def _near(root: Json) -> list[tuple[str, Json]]:
    """The objects of a task and of an error, then each that stands in one of these, with its key."""
    places = [("", place) for place in (*task_records(root), *error_objects(root))]
    inner = [(fold(key), as_object(value)) for _, place in places for key, value in place.items()]
    return places + [(key, place) for key, place in inner if place is not None]


def _refusals_ids(root: Json) -> Iterator[Any]:
    places = _near(root)
    for _, place in places:
        yield from (value for key, value in place.items() if fold(key).endswith(_TASK_ID_KEYS))
    for key, place in places:
        if key.endswith(_TASK_NAMES) or (key and _runs(place)):
            yield from _at(place, _BARE_ID_KEYS)
    for _, place in places:
        named = (_id_text(value) for key, value in place.items() if fold(key).endswith(_TASK_NAMES))
        yield from filter(_is_surely_id, named)


def _runs(record: Json) -> bool:
    return state_of(word_of(record, is_inner=True)) in (TaskState.SUBMITTED, TaskState.RUNNING)


def ids_of(record: Json) -> list[str]:
    """Every id that an object of a list has."""
    return [text for value in _at(record, (*_TASK_ID_KEYS, *_BARE_ID_KEYS)) if (text := _id_text(value))]


def _at(record: Json, keys: tuple[str, ...]) -> Iterator[Any]:
    return (value for _, value in fields(record, keys))


def _first_id(values: Iterator[Any], request_inputs: Collection[str]) -> str:
    return next((text for value in values if (text := _id_text(value)) and text not in request_inputs), "")


def _id_text(value: object) -> str:
    """An id as text, also one that is alone in a list; empty for what is none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def has_envelope(root: Json) -> bool:
    """Whether the answer is of a task, or of a gateway's form."""
    return bool(task_id(root)) or has_record(root) or any(True for _ in fields(root, _ENVELOPE_KEYS))


def has_task(root: Json) -> bool:
    """Whether the answer may be to the question for a task: also where nothing stands in its place but words."""
    return has_envelope(root) or any(True for _ in fields(root, (*TASK_PLACES, *_TELLING_KEYS)))
