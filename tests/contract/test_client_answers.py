"""The client against the sandbox over HTTP: answers that are packed, cut, relative or odd in their ids."""

from __future__ import annotations

import gzip
import io
import socket
from collections.abc import Callable, Iterator

import brotli
import pytest
from PIL import Image

from hunyuan.errors import AnswerLostError, InvalidTaskIdError, Money
from hunyuan.gateway.client import Client
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.models import GenerationRequest, ImageSize, TaskState, TaskStatus, TaskType
from hunyuan.settings.store import Settings
from sandbox.client import Sandbox, new_key, start_in_process
from sandbox.odd_bodies import WRAPPINGS
from sandbox.other_gateways import RELATIVES
from tests.kit.http_servers import RawServer, answer, read_request

SIZE = ImageSize(512, 256)
Build = Callable[[str, str], Client]


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with start_in_process() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.reset()
    return shared


@pytest.fixture
def client_of() -> Iterator[Build]:
    transports: list[RequestsTransport] = []

    def build(base_url: str, key: str) -> Client:
        settings = Settings(api_key=key, base_url=base_url)
        transports.append(RequestsTransport(lambda: settings))
        return Client(transports[-1], lambda: settings)

    yield build
    for transport in transports:
        transport.close()


@pytest.fixture
def client(sandbox: Sandbox, client_of: Build) -> Client:
    return client_of(sandbox.url, sandbox.key)


def create(client: Client) -> TaskStatus:
    return client.create(GenerationRequest(TaskType.TEXT_TO_IMAGE, "a cat", SIZE, 7, "hunyuan-image-3"), (), 10.0)


def size_of(client: Client, status: TaskStatus) -> tuple[int, int]:
    with Image.open(io.BytesIO(client.download(status.images[0], 10.0))) as image:
        image.load()
        return image.size


@pytest.mark.parametrize("kind", WRAPPINGS)
def test_whatever_stands_around_the_answer(client: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.tasks(seconds=None)
    sandbox.script({"on": "create", "wrapped": kind}, {"on": "poll", "wrapped": kind})
    status = create(client)
    assert status.task_id == sandbox.task()["task_id"]
    sandbox.finish()
    if kind == "cut":
        sandbox.clear()
    assert size_of(client, client.status(str(status.task_id))) == (512, 256)


@pytest.mark.parametrize("shape", RELATIVES)
@pytest.mark.parametrize("link", ["whole", "path", "host", "raw"])
def test_every_relative_and_every_link(client: Client, sandbox: Sandbox, shape: str, link: str) -> None:
    sandbox.tasks(seconds=None, shape=shape, link=link, odd_id=True, charged=15)
    status = create(client)
    assert client.status(str(status.task_id)).state in (TaskState.SUBMITTED, TaskState.RUNNING)
    sandbox.finish()
    found = client.status(str(status.task_id))
    assert (found.state, found.credits, size_of(client, found)) == (TaskState.SUCCEEDED, 15, (512, 256))
    polls = [request["path"] for request in sandbox.requests("poll")]
    assert all(path.startswith("/api/v1/tasks/hy%3Av3.1%2F") for path in polls)


@pytest.mark.parametrize("task_id", ["..", "../../images/generations", "a/../b", "a\\..\\b"])
def test_an_id_that_would_leave_the_path_is_never_sent(client: Client, sandbox: Sandbox, task_id: str) -> None:
    with pytest.raises(InvalidTaskIdError):
        client.status(task_id)
    assert sandbox.requests() == []


CUT = b'{"code": 200, "data": {"task_id": "n68_cut", "status": "IN_PROGRESS", "request": {"pro'


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + CUT,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(CUT), CUT),
        b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 5000\r\n\r\n" + CUT,
    ],
)
def test_an_id_in_an_answer_that_the_network_cuts_is_kept(client_of: Build, words: bytes) -> None:
    def say(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(words)

    with RawServer(say) as server:
        client = client_of(f"http://{server.place}", new_key())
        assert create(client) == TaskStatus(TaskState.SUBMITTED, "n68_cut")
        with pytest.raises(AnswerLostError):
            client.status("n68_cut")


PACKED = b'{"code": 200, "data": {"task_id": "n68_packed", "status": "IN_PROGRESS"}}'


def zstandard(content: bytes) -> bytes:
    """The plainest frame (RFC 8878, 3.1.1): of less than 256 bytes, in one block that is not compressed at all."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + block + content


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", brotli.compress(PACKED)),
        ("zstd", zstandard(PACKED)),
        ("gzip, br", brotli.compress(gzip.compress(PACKED))),
        ("br", PACKED),
        ("zstd", PACKED),
    ],
    ids=["br", "zstd", "gzip in br", "br, not true", "zstd, not true"],
)
@pytest.mark.parametrize("status", ["200 OK", "502 Bad Gateway"])
def test_an_id_is_read_from_what_only_a_library_unpacks(
    client_of: Build, coding: str, body: bytes, status: str
) -> None:
    def say(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(answer(body, status, f"Content-Encoding: {coding}"))

    with RawServer(say) as server:
        assert create(client_of(f"http://{server.place}", new_key())).task_id == "n68_packed"


def test_a_refusal_that_the_network_cuts_names_no_accepted_task(client_of: Build) -> None:
    def say(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5000\r\n\r\n" + CUT)

    with RawServer(say) as server, pytest.raises(AnswerLostError) as caught:
        create(client_of(f"http://{server.place}", new_key()))
    assert caught.value.money is Money.MAYBE_SPENT
