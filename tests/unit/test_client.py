"""The client over a transport of the test's own: what it asks for, with which limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hunyuan.addresses import Address
from hunyuan.gateway.client import Client
from hunyuan.http.address_guard import AddressGuard
from hunyuan.http.transport import CONNECT_TIMEOUT, REUSE_IDLE_SECONDS, Exchange
from hunyuan.models import GenerationRequest, ImageSize, TaskState, TaskType
from hunyuan.settings.store import Settings

KEY = "aio_" + "5ecret" * 6


@dataclass
class Asked:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    read_timeout: float
    idle: float


@dataclass
class Script:
    """A transport that gives one answer and keeps what it was asked."""

    answer: Exchange
    asked: list[Asked] = field(default_factory=list)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float,
        max_bytes: int,
        reuse_idle_seconds: float = REUSE_IDLE_SECONDS,
    ) -> Exchange:
        self.asked.append(Asked(method, url, headers, body, read_timeout, reuse_idle_seconds))
        return self.answer

    def fetch(
        self,
        address: Address,
        *,
        headers: Mapping[str, str],
        deadline_seconds: float,
        max_bytes: int,
        guard: AddressGuard,
    ) -> Exchange:
        raise AssertionError("nothing is downloaded here")


def answering(value: object) -> Script:
    return Script(Exchange(200, {"content-type": "application/json"}, json.dumps(value).encode()))


def test_the_task_that_an_upscale_works_on_is_not_taken_for_the_new_one() -> None:
    echo = {"model": "grok-imagine/upscale", "task_id": "n1_old"}
    transport = answering({"code": 200, "data": {"task_id": "n1_old", "id": "n2_new", "request": echo}})
    parameters = (("task_id", "n1_old"), ("n", 1))
    request = GenerationRequest(None, "p", None, None, "grok-imagine/upscale", parameters=parameters)
    assert Client(transport, lambda: Settings(api_key=KEY)).create(request, [], 77.0).task_id == "n2_new"


def test_create_as_documented() -> None:
    transport = answering({"code": 200, "data": {"task_id": "n68_hy3", "status": "IN_PROGRESS"}})
    settings = Settings(api_key=KEY, base_url="https://gateway.example/prefix")
    request = GenerationRequest(TaskType.EDIT, "图", ImageSize(1024, 768), 5, "hunyuan-image-3", ("url:a",))
    found = Client(transport, lambda: settings).create(request, ["https://a.example/%2f.png"], 77.0)
    assert (found.state, found.task_id) == (TaskState.RUNNING, "n68_hy3")
    (asked,) = transport.asked
    assert (asked.method, asked.url) == ("POST", "https://gateway.example/prefix/api/v1/images/generations")
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.headers["Content-Type"] == "application/json"
    assert json.loads(asked.body or b"") == {
        "model": "hunyuan-image-3",
        "prompt": "图",
        "type": "edit",
        "size": "1024*768",
        "seed": 5,
        "images": ["https://a.example/%2f.png"],
    }
    assert asked.read_timeout == 77.0
    assert asked.idle < 5  # a connection that idled longer may be dropped under the create


def test_status_keeps_the_id_that_was_asked_for() -> None:
    transport = answering({"data": {"id": "upstreams-own", "status": "processing"}})
    settings = Settings(api_key=KEY)
    assert Client(transport, lambda: settings).status(" n68_hy3 \n").task_id == "n68_hy3"
    (asked,) = transport.asked
    assert (asked.method, asked.url, asked.body) == ("GET", "https://apiin.one/api/v1/tasks/n68_hy3", None)


def test_settings_are_those_of_the_moment() -> None:
    transport = answering({"status": "processing"})
    now = [Settings(api_key="first-key"), Settings(api_key="second-key", base_url="https://other.example")]
    client = Client(transport, lambda: now[0])
    client.status("t1")
    now.pop(0)
    client.status("t1")
    assert [asked.headers["Authorization"] for asked in transport.asked] == ["Bearer first-key", "Bearer second-key"]
    assert transport.asked[1].url.startswith("https://other.example/")
