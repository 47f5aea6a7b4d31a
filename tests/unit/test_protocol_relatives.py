"""Answers of the gateway's relatives, in every combination of where they put a task's state, result, echo and words."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hunyuan.errors import (
    AuthenticationError,
    GatewayError,
    InvalidTaskIdError,
    RejectedRequestError,
    UnreadableAnswerError,
)
from hunyuan.gateway.protocol import read_create, read_task
from hunyuan.models import TaskState, TaskStatus, check_task_id
from hunyuan.task_ids import check_given_id, path_segment

HOST = "https://gateway.example"
BASE = f"{HOST}/v2"
INPUT = "https://mine.example/in.png"
ID = "n68_hunyuan3"

# -- where each thing may stand ------------------------------------------------------------------------

WAYS_TO_NAME_A_TASK: list[dict[str, Any]] = [{"task_id": ID}, {"taskId": ID}, {"id": ID}, {"TaskID": ID}]
STATES: dict[TaskState, list[dict[str, Any]]] = {
    TaskState.SUCCEEDED: [
        {"status": "SUCCESS"}, {"type": "SUCCESS"}, {"state": "success"}, {"task_status": 3}, {"task_status": "3"},
        {"successFlag": 1}, {"status": "COMPLETED"}, {"status": "succeed"}, {"task_status": "TASK_STATUS_SUCCEED"},
    ],
    TaskState.RUNNING: [
        {"status": "IN_PROGRESS"}, {"type": "IN_PROGRESS"}, {"state": "generating"}, {"task_status": 2},
        {"successFlag": 0}, {"status": "PREPARING"}, {"status": "NOT_START"}, {"status": "QUEUING"},
        {"status": "SUBMITTED"}, {"state": "waiting"}, {"task_status": 1}, {"status": "QUEUED"},
        {"status": "levitating"}, {"task_status": 77}, {"state": 5},
    ],
    TaskState.FAILED: [
        {"status": "FAILED"}, {"type": "FAILED"}, {"state": "fail"}, {"task_status": 4}, {"successFlag": 2},
        {"successFlag": 3}, {"status": "FAILURE"}, {"status": "GENERATE_FAILED"},
    ],
}  # fmt: skip
URLS = ("https://files.example/1.jpeg?sig=x%2By", "https://files.example/2.jpeg")
JOINED = ("https://gateway.example/files/1.png", "https://cdn.example/2.png")
RESULTS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"response": list(URLS)}, URLS),
    ({"response": json.dumps(URLS)}, URLS),
    ({"response_data": [{"image_url": url, "id": "x"} for url in URLS]}, URLS),
    ({"resultJson": json.dumps({"resultUrls": URLS})}, URLS),
    ({"resultUrls": list(URLS)}, URLS),
    ({"response": {"originImageUrl": INPUT, "resultImageUrl": URLS[0]}}, URLS[:1]),
    ({"response": {"originImageUrl": "https://unknown.example/x.png", "resultImageUrl": URLS[0]}}, URLS[:1]),
    ({"result": {"images": [{"url": list(URLS)}]}}, URLS),
    ({"result": {"images": [{"url": [URLS[0]]}, {"url": [URLS[1]]}]}}, URLS),
    ({"task_result": {"images": [{"index": 0, "url": URLS[0]}]}}, URLS[:1]),
    ({"outputs": list(URLS)}, URLS),
    ({"outputs": ["/files/1.png", "//cdn.example/2.png"]}, JOINED),
    ({"image_url": "files/1.png?x=1"}, ("https://gateway.example/v2/files/1.png?x=1",)),
    ({"image_url": "/9.png"}, ("https://gateway.example/9.png",)),
    (
        {"response": ["https://files.example/a b 图.png?n=灯"]},
        ("https://files.example/a%20b%20%E5%9B%BE.png?n=%E7%81%AF",),
    ),
    ({"output": "https://files.example/a\n.png", "image": "cat.png"}, ("https://files.example/a.png",)),
    ({"outputs": [" ./files/1.png\n", "../1.png"]}, (f"{BASE}/files/1.png", "https://gateway.example/1.png")),
    ({"images": ["files/my cat.png", "/图.png"]}, (f"{BASE}/files/my%20cat.png", f"{HOST}/%E5%9B%BE.png")),
    ({"image_url": "//cdn.example/a b.png?n=灯"}, ("https://cdn.example/a%20b.png?n=%E7%81%AF",)),
    ({"result": {"url": "files/abc?sig=1%2B"}}, (f"{BASE}/files/abc?sig=1%2B",)),
    ({"image_url": f"{BASE}/api/v1/files/1.png"}, (f"{BASE}/api/v1/files/1.png",)),
    ({"images": ["/api/v1/images/abc"]}, (f"{HOST}/api/v1/images/abc",)),
    ({"url": "/files/tasks/abc"}, (f"{HOST}/files/tasks/abc",)),
    ({"url": f"https://cdn.example/api/v1/tasks/{ID}"}, (f"https://cdn.example/api/v1/tasks/{ID}",)),
    ({"url": f"{BASE}/api/v1/tasks/{ID}/1.png?x=1"}, (f"{BASE}/api/v1/tasks/{ID}/1.png?x=1",)),
    ({"image_url": URLS[0], "imageUrl": None}, URLS[:1]),
    ({"outputs": list(URLS), "Outputs": []}, URLS),
    ({"imageUrl": "", "image-url": URLS[0], "ImageURL": {}}, URLS[:1]),
]
ODD_RESULTS: list[tuple[dict[str, Any], tuple[str, ...]]] = [({"fail_reason": URLS[0]}, URLS[:1])]
REQUEST = {"prompt": "https://p.example/x.png", "type": "edit", "size": "1024*1024", "seed": "-1", "images": [INPUT]}
ECHOES: list[dict[str, Any]] = [
    {}, {"request": REQUEST}, {"request_body": json.dumps(REQUEST)}, {"request_body": REQUEST}, {"input": REQUEST},
    {"param": json.dumps({"input": REQUEST})}, {"data": {"request": REQUEST}}, {"originImageUrl": INPUT},
    {"urls": {"get": f"{BASE}/api/v1/tasks/{ID}"}}, {"url": f"{BASE}/api/v1/tasks/{ID}"},
]  # fmt: skip
EXTRAS: list[dict[str, Any]] = [
    {}, {"error_message": None}, {"error": "", "has_nsfw_contents": []}, {"error": {}, "fail_msg": ""},
    {"failCode": "", "failMsg": ""}, {"errorCode": None, "errorMessage": "null"}, {"has_nsfw_contents": [False]},
    {"error": {"code": 0, "message": ""}}, {"created_at": "2025-12-05 13:05:09", "progress": 1},
]  # fmt: skip
FAILURES: list[dict[str, Any]] = [
    {"failMsg": "no luck"}, {"fail_msg": "no luck"}, {"task_status_msg": "no luck"}, {"error_message": "no luck"},
    {"errorMessage": "no luck"}, {"fail_reason": "no luck"}, {"error": "no luck"}, {"failure_reason": "no luck"},
    {"error": {"message": "no luck", "code": 7}}, {"error": {"errMsg": "no luck"}}, {"errors": ["no luck"]},
    {"statusMsg": "no luck"}, {"msg": "no luck"}, {"error": '{"error_msg": "no luck"}'},
]  # fmt: skip
PRICES: list[tuple[dict[str, Any], int | None]] = [
    ({}, None), ({"consumed_credits": 15}, 15), ({"consumedCredits": "15"}, 15), ({"creditsConsumed": 14.2}, 15),
    ({"usage": {"consumed_credits": 15}}, 15), ({"credits_used": 15.0}, 15), ({"credits": 500}, None),
    ({"consumed_credits": True}, None), ({"consumed_credits": -1}, None), ({"consumed_credits": "many"}, None),
]  # fmt: skip


def wrap(inside: dict[str, Any], how: str) -> Any:
    """The task's own object as an answer."""
    answers: dict[str, Any] = {
        "envelope": {"code": 200, "message": "success", "data": inside},
        "zero": {"code": 0, "msg": "success", "data": inside},
        "word": {"code": "success", "message": "", "data": inside},
        "one": {"code": 1, "message": "success", "data": inside},
        "success": {"success": True, "data": inside},
        "json": {"code": 200, "data": json.dumps(inside)},
        "list": {"code": 200, "data": [inside]},
        "task": {"data": {"task": inside}},
        "output": {"request_id": "r-7", "output": inside},
    }
    return answers[how]


WRAPS = st.sampled_from(["envelope", "zero", "word", "one", "success", "json", "list", "task", "output"])


def poll(answer: Any, *inputs: str) -> TaskStatus:
    return read_task(200, "application/json", json.dumps(answer).encode(), inputs, base_url=BASE)


def create(answer: Any, *inputs: str, status: int = 200) -> TaskStatus:
    return read_create(status, "application/json", json.dumps(answer).encode(), inputs, base_url=BASE)


# -- all of it together --------------------------------------------------------------------------------

NAMES, EXTRA = st.sampled_from(WAYS_TO_NAME_A_TASK), st.sampled_from(EXTRAS)
ECHO, PRICE = st.sampled_from(ECHOES), st.sampled_from(PRICES)


@settings(deadline=None, max_examples=600)
@given(WRAPS, NAMES, st.sampled_from(STATES[TaskState.SUCCEEDED]), st.sampled_from(RESULTS), ECHO, EXTRA, PRICE)
def test_a_success_gives_its_images_and_its_price_at_a_create_and_at_a_poll(
    how: str, name: Any, state: Any, result: Any, echo: Any, extra: Any, price: Any
) -> None:
    inside = {**echo, **extra, **state, **name, **price[0], **result[0]}
    for found in (poll(wrap(inside, how), INPUT), create(wrap(inside, how), INPUT)):
        assert (found.state, found.images) == (TaskState.SUCCEEDED, result[1])
        assert (found.task_id, found.credits) == (ID, price[1])


@settings(deadline=None, max_examples=300)
@given(WRAPS, NAMES, st.sampled_from(STATES[TaskState.RUNNING]), ECHO, EXTRA)
def test_whatever_is_no_end_is_still_running(how: str, name: Any, state: Any, echo: Any, extra: Any) -> None:
    inside = {**echo, **extra, **state, **name, "response": None, "outputs": []}
    for found in (poll(wrap(inside, how)), create(wrap(inside, how))):
        assert found.state in (TaskState.SUBMITTED, TaskState.RUNNING)
        assert found.task_id == ID


@settings(deadline=None, max_examples=300)
@given(WRAPS, NAMES, st.sampled_from(STATES[TaskState.FAILED]), st.sampled_from(FAILURES), ECHO)
def test_a_failure_gives_its_words(how: str, name: Any, state: Any, failure: Any, echo: Any) -> None:
    inside = {**echo, **state, **name, **failure, "response": None}
    for found in (poll(wrap(inside, how)), create(wrap(inside, how))):
        assert (found.state, found.words) == (TaskState.FAILED, "no luck")


@settings(deadline=None, max_examples=300)
@given(WRAPS, NAMES, st.sampled_from(STATES[TaskState.SUCCEEDED]), ECHO, EXTRA)
def test_an_echo_is_never_a_result(how: str, name: Any, state: Any, echo: Any, extra: Any) -> None:
    answer = wrap({**extra, **state, **name, **echo, "outputs": [], "response": None}, how)
    with pytest.raises(UnreadableAnswerError, match="holds no image"):
        poll(answer)
    assert create(answer).state is TaskState.SUBMITTED, "the id is paid for, and asked again"


@settings(deadline=None, max_examples=300)
@given(WRAPS, NAMES, st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 3))
@example("task", {"task_id": ID}, b"\xfe\xff", b"", 0)
@example("task", {"task_id": ID}, b"\xff\xfe\0", b"", 0)
def test_an_id_is_read_whatever_bytes_stand_around_it(
    how: str, name: Any, before: bytes, behind: bytes, cut: int
) -> None:
    body = json.dumps(wrap({**name, "status": "pending"}, how)).encode()
    noise = before.translate(None, b'{["<')
    for answer in (body + behind, noise + b"\n" + body + behind, body[: len(body) - cut]):
        assert read_create(200, "", answer).task_id == ID


@pytest.mark.parametrize("key", ["task_id", "taskId", "job_id"])
def test_an_id_is_read_wherever_it_stands(key: str) -> None:
    for answer in ({"result": {"meta": {key: ID}}}, {"data": {"info": [{key: ID}], "status": "pending"}}):
        assert create(answer).task_id == ID


# -- one by one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_an_empty_field_hides_no_other_spelling_of_it(empty: Any) -> None:
    for pairs in ([("status", "processing"), ("Status", empty)], [("Status", empty), ("status", "processing")]):
        assert poll(wrap({"task_id": ID, "taskId": empty, **dict(pairs)}, "envelope")) == TaskStatus(
            TaskState.RUNNING, ID
        )


@pytest.mark.parametrize(("result", "images"), ODD_RESULTS)
def test_a_link_where_a_failures_words_belong(result: Any, images: Any) -> None:
    for state in STATES[TaskState.SUCCEEDED]:
        assert poll(wrap({**state, "task_id": ID, **result}, "envelope")).images == images
    failed = poll(wrap({"status": "FAILURE", "task_id": ID, **result}, "envelope"))
    assert failed.state is TaskState.FAILED
    assert failed.words.startswith("https://files.example/1.jpeg?")
    both = wrap({"status": "SUCCESS", "task_id": ID, **result, "outputs": [URLS[1]]}, "envelope")
    assert poll(both).images == URLS[1:]


API_LINKS = [
    f"{BASE}/api/v1/tasks/{ID}", f"{BASE}/api/v1/tasks/{ID}/result?full=1", f"{HOST}/api/v1/tasks/{ID}",
    f"http://GATEWAY.example/api/v1/tasks/{ID}", f"{BASE}/v1/tasks/{ID}", f"{BASE}/api/tasks/{ID}",
    f"{BASE}/api/v1/images/generations", f"/api/v1/tasks/{ID}", f"api/v1/tasks/{ID}",
    f"/tasks/{ID}",
]  # fmt: skip


@pytest.mark.parametrize("link", API_LINKS)
@pytest.mark.parametrize("key", ["url", "result_url", "task", "response"])
def test_a_link_to_the_task_itself_is_no_image(key: str, link: str) -> None:
    inside = {"task_id": ID, key: link}
    done = wrap({**inside, "status": "completed"}, "envelope")
    for answer in (wrap(inside, "envelope"), inside, done):
        assert create(answer) == TaskStatus(TaskState.SUBMITTED, ID)
        if answer is not done:
            assert (poll(answer).state, poll(answer).images) == (TaskState.RUNNING, ())
    with pytest.raises(UnreadableAnswerError):
        poll(done)


@pytest.mark.parametrize(
    ("answer", "image"),
    [
        ({"created": 1, "data": [{"url": "/files/x.png"}]}, f"{HOST}/files/x.png"),
        ({"created": 1, "data": ["files/x y.png"]}, f"{BASE}/files/x%20y.png"),
        ({"code": 200, "data": {"images": ["//cdn.example/x.webp?sig=1"]}}, "https://cdn.example/x.webp?sig=1"),
        ({"code": 200, "data": {"task_id": ID, "image_url": "../x.png"}}, f"{HOST}/x.png"),
        ({"output": "./x.jpeg#top"}, f"{BASE}/x.jpeg#top"),
    ],
)
def test_the_path_of_an_image_file_needs_no_status_word(answer: Any, image: str) -> None:
    for found in (create(answer), poll(answer)):
        assert (found.state, found.images) == (TaskState.SUCCEEDED, (image,))


@pytest.mark.parametrize(
    "inside",
    [
        {"prompt": "cat/dog", "model": "a/b", "mime": "image/png"}, {"image": "image/png"}, {"image_url": "N/A"},
        {"result": "abc/def"}, {"response": "saved as x.png"}, {"output": "no luck"},
        {"images": [{"content_type": "image/jpeg", "name": "x.png"}]}, {"data": "abc/def"}, {"url": "a:b/c"},
    ],
)  # fmt: skip
def test_ordinary_text_is_no_relative_link(inside: Any) -> None:
    with pytest.raises(UnreadableAnswerError, match="holds no image"):
        poll(wrap({"status": "completed", **inside}, "envelope"))


def test_an_image_outweighs_an_error_beside_it() -> None:
    answer = wrap({"task_id": ID, "status": "COMPLETED", "error": "seed ignored", "outputs": [URLS[0]]}, "envelope")
    assert poll(answer).images == URLS[:1]


def test_moderation_that_only_a_flag_tells() -> None:
    for state in ({"status": "completed"}, {"status": "levitating"}, {}):
        found = poll({"data": {"id": ID, **state, "has_nsfw_contents": [False, True], "outputs": []}})
        assert (found.state, found.gateway_code) == (TaskState.FAILED, "1200")
    running = poll({"data": {"id": ID, "status": "processing", "has_nsfw_contents": [True], "outputs": []}})
    assert running.state is TaskState.RUNNING
    shown = poll({"data": {"id": ID, "status": "completed", "has_nsfw_contents": [True], "outputs": [URLS[0]]}})
    assert shown.state is TaskState.SUCCEEDED


def test_an_unknown_word_beside_an_image_is_its_end_and_beside_an_error_is_told() -> None:
    assert poll(wrap({"status": "levitating", "outputs": [URLS[0]]}, "envelope")).images == URLS[:1]
    with pytest.raises(UnreadableAnswerError, match="levitating"):
        poll(wrap({"status": "levitating", "error": "no luck"}, "envelope"))


def test_an_unknown_word_is_kept_short_and_without_secrets() -> None:
    found = poll({"status": f"x {'long ' * 50}", "key": "aio_0123456789abcdef", "id": ID})
    assert found.state is TaskState.RUNNING
    assert len(found.odd_word) < 70
    assert "0123456789abcdef" not in found.odd_answer


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": 409, "message": "already running", "task_id": ID}},
        {"error": {"code": 409, "message": "x", "details": {"running_task_id": ID}}},
        {"code": 409, "message": "duplicate", "data": {"taskId": ID, "status": "processing"}},
        {"code": 409, "data": {"id": ID, "status": "IN_PROGRESS"}},
        {"message": "duplicate", "existing_task_id": ID},
        {"error": {"code": 409, "task": {"id": ID}}},
        {"code": 409, "data": {"existing_task": {"id": ID, "status": "running"}}},
        {"detail": {"task_id": ID}},
        {"error": {"code": 409, "message": f"Task {ID} is already running."}},
        {"code": 409, "message": f"The same request runs already (task_id: {ID})"},
        {"detail": f'A job with this content exists: job "{ID}"'},
    ],
)
def test_a_conflict_that_names_a_task(answer: Any) -> None:
    assert create(answer, status=409) == TaskStatus(TaskState.SUBMITTED, ID, is_older=True)
    if answer.get("code"):
        assert create(answer).task_id == ID


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": 409, "message": "x"}},
        {"id": "request-7"},
        {"data": {"task_id": ID, "status": "failed"}},
        {"message": "Task already running, 2 of 2 slots in use"},
        {"message": "Task 2 is already running"},
        {"message": "Task n1_grok is not finished yet", "task_id": "n1_grok"},
    ],
)
def test_a_conflict_that_names_no_running_task(answer: Any) -> None:
    with pytest.raises(RejectedRequestError):
        create(answer, "n1_grok", status=409)


def test_a_conflict_in_plain_words_names_its_task() -> None:
    assert read_create(409, "text/plain", f"task {ID} is already running".encode()).task_id == ID


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "request-7", "error": {"code": 400, "message": "no"}},
        {"id": "request-7", "code": 400, "message": "invalid size"},
        {"id": "request-7", "code": "InvalidParameter", "message": "no"},
        {"id": "request-7", "success": False, "message": "no"},
        {"id": "request-7", "status": "error", "code": 422, "message": "no"},
    ],
)
def test_the_id_of_a_request_beside_its_refusal_is_no_task(answer: Any) -> None:
    with pytest.raises(GatewayError):
        create(answer)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": ID, "status": "pending", "error": {"code": 300, "message": "size ignored"}},
        {"code": 1, "message": "success", "data": {"id": ID}},
        {"task_id": ID, "error": {"code": 400, "message": "odd"}},
        {"code": 500, "message": "odd", "data": {"taskId": ID}},
    ],
)
def test_a_tasks_own_id_is_kept_beside_an_error(answer: Any) -> None:
    assert create(answer).task_id == ID


@pytest.mark.parametrize("status", [400, 401, 402, 403, 422, 429])
def test_an_id_in_a_refusal_is_no_accepted_task(status: int) -> None:
    with pytest.raises(GatewayError):
        create({"error": {"code": status, "message": "no"}, "task_id": ID}, status=status)


@pytest.mark.parametrize("code", [1200, 1401, 1402])
def test_a_task_that_never_began_is_refused_whatever_the_status(code: int) -> None:
    with pytest.raises(GatewayError) as caught:
        create({"error": {"code": code, "message": "no"}, "task_id": ID}, status=500)
    assert caught.value.gateway_code == str(code)


@pytest.mark.parametrize(
    ("body", "task_id"),
    [
        (b'{"code": 200, "data": {"task_id": "n1", "sta', "n1"),
        (b'{"code": 200, "data": {"taskId": 123, "sta', "123"),
        (b'{"id": "n1", "sta', "n1"),
        (b'{"data": {"id": "n1", "sta', "n1"),
        (b'{"data": {"task_id": "n1', ""),
        (b'{"data": {"taskId": 12', ""),
        (b'{"request": {"id": "r1"}, "sta', ""),
        (b'<html><script>x = {"task_id": "n1"}</script>', ""),
        (b'{"data": {"task_id": "n\xff1", "sta', ""),
    ],
)
def test_an_id_in_an_answer_that_is_cut(body: bytes, task_id: str) -> None:
    if task_id:
        assert read_create(200, "", body).task_id == task_id
        assert read_create(502, "", body).task_id == task_id
    for status in (400,) if task_id else (200, 400):
        with pytest.raises(GatewayError):
            read_create(status, "", body)
    with pytest.raises(UnreadableAnswerError) as caught:
        read_task(200, "", body)
    assert not caught.value.is_json, "asked again"


def test_of_several_objects_the_last_that_tells_of_the_task_counts() -> None:
    lines = [{"task_id": ID, "status": "pending"}, {"status": "running"}, {"trace": "x"}]
    done = {"status": "completed", "images": [URLS[0]]}

    def read(*objects: Any) -> TaskStatus:
        return read_task(200, "", "\n".join(map(json.dumps, objects)).encode())

    assert read(*lines) == TaskStatus(TaskState.SUBMITTED, ID)
    assert read({"task_id": ID}, {"status": "running"}) == TaskStatus(TaskState.RUNNING, ID)
    assert read({"task_id": ID}, {"status": "failed", "where": "metrics"}).state is TaskState.RUNNING
    made = read_create(200, "", json.dumps({"task_id": ID}).encode() + b'{"status": "error", "message": "log sink"}')
    assert (made.state, made.task_id) == (TaskState.SUBMITTED, ID)
    assert read(*lines, {"task_id": ID, "status": "failed", "error": "no luck"}).words == "no luck"
    assert read(*lines, done, {"code": 500, "message": "oops"}) == TaskStatus(TaskState.SUCCEEDED, ID, URLS[:1])
    with pytest.raises(GatewayError):
        read({"trace": "x"}, {"took": 5})


@pytest.mark.parametrize(
    "other",
    [
        {"status": "error", "message": "log sink unreachable"},
        {"status": "failed", "where": "metrics"},
        {"status": "ok", "t": 12},
        {"id": "request-7", "status": "error"},
        {"id": "request-7", "state": "failed", "error": "stats"},
    ],
)
@pytest.mark.parametrize(
    "own",
    [
        {"code": 200, "data": {"task_id": ID, "status": "IN_PROGRESS"}},
        {"code": 200, "data": {"task_id": ID, "status": "SUCCESS", "response": [URLS[0]]}},
        {"id": ID, "status": "processing"},
        {"data": {"status": "SUCCESS", "response": [URLS[0]]}},
        {"data": {"status": "IN_PROGRESS"}},
    ],
)
def test_what_another_object_says_in_the_same_answer_ends_no_task(own: Any, other: Any) -> None:
    for lines in ((own, other), (other, own)):
        body = "\n".join(map(json.dumps, lines)).encode()
        found = read_task(200, "", body)
        assert (found.state, found.images) == (poll(own).state, poll(own).images), lines
        if poll(own).task_id:
            made = read_create(200, "", body)
            assert (made.state, made.task_id, made.images) == (poll(own).state, ID, poll(own).images), lines


BEFORE = [
    "<br />\n<b>Warning</b>: Undefined key [x] in <b>/srv/a.php</b> on line <b>7</b><br />\n",
    "<!-- proxy -->",
    '<!-- {"status": "failed"} -->',
    '<?xml version="1.0"?>\n',
    '<!doctype html><html><script>x = {"task_id": "n1"}</script><body>[a]</body></html>\n',
    "[notice] ",
    "[2026-01-01 12:00:00] {pool} (php) ",
    "<br />[notice] ",
    'he said "wait" and don"t ',
    "HTTP/1.1 200 OK ",
]


@pytest.mark.parametrize("before", BEFORE)
def test_an_answer_is_read_whatever_stands_before_it_on_its_line_or_above(before: str) -> None:
    for status in (200, 500):
        body = before + json.dumps({"code": 200, "data": {"task_id": ID, "status": "IN_PROGRESS"}})
        assert read_create(status, "text/html", body.encode()).task_id == ID
        assert read_create(status, "text/html", body.encode()[:-25]).task_id == ID
    body = before + json.dumps({"data": {"status": "SUCCESS", "response": [URLS[0]]}})
    assert read_task(200, "text/html", body.encode()).images == URLS[:1]


def test_what_stands_inside_a_page_or_a_broken_value_is_no_answer() -> None:
    for text in (
        '<html><body><script>x = {"status": "failed", "task_id": "n1"};</script></body></html>',
        '<!doctype html>\n<html><body>{"status": "failed", "task_id": "n1"}',
        '{"data": [{"status": "failed", "task_id": "n1"}], ',
        '[{"status": "failed", "task_id": "n1"}, ',
    ):
        with pytest.raises(UnreadableAnswerError):
            read_task(200, "", text.encode())


# -- ids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task_id", ["a", "n68_hy-3", "v1.2:a/b", "hy:v3/x.y", "0.1", "a" * 512, " n1 "])
def test_ids_that_may_be_typed(task_id: str) -> None:
    assert check_task_id(task_id) == check_given_id(task_id) == task_id.strip()


@pytest.mark.parametrize(
    "task_id",
    [
        *("", "..", "../x", "a/../b", "a/./b", "a/.", "a/", "a//b", "/a", ".a", "a..b", "a?b", "a#b", "a%2fb", "a b"),
        *("a\tb", "a\\b", "a\n b", "a&b", "\uff41", "a" * 513),
        *("https://x.example/a", "http:a", "javascript:x", "file:/a", "x://y"),
    ],
)
def test_ids_that_may_not_be_typed(task_id: str) -> None:
    with pytest.raises(InvalidTaskIdError):
        check_task_id(task_id)


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("./\\%#?:a", max_size=12))
def test_no_given_id_leaves_its_segment_of_the_path(text: str) -> None:
    try:
        segment = path_segment(check_given_id(text))
    except InvalidTaskIdError:
        return
    assert segment.isascii()
    assert not set(segment) & set("/?#\\ ")
    assert segment not in (".", "..")


@pytest.mark.parametrize(
    "task_id", ["../x", ".", "..", "a/..", "a\\..\\b", "a\0b", "a\nb", "x" * 513, "\ud800", "n\ufffd1"]
)
def test_ids_that_no_gateway_can_be_asked_for(task_id: str) -> None:
    with pytest.raises(InvalidTaskIdError):
        check_given_id(task_id)
    with pytest.raises(UnreadableAnswerError, match="no usable task id"):
        create(wrap({"task_id": task_id, "status": "pending"}, "envelope"))


@pytest.mark.parametrize("task_id", ["a/b", "a.b:c", "a b", "a%2fb", "x" * 200, "n1==", "https://x.example/1", "图"])
def test_every_other_id_that_a_gateway_gives_is_kept(task_id: str) -> None:
    assert create(wrap({"task_id": task_id, "status": "pending"}, "envelope")).task_id == task_id


def test_an_id_in_the_place_of_the_data() -> None:
    for task_id in ("n68_hy3", "hy:v3.1/0af.a"):
        assert create({"code": 200, "data": task_id}).task_id == task_id
    assert create({"code": 200, "data": URLS[0]}) == TaskStatus(TaskState.SUCCEEDED, images=URLS[:1])
    for text in ("files/a.png", "//cdn.example/a", "/files/a", "no luck"):
        with pytest.raises(UnreadableAnswerError):
            create({"code": 200, "data": text})


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "failed", "error": {"message": "content moderated"}},
        {"code": 200, "message": "success", "status": "FAILED", "data": {"error": "boom"}},
        {"id": "upstream-1", "status": "failed", "error": "x"},
        {"status": "failed", "error": {"message": "Failed: the task expired"}},
    ],
)
def test_a_task_that_is_told_flat_and_without_its_id_has_failed(answer: Any) -> None:
    assert read_task(200, "application/json", json.dumps(answer).encode(), asked=ID).state is TaskState.FAILED


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 1, "message": "ok", "data": "n68xxxx_hunyuan3"},
        {"code": 1, "msg": "success", "id": "n68xxxx_hunyuan3"},
        {"code": "0000", "data": {"id": "n68xxxx_hunyuan3"}},
        {"code": 1, "id": "n68xxxx_hunyuan3", "images": ["https://x.example/a.png"]},
        {"id": "n68xxxx_hunyuan3", "data": [{"url": "https://x.example/a.png"}], "error": "warn"},
    ],
)
def test_an_accepted_task_is_kept_beside_odd_codes_and_warnings(answer: Any) -> None:
    found = create(answer)
    assert found.task_id == "n68xxxx_hunyuan3"
    assert found.images or found.state is TaskState.SUBMITTED


@pytest.mark.parametrize(
    "error", [{"code": 0, "message": "success", "request_id": "r1"}, {"code": "", "message": ""}, {"code": "200"}]
)
def test_a_place_for_an_error_that_says_success_is_no_failure(error: Any) -> None:
    with pytest.raises(UnreadableAnswerError):
        poll({"data": {"task_id": ID, "status": "SUCCESS", "response": [], "error": error}})


def test_a_later_line_without_an_id_may_end_the_task() -> None:
    lines = [{"task_id": ID, "status": "IN_PROGRESS"}, {"data": {"status": "FAILED", "error": "moderated"}}]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert read_task(200, "application/json", body).state is TaskState.FAILED


def test_a_progress_without_a_status_is_no_missing_task() -> None:
    answer = {"code": 200, "data": {"task_id": ID, "progress": 30}, "message": "invalid task progress"}
    assert poll(answer).state is TaskState.RUNNING


def test_a_wrong_key_beside_a_flag_is_refused() -> None:
    with pytest.raises(AuthenticationError):
        poll({"code": 401, "message": "Invalid API key", "successFlag": 0})


@pytest.mark.parametrize(
    "words", ["task text2image is busy", "Task limit_10 reached", "job: 2025-12-05 closed", "task=1200 refused"]
)
def test_a_conflict_without_an_id_in_its_words_names_no_task(words: str) -> None:
    with pytest.raises(GatewayError):
        create({"code": 409, "message": words}, status=409)


def test_a_long_way_to_the_gateways_own_pages_is_read_at_once() -> None:
    began = time.thread_time()
    link = HOST + "/api/tasks" * 40_000 + "/x.png"
    poll({"data": {"task_id": ID, "status": "RUNNING", "response": [link]}})
    assert time.thread_time() - began < 5


@pytest.mark.parametrize("key", ["failure_message", "failure", "error_detail", "err"])
@pytest.mark.parametrize("word", ["FAILED", "COMPLETED"])
def test_the_words_of_a_failure_under_other_names(word: str, key: str) -> None:
    found = read_task(200, "", json.dumps({"data": {"status": word, key: "no luck"}}).encode())
    assert (found.state, found.words) == (TaskState.FAILED, "no luck")


@pytest.mark.parametrize("number", [4, 4.0, "4", "4.0"])
def test_a_number_means_the_same_however_it_is_written(number: object) -> None:
    assert read_task(200, "", json.dumps({"data": {"task_status": number}}).encode()).state is TaskState.FAILED


@pytest.mark.parametrize("flag", [True, "true", [True], ["true"]])
def test_a_flag_of_moderation_however_it_is_written(flag: object) -> None:
    body = json.dumps({"data": {"status": "COMPLETED", "has_nsfw_contents": flag}}).encode()
    assert read_task(200, "", body).gateway_code == "1200"
