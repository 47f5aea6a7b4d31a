"""Which of the objects in an answer's bytes tells of the task: pure functions."""

from __future__ import annotations

from collections.abc import Collection

from ..models import TaskState
from . import json_bytes
from .answer_ids import given_id, ids_of, task_id
from .answer_images import images
from .answers import TASK_LISTS, Json, own_status, status_word
from .status_words import state_of


def parse(body: bytes, request_inputs: Collection[str] = (), asked: str = "") -> Json | None:
    """The answer as an object, or None if none stands in it. A list stands for its `data`.

    Of several objects the last counts that tells of the task itself: with its id, its own status or an image. What
    else says something (a proxy's trailer, a line of a log) counts only where none does. The id may stand in any.
    request_inputs: the request's own values, which name no new task and are no result. asked: the id that was asked
    for: where it stands among others, the others do not count.
    """
    found = [_only(root, asked) for value in json_bytes.values(body) if (root := _root(value)) is not None]
    if asked and (own_task := [root for root in found if task_id(root) == asked]):
        found = own_task
    if len(found) < 2:
        return found[0] if found else None
    names = [given_id(root, request_inputs) for root in found]
    names = names if any(names) else [task_id(root, request_inputs) for root in found]
    pairs = list(zip(found, names, strict=True))
    telling = [(root, name) for root, name in pairs if status_word(root) or images(root, request_inputs)]
    own = [(root, name) for root, name in telling if name or own_status(root) or images(root, request_inputs)]
    named = [pair for pair in pairs if pair[1]]
    if len({name for _, name in own}) > 1:  # one of them may be of something else: then no failure of the task
        own = _going(own) or own
    chosen, name = (own or (_going(telling) if named else telling) or named or pairs[:1])[-1]
    name = name or (named[-1][1] if named else "")
    return {**chosen, "task_id": name} if name and not given_id(chosen, request_inputs) else chosen


def _only(root: Json, asked: str) -> Json:
    """The answer without the other tasks of a list in which the one stands that was asked for."""
    lists = [(key, root[key]) for key in TASK_LISTS if asked and isinstance(root.get(key), list)]
    for key, tasks in lists:
        if mine := [task for task in tasks if isinstance(task, dict) and asked in ids_of(task)]:
            return {**root, key: mine[-1:]}
    return root


def _going(pairs: list[tuple[Json, str]]) -> list[tuple[Json, str]]:
    """Those that tell of no failure of something else: of an object without an id, its own status is the task's."""
    return [(root, name) for root, name in pairs if not _fails(root) or (not name and own_status(root))]


def _fails(root: Json) -> bool:
    return state_of(status_word(root)) is TaskState.FAILED


def _root(value: object) -> Json | None:
    if isinstance(value, str):
        value = next(iter(json_bytes.values(value.encode("utf-8", "replace"))), None)
    if isinstance(value, list):
        return {"data": value}
    return value if isinstance(value, dict) else None
