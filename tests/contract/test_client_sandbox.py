"""The client against the sandbox over HTTP: every shape from create to bytes, every refusal, what is billed."""

from __future__ import annotations

import base64
import io
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from hunyuan.errors import (
    AnswerLostError,
    AuthenticationError,
    ConnectionRefusedByHostError,
    DownloadError,
    GatewayError,
    HunyuanError,
    InputUnreachableError,
    InvalidTaskIdError,
    LinkDeadError,
    MissingKeyError,
    ModerationError,
    Money,
    NotAnImageError,
    OutOfCreditsError,
    RateLimitedError,
    RejectedRequestError,
    ServerError,
    TransportError,
    UnknownTaskError,
    UnreadableAnswerError,
    UnsafeAddressError,
)
from hunyuan.gateway.client import Client
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.models import GenerationRequest, ImageSize, TaskState, TaskStatus, TaskType
from hunyuan.settings.store import Settings
from sandbox.client import Sandbox, start_in_process
from sandbox.plan import ERROR_FORMS, RESULT_FORMS, RESULT_KEYS
from tests.kit.http_servers import closed_port

SIZE = ImageSize(512, 256)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with start_in_process() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.reset()
    return shared


@pytest.fixture
def client_with() -> Iterator[Callable[..., Client]]:
    transports: list[RequestsTransport] = []

    def build(**values: Any) -> Client:
        settings = Settings(**values)
        transports.append(RequestsTransport(lambda: settings))
        return Client(transports[-1], lambda: settings)

    yield build
    for transport in transports:
        transport.close()


@pytest.fixture
def client(sandbox: Sandbox, client_with: Callable[..., Client]) -> Client:
    return client_with(api_key=sandbox.key, base_url=sandbox.url)


def request_for(*images: str, prompt: str = "a cat") -> GenerationRequest:
    kind = TaskType.EDIT if images else TaskType.TEXT_TO_IMAGE
    return GenerationRequest(kind, prompt, SIZE, 7, "hunyuan-image-3", tuple(f"url:{image}" for image in images))


def create(client: Client, *images: str, **more: Any) -> TaskStatus:
    return client.create(request_for(*images, **more), images, 10.0)


def finished(client: Client, sandbox: Sandbox, *images: str) -> TaskStatus:
    """From create to the answer that holds the images."""
    status = create(client, *images)
    if status.state is TaskState.SUCCEEDED:
        return status
    assert status.task_id is not None
    sandbox.finish()
    return client.status(status.task_id, images)


def picture(client: Client, status: TaskStatus) -> Image.Image:
    assert len(status.images) == 1
    image = Image.open(io.BytesIO(client.download(status.images[0], 10.0)))
    image.load()
    return image


def failure_of(sandbox: Sandbox, call: Callable[[], object]) -> HunyuanError:
    """The failure; nothing of it that could be shown or kept holds the key."""
    with pytest.raises(HunyuanError) as caught:
        call()
    error = caught.value
    seen: BaseException | None = error
    while seen is not None:
        assert sandbox.key not in f"{seen} {seen!r} {vars(seen)}"
        seen = seen.__context__
    assert sandbox.key not in "".join(traceback.format_exception(error))
    return error


# -- every shape ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", RESULT_FORMS)
@pytest.mark.parametrize("key", RESULT_KEYS)
def test_result_in_every_key_and_form(client: Client, sandbox: Sandbox, key: str, form: str) -> None:
    sandbox.tasks(seconds=None, result_key=key, result_form=form)
    status = finished(client, sandbox)
    assert status.state is TaskState.SUCCEEDED
    assert picture(client, status).size == (512, 256)
    assert sandbox.billed == 1


@pytest.mark.parametrize("echo", ["nested", "flat"])
@pytest.mark.parametrize("shape", ["documented", "general", "upstream", "direct_url", "direct_b64"])
def test_every_shape_with_the_inputs_echoed(client: Client, sandbox: Sandbox, shape: str, echo: str) -> None:
    sandbox.tasks(seconds=0 if shape.startswith("direct") else None, shape=shape, echo=echo)
    inside = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 10, 10)).save(inside, "PNG")
    image = f"data:image/png;base64,{base64.b64encode(inside.getvalue()).decode()}"
    status = finished(client, sandbox, image)
    assert picture(client, status).size == (512, 256)
    assert sandbox.state(full=True)["tasks"][0]["inputs"]


@pytest.mark.parametrize("shape", ["documented", "general", "upstream"])
def test_state_and_progress_on_the_way(client: Client, sandbox: Sandbox, shape: str) -> None:
    sandbox.tasks(seconds=None, shape=shape, progress="percent")
    status = create(client)
    assert status.task_id == sandbox.task()["task_id"]
    now = client.status(str(status.task_id), ())
    assert now.state in (TaskState.SUBMITTED, TaskState.RUNNING)
    assert now.task_id == status.task_id
    assert now.progress is not None


@pytest.mark.parametrize("form", ERROR_FORMS)
@pytest.mark.parametrize("shape", ["documented", "general", "upstream"])
def test_failed_task_in_its_own_words(client: Client, sandbox: Sandbox, shape: str, form: str) -> None:
    sandbox.tasks(seconds=None, shape=shape, error_form=form)
    status = create(client)
    sandbox.fail("The hand has six fingers")
    assert status.task_id is not None
    found = client.status(status.task_id, ())
    assert (found.state, found.words) == (TaskState.FAILED, "The hand has six fingers")
    assert sandbox.refunded == 1


def test_words_of_its_own_in_any_case(client: Client, sandbox: Sandbox) -> None:
    sandbox.tasks(seconds=None, words={"pending": "Queued", "running": "GENERATING", "completed": "Success"})
    assert picture(client, finished(client, sandbox)).size == (512, 256)


def test_word_that_nobody_knows_is_still_running_and_named(client: Client, sandbox: Sandbox) -> None:
    sandbox.tasks(seconds=None, words={"pending": "levitating", "running": "levitating"})
    status = create(client)
    assert status.task_id is not None  # the id of a paid task is kept all the same
    found = client.status(status.task_id, ())
    assert (found.state, found.odd_word) == (TaskState.RUNNING, "levitating")
    assert "levitating" in found.odd_answer
    assert sandbox.key not in found.odd_answer


def test_signed_link_comes_back_byte_for_byte(client: Client, sandbox: Sandbox) -> None:
    sandbox.tasks(seconds=None, harsh_link=True)
    assert picture(client, finished(client, sandbox)).size == (512, 256)


# -- refusals ------------------------------------------------------------------------------------------

CREATE_FAULTS: list[tuple[dict[str, Any], type[GatewayError], Money]] = [
    ({"status": 401}, AuthenticationError, Money.NOT_SPENT),
    ({"status": 402}, OutOfCreditsError, Money.NOT_SPENT),
    ({"status": 404}, RejectedRequestError, Money.NOT_SPENT),
    ({"status": 429, "retry_after": 3}, RateLimitedError, Money.NOT_SPENT),
    ({"status": 500}, ServerError, Money.MAYBE_SPENT),
    ({"status": 502, "body": "html"}, ServerError, Money.MAYBE_SPENT),
    ({"status": 200, "code": 401}, AuthenticationError, Money.NOT_SPENT),
    ({"status": 200, "code": 1200}, ModerationError, Money.NOT_SPENT),
    ({"status": 400, "code": 1401}, RejectedRequestError, Money.NOT_SPENT),
    ({"status": 200, "code": 1402}, InputUnreachableError, Money.NOT_SPENT),
    ({"status": 200, "code": 5004}, ServerError, Money.MAYBE_SPENT),
    ({"status": 200, "body": "html"}, UnreadableAnswerError, Money.MAYBE_SPENT),
    ({"status": 200, "body": "empty"}, UnreadableAnswerError, Money.MAYBE_SPENT),
    ({"status": 200, "body": '{"code": 200'}, UnreadableAnswerError, Money.MAYBE_SPENT),
    ({"redirect": "https://login.example/"}, RejectedRequestError, Money.NOT_SPENT),
]


@pytest.mark.parametrize(("fault", "kind", "money"), CREATE_FAULTS)
def test_refused_create(
    client: Client, sandbox: Sandbox, fault: dict[str, Any], kind: type[GatewayError], money: Money
) -> None:
    sandbox.script({"on": "create", **fault})
    error = failure_of(sandbox, lambda: create(client))
    assert (type(error), error.money) == (kind, money)
    assert money.sentence in str(error)
    if isinstance(error, RateLimitedError):
        assert error.retry_after == 3
    assert len(sandbox.requests("create")) == 1


@pytest.mark.parametrize(
    "fault", [{"drop": "before_answer"}, {"drop": "mid_body"}, {"drop": "before_answer", "reset": True}]
)
def test_create_whose_answer_is_lost_is_sent_once(client: Client, sandbox: Sandbox, fault: dict[str, Any]) -> None:
    sandbox.script({"on": "create", **fault})
    error = failure_of(sandbox, lambda: create(client))
    assert type(error) is AnswerLostError
    assert (error.sent, error.money) == (True, Money.MAYBE_SPENT)
    assert (sandbox.billed, len(sandbox.requests("create"))) == (1, 1)


def test_create_that_hangs(client: Client, sandbox: Sandbox) -> None:
    sandbox.script(on="create", hang=True)
    error = failure_of(sandbox, lambda: client.create(request_for(), (), 0.3))
    assert isinstance(error, AnswerLostError)
    assert error.sent
    sandbox.wait("billed", 1)


def test_create_that_did_not_arrive(sandbox: Sandbox, client_with: Callable[..., Client]) -> None:
    with closed_port() as port:
        away = client_with(api_key=sandbox.key, base_url=f"http://127.0.0.1:{port}")
        error = failure_of(sandbox, lambda: create(away))
    assert isinstance(error, ConnectionRefusedByHostError)
    assert (error.sent, error.money) == (False, Money.NOT_SPENT)


def test_create_after_a_pause_takes_a_connection_that_lives(client: Client, sandbox: Sandbox) -> None:
    sandbox.script(on="poll", close_after=True)
    status = create(client)
    assert status.task_id is not None
    client.status(status.task_id, ())
    create(client, prompt="another")
    assert sandbox.billed == 2


POLL_FAULTS: list[tuple[dict[str, Any], type[HunyuanError]]] = [
    ({"status": 401}, AuthenticationError),
    ({"status": 404}, UnknownTaskError),
    ({"status": 200, "code": 404}, UnknownTaskError),
    ({"status": 404, "body": "html"}, UnreadableAnswerError),
    ({"status": 429, "retry_after": 2}, RateLimitedError),
    ({"status": 503, "retry_after": 2}, ServerError),
    ({"status": 200, "body": "html"}, UnreadableAnswerError),
    ({"redirect": "https://login.example/"}, UnreadableAnswerError),
    ({"drop": "before_answer"}, AnswerLostError),
    ({"drop": "mid_body"}, AnswerLostError),
]


@pytest.mark.parametrize(("fault", "kind"), POLL_FAULTS)
def test_failed_poll_costs_nothing_and_the_next_one_works(
    client: Client, sandbox: Sandbox, fault: dict[str, Any], kind: type[HunyuanError]
) -> None:
    status = create(client)
    task_id = str(status.task_id)
    sandbox.script({"on": "poll", "times": 2 if "drop" in fault else 1, **fault})  # a dropped poll goes out twice
    error = failure_of(sandbox, lambda: client.status(task_id, ()))
    assert (type(error), error.money) == (kind, Money.UNTOUCHED)
    if isinstance(error, GatewayError):
        assert error.task_id == task_id
    assert client.status(task_id, ()).task_id == task_id


@pytest.mark.parametrize(
    "bad", ["../generations", "a/../b", "https://x.example/../y", "..", "", "x" * 10_000, "a\nb", "%2e%2e"]
)
def test_malformed_id_never_becomes_a_request(client: Client, sandbox: Sandbox, bad: str) -> None:
    assert isinstance(failure_of(sandbox, lambda: client.status(bad, ())), InvalidTaskIdError)
    assert sandbox.requests() == []


def test_without_a_key_nothing_is_sent(sandbox: Sandbox, client_with: Callable[..., Client]) -> None:
    keyless = client_with(base_url=sandbox.url)
    for call in (lambda: create(keyless), lambda: keyless.status("t1", ())):
        error = failure_of(sandbox, call)
        assert isinstance(error, MissingKeyError)
        assert "HUNYUAN_API_KEY" in str(error)
    assert sandbox.requests() == []


def test_key_goes_to_the_gateway_alone(client: Client, sandbox: Sandbox) -> None:
    with start_in_process() as elsewhere:
        sandbox.tasks(seconds=None)
        status = finished(client, sandbox)
        sandbox.script(on="download", redirect=f"{elsewhere.url}{{path}}")
        error = failure_of(sandbox, lambda: client.download(status.images[0], 5.0))
        assert isinstance(error, UnsafeAddressError)
        assert elsewhere.requests() == []
    assert sandbox.state()["key_leaks"] == []


# -- downloads -----------------------------------------------------------------------------------------

DOWNLOAD_FAULTS: list[tuple[dict[str, Any], type[HunyuanError]]] = [
    ({"status": 403}, LinkDeadError),
    ({"status": 404}, LinkDeadError),
    ({"status": 410}, LinkDeadError),
    ({"status": 429}, RateLimitedError),
    ({"status": 503}, ServerError),
    ({"image": "html"}, NotAnImageError),
    ({"image": "empty"}, NotAnImageError),
    ({"drop": "mid_body", "times": "always"}, AnswerLostError),
    ({"drip": {"bytes": 1, "every_s": 0.05}}, AnswerLostError),
    ({"redirect": "{path}", "times": "always"}, UnsafeAddressError),
]


@pytest.mark.parametrize(("fault", "kind"), DOWNLOAD_FAULTS)
def test_failed_download_and_the_next_one(
    client: Client, sandbox: Sandbox, fault: dict[str, Any], kind: type[HunyuanError]
) -> None:
    sandbox.tasks(seconds=None)
    status = finished(client, sandbox)
    sandbox.script({"on": "download", **fault})
    deadline = 0.5 if "drip" in fault else 10.0
    error = failure_of(sandbox, lambda: client.download(status.images[0], deadline))
    assert type(error) is kind
    assert isinstance(error, TransportError) or error.money is Money.SPENT
    sandbox.clear()
    assert picture(client, status).size == (512, 256)


def test_redirect_within_the_gateway(client: Client, sandbox: Sandbox) -> None:
    sandbox.tasks(seconds=None)
    status = finished(client, sandbox)
    sandbox.script(on="download", redirect="{path}")
    assert picture(client, status).size == (512, 256)


def test_file_over_the_cap(client: Client, sandbox: Sandbox) -> None:
    sandbox.tasks(seconds=None)
    status = finished(client, sandbox)
    for chunked in (False, True):
        sandbox.script(on="download", pad_bytes=65 * 2**20, chunked=chunked)
        error = failure_of(sandbox, lambda: client.download(status.images[0], 30.0))
        assert isinstance(error, DownloadError)
        assert "64 MiB" in str(error)


# -- the test of the key -------------------------------------------------------------------------------


def test_check_key(client: Client, sandbox: Sandbox) -> None:
    for unknown in ("404", "200"):
        sandbox.settings(unknown_task=unknown)
        check = client.check_key()
        assert (check.ok, check.fault) == (True, "")
        assert sandbox.url in check.message
    assert sandbox.billed == 0


def test_check_key_says_what_is_at_fault(sandbox: Sandbox, client_with: Callable[..., Client]) -> None:
    key = sandbox.key
    with closed_port() as port:
        closed = f"http://127.0.0.1:{port}"
        cases: list[tuple[str, dict[str, Any]]] = [
            ("key", {"api_key": "aio_wr0ng-key-of-somebody", "base_url": sandbox.url}),
            ("key", {"base_url": sandbox.url}),
            ("connection", {"api_key": key, "base_url": closed}),
            ("proxy", {"api_key": key, "base_url": sandbox.url, "proxy": closed}),
            ("tls", {"api_key": key, "base_url": sandbox.url.replace("http:", "https:")}),
            ("dns", {"api_key": key, "base_url": f"https://{'.'.join(['a' * 60] * 5)}"}),
        ]
        for fault, values in cases:
            check = client_with(**values).check_key()
            assert (check.ok, check.fault) == (False, fault), check
            assert check.message
            assert "wr0ng" not in check.message
            assert key not in check.message


@pytest.mark.parametrize(
    ("rule", "ok", "fault"),
    [
        ({"status": 404, "body": "html"}, False, "address"),
        ({"status": 200, "body": "html"}, False, "address"),
        ({"status": 404, "body": "404 page not found"}, False, "address"),
        ({"redirect": "https://elsewhere.example/"}, False, "address"),
        ({"status": 503}, False, "gateway"),
        ({"status": 429}, False, "gateway"),
        ({"status": 402}, True, ""),
        ({"status": 403}, False, "key"),
    ],
)
def test_check_key_on_other_answers(
    client: Client, sandbox: Sandbox, rule: dict[str, Any], ok: bool, fault: str
) -> None:
    sandbox.script({"on": "poll", **rule})
    check = client.check_key()
    assert (check.ok, check.fault) == (ok, fault)
