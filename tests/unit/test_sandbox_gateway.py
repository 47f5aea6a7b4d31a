"""The sandbox's gateway on a fake clock: its contract, its script, its count of what was billed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.plan import Plan
from sandbox.rules import Fault, Match
from sandbox.settings import Settings
from tests.kit.sandbox_desk import KEY, Desk, bearer

README = Path(__file__).parents[2] / "sandbox" / "README.md"


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


def test_a_fault_may_say_when_to_come_again() -> None:
    assert Desk({"on": "create", "status": 429, "retry_after": 3}).create().headers["Retry-After"] == "3"


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


def test_no_key_is_kept_and_a_key_out_of_place_is_reported() -> None:
    desk = Desk()
    desk.create(f"my key is {KEY}")
    desk.gateway.handle("GET", f"/api/v1/tasks/x?key={KEY}", bearer(KEY))
    state = desk.control.state(full=True)
    assert KEY not in json.dumps(state)
    assert state["creates"][0]["bearer"] == {"present": True, "last4": "cdef"}
    assert state["key_leaks"] == ["create body", "poll path"]


def test_reset_forgets_everything_but_ids_never_come_again() -> None:
    desk = Desk({"on": "create", "status": 500})
    desk.create()
    before = desk.task_id()
    desk.gateway.change({"unknown_task": "200"})
    desk.gateway.reset()
    state = desk.control.state()
    assert (state["billed"], state["requests"], state["settings"]["unknown_task"]) == (0, [], "404")
    assert desk.create().status == 500  # the start's rules are there again
    assert before not in (desk.task_id(), Desk().task_id())


def test_hundreds_of_tasks_are_cheap() -> None:
    desk = Desk(task={"seconds": [3, 20]})
    ids = [desk.task_id(prompt=f"p{number}") for number in range(500)]
    desk.clock.now += 20
    assert all(desk.poll(task_id).json()["data"]["status"] == "COMPLETED" for task_id in ids)
    assert desk.money() == (500, 0, 12_500)
    assert desk.control.state()["max_in_flight"] == 500
    assert desk.drawn == 0


@pytest.mark.parametrize("part", [Match, Fault, Plan, Settings])
def test_the_reference_names_the_whole_vocabulary(part: Any) -> None:
    text = README.read_text("utf-8")
    assert [field.name for field in dataclasses.fields(part) if f"`{field.name}`" not in text] == []
