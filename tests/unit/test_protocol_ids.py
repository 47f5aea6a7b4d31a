"""Where a task's id is found in the gateway's answers, whatever they are called, and whose answer of several counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan.errors import GatewayError, Money, OutOfCreditsError, RejectedRequestError, UnreadableAnswerError
from hunyuan.gateway.protocol import read_create, read_task
from hunyuan.models import TaskState, TaskStatus

ID, OTHER = "n68_hunyuan3", "n1_other"
URL = "https://files.example/a.png"


def create(body: Any, status: int = 200) -> TaskStatus:
    return read_create(status, "", json.dumps(body).encode())


def poll(*objects: Any, status: int = 200) -> TaskStatus:
    return read_task(status, "", "\n".join(map(json.dumps, objects)).encode(), asked=ID)


@pytest.mark.parametrize(
    "body",
    [
        {"Id": ID, "Status": "pending"},
        {"ID": ID, "status": "pending"},
        {"data": {"Id": ID, "Status": "pending"}},
        {"data": {"task": ID, "status": "pending"}},
        {"data": {"job": {"id": ID}}},
        {"data": {"tasks": [{"id": ID}]}},
        {"data": [ID]},
        {"data": {"task_id": [ID]}},
        {"code": 1, "description": "Submit success", "result": ID},
        {"code": 22, "description": "In queue", "result": ID},
    ],
)
def test_an_id_of_a_create_under_any_name(body: Any) -> None:
    made = create(body)
    assert (made.state, made.task_id) == (TaskState.SUBMITTED, ID)


def test_a_number_in_the_place_of_the_data_is_an_id() -> None:
    assert create({"data": 1234567890123}).task_id == "1234567890123"


@pytest.mark.parametrize(
    "body",
    [
        {"code": 200, "result": "success"},
        {"success": True, "result": "accepted"},
        {"data": {"status": "pending", "result": "1024x1024"}},
        {"data": {"status": "pending", "task": "text-to-image"}},
    ],
)
def test_what_only_looks_like_an_id_is_none(body: Any) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        create(body)
    assert caught.value.money is Money.MAYBE_SPENT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (504, {"error": {"message": "timed out", "task_id": ID}}),
        (504, {"detail": {"msg": "timed out", "task_id": ID}}),
        (500, {"error": {"details": {"taskId": ID}}}),
        (500, {"meta": {"task_id": ID}}),
        (500, {"data": {"info": {"task_id": ID}}}),
        (502, {"data": {"task": {"id": ID}}}),
        (200, {"success": False, "error": {"message": "timed out", "task_id": ID}}),
        (200, {"error": {"message": "timed out", "task_id": ID}}),
        (200, {"code": 504, "message": "timed out", "error": {"task_id": ID}}),
        (200, {"code": 500, "message": "timed out", "meta": {"task_id": ID}}),
    ],
)
def test_an_error_that_names_a_task_is_asked_for(status: int, body: Any) -> None:
    made = create(body, status)
    assert (made.state, made.task_id) == (TaskState.SUBMITTED, ID)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, {"id": "request-7", "error": "timed out"}, GatewayError),
        (400, {"error": {"message": "bad size", "task_id": ID}}, RejectedRequestError),
        (200, {"code": 402, "message": "no credits", "error": {"task_id": ID}}, OutOfCreditsError),
    ],
)
def test_an_error_of_which_no_task_can_have_come_stays_one(status: int, body: Any, kind: type[GatewayError]) -> None:
    with pytest.raises(kind):
        create(body, status)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, {"id": ID, "status": "running"}),
        (409, {"id": ID, "status": "pending", "error": {"message": "the same request"}}),
        (409, {"data": {"id": ID}}),
        (409, {"data": ID}),
        (409, {"task": ID}),
        (409, {"running_task": ID}),
        (409, {"conflict": {"id": ID, "status": "running"}}),
        (409, {"error": {"message": "the same request", "data": {"id": ID, "status": "running"}}}),
        (400, {"code": 409, "data": {"task_id": ID, "status": "processing"}}),
    ],
)
def test_a_conflict_that_names_a_running_task_is_that_task(status: int, body: Any) -> None:
    made = create(body, status)
    assert (made.task_id, made.is_older) == (ID, True)


@pytest.mark.parametrize(
    "body",
    [
        {"id": "request-7"},
        {"Id": "request-7"},
        {"id": "request-7", "status": "error"},
        {"message": "The limit of 5 tasks at once is reached"},
        {"error": {"code": "conflict", "type": "task_conflict"}},
    ],
)
def test_a_conflict_that_names_none_is_a_refusal(body: Any) -> None:
    with pytest.raises(RejectedRequestError):
        create(body, 409)


def test_of_a_list_of_tasks_the_one_counts_that_was_asked_for() -> None:
    mine: dict[str, Any] = {"task_id": ID, "status": "processing"}
    others: list[dict[str, Any]] = [{"status": "failed"}, {"status": "success", "response": [URL]}]
    for key in ("data", "tasks", "jobs"):
        for other in others:
            for tasks in ([{"task_id": OTHER, **other}, mine], [mine, {"id": OTHER, **other}]):
                found = poll({key: tasks})
                assert (found.state, found.task_id, found.images) == (TaskState.RUNNING, ID, ())


def test_of_several_objects_the_one_counts_that_was_asked_for() -> None:
    mine: dict[str, Any] = {"task_id": ID, "status": "processing"}
    other: dict[str, Any] = {"task_id": OTHER, "status": "success", "images": [URL + "?other"]}
    done: dict[str, Any] = {"id": ID, "status": "success", "images": [URL]}
    for lines in ((mine, other), (other, mine)):
        assert (poll(*lines).state, poll(*lines).task_id) == (TaskState.RUNNING, ID)
    for lines in ((done, other), (other, done)):
        assert poll(*lines).images == (URL,)
