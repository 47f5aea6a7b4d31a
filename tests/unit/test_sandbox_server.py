"""The sandbox over HTTP: what faults do to connections, and the handle that tests hold it by."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.client import Sandbox, start_in_process, start_process
from sandbox.pictures import expected_png

HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with start_in_process(seconds=0, picture="marked") as running:
        yield running


class Client:
    """One kept-alive connection."""

    def __init__(self, sandbox: Sandbox) -> None:
        parts = urlsplit(sandbox.url)
        self.headers = {**HEADERS, "Authorization": f"Bearer {sandbox.key}"}
        self.wire = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)

    def ask(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        self.wire.request(method, target, body, self.headers)
        answer = self.wire.getresponse()
        return answer.status, answer.read()

    def create(self, prompt: str = "a cat", **fields: Any) -> tuple[int, Any]:
        given = {"model": "hunyuan-image-3", "prompt": prompt, "size": "512*512", "seed": 5, **fields}
        status, body = self.ask("POST", "/api/v1/images/generations", json.dumps(given).encode())
        return status, json.loads(body)

    def done(self, **fields: Any) -> str:
        """Create, poll, and the target of the first picture."""
        _, told = self.create(**fields)
        _, body = self.ask("GET", f"/api/v1/tasks/{told['data']['task_id']}")
        link = urlsplit(json.loads(body)["data"]["images"][0])
        return f"{link.path}?{link.query}"


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox)


def test_a_picture_comes_over_one_connection(sandbox: Sandbox, client: Client) -> None:
    status, content = client.ask("GET", client.done())
    assert status == 200
    assert content == expected_png("a cat", 5, (512, 512))
    state = sandbox.state()
    assert (state["connections"], state["billed"], state["credits"]) == (1, 1, 25)
    assert {request["connection"] for request in state["requests"]} == {1}
    assert sandbox.wait("delivered") == 1


@pytest.mark.parametrize(("drop", "billed"), [("before_read", 0), ("before_answer", 1), ("mid_body", 1)])
@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_create_is_billed_when_it_was_read(
    sandbox: Sandbox, client: Client, drop: str, billed: int, reset: bool
) -> None:
    sandbox.script(on="create", drop=drop, reset=reset)
    with pytest.raises((ConnectionError, http.client.HTTPException)) as caught:
        client.create()
    if reset and drop == "before_answer":  # a plain close comes as the end of the stream
        assert type(caught.value) is ConnectionResetError
    assert (sandbox.wait("create"), sandbox.billed) == (1, billed)
    assert Client(sandbox).create()[0] == 200


def test_a_connection_closed_after_its_answer_is_dead_for_the_next(sandbox: Sandbox, client: Client) -> None:
    sandbox.script(on="create", close_after=True)
    status, _ = client.create()
    assert status == 200
    assert client.wire.sock is not None
    assert client.wire.sock.recv(1) == b""


def test_what_hangs_is_held_until_released(sandbox: Sandbox, client: Client) -> None:
    sandbox.script(on="create", hang=True, name="stuck")
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(client.create()[0]))
    waiting.start()
    sandbox.wait("held")
    assert (sandbox.billed, sandbox.state()["held"], got) == (1, 1, [])
    assert sandbox.release("another") == 0
    assert sandbox.release("stuck") == 1
    waiting.join(10)
    assert got == [200]
    assert sandbox.wait("answered") == 1


def test_bodies_are_cut_padded_chunked_and_dripped(sandbox: Sandbox, client: Client) -> None:
    target = client.done()
    whole = client.ask("GET", target)[1]
    sandbox.script(
        {"on": "download", "drop": "mid_body"},
        {"on": "download", "chunked": True, "pad_bytes": 100_000},
        {"on": "download", "drip": {"bytes": 5000, "every_s": 0.001}},
        {"on": "download", "image": "truncated"},
        {"on": "download", "body": "html", "status": 503},
        {"on": "download", "redirect": sandbox.url + "{path}"},
    )
    with pytest.raises(http.client.IncompleteRead):
        client.ask("GET", target)
    client.wire.close()
    assert client.ask("GET", target)[1] == whole + bytes(100_000)
    assert client.ask("GET", target)[1] == whole
    assert client.ask("GET", target)[1] == whole[: len(whole) // 2]
    status, page = client.ask("GET", target)
    assert (status, page[:15]) == (503, b"<!DOCTYPE html>")
    client.wire.request("GET", target)
    answer = client.wire.getresponse()
    assert (answer.status, answer.read(), answer.headers["Location"]) == (302, b"", sandbox.url + target)
    downloads = sandbox.task()["downloads"]
    assert [each["status"] for each in downloads] == [200, 200, 200, 200, 200, 503, 302]
    assert [each["bearer"] for each in downloads] == [True] * 6 + [False]


def test_new_connections_can_be_refused(sandbox: Sandbox, client: Client) -> None:
    sandbox.script(on="connect", nth=2, drop="before_read")
    assert client.create()[0] == 200
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        Client(sandbox).create()
    assert client.create()[0] == 200
    assert sandbox.billed == 2


def test_it_can_stand_in_for_a_proxy(sandbox: Sandbox, client: Client) -> None:
    given = json.dumps({"model": "hunyuan-image-3", "prompt": "x"}).encode()
    assert client.ask("POST", "http://gateway.test/api/v1/images/generations", given)[0] == 200
    (create,) = sandbox.state()["creates"]
    assert (create["proxied"], create["path"]) == (True, "/api/v1/images/generations")
    client.create()
    assert sandbox.state()["creates"][1]["proxied"] is False


def test_an_edit_fetches_its_inputs_from_loopback(sandbox: Sandbox, client: Client) -> None:
    target = client.done()
    with start_in_process(seconds=0) as other:
        status, told = Client(other).create(type="edit", images=[sandbox.url + target])
        assert (status, told["message"]) == (200, "success")
        (given,) = other.task()["inputs"]
    assert (given["way"], given["size"]) == ("http", [512, 512])
    status, told = client.create(type="edit", images=[sandbox.url + target[:-1]])
    assert (status, told["error"]["code"]) == (400, 1402)


def test_waiting_in_vain_says_what_was_seen(sandbox: Sandbox, client: Client) -> None:
    client.create()
    with pytest.raises(AssertionError, match=r"poll .* 0 times .* not 1; seen: \['create /api/v1/images"):
        sandbox.wait("poll", timeout=0.01)
    with pytest.raises(ValueError, match="event: expected one of"):
        sandbox.wait("polll")
    with pytest.raises(ValueError, match="unknown colour"):
        sandbox.script(on="create", colour="red")


def test_requests_at_once_are_counted(sandbox: Sandbox) -> None:
    sandbox.script(on="create", hang=True, times=3)
    threads = [threading.Thread(target=Client(sandbox).create) for _ in range(3)]
    for thread in threads:
        thread.start()
    sandbox.wait("held", 3)
    sandbox.release()
    for thread in threads:
        thread.join(10)
    state = sandbox.state()
    assert (state["max_requests"], state["connections"], state["billed"]) == (3, 3, 3)


def test_closing_lets_go_what_hangs() -> None:
    with start_in_process() as sandbox:
        sandbox.script(on="create", hang=True)
        client, failed = Client(sandbox), threading.Event()

        def ask() -> None:
            try:
                client.create()
            except (OSError, http.client.HTTPException):
                failed.set()

        thread = threading.Thread(target=ask)
        thread.start()
        sandbox.wait("held")
    thread.join(10)
    assert failed.is_set()


def test_it_runs_as_a_process_and_ends_when_told() -> None:
    with start_process(arguments=["--seconds", "0", "--picture", "plain", "--max-in-flight", "3"]) as sandbox:
        client = Client(sandbox)
        assert client.ask("GET", client.done())[0] == 200
        assert (sandbox.billed, sandbox.state()["settings"]["max_in_flight"]) == (1, 3)
    assert sandbox.process is not None
    assert sandbox.process.returncode == 0
