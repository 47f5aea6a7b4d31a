"""Which images count as paid for and not used: never those that a node is still about to give to its workflow."""

from __future__ import annotations

import uuid
from typing import Any

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.routes import generate, get, listed, post
from tests.kit.waiting import until


def totals(server: PaidServer) -> dict[str, Any]:
    return dict(get(server, "summary").json())


class Page:
    """A page that follows the news, and what it was told since it began."""

    def __init__(self, server: PaidServer) -> None:
        self.server = server
        server.socket()
        post(server, "summary", {"client": "test"}).raise_for_status()
        self._begin = {name: len(server.messages(name)) for name in ("hunyuan.task", "hunyuan.credits")}

    def totals(self) -> list[dict[str, Any]]:
        return self._told("hunyuan.credits")

    def rows(self, mark: str) -> list[dict[str, Any]]:
        return [row for row in self._told("hunyuan.task") if mark in row["prompt"]]

    def is_told(self, least: int) -> bool:
        """Of as many unused images as there are, and so many at least: one of an earlier test may come late."""
        now = totals(self.server)["undelivered"]
        return bool(told := self.totals()) and told[-1]["undelivered"] == now >= least

    def _told(self, name: str) -> list[dict[str, Any]]:
        return [message.data for message in self.server.messages(name)[self._begin[name] :]]


def half_done(server: PaidServer, mark: str) -> str:
    """A node waits for two images, of which one is here; its prompt id."""
    server.sandbox.tasks(seconds=None)
    prompt_id = server.queue(generate(f"a vase {mark}", count=2))
    server.sandbox.wait("create", 2)
    server.sandbox.finish(number=1)
    until("one of two is here", lambda: "collected" in [row["state"] for row in listed(server, search=mark)])
    return prompt_id


def test_what_a_node_is_about_to_give_to_its_workflow_is_not_unused(comfy: PaidServer) -> None:
    mark = uuid.uuid4().hex[:10]
    before = totals(comfy)["undelivered"]
    page = Page(comfy)
    prompt_id = half_done(comfy, mark)
    (here,) = [row for row in listed(comfy, search=mark) if row["state"] == "collected"]
    assert here["delivered"] is True
    assert get(comfy, f"tasks/{here['id']}").json()["task"]["delivered"] is True
    assert listed(comfy, search=mark, state="undelivered") == []

    comfy.sandbox.finish()
    comfy.succeeded(comfy.wait(prompt_id))
    until(
        "the page is told of all", lambda: [each["counts"] for each in page.totals()[-1:]] == [totals(comfy)["counts"]]
    )
    after = totals(comfy)["undelivered"]  # more where an image of an earlier test came late
    assert {told["undelivered"] for told in page.totals()} <= {*range(before, after + 1)}
    assert {row["delivered"] for row in page.rows(mark) if row["state"] == "collected"} == {True}
    assert listed(comfy, search=mark, state="undelivered") == []


def test_what_came_for_a_node_that_was_interrupted_is_unused(comfy: PaidServer) -> None:
    mark = uuid.uuid4().hex[:10]
    before = totals(comfy)["undelivered"]
    page = Page(comfy)
    half_done(comfy, mark)
    comfy.interrupt()
    until("the page is told of the one", lambda: page.is_told(before + 1))
    (here,) = listed(comfy, search=mark, state="undelivered")
    assert here["delivered"] is False
    until("the page is told which", lambda: [row for row in page.rows(mark) if row["id"] == here["id"]][-1] == here)
    comfy.sandbox.finish()
    until("the page is told of the other one too", lambda: page.is_told(before + 2))
    assert len(listed(comfy, search=mark, state="undelivered")) == 2
