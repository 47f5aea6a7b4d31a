"""The sandbox's answers on a fake clock: their shapes, links, and input images."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from PIL import Image

from sandbox.inputs import Unreachable, fetch_loopback
from sandbox.other_gateways import RELATIVES
from tests.kit.sandbox_desk import Desk


def _png(colour: str, size: tuple[int, int] = (40, 30)) -> str:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


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


@pytest.mark.parametrize("shape", RELATIVES)
def test_the_relatives_name_the_task_its_state_its_picture_and_its_price(shape: str) -> None:
    desk = Desk(task={"shape": shape, "odd_id": True, "charged": 15})
    created = json.dumps(desk.create(seed=3, type="edit", images=[_png("red")]).json())
    task_id = desk.control.state()["tasks"][0]["task_id"]
    assert task_id in created
    assert "/results/" not in created
    assert desk.poll(task_id).status == 404, "an id with a slash must come back escaped"
    running = json.dumps(desk.poll(quote(task_id, safe="")).json())
    desk.clock.now += 20
    done = json.dumps(desk.poll(quote(task_id, safe="")).json())
    assert running != done
    links = set(re.findall(r"http://sandbox[^\"\\\\]+/results/[^\"\\\\]+", done))
    assert [desk.download(link).body for link in links] == [b"a cat 3"]
    assert "15" in re.findall(r"redits\w*\W+(\d+)", done)
    assert desk.money() == (1, 0, 15)


@pytest.mark.parametrize("link", ["path", "host", "raw"])
def test_links_may_be_told_otherwise_than_they_must_be_fetched(link: str) -> None:
    desk = Desk(task={"seconds": 0, "link": link})
    told = desk.poll(desk.task_id()).json()["data"]["images"][0]
    assert told.startswith({"path": "/results/", "host": "//sandbox.invalid/results/"}.get(link, "http://"))
    assert told.isascii() is (link != "raw")
    whole = quote(urljoin("http://sandbox.invalid", told), safe="/:?=&%-._~+")
    assert desk.download(whole).body.startswith(b"a cat")


def test_a_flagged_picture_is_kept_back_and_given_back() -> None:
    desk = Desk(task={"seconds": 0, "shape": "upstream", "flagged": True})
    told = desk.poll(desk.create().json()["data"]["id"]).json()["data"]
    assert (told["status"], told["outputs"], told["has_nsfw_contents"]) == ("completed", [], [True])
    assert desk.money() == (1, 1, 0)


def test_the_same_request_may_be_refused_while_it_runs() -> None:
    desk = Desk(same_request="409")
    task_id = desk.task_id(seed=1)
    refused = desk.create(seed=1)
    assert (refused.status, refused.json()["error"]["task_id"]) == (409, task_id)
    assert desk.create(seed=2).status == 200
    desk.clock.now += 20
    assert desk.create(seed=1).status == 200
    assert desk.money()[0] == 3


def test_an_answer_may_echo_the_request_show_progress_and_use_other_words() -> None:
    desk = Desk(task={"echo": "nested", "progress": "percent", "words": {"completed": "SUCCESS"}})
    image = _png("red")
    task_id = desk.task_id(type="edit", images=[image])
    desk.clock.now += 4
    told = desk.poll(task_id).json()["data"]
    assert (told["progress"], told["input"]["images"], told["input"]["prompt"]) == (40, [image], "a cat")
    desk.gateway.script.add({"on": "poll", "task": {"echo": "flat", "progress": "fraction", "result_key": "outputs"}})
    told = desk.poll(task_id).json()["data"]
    assert (told["progress"], told["images"], "input" in told) == (0.4, [image], False)
    desk.clock.now += 6
    assert desk.poll(task_id).json()["data"]["status"] == "SUCCESS"


@pytest.mark.parametrize("way", ["http200", "task"])
def test_an_input_that_cannot_be_had_is_told_in_other_ways_too(way: str) -> None:
    desk = Desk(input_error=way, task={"seconds": 0})
    told = desk.create(type="edit", images=["https://a.test/x.png"]).json()
    if way == "task":
        told = desk.poll(told["data"]["task_id"]).json()["data"]
        assert (told["status"], told["error"]) == ("FAILED", "Unable to access the provided media URL")
    assert told["code"] == 1402
    assert desk.money() == ((1, 1, 0) if way == "task" else (0, 0, 0))


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/x.png", "http://a.test/x.png", "file:///etc/hostname", "ftp://[::1]/"]
)
def test_inputs_are_fetched_from_loopback_only(url: str) -> None:
    with pytest.raises(Unreachable, match="not on loopback"):
        fetch_loopback(url)


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


@pytest.mark.parametrize(("variant", "status"), [("404", 404), ("200", 200)])
def test_an_unknown_or_forgotten_id_is_not_found(variant: str, status: int) -> None:
    desk = Desk(unknown_task=variant)
    task_id = desk.task_id()
    desk.control.forget({"task_id": task_id})
    for unknown in (task_id, "n68nothing_hunyuan3"):
        reply = desk.poll(unknown)
        assert reply.status == status
        assert (reply.json() if status == 200 else reply.json()["error"])["code"] == 404


def test_tasks_end_when_told() -> None:
    desk = Desk(task={"seconds": None})
    first, second, third = (desk.task_id(prompt=prompt) for prompt in ("one", "two", "three"))
    desk.clock.now += 10_000
    desk.control.handle("POST", "/_sandbox/finish", b'{"prompt": "one"}')
    desk.control.handle("POST", "/_sandbox/fail", b'{"number": 2, "message": "broke", "code": 5004}')
    states = [desk.poll(task_id).json()["data"]["status"] for task_id in (first, second, third)]
    assert states == ["COMPLETED", "FAILED", "IN_PROGRESS"]
    assert desk.money() == (3, 1, 50)


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
