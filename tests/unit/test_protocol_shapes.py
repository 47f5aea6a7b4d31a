"""Answers about a task, in every shape and vocabulary that the gateway is known or likely to use."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hunyuan.errors import Money, ServerError, UnreadableAnswerError
from hunyuan.gateway.protocol import create_body, read_create, read_task
from hunyuan.models import GenerationRequest, ImageSize, TaskState, TaskStatus, TaskType

URL, URL2 = "https://files.example/a%2fb.png?sig=x%2by", "https://files.example/2.png"
INPUT = "https://mine.example/in%20put.png"
INLINE_INPUT = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff" + bytes(90)).decode()
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(60)).decode()
WEBP = base64.b64encode(b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(60)).decode()
AVIF = base64.b64encode(b"\x00\x00\x00\x20ftypavif" + bytes(60)).decode()
KEYS = (
    *("output", "outputs", "result", "results", "response", "data", "images", "image", "url"),
    *("image_url", "image_urls", "imageUrl", "outputUrls", "result_json"),
)
FORMS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "string": (URL, (URL,)),
    "list": ([URL, URL2], (URL, URL2)),
    "twice": ([URL, URL], (URL,)),
    "object": ({"url": URL}, (URL,)),
    "objects": ([{"url": URL, "width": 4}, {"image_url": URL2}], (URL, URL2)),
    "object in object": ({"image": {"url": URL}}, (URL,)),
    "json": (json.dumps({"images": [{"url": URL}]}), (URL,)),
    "json list": (json.dumps([URL, URL2]), (URL, URL2)),
    "b64_json": ([{"b64_json": PNG}], (f"data:image/png;base64,{PNG}",)),
    "both ways": ([{"url": URL, "b64_json": PNG}], (URL,)),
    "bare base64": (JPEG, (f"data:image/jpeg;base64,{JPEG}",)),
    "base64 webp": ([WEBP], (f"data:image/webp;base64,{WEBP}",)),
    "base64 avif": ({"base64": AVIF}, (f"data:image/avif;base64,{AVIF}",)),
    "data uri": (f"data:image/png;base64,{PNG}", (f"data:image/png;base64,{PNG}",)),
}


def poll(answer: Any, *inputs: str) -> TaskStatus:
    return read_task(200, "application/json", json.dumps(answer).encode(), inputs)


def created(answer: Any, *inputs: str, status: int = 200) -> TaskStatus:
    return read_create(status, "application/json", json.dumps(answer).encode(), inputs)


def enveloped(**data: Any) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": data}


# -- results -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_images_wherever_they_stand(key: str, form: str) -> None:
    value, images = FORMS[form]
    for answer in (
        enveloped(task_id="t1", status="COMPLETED", **{key: value}),
        {"id": "t1", "status": "completed", key: value},
        {"code": 200, "data": json.dumps({"task_id": "t1", "status": "success", key: value})},
        {"code": 200, "data": [{"task_id": "t1", "state": "SUCCESS", key: value}]},
        {"status": "completed", "task_id": "t1", "data": {key: value}},
    ):
        found = poll(answer, INPUT)
        assert (found.state, found.images) == (TaskState.SUCCEEDED, images), answer


def test_images_without_a_status_word() -> None:
    assert poll({"code": 200, "data": {"images": [URL]}}).state is TaskState.SUCCEEDED
    assert poll({"created": 1, "data": [{"url": URL}]}).images == (URL,)


@pytest.mark.parametrize(
    "word",
    [
        "COMPLETED",
        "completed",
        "Complete",
        "SUCCESS",
        "success",
        "succeeded",
        "SUCCEED ED".replace(" ", ""),
        "done",
        "TASK_STATUS_SUCCEEDED",
    ],
)
def test_words_of_success(word: str) -> None:
    assert poll({"status": word, "output": URL}).state is TaskState.SUCCEEDED


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("created", TaskState.SUBMITTED),
        ("PENDING", TaskState.SUBMITTED),
        ("In Queue", TaskState.SUBMITTED),
        ("IN_PROGRESS", TaskState.RUNNING),
        ("in-progress", TaskState.RUNNING),
        ("Processing", TaskState.RUNNING),
        ("RUNNING", TaskState.RUNNING),
    ],
)
def test_words_of_work(word: str, state: TaskState) -> None:
    for answer in (enveloped(status=word), {"id": "x", "status": word}, {"data": {"state": word}, "status": "success"}):
        assert poll(answer).state is state


@pytest.mark.parametrize("word", ["FAILED", "failed", "Error", "ERROR", "failure", "cancelled", "timed-out"])
def test_words_of_failure(word: str) -> None:
    for answer in (
        enveloped(task_id="x", status=word, error="no luck"),
        enveloped(status=word, error={"code": 1, "message": "no luck"}),
        {"id": "x", "status": word, "error": {"message": "no luck"}},
        {"code": 200, "message": "no luck", "data": {"status": word}},
        {"id": "x", "status": word, "error": '{"message": "no luck"}'},
        {"task_status": word, "error": '{"message": "no luck"}'},
    ):
        found = poll(answer)
        assert (found.state, found.words) == (TaskState.FAILED, "no luck"), answer


def test_a_failure_beside_the_id_of_something_else_is_that_of_the_question() -> None:
    body = json.dumps({"id": "request-7", "status": "error", "message": "no luck"}).encode()
    with pytest.raises(ServerError, match="no luck"):
        read_task(200, "", body, asked="t1")
    assert read_task(200, "", body, asked="request-7").state is TaskState.FAILED
    for own in (enveloped(id="upstreams-1", status="failed"), {"task_id": "upstreams-1", "status": "failed"}):
        assert read_task(200, "", json.dumps(own).encode(), asked="t1").state is TaskState.FAILED, own


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (enveloped(status="failed", error="refused", code=1200), "1200"),
        (enveloped(status="failed", error={"code": "1402", "message": "x"}), "1402"),
        ({"id": "x", "status": "failed", "error": {"code": 1401, "message": "x"}}, "1401"),
        (enveloped(status="failed", error="error 5004: timeout"), "5004"),
        (enveloped(status="failed", error="Unable to access the provided media URL"), "1402"),
        (enveloped(status="failed", error="something else"), ""),
        ({"code": 1200, "message": "moderation"}, "1200"),
        ({"error": {"code": 1402, "message": "x"}}, "1402"),
    ],
)
def test_code_of_a_failure(answer: Any, code: str) -> None:
    found = poll(answer)
    assert (found.state, found.gateway_code) == (TaskState.FAILED, code)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ({"error": {"code": "NSFW"}}, "NSFW"),
        ({"error": {"title": "bad"}}, ""),
        ({"error": True}, ""),
        ({"errors": [{"reason": {"x": "bad"}}]}, ""),
        ({"fail_code": "500"}, "500"),
        ({"errorCode": 7}, "7"),
        ({"success": False}, ""),
        ({"has_nsfw_concepts": [True]}, "1200"),
    ],
)
def test_done_beside_a_failure_of_any_form_and_no_image_is_a_failure(failure: Any, code: str) -> None:
    for answer in (enveloped(status="COMPLETED", outputs=[], **failure), {"id": "x", "status": "completed", **failure}):
        assert (poll(answer).state, poll(answer).gateway_code) == (TaskState.FAILED, code), answer
    assert poll(enveloped(status="COMPLETED", outputs=[URL], **failure)).images == (URL,)
    assert created(enveloped(task_id="t1", status="COMPLETED", outputs=[], **failure)).task_id == "t1", "it is asked"


@pytest.mark.parametrize("depth", [3, 10, 300, 400])
@pytest.mark.parametrize("ends", [("[", "]"), ('{"message": [', "]}")])
def test_an_error_that_is_nested_deep_hides_no_id(depth: int, ends: tuple[str, str]) -> None:
    error = ends[0] * depth + ends[1] * depth
    body = f'{{"code": 200, "task_id": "t1", "error": {error}}}'.encode()
    assert read_create(200, "application/json", body).task_id == "t1"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (enveloped(task_id="t1", progress="30%"), "(none)"),
        (enveloped(task_id="t1", status=None), "(none)"),
        (enveloped(task_id="t1", status=""), "(none)"),
        (enveloped(taskId="t1", successFlag=False), "False"),
        ({"id": "t1", "status": 2}, "2"),
        (enveloped(status={"name": "RUNNING"}), "(dict)"),
        (enveloped(status=["RUNNING"]), "(list)"),
        ({"code": 200, "message": "success", "data": None}, "(none)"),
        ({"code": 1, "message": "success", "data": {"task_id": "t1"}}, "(none)"),
    ],
)
def test_a_poll_without_a_status_or_with_one_of_another_kind_is_still_running(answer: Any, told: str) -> None:
    assert (poll(answer).state, poll(answer).odd_word) == (TaskState.RUNNING, told)


def test_failure_told_with_an_http_error() -> None:
    for status in (400, 422, 500):
        body = json.dumps({"error": {"code": 1200, "message": "refused"}}).encode()
        assert read_task(status, "application/json", body).gateway_code == "1200"
        body = json.dumps(enveloped(status="failed", error="no luck")).encode()
        assert read_task(status, "application/json", body).words == "no luck"


@pytest.mark.parametrize(
    ("value", "share"),
    [
        (0.4, 0.4),
        (0, 0.0),
        (1, 0.01),
        (1.0, 1.0),
        (40, 0.4),
        (40.5, 0.405),
        (100, 1.0),
        ("40%", 0.4),
        ("40", 0.4),
        ("0.4", 0.4),
        ("0.4%", 0.004),
        (-1, None),
        (101, None),
        (True, None),
        ("soon", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_progress(value: Any, share: float | None) -> None:
    assert poll(enveloped(status="processing", progress=value)).progress == pytest.approx(share)


# -- echoes --------------------------------------------------------------------------------------------


def echo(*inputs: str) -> dict[str, Any]:
    return {"model": "hunyuan-image-3", "prompt": "p", "type": "edit", "size": "1024*1024", "images": list(inputs)}


@pytest.mark.parametrize("key", KEYS)
def test_echo_is_never_a_result(key: str) -> None:
    inputs = (INPUT, INLINE_INPUT)
    for shown in (INPUT, "https://mine.example/in put.png", INLINE_INPUT, INLINE_INPUT.partition(",")[2]):
        with pytest.raises(UnreadableAnswerError):
            poll(enveloped(status="completed", **{key: [shown]}), *inputs)
    answer = enveloped(**{**echo(*inputs), "status": "completed", key: [INPUT, URL]})
    assert poll(answer, *inputs).images == (URL,)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://mine.example/图 1.png", "https://mine.example/%E5%9B%BE%201.png"),
        ("https://mine.example/%E5%9B%BE.png", "https://mine.example/图.png"),
        (INLINE_INPUT, INLINE_INPUT.replace("image/jpeg", "image/jpg")),
    ],
)
def test_echo_in_another_spelling(given: str, shown: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        poll(enveloped(status="completed", image_urls=[shown]), given)


@pytest.mark.parametrize("place", ["input", "inputs", "request", "params", "parameters", "original_request"])
def test_echo_in_a_place_of_its_own(place: str) -> None:
    answer = enveloped(status="completed", **{place: echo(INPUT), "outputs": [URL]})
    assert poll(answer).images == (URL,)
    with pytest.raises(UnreadableAnswerError):
        poll(enveloped(status="completed", **{place: echo(INPUT)}))


@pytest.mark.parametrize("key", ["output", "outputs", "result", "url", "image", "image_url", "image_urls", "data"])
def test_flat_echo_of_a_task_whose_inputs_are_not_known(key: str) -> None:
    assert poll(enveloped(**{**echo(INPUT), "status": "completed", key: URL})).images == (URL,)


def test_echo_while_running_is_no_result() -> None:
    assert poll(enveloped(**echo(INPUT), status="processing")) == TaskStatus(TaskState.RUNNING)


def test_links_that_are_no_results() -> None:
    answer = {"data": {"id": "x", "status": "completed", "urls": {"get": "https://api.example/x"}, "outputs": []}}
    with pytest.raises(UnreadableAnswerError) as caught:
        poll(answer)
    assert caught.value.is_json
    assert "holds no image" in str(caught.value)


# -- creates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        enveloped(task_id="n68_hy3", status="IN_PROGRESS"),
        enveloped(task_id="n68_hy3"),
        enveloped(taskId="n68_hy3", status="whatever nobody knows"),
        enveloped(task_id="n68_hy3", status="completed"),
        {"id": "n68_hy3", "status": "pending", "model": "m", "created_at": 1},
        {"code": 200, "data": "n68_hy3"},
        {"code": 1, "message": "success", "data": {"task_id": "n68_hy3"}},
        {"code": 0, "data": {"id": "n68_hy3", "outputs": [], "status": "created", "error": ""}},
        {"data": [{"task_id": "n68_hy3", "status": "pending"}]},
        {"data": {"task": {"id": "n68_hy3", "status": "pending"}}},
        {"id": "request-7", "data": {"task_id": "n68_hy3"}},
        {"output": {"task_id": "n68_hy3", "task_status": "PENDING"}, "request_id": "r"},
        {"code": 500, "message": "odd, but accepted", "data": {"task_id": "n68_hy3", "status": "pending"}},
    ],
)
def test_create_keeps_the_id(answer: Any) -> None:
    found = created(answer)
    assert found.task_id == "n68_hy3"
    assert found.state in (TaskState.SUBMITTED, TaskState.RUNNING)


def test_create_keeps_a_number_as_the_id() -> None:
    assert created(enveloped(task_id=12345, status="pending")).task_id == "12345"


@pytest.mark.parametrize("status", [408, 499, 500, 502, 524])
def test_create_keeps_the_id_of_a_server_error_or_of_lost_patience(status: int) -> None:
    assert created(enveloped(task_id="t1", status="queued"), status=status).task_id == "t1"
    assert read_create(status, "", b'{"data": {"task_id": "t1", "sta').task_id == "t1"


@pytest.mark.parametrize("form", FORMS)
def test_create_with_the_finished_image(form: str) -> None:
    value, images = FORMS[form]
    assert created({"created": 1, "data": value}, INPUT) == TaskStatus(TaskState.SUCCEEDED, images=images)
    named = created(enveloped(status="completed", task_id="t1", images=value), INPUT)
    assert (named.state, named.task_id, named.images) == (TaskState.SUCCEEDED, "t1", images)


ECHOED = [
    ({"code": 200, "data": {"request": {"task_id": "OLD"}, "task_id": "NEW", "status": "IN_PROGRESS"}}, "NEW"),
    ({"code": 200, "data": {"task_id": "OLD", "id": "NEW", "status": "IN_PROGRESS"}}, "NEW"),
    ({"id": "NEW", "status": "pending", "request": {"task_id": "OLD"}}, "NEW"),
    (b'{"id":"NEW","status":"pending","request":{"task_id":"OLD"', "NEW"),
    (b'{"code":200,"data":{"request":{"model":"m","task_id":"OLD"},"task_id":"NEW","sta', "NEW"),
    (b'{"model":"m","task_id":"OLD"}\n{"code":200,"data":{"task_id":"NEW","status":"pending"}}', "NEW"),
    ({"code": 200, "data": {"request": {"task_id": "OLD"}, "image": None}}, ""),
    ({"data": {"uuid": "NEW", "input": {"task_id": "OLD"}, "status": "pending"}}, ""),
    ({"code": 200, "data": {"task_id": "OLD", "status": "pending"}}, ""),
    (b'{"error":"upstream","request":{"model":"m","task_id":"OLD"', ""),
    ({"code": 200, "data": "OLD-task"}, ""),
]


@pytest.mark.parametrize(("answer", "task_id"), ECHOED)
def test_an_echo_of_a_task_that_the_request_names_is_not_the_new_task(answer: Any, task_id: str) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    if task_id:
        assert read_create(200, "", body, ("OLD", "OLD-task")).task_id == task_id
        return
    with pytest.raises(UnreadableAnswerError) as caught:
        read_create(200, "", body, ("OLD", "OLD-task"))
    assert caught.value.money is Money.MAYBE_SPENT, "never sent again by itself"


def test_an_image_beside_an_echo_of_a_task_has_no_id() -> None:
    found = created({"code": 200, "data": {"request": {"task_id": "OLD"}, "response": [URL]}}, "OLD")
    assert (found.images, found.task_id) == ((URL,), None)


def test_create_that_failed_at_once() -> None:
    found = created(enveloped(task_id="t1", status="FAILED", error="no luck", code=1200))
    assert (found.state, found.task_id, found.words, found.gateway_code) == (TaskState.FAILED, "t1", "no luck", "1200")
    assert created(enveloped(status="FAILED", error="no luck")).state is TaskState.FAILED


def test_ids_of_results_are_not_the_tasks() -> None:
    found = poll({"id": "t1", "status": "completed", "output": [{"id": "image-1", "status": "x", "url": URL}]})
    assert (found.task_id, found.state) == ("t1", TaskState.SUCCEEDED)


def test_create_body() -> None:
    request = GenerationRequest(TaskType.EDIT, "图 “x”", ImageSize(1280, 720), 7, "hunyuan-image-3", ("url:a",))
    assert create_body(request, [INPUT]) == {
        "model": "hunyuan-image-3",
        "prompt": "图 “x”",
        "type": "edit",
        "size": "1280*720",
        "seed": 7,
        "images": [INPUT],
    }
    plain = GenerationRequest(TaskType.TEXT_TO_IMAGE, "x", ImageSize(1024, 1024), 0, "m")
    assert "images" not in create_body(plain, [])
