"""The task list's routes: pages, filters, pictures by local id only, use, forgetting and its undoing."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sqlite3
import uuid
from typing import Any

import pytest
from PIL import Image

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import settings
from tests.kit.routes import error, generate, get, listed, post
from tests.kit.waiting import until


def made(server: PaidServer, **inputs: Any) -> tuple[str, dict[str, object]]:
    """A mark in the prompt of a task that ran to its end, and its row."""
    mark = uuid.uuid4().hex[:10]
    server.succeeded(server.run(generate(f"a vase {mark}", **inputs)))
    (row,) = listed(server, search=mark)
    return mark, row


def asked(server: PaidServer) -> dict[str, Any]:
    """A page asks for the news; the totals it is told at once."""
    server.socket()
    answer = post(server, "summary", {"client": "test"})
    answer.raise_for_status()
    return dict(answer.json())


def get_history(server: PaidServer) -> dict[str, Any]:
    """ComfyUI's own memory of its runs, by prompt id."""
    return dict(server.get_json("/history"))


def collected(server: PaidServer, mark: str) -> None:
    """Waits until a page that asked is told that the task with that mark is collected."""
    server.wait_for(
        lambda message: (
            message.type == "hunyuan.task" and mark in message.data["prompt"] and message.data["state"] == "collected"
        ),
        what=f"that {mark} is collected",
    )


def test_a_row_tells_what_became_of_a_task_and_no_more(comfy: PaidServer) -> None:
    _, row = made(comfy)
    assert {name: row[name] for name in ("state", "size", "seed", "credits", "money", "images", "type")} == {
        "state": "collected", "size": "1024*1024", "seed": 5, "credits": 25, "money": "spent", "images": 1,
        "type": "text-to-image",
    }  # fmt: skip
    assert row["task_id"] == comfy.sandbox.task()["task_id"]
    assert row["run"] in get_history(comfy)
    assert {"urls", "files", "account", "base_url", "owner"}.isdisjoint(row)
    details = get(comfy, f"tasks/{row['id']}").json()
    assert str(row["task_id"]) in details["urls"][0]


def test_pages_follow_each_other_without_a_gap(comfy: PaidServer) -> None:
    mark = uuid.uuid4().hex[:10]
    comfy.succeeded(comfy.run(generate(f"five {mark}", count=5)))
    everything = [row["id"] for row in listed(comfy, search=mark)]
    assert len(everything) == 5
    paged: list[object] = []
    more: bool = True
    before: object = ""
    while more:
        answer = get(comfy, "tasks", search=mark, limit=2, before=before).json()
        paged += [row["id"] for row in answer["tasks"]]
        more, before = answer["more"], paged[-1]
    assert paged == everything


@pytest.mark.parametrize("query", [{"state": "x"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "-1"}, {"limit": "a"}])
def test_a_query_that_makes_no_sense_is_refused(comfy: PaidServer, query: dict[str, Any]) -> None:
    assert error(get(comfy, "tasks", **query))[0] == 400


def test_pictures_come_by_local_id_as_they_were_stored(comfy: PaidServer) -> None:
    _, row = made(comfy, seed=11)
    original = get(comfy, f"tasks/{row['id']}/image")
    assert original.headers["Content-Type"] == "image/png"
    assert original.headers["X-Content-Type-Options"] == "nosniff"
    assert hashlib.sha256(original.content).hexdigest().startswith(str(row["version"]))
    small = get(comfy, f"tasks/{row['id']}/thumbnail")
    assert small.headers["Content-Type"] == "image/webp"
    assert len(small.content) < 20_000
    picture = Image.open(io.BytesIO(small.content))
    assert picture.size == (192, 192)
    expected = Image.open(io.BytesIO(original.content)).convert("RGB").resize((1, 1), Image.Resampling.BOX)
    got = picture.convert("RGB").resize((1, 1), Image.Resampling.BOX)
    for one, other in zip(expected.getpixel((0, 0)), got.getpixel((0, 0)), strict=True):  # type: ignore[arg-type]
        assert abs(one - other) < 8


@pytest.mark.parametrize(
    "id_", ["..%2f..%2fsettings.json", "settings.json", "%00", "' or 1=1 --", "n1_hunyuan3", "0" * 5000]
)
@pytest.mark.parametrize("kind", ["image", "thumbnail"])
def test_no_path_and_no_foreign_id_leads_to_a_file(comfy: PaidServer, id_: str, kind: str) -> None:
    assert get(comfy, f"tasks/{id_}/{kind}").status_code == 404


def test_only_images_that_exist_are_given(comfy: PaidServer) -> None:
    _, row = made(comfy)
    assert error(get(comfy, f"tasks/{row['id']}/image", n=1))[0] == 404
    for number in ("-1", "x", "1e3", "99999"):
        assert error(get(comfy, f"tasks/{row['id']}/image", n=number))[0] == 400
    (stored,) = (comfy.state_directory / "results").glob(f"{row['task_id']}_0.*")
    stored.unlink()
    assert error(get(comfy, f"tasks/{row['id']}/image"))[1] == "gone"


def test_a_larger_thumbnail_is_given_where_it_is_asked_for(comfy: PaidServer) -> None:
    _, row = made(comfy, size="custom", width=1280, height=768)
    for side, size in ((192, (192, 115)), (512, (512, 307)), (192, (192, 115))):
        answer = get(comfy, f"tasks/{row['id']}/thumbnail", side=side)
        assert Image.open(io.BytesIO(answer.content)).size == size
    assert error(get(comfy, f"tasks/{row['id']}/thumbnail", side=4096))[:2] == (400, "side")


def test_what_is_forgotten_leaves_the_list_and_stays_in_the_sums(comfy: PaidServer) -> None:
    mark, row = made(comfy)
    before = asked(comfy)
    assert post(comfy, f"tasks/{row['id']}/forget").status_code == 200
    assert listed(comfy, search=mark) == []
    after = get(comfy, "summary").json()
    # The sums are those of all tests: the sweeper may be moving what an earlier task cost from one to another.
    assert sum(after["credits"]["session"].values()) == sum(before["credits"]["session"].values())
    news = comfy.wait_for(lambda message: message.data.get("id") == row["id"] and message.data["hidden"])
    assert (news.type, news.data["money"], news.data["credits"]) == ("hunyuan.task", "spent", 25)
    assert after["total"] == before["total"] - 1
    assert error(post(comfy, "tasks/nothing/forget"))[:2] == (404, "unknown_row")


def test_what_was_forgotten_is_restored_and_every_page_is_told_so(comfy: PaidServer) -> None:
    mark, row = made(comfy)
    before = asked(comfy)
    post(comfy, f"tasks/{row['id']}/forget").raise_for_status()
    assert post(comfy, f"tasks/{row['id']}/restore").status_code == 200
    assert [each["id"] for each in listed(comfy, search=mark)] == [row["id"]]
    news = comfy.wait_for(lambda message: message.data.get("id") == row["id"] and "restored" in message.data)
    assert (news.type, news.data["hidden"]) == ("hunyuan.task", False)
    assert get(comfy, "summary").json()["total"] == before["total"]
    assert error(post(comfy, "tasks/nothing/restore"))[:2] == (404, "unknown_row")


def test_a_page_that_asked_is_told_of_each_change_and_of_the_sums(comfy: PaidServer) -> None:
    comfy.socket("silent")
    asked(comfy)
    mark, _ = made(comfy)
    collected(comfy, mark)  # the news may come after the prompt's end
    told = [message.data for message in comfy.messages("hunyuan.task") if mark in message.data["prompt"]]
    states = [row["state"] for row in told]
    assert "submitted" in states
    assert states[-1] == "collected"

    def told_last() -> bool:
        now = get(comfy, "summary").json()["credits"]["session"]
        return bool(now == comfy.messages("hunyuan.credits")[-1].data["credits"]["session"])

    comfy.wait_for(lambda message: message.type == "hunyuan.credits")
    until("the page knows the sums as they are", told_last)
    assert comfy.messages("hunyuan.task", client_id="silent") == []


def test_images_paid_for_and_not_used_can_be_listed(comfy: PaidServer) -> None:
    mark = uuid.uuid4().hex[:10]
    asked(comfy)
    comfy.succeeded(comfy.run(generate(f"later {mark}", wait=False)))
    collected(comfy, mark)
    (row,) = listed(comfy, state="undelivered", search=mark)
    assert row["delivered"] is False
    before = get(comfy, "summary").json()
    with contextlib.closing(sqlite3.connect(comfy.state_directory / "journal.sqlite3")) as journal, journal:
        journal.execute("UPDATE tasks SET session = 'earlier' WHERE id = ?", (row["id"],))
    after = get(comfy, "summary").json()
    assert after["undelivered"] == before["undelivered"]
    assert after["left_behind"] == before["left_behind"] + 1
    assert after["as_of"] > before["as_of"]
    post(comfy, f"tasks/{row['id']}/used").raise_for_status()
    assert listed(comfy, state="undelivered", search=mark) == []
    last = get(comfy, "summary").json()
    assert last["undelivered"] == before["undelivered"] - 1
    assert last["left_behind"] == before["left_behind"]


def test_totals_that_could_not_be_told_are_told_later(comfy: PaidServer) -> None:
    _, row = made(comfy)
    asked(comfy)
    said = comfy.log().count("could not be told")
    with settings(comfy, max_in_flight=999):
        assert post(comfy, f"tasks/{row['id']}/forget").status_code == 200
        until("its complaint", lambda: comfy.log().count("could not be told") > said)
        told = len(comfy.messages("hunyuan.credits"))
    until("the totals", lambda: len(comfy.messages("hunyuan.credits")) > told, seconds=20)
