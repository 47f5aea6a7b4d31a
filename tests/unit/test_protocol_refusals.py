"""Refusals and unreadable answers: each its own error and sentence, the money, nothing secret."""

from __future__ import annotations

import json
import time
import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan.errors import (
    AuthenticationError,
    GatewayError,
    InputUnreachableError,
    ModerationError,
    Money,
    OutOfCreditsError,
    RateLimitedError,
    RejectedRequestError,
    ServerError,
    UnknownTaskError,
    UnreadableAnswerError,
)
from hunyuan.gateway.protocol import read_create, read_task
from hunyuan.http.retry_after import retry_after
from hunyuan.jobs.retry import Next, after_create
from hunyuan.models import TaskState
from hunyuan.settings.store import Settings

HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
KEY = "k3y-of-no-known-form-" + "5ecret" * 4
SETTINGS = Settings(api_key=KEY)


def error_of(reader: Any, status: int, body: Any, **headers: str) -> GatewayError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "text/html" if data[:1] == b"<" else "application/json"
    with pytest.raises(GatewayError) as caught:
        reader(status, kind, data, (), headers=headers, redact=SETTINGS.redact)
    return caught.value


def documented(code: Any, message: str = "Some words") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": "x"}}


def envelope(code: Any, message: str = "Some words") -> dict[str, Any]:
    return {"code": code, "message": message}


TABLE: list[tuple[int, type[GatewayError], type[GatewayError], Money]] = [
    # code, of a create, of a poll, what a create's means for the credits
    (401, AuthenticationError, AuthenticationError, Money.NOT_SPENT),
    (402, OutOfCreditsError, OutOfCreditsError, Money.NOT_SPENT),
    (403, AuthenticationError, AuthenticationError, Money.NOT_SPENT),
    (404, RejectedRequestError, UnknownTaskError, Money.NOT_SPENT),
    (400, RejectedRequestError, RejectedRequestError, Money.NOT_SPENT),
    (413, RejectedRequestError, RejectedRequestError, Money.NOT_SPENT),
    (422, RejectedRequestError, RejectedRequestError, Money.NOT_SPENT),
    (429, RateLimitedError, RateLimitedError, Money.NOT_SPENT),
    (408, ServerError, ServerError, Money.MAYBE_SPENT),
    (500, ServerError, ServerError, Money.MAYBE_SPENT),
    (503, ServerError, ServerError, Money.MAYBE_SPENT),
]


@pytest.mark.parametrize(("code", "of_create", "of_poll", "money"), TABLE)
def test_by_status_and_by_code_alone(
    code: int, of_create: type[GatewayError], of_poll: type[GatewayError], money: Money
) -> None:
    for status, body in (
        (code, documented(code)),
        (code, envelope(code)),
        (code, {"detail": "Some words"}),
        (200, envelope(code)),
        (200, envelope(str(code))),
        (200, documented(code)),
        (200, {"status": "error", **envelope(code)}),
    ):
        create, poll = error_of(read_create, status, body), error_of(read_task, status, body)
        assert (type(create), create.money) == (of_create, money), (status, body)
        assert (type(poll), poll.money) == (of_poll, Money.UNTOUCHED), (status, body)
        for error in (create, poll):
            assert "Some words" in str(error)
            assert error.words == "Some words"
            assert error.do
            assert error.money.sentence in str(error)


@pytest.mark.parametrize("code", [401, 402, 403, 404, 429])
def test_refusal_of_the_question_is_no_failure_of_the_task(code: int) -> None:
    for body in (
        {"id": "t1", "status": "error", **envelope(code)},
        {"task_id": "t1", "status": "failed", **documented(code)},
    ):
        error_of(read_task, 200, body)
        error_of(read_create, 200, body)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("temporary database failure", ServerError),
        ("Too many requests", RateLimitedError),
        ("请求过多", RateLimitedError),
        ("The task does not exist", UnknownTaskError),
        ("Insufficient credits", OutOfCreditsError),
    ],
)
@pytest.mark.parametrize("word", ["error", "ERROR", "fail", "failed", "timeout"])
def test_a_failure_with_nothing_of_the_task_is_that_of_the_question(
    word: str, words: str, kind: type[GatewayError]
) -> None:
    for said in ({"message": words}, {"error": words}, {"error": {"message": words}}, {"code": "E_X", "msg": words}):
        body = {"status": word, **said, "data": None}
        if word == "failed" and "error" in said and kind not in (RateLimitedError, UnknownTaskError):  # so relatives do
            found = read_task(200, "application/json", json.dumps(body).encode())
            assert (found.state, found.words) == (TaskState.FAILED, words)
            continue
        error = error_of(read_task, 200, body)
        assert (type(error), error.words, error.money) == (kind, words, Money.UNTOUCHED), said
    assert type(error_of(read_task, 200, {"success": False, "message": "Too many requests"})) is RateLimitedError


def test_each_has_a_sentence_of_its_own() -> None:
    codes = [code for code, *_ in TABLE] + [1200, 1401, 1402, 5004]
    assert len({error_of(read_create, 200, envelope(code)).what for code in codes}) == len(codes)


@pytest.mark.parametrize("status", [200, 400, 422, 500])
@pytest.mark.parametrize(
    ("code", "kind", "money"),
    [
        (1200, ModerationError, Money.NOT_SPENT),
        (1401, RejectedRequestError, Money.NOT_SPENT),
        (1402, InputUnreachableError, Money.NOT_SPENT),
        (5004, ServerError, Money.MAYBE_SPENT),
    ],
)
def test_upstream_codes_of_a_create(status: int, code: int, kind: type[GatewayError], money: Money) -> None:
    for body in (documented(code), envelope(code), envelope(str(code)), documented(status, f"upstream error {code}")):
        error = error_of(read_create, status, body)
        assert (type(error), error.gateway_code, error.money) == (kind, str(code), money)


def test_unreachable_input_is_not_reported_as_moderation() -> None:
    error = error_of(read_create, 400, documented(400, "Unable to access the provided media URL"))
    assert type(error) is InputUnreachableError
    assert "not moderation" in str(error)


def test_poll_of_a_task_nobody_knows() -> None:
    for status, body in (
        (404, documented(404)),
        (404, b""),
        (200, envelope(404)),
        (400, envelope(400, "Task not found")),
        (200, envelope(1401, "The task does not exist, it was not found")),
        (410, documented(410)),
        (400, envelope("task_not_exist", "task_not_exist")),
        (400, envelope(400, "任务不存在")),
        (400, envelope(400, "task doesn't exist")),
        (400, envelope(400, "Invalid task id")),
        (400, envelope(400, "No task with this id")),
        (400, envelope(400, "record not found")),
        (422, envelope(422, "taskId not found")),
        (200, envelope(422, "recordInfo is null")),
        (200, {"code": 200, "message": "task not found", "data": None}),
        (200, {"success": False, "message": "task not found"}),
    ):
        assert type(error_of(read_task, status, body)) is UnknownTaskError, body


def test_page_of_a_proxy_says_nothing_of_the_task() -> None:
    assert type(error_of(read_task, 404, HTML)) is UnreadableAnswerError
    assert type(error_of(read_create, 404, HTML)) is RejectedRequestError


@pytest.mark.parametrize("reader", [read_create, read_task])
@pytest.mark.parametrize(
    ("status", "body", "part"),
    [
        (200, HTML, "web page (HTML)"),
        (200, b"", "empty"),
        (200, b"{", "not JSON"),
        (200, b"[" * 100_000, "not JSON"),
        (200, b"\xff\xfe\x00", "not JSON"),
        (200, b'"text"', "not JSON"),
        (200, b"null", "not JSON"),
        (200, b"{}", "it "),
        (200, {"hello": "world"}, "it "),
        (200, {"code": 777, "message": "Odd"}, "Odd"),
        (200, {"success": False, "message": "Odd"}, "Odd"),
        (200, {"error": "Odd"}, "Odd"),
        (403, HTML, "firewall"),
        (400, HTML, "web page (HTML)"),
        (200, {"status": "levitating", "error": "Odd"}, "Odd"),
    ],
)
def test_unreadable(reader: Any, status: int, body: Any, part: str) -> None:
    error = error_of(reader, status, body)
    assert type(error) is UnreadableAnswerError
    assert part in str(error)
    assert f"HTTP {status}" in str(error)
    if reader is read_create:
        assert error.money is (Money.NOT_SPENT if status >= 400 else Money.MAYBE_SPENT)
    assert error.is_json is (isinstance(body, dict) or body == b"{}")


def test_a_create_that_is_called_a_success_and_holds_nothing_may_be_paid_for() -> None:
    error = error_of(read_create, 200, {"code": 200, "message": "success", "data": None})
    assert (type(error), error.money) == (UnreadableAnswerError, Money.MAYBE_SPENT)


def test_unreadable_quotes_the_answer_short_and_clean() -> None:
    body = {
        "status": "levitating",
        "error": "Odd",
        "seen": f"Bearer {KEY}",
        "headers": {"Authorization": "Bearer other-secret", "x": "aio_0123456789abcdef"},
        "link": "https://s3.example/x.png?X-Amz-Signature=deadbeef",
        "seen_image": "data:image/png;base64," + "iVBOR" * 1000,
        "tail": "é\n\t" * 3000,
    }
    text = str(error_of(read_task, 200, body))
    for secret in (KEY, "other-secret", "0123456789abcdef", "deadbeef", "iVBORiVBOR"):
        assert secret not in text
    assert "https://s3.example/x.png?..." in text
    assert len(text) < 1200
    assert text.isprintable()


def test_words_are_redacted_everywhere() -> None:
    words = f"Key {KEY} of https://x.example/?token=abc is bad"
    for status, body in (
        (401, documented(401, words)),
        (200, envelope(500, words)),
        (400, {"detail": [{"msg": words}]}),
    ):
        error = error_of(read_create, status, body)
        written = f"{error} {error!r} {vars(error)} {''.join(traceback.format_exception(error))}"
        assert KEY not in written
        assert "token=abc" not in written
        assert "is bad" in str(error)
    failed = read_task(
        200, "", json.dumps({"id": "t", "status": "failed", "error": words}).encode(), redact=SETTINGS.redact
    )
    assert KEY not in failed.words


def test_words_open_no_dialog_of_comfy_org() -> None:
    for words in (
        "Unauthorized: Please login first to use this node.",
        "Payment Required: Please add credits to your account",
    ):
        for code in (401, 402, 500):
            assert words[:38] not in str(error_of(read_create, code, documented(code, words)))


def test_redirect_is_not_followed_and_named() -> None:
    create = error_of(read_create, 307, b"", Location="https://login.example/x?token=abc")
    assert (type(create), create.money) == (RejectedRequestError, Money.NOT_SPENT)
    assert "https://login.example/x?..." in str(create)
    done = error_of(read_create, 303, b"", Location="https://login.example/done")
    assert (type(done), done.money) == (UnreadableAnswerError, Money.MAYBE_SPENT), "it may have been accepted"
    assert after_create(done, 1, 0.5).next is Next.UNKNOWN
    assert type(error_of(read_task, 302, HTML, location="https://login.example/")) is UnreadableAnswerError
    assert "Set the base URL" in create.do
    plain = error_of(read_create, 302, b"", Location="http://login.example/x")
    assert "Set the base URL" not in plain.do, "the key would travel in clear"


EMPTY = [
    (400, documented(400, "Insufficient credits. Please top up.")),
    (403, documented("insufficient_user_quota", "预扣费额度失败")),
    (403, documented(403, "用户额度不足, 剩余额度: 0")),
    (429, documented("insufficient_quota", "You exceeded your current quota, please check your plan.")),
    (429, envelope(429, "exceeded your current quota")),
    (400, envelope(400, "Your account balance is insufficient")),
    (400, envelope(400, "You do not have enough credits")),
    (400, envelope(400, "You don't have enough credits.")),
    (400, envelope(400, "Your credit balance is too low to access the API")),
    (403, documented(403, "User is locked. Reason: Exhausted balance. Top up your balance.")),
    (400, envelope(400, "You have used all your credits")),
    (400, envelope(400, "You have run out of credit")),
    (400, envelope(400, "user quota exceeded")),
    (400, envelope(400, "Your remaining credits (3) are not enough")),
    (400, envelope(400, "余额不够")),
    (400, envelope(400, "积分不够，请充值")),
    (403, documented(403, "额度用尽")),
    (403, documented(403, "账户余额已不足")),
    (403, documented(403, "餘額不足")),
    (403, documented("InsufficientBalance", "no")),
    (400, documented("INSUFFICIENT-CREDITS", "no")),
    (400, documented("Arrearage", "Access denied")),
    (403, {"error": {"type": "insufficient_user_quota", "message": "no", "code": ""}}),
    (401, documented(401, "Insufficient credits")),
    (404, documented(404, "insufficient balance")),
    (422, documented(422, "Insufficient credits")),
    (200, envelope(1102, "Insufficient credits")),
    (200, envelope(50001, "Insufficient credits")),
    (400, b"Insufficient credits. Please top up."),
    (403, b'"insufficient_user_quota: insufficient quota"'),
    (429, b"You exceeded your current quota"),
    (400, envelope(400, "The balance of your account is insufficient")),
    (400, envelope(400, "Account balance is negative")),
    (400, envelope(400, "You have 0 credits left")),
    (400, documented("NOT_ENOUGH_CREDITS", "no")),
    (400, documented("CREDIT_INSUFFICIENT", "no")),
    (403, documented("BALANCE_INSUFFICIENT", "no")),
    (403, documented("QUOTA_EXCEEDED", "no")),
    (400, documented("quota_exhausted", "no")),
    (400, documented("payment_required", "no")),
    (402, b""),
    (402, HTML),
    (200, envelope("insufficient_credits", "Top up")),
    (200, {"error": "Insufficient balance"}),
    (200, envelope(402)),
]


@pytest.mark.parametrize(("status", "body"), EMPTY, ids=lambda value: str(value)[:60])
def test_out_of_credits_however_it_is_said(status: int, body: Any) -> None:
    for reader in (read_create, read_task):
        error = error_of(reader, status, body)
        assert type(error) is OutOfCreditsError, (status, body)
        assert "Top up" in error.do
    assert error_of(read_create, status, body).money is Money.NOT_SPENT


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, documented(429, "Quota exceeded: 2 images per minute"), RateLimitedError),
        (429, documented(429, "Too many requests, your quota is exhausted, retry in 20 s"), RateLimitedError),
        (429, documented(429, "Rate limit reached"), RateLimitedError),
        (429, documented(429, "Quota exhausted, please try again later"), RateLimitedError),
        (429, documented(429, "Insufficient quota, try again in a few seconds"), RateLimitedError),
        (429, documented(429, "每分钟额度不足"), RateLimitedError),
        (429, documented(429, "当前分组请求过多，配额不足，请稍后再试"), RateLimitedError),
        (429, documented("insufficient_quota", "Rate limit reached"), RateLimitedError),
        (400, documented(400, "There is insufficient reference points in the image"), RejectedRequestError),
        (400, documented(400, "Image has insufficient focal points"), RejectedRequestError),
        (400, documented(400, "prompt: 'movie poster with no end credits' is not allowed"), RejectedRequestError),
        (400, documented(400, 'prompt rejected: "a shop sign saying out of credits"'), RejectedRequestError),
        (400, documented(400, "Refused; no credits were charged"), RejectedRequestError),
        (400, documented(400, "Content blocked. No credits consumed"), RejectedRequestError),
        (400, documented(400, "Bad size. No credits deducted."), RejectedRequestError),
        (400, documented(400, "Bad size, no credits used"), RejectedRequestError),
        (400, documented(400, "Refused with 0 credits consumed"), RejectedRequestError),
        (429, documented("QUOTA_EXCEEDED", "no"), RateLimitedError),
        (403, documented(403, "This key may not use the model"), AuthenticationError),
        (401, documented(401, "Invalid key; no credits are charged"), AuthenticationError),
        (400, documented(400, "The prompt is too long"), RejectedRequestError),
        (500, documented(500, "insufficient balance at the provider"), ServerError),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_only_sounds_like_an_empty_account(status: int, body: Any, kind: type[GatewayError]) -> None:
    assert type(error_of(read_create, status, body)) is kind


def test_an_empty_account_is_told_in_the_place_of_a_task_too() -> None:
    for body in (
        {"code": 0, "message": "Insufficient credits", "data": None},
        {"code": 402, "message": "Insufficient credits", "data": {"status": "FAILED"}},
    ):
        error = error_of(read_create, 200, body)
        assert (type(error), error.money) == (OutOfCreditsError, Money.NOT_SPENT), body


def test_the_words_of_a_429_are_kept_whatever_they_stand_in() -> None:
    page = b"<html><head><title>Too many requests &amp; no end</title></head><body>...</body></html>"
    for body, words in (
        (b"Too many requests, slow down", "Too many requests, slow down"),
        (b'"slow down"', "slow down"),
        (page, "Too many requests & no end"),
    ):
        error = error_of(read_create, 429, body)
        assert (type(error), error.words) == (RateLimitedError, words)
        assert words in str(error)


def test_a_page_with_a_code_of_its_own_is_none_of_upstreams() -> None:
    assert error_of(read_create, 502, b"<title>Error 1200: too many</title>").gateway_code == ""


# -- Retry-After ---------------------------------------------------------------------------------------

NOW = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"RETRY-AFTER": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 31 Dec 2025 23:59:00 GMT"}, 0.0),
        (
            {"Retry-After": "Thu, 01 Jan 2026 01:00:05 GMT", "Date": "Thu, 01 Jan 2026 01:00:00 GMT"},
            5.0,
        ),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT", "Date": "rubbish"}, 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT", "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT", "Date": "Sat, 03 Jan 2026 00:00:00 GMT"}, 0.0),
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "Thu, 99 Foo 99999"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "Thu Jan  1 00:00:30 2026"}, 30.0),  # as C's asctime writes it
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 -0000"}, 30.0),
        ({"Retry-After": "Thu Jan  1 01:00:05 2026", "Date": "Thu Jan  1 01:00:00 2026"}, 5.0),
        ({"Retry-After": "Thu, 01 Jan 2026 01:00:05 GMT", "Date": "Thu Jan  1 01:00:00 2026"}, 5.0),
    ],
)
@pytest.mark.posix  # Windows cannot change a process' time zone
def test_a_date_without_a_zone_is_utc(headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "XXX+5")
        time.tzset()
        found = retry_after(headers, NOW)
    time.tzset()
    assert found == seconds


@pytest.mark.parametrize(
    ("asked", "told"),
    [("12", "12 seconds"), ("0.3", "1 seconds"), ("12.2", "13 seconds"), ("901", "900 seconds"), ("9" * 9, "900 sec")],
)
def test_the_wait_that_is_told_is_the_wait_that_is_kept(asked: str, told: str) -> None:
    assert f"It asks to wait {told}" in str(error_of(read_create, 429, documented(429), **{"Retry-After": asked}))


def test_retry_after_is_on_the_errors() -> None:
    for status in (429, 503):
        assert error_of(read_task, status, documented(status), **{"Retry-After": "12"}).retry_after == 12
    assert "12 seconds" in str(error_of(read_create, 429, documented(429), **{"Retry-After": "12"}))


# -- anything at all -----------------------------------------------------------------------------------

FIELDS = "code message data task_id status id error output outputs result images image url b64_json progress"
VALUES = "completed failed processing pending 1200 401 5004 [] {} https://x.example/a.png https://x.example/b.png"
WORDS = st.sampled_from([*FIELDS.split(), *VALUES.split(), "data:image/png;base64,AAAA"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
JSONS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=6),
    max_leaves=30,
)


def reads(reader: Any, status: int, body: bytes) -> None:
    try:
        found = reader(status, "application/json", body, ("https://x.example/a.png",))
    except GatewayError:
        return
    assert found.state in (TaskState.SUBMITTED, TaskState.RUNNING, TaskState.SUCCEEDED, TaskState.FAILED)
    assert bool(found.images) is (found.state is TaskState.SUCCEEDED)
    assert "https://x.example/a.png" not in found.images
    assert found.progress is None or 0 <= found.progress <= 1


@settings(deadline=None)
@given(st.sampled_from([200, 202, 302, 400, 401, 404, 429, 500, 502, 999]), JSONS)
def test_any_json_is_read_or_refused(status: int, value: Any) -> None:
    for body in (json.dumps(value).encode(), json.dumps({"data": value}).encode()):
        reads(read_create, status, body)
        reads(read_task, status, body)


@settings(deadline=None)
@given(st.sampled_from([200, 500]), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(status: int, body: bytes) -> None:
    for data in (body, b"{" + body, b'{"data":"' + body + b'"}'):
        reads(read_create, status, data)
        reads(read_task, status, data)
