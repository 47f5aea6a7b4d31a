"""The sandbox's gateway on a fake clock, without HTTP: its contract, its count of what was billed, its answers."""

from __future__ import annotations

import base64
import io
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from sandbox.control import Control
from sandbox.gateway import Gateway
from sandbox.inputs import Unreachable
from sandbox.pictures import Picture
from sandbox.replies import Reply
from sandbox.rules import Script
from sandbox.settings import Settings

KEY = "aio_0123456789abcdef0123456789abcdef"
MODEL = "hunyuan-image-3"


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_780_000_000.0 + self.now


class Desk:
    """A gateway with its clock, and what a client does to it."""

    def __init__(self, *rules: dict[str, Any], task: dict[str, Any] | None = None, **settings: Any) -> None:
        self.clock, self.drawn = Hand(), 0
        self.gateway = Gateway(
            self.clock,
            self._draw,
            Script(*rules),
            settings=Settings(keys=(KEY,)).changed({"task": {"seconds": 10.0, **(task or {})}, **settings}),
            fetch=self._fetch,
        )
        self.control = Control(self.gateway)

    def _draw(self, picture: Picture) -> bytes:
        self.drawn += 1
        return f"{picture.prompt} {picture.seed}".encode()

    def _fetch(self, url: str) -> bytes:
        raise Unreachable(url)

    def create(self, prompt: str = "a cat", key: str | None = KEY, **fields: Any) -> Reply:
        body = json.dumps({"model": MODEL, "prompt": prompt, "size": "512*512", **fields}).encode()
        return self.gateway.handle("POST", "/api/v1/images/generations", _bearer(key), body)

    def poll(self, task_id: str, key: str | None = KEY) -> Reply:
        return self.gateway.handle("GET", f"/api/v1/tasks/{task_id}", _bearer(key))

    def download(self, url: str) -> Reply:
        parts = urlsplit(url)
        return self.gateway.handle("GET", f"{parts.path}?{parts.query}", {})

    def task_id(self, **fields: Any) -> str:
        return str(self.create(**fields).json()["data"]["task_id"])

    def money(self) -> tuple[int, int, int]:
        state = self.control.state()
        return state["billed"], state["refunded"], state["credits"]


def _bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _png(colour: str, size: tuple[int, int] = (40, 30)) -> str:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def test_a_task_runs_its_seconds_and_is_drawn_only_when_downloaded() -> None:
    desk = Desk()
    told = desk.create(seed=7).json()
    assert (told["code"], told["message"], told["data"]["status"]) == (200, "success", "IN_PROGRESS")
    task_id = told["data"]["task_id"]
    desk.clock.now += 9.99
    assert desk.poll(task_id).json()["data"] == {"task_id": task_id, "status": "IN_PROGRESS"}
    desk.clock.now += 0.02
    done = desk.poll(task_id).json()["data"]
    assert done["status"] == "COMPLETED"
    assert desk.drawn == 0
    assert desk.download(done["images"][0]).body == b"a cat 7"
    assert desk.money() == (1, 0, 25)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"key": None}, 401, "Invalid API key"),
        ({"key": "aio_another"}, 401, "Invalid API key"),
        ({"model": "other-model"}, 404, "Model not found"),
        ({"model": None}, 400, "model is required"),
        ({"prompt": " "}, 400, "prompt is required"),
        ({"prompt": "猫" * 2001}, 400, "at most 2000 characters, got 2001"),
        ({"size": "512x512"}, 400, "size must look like"),
        ({"size": "255*512"}, 400, "256 to 1536"),
        ({"size": "512*1537"}, 400, "256 to 1536"),
        ({"type": "video"}, 400, "type must be"),
        ({"type": "edit"}, 400, "images is required"),
        ({"type": "edit", "images": ["a", "b", "c"]}, 400, "at most 2, got 3"),
        ({"type": "edit", "images": ["https://a.test/x.png"]}, 400, "Unable to access the provided media URL"),
        ({"type": "edit", "images": ["data:image/png;base64,AAAA"]}, 400, "Unable to access"),
        ({"seed": 2**31}, 400, "seed must be"),
        ({"seed": -2}, 400, "seed must be"),
        ({"seed": True}, 400, "seed must be"),
    ],
)
def test_what_breaks_the_contract_is_refused_in_the_documented_shape_and_costs_nothing(
    fields: dict[str, Any], status: int, words: str
) -> None:
    desk = Desk()
    reply = desk.create(**fields)
    assert reply.status == status
    assert words in reply.json()["error"]["message"]
    assert reply.json()["error"]["code"] == (1402 if "Unable" in words else status)
    assert desk.money() == (0, 0, 0)


def test_the_edges_of_the_contract_are_accepted() -> None:
    desk = Desk()
    for fields in ({"prompt": "猫" * 2000}, {"seed": 2**31 - 1}, {"seed": -1}, {"size": "256*1536"}, {"size": None}):
        assert desk.create(**fields).status == 200
    assert desk.money() == (5, 0, 125)
    assert desk.control.state()["tasks"][4]["size"] == "1024*1024"


def test_a_failed_task_is_refunded_and_says_why() -> None:
    desk = Desk({"on": "create", "prompt": "bad", "task": {"fail": {"message": "moderated", "code": 1200}}})
    task_id = desk.task_id(prompt="a bad cat")
    desk.create("a good cat")
    assert desk.money() == (2, 0, 50)
    desk.clock.now += 11
    assert desk.poll(task_id).json()["data"] == {
        "task_id": task_id, "status": "FAILED", "error": "moderated", "code": 1200,
    }  # fmt: skip
    assert desk.money() == (2, 1, 25)


@pytest.mark.parametrize("form", ["data.error", "data.error.message", "error.message", "message"])
def test_a_failure_stands_where_the_script_puts_it(form: str) -> None:
    desk = Desk(task={"seconds": 0, "fail": "no luck", "error_form": form})
    told = desk.poll(desk.task_id()).json()
    places = {
        "data.error": told["data"].get("error"),
        "data.error.message": told["data"].get("error"),
        "error.message": told.get("error"),
        "message": told["data"].get("message"),
    }
    expected: object = {"message": "no luck"} if form.endswith("error.message") else "no luck"
    assert places[form] == expected


@pytest.mark.parametrize(
    ("rule", "status", "billed"),
    [
        ({"status": 500}, 500, 0),
        ({"status": 502, "body": "html"}, 502, 0),
        ({"status": 502, "billed": True}, 502, 1),
        ({"status": 429, "retry_after": 3}, 429, 0),
        ({"status": 200, "code": 1200}, 200, 0),
        ({"drop": "before_read"}, 0, 0),
        ({"drop": "before_answer"}, 200, 1),
        ({"drop": "mid_body"}, 200, 1),
        ({"drop": "before_answer", "billed": False}, 200, 0),
        ({"hang": True}, 200, 1),
        ({"delay_s": 5}, 200, 1),
        ({"close_after": True}, 200, 1),
    ],
)
def test_a_create_under_a_fault_is_billed_when_the_gateway_did_its_work(
    rule: dict[str, Any], status: int, billed: int
) -> None:
    desk = Desk({"on": "create", **rule})
    assert desk.create().status == status
    assert desk.money() == (billed, 0, 25 * billed)
    assert desk.create().status == 200  # the rule was for one request
    assert desk.money()[0] == billed + 1


def test_an_error_code_inside_http_200_is_an_envelope() -> None:
    desk = Desk({"on": "poll", "status": 200, "code": 5004, "message": "timeout"})
    assert desk.poll(desk.task_id()).json() == {"code": 5004, "message": "timeout"}


@pytest.mark.parametrize(
    ("plan", "pick"),
    [
        ({"shape": "general"}, lambda told: told["images"][0]),
        ({"shape": "upstream"}, lambda told: told["data"]["outputs"][0]),
        ({"result_key": "data", "shape": "general", "result_form": "objects"}, lambda told: told["data"][0]["url"]),
        ({"result_key": "result", "result_form": "string"}, lambda told: told["data"]["result"]),
        ({"result_key": "output", "result_form": "object"}, lambda told: told["data"]["output"]["url"]),
        (
            {"result_key": "response", "result_form": "json"},
            lambda told: json.loads(told["data"]["response"])["images"][0]["url"],
        ),
        (
            {"result_key": "image_urls", "result_form": "json_list"},
            lambda told: json.loads(told["data"]["image_urls"])[0],
        ),
        ({"echo": "flat", "result_key": "outputs"}, lambda told: told["data"]["outputs"][0]),
    ],
)
def test_every_shape_carries_a_link_that_works(plan: dict[str, Any], pick: Any) -> None:
    desk = Desk(task={"seconds": 0, **plan})
    created = desk.create(seed=3).json()
    task_id = desk.control.state()["tasks"][0]["task_id"]
    assert task_id in json.dumps(created)
    assert desk.download(pick(desk.poll(task_id).json())).body == b"a cat 3"


def test_a_direct_answer_brings_the_picture_after_the_tasks_seconds() -> None:
    desk = Desk()
    desk.gateway.change({"task": {"shape": "direct_url"}})
    reply = desk.create(seed=1)
    assert reply.delay_s == 10.0
    assert "task_id" not in reply.json()["data"]
    assert desk.download(reply.json()["data"]["images"][0]).body == b"a cat 1"
    desk.gateway.change({"task": {"shape": "direct_b64"}})
    assert base64.b64decode(desk.create(seed=2).json()["data"][0]["b64_json"]) == b"a cat 2"
    assert desk.money() == (2, 0, 50)


def test_links_must_come_back_byte_for_byte_and_may_die() -> None:
    desk = Desk(task={"seconds": 0, "link_lifetime_s": 60.0})
    link = desk.poll(desk.task_id()).json()["data"]["images"][0]
    assert "%2F" in link
    assert "%2B" in link
    assert desk.download(link).status == 200
    assert desk.download(link.replace("%2F", "/")).status == 403
    assert desk.download(link.replace("%2B", "%2b")).status == 403
    desk.clock.now += 61
    assert desk.download(link).status == 403
    assert desk.create(type="edit", images=[link]).status == 400  # upstream cannot have it either


def test_an_edit_takes_data_uris_and_its_own_links() -> None:
    desk = Desk()
    reply = desk.create(type="edit", images=[_png("red"), _png("blue", (10, 20))])
    assert reply.status == 200
    first, second = desk.control.state()["tasks"][0]["inputs"]
    assert (first["way"], first["size"], second["size"]) == ("data", [40, 30], [10, 20])


def test_limits_answer_429_and_cost_nothing() -> None:
    desk = Desk(max_in_flight=2, retry_after=7)
    assert [desk.create().status for _ in range(3)] == [200, 200, 429]
    assert desk.create().headers["Retry-After"] == "7"
    desk.clock.now += 10
    assert desk.create().status == 200
    assert desk.control.state()["max_in_flight"] == 2
    assert desk.money()[0] == 3
    desk.gateway.change({"max_in_flight": None, "per_second": 2})
    desk.clock.now += 1.5
    assert [desk.create().status for _ in range(3)] == [200, 200, 429]
    desk.clock.now += 1.0
    assert desk.create().status == 200


@pytest.mark.parametrize(("variant", "status"), [("404", 404), ("200", 200)])
def test_an_unknown_or_forgotten_id_is_not_found(variant: str, status: int) -> None:
    desk = Desk(unknown_task=variant)
    task_id = desk.task_id()
    desk.control.forget({"task_id": task_id})
    for unknown in (task_id, "n68nothing_hunyuan3"):
        reply = desk.poll(unknown)
        assert reply.status == status
        assert (reply.json() if status == 200 else reply.json()["error"])["code"] == 404


def test_rules_count_by_event_by_task_and_by_turn() -> None:
    desk = Desk(
        {"on": "poll", "number": 2, "after": 1, "times": 2, "status": 503},
        {"on": "poll", "nth": [1, 6], "status": 500},
        {"on": "create", "prompt": "slow", "task": {"seconds": 99}, "times": "always"},
    )
    first, second = desk.task_id(), desk.task_id(prompt="slow")
    got = [desk.poll(task_id).status for task_id in (first, second, second, second, second, first)]
    assert got == [500, 200, 503, 503, 200, 500]
    assert [task["seconds"] for task in desk.control.state()["tasks"]] == [10.0, 99.0]


@pytest.mark.parametrize(
    "rule", [{"on": "crete"}, {"colour": 1}, {"drop": "later"}, {"task": {"shape": "round"}}, {"times": 0}]
)
def test_a_rule_that_is_not_in_the_vocabulary_is_refused(rule: dict[str, Any]) -> None:
    desk = Desk()
    reply = desk.control.handle("POST", "/_sandbox/script", json.dumps([{"status": 500}, rule]).encode())
    assert reply.status == 400
    assert desk.control.state()["rules"] == []


def test_tasks_end_when_told() -> None:
    desk = Desk(task={"seconds": None})
    first, second, third = (desk.task_id(prompt=prompt) for prompt in ("one", "two", "three"))
    desk.clock.now += 10_000
    desk.control.handle("POST", "/_sandbox/finish", b'{"prompt": "one"}')
    desk.control.handle("POST", "/_sandbox/fail", b'{"number": 2, "message": "broke", "code": 5004}')
    states = [desk.poll(task_id).json()["data"]["status"] for task_id in (first, second, third)]
    assert states == ["COMPLETED", "FAILED", "IN_PROGRESS"]
    assert desk.money() == (3, 1, 50)


def test_no_key_is_kept_and_a_key_out_of_place_is_reported() -> None:
    desk = Desk()
    desk.create(f"my key is {KEY}")
    desk.gateway.handle("GET", f"/api/v1/tasks/x?key={KEY}", _bearer(KEY))
    state = desk.control.state(full=True)
    assert KEY not in json.dumps(state)
    assert state["creates"][0]["bearer"] == {"present": True, "last4": "cdef"}
    assert state["key_leaks"] == ["create body", "poll path"]


def test_durations_come_from_a_seed_and_from_cycles() -> None:
    def drawn(seconds: Any) -> list[float]:
        desk = Desk(task={"seconds": seconds})
        for _ in range(4):
            desk.create()
        return [task["seconds"] for task in desk.control.state()["tasks"]]

    assert drawn({"cycle": [1, 2, 3]}) == [1, 2, 3, 1]
    spread = drawn([3, 20])
    assert spread == drawn([3, 20])
    assert len(set(spread)) == 4
    assert all(3 <= each <= 20 for each in spread)


def test_reset_forgets_everything_but_ids_never_come_again() -> None:
    desk = Desk({"on": "create", "status": 500})
    desk.create()
    before = desk.task_id()
    desk.gateway.change({"unknown_task": "200"})
    desk.gateway.reset()
    state = desk.control.state()
    assert (state["billed"], state["requests"], state["settings"]["unknown_task"]) == (0, [], "404")
    assert desk.create().status == 500  # the start's rules are there again
    assert desk.task_id() != before


def test_hundreds_of_tasks_are_cheap() -> None:
    desk = Desk(task={"seconds": [3, 20]})
    ids = [desk.task_id(prompt=f"p{number}") for number in range(500)]
    desk.clock.now += 20
    assert all(desk.poll(task_id).json()["data"]["status"] == "COMPLETED" for task_id in ids)
    assert desk.money() == (500, 0, 12_500)
    assert desk.control.state()["max_in_flight"] == 500
    assert desk.drawn == 0
