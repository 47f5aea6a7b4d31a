"""Several users of one ComfyUI: a task belongs to who ran it; the settings are the administrator's."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hunyuan.errors import UnknownTaskError
from hunyuan.jobs.job import Options
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import RunContext
from hunyuan.models import GenerationRequest
from tests.kit import pack
from tests.kit.fake_comfy_api import importable
from tests.kit.journals import HandClock, begun, collect, open_journal
from tests.kit.rig import Rig, story
from tests.kit.virtual_time import VirtualClock, on_virtual_time

users, guard = pack.load("nodes.comfyui.users"), pack.load("nodes.routes.guard")
with importable(newer=True):
    tasks = pack.load("nodes.routes.tasks")
memory, views = pack.load("nodes.status.last_runs"), pack.load("nodes.routes.views")
CATALOGUE = pack.load("hunyuan.gateway.models.catalogue").Catalogue()
ANN, BOB = "ann_1", "bob_2"


def details(runtime: Any, row_id: str, who: Any) -> Any:
    return tasks.details(runtime, CATALOGUE, row_id, who)


class Manager:
    """ComfyUI's, with two users or with one."""

    def __init__(self, several: bool = True) -> None:
        self.users = {ANN: "ann", BOB: "bob"} if several else {"default": "default"}

    def get_request_user_id(self, request: Any) -> str:
        user = str(request.headers.get("Comfy-User", "default"))
        if user not in self.users:
            raise KeyError(user)
        return user


def viewer(user: str | None, *administrators: str, several: bool = True) -> Any:
    server = SimpleNamespace(user_manager=Manager(several))
    request = SimpleNamespace(headers={} if user is None else {"Comfy-User": user})
    return guard.check_user(server, request, administrators)


def test_one_user_has_everything() -> None:
    assert viewer(None, several=False) == users.EVERYBODY
    assert users.EVERYBODY.owns(ANN)
    guard.check_administrator(users.EVERYBODY)


@pytest.mark.parametrize(
    ("administrators", "expected"), [((), [ANN]), (("bob",), [BOB]), ((BOB, "ann"), [ANN, BOB]), (("gone",), [])]
)
def test_the_settings_are_the_first_users_or_those_of_whom_the_setting_names(
    administrators: tuple[str, ...], expected: list[str]
) -> None:
    allowed = []
    for user in (ANN, BOB):
        who = viewer(user, *administrators)
        assert who.owns(user)
        assert who.owns("") is who.administers, "what nobody ran is the administrator's"
        assert who.owns(ANN) is (user == ANN)
        if who.administers:
            allowed.append(user)
            guard.check_administrator(who)
            continue
        with pytest.raises(guard.Refused) as refused:
            guard.check_administrator(who)
        assert (refused.value.status, refused.value.code) == (403, "administrator")
    assert allowed == expected


@pytest.mark.parametrize("user", [None, "nobody"])
def test_an_unknown_user_is_let_nowhere(user: str | None) -> None:
    with pytest.raises(guard.Refused):
        viewer(user)


def ran(journal: Journal, number: int, user: str | None) -> str:
    """The row of a collected task of this user."""
    row = begun(journal, number, context=RunContext("p", "7", "s1", user))
    collect(journal, row, f"n{number}")
    return row.id


def looking_at(journal: Journal) -> SimpleNamespace:
    """A runtime as far as the task list needs one; no node is at work."""
    return SimpleNamespace(journal=journal, runner=SimpleNamespace(deliveries=SimpleNamespace(awaited=frozenset)))


def test_lists_totals_and_changes_are_of_ones_own(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    ids = {user: ran(journal, number, user) for number, user in enumerate((ANN, BOB, None))}
    runtime = looking_at(journal)
    for who, mine in (
        (viewer(ANN), {ids[ANN], ids[None]}),
        (viewer(BOB), {ids[BOB]}),
        (users.EVERYBODY, {*ids.values()}),
    ):
        for state in ("all", "undelivered", "done"):
            assert {row["id"] for row in tasks.listed(runtime, CATALOGUE, {"state": state}, who)["tasks"]} == mine
        assert sum(journal.overview.counts(who.users).values()) == journal.overview.undelivered(who.users) == len(mine)
        assert journal.overview.left_behind("s2", who.users) == len(mine)
        for row_id in ids.values():
            for act in (details, tasks.forget, tasks.restore, tasks.used):
                if row_id in mine:
                    act(looking_at(journal), row_id, who)
                    continue
                with pytest.raises(guard.Refused) as refused:
                    act(runtime, row_id, who)
                assert refused.value.status == 404
        for row_id in mine:
            with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
                connection.execute("UPDATE tasks SET delivered_at = NULL WHERE id = ?", (row_id,))
                connection.commit()


def test_what_a_run_told_is_told_again_to_its_user() -> None:
    runs = memory.LastRuns()
    for number, user in enumerate((ANN, BOB, "")):
        runs.add({"prompt_id": f"p{number}", "workflow": "", "node": "7"}, user)
    assert [run["prompt_id"] for run in runs.all(viewer(ANN).owns)] == ["p0", "p2"]
    assert [run["prompt_id"] for run in runs.all(viewer(BOB).owns)] == ["p1"]


def test_two_users_of_one_shared_workflow_keep_their_own_lines() -> None:
    runs = memory.LastRuns()
    for prompt_id, user in (("p1", ANN), ("p2", BOB)):
        runs.add({"prompt_id": prompt_id, "workflow": "shared", "node": "7", "text": user}, user)
    assert [run["prompt_id"] for run in runs.all(viewer(ANN).owns)] == ["p1"]
    assert runs.has_line("p1", "7", "shared", ANN)
    assert not runs.has_line("p1", "7", "shared", BOB)


def asked(user: str | None) -> Options:
    return Options(RunContext("p", "7", "s1", user))


@story
async def test_a_task_id_of_another_user_is_refused(rig: Rig) -> None:
    (handle,) = rig.runner.submit([(rig.request(5), ())], asked(ANN))
    row = (await rig.collected(handle)).row
    assert row.user_id == ANN
    for task_id in (str(row.task_id), row.id):
        for user in (ANN, None):
            assert (await rig.collected(rig.runner.attach(task_id, asked(user)))).images
        for user in (BOB, ""):
            refused = await rig.failure(rig.runner.attach(task_id, asked(user)))
            assert isinstance(refused, UnknownTaskError)
    assert rig.count("requests") - rig.count("downloads") == rig.count("creates") + rig.count("polls")


@story
async def test_the_same_request_of_two_users_is_two_tasks(rig: Rig) -> None:
    def of(user: str) -> GenerationRequest:
        whole: Any = rig.request(5)
        return GenerationRequest(**{**vars(whole), "user": user})

    got = []
    for user in (ANN, BOB, ANN):
        (handle,) = rig.runner.submit([(of(user), ())], asked(user))
        got.append(await rig.collected(handle))
    assert [each.row.user_id for each in got] == [ANN, BOB, ANN]
    assert [each.paid for each in got] == [True, True, False]
    assert of("").fingerprint("https://a") == rig.request(5).fingerprint("https://a"), "as it always was"


@story(same_request="409")
async def test_a_conflict_that_names_another_users_task_leaves_that_to_them(rig: Rig) -> None:
    handles = []
    for user in (ANN, BOB):
        whole: Any = rig.request(5)
        request = GenerationRequest(**{**vars(whole), "user": user})
        handles += rig.runner.submit([(request, ())], asked(user))
        await rig.clock.sleep(1)
    got = [await rig.collected(handle) for handle in handles]
    assert [each.row.user_id for each in got] == [ANN, BOB]
    assert rig.billed == 1


class Socket:
    """Where a page listens."""


@on_virtual_time
async def test_news_go_to_the_pages_of_the_tasks_user(clock: VirtualClock, tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    rows = [journal.get(ran(journal, number, user)) for number, user in enumerate((ANN, BOB, None))]
    sent: list[tuple[str, str]] = []
    server = SimpleNamespace(
        sockets={"ann": Socket(), "bob": Socket()},
        loop=clock.loop,
        send_sync=lambda event, content, client: sent.append((client, content["id"])),
    )
    feed = pack.load("nodes.routes.feed").Feed(server, lambda: None)
    feed.add_page("ann", viewer(ANN), lambda: "en")
    feed.add_page("bob", viewer(BOB), lambda: "zh")
    for row in rows:
        feed._tell_row(row)
    ids = [row.id for row in rows if row is not None]
    assert sent == [("ann", ids[0]), ("bob", ids[1]), ("ann", ids[2])]


# -- many tasks ------------------------------------------------------------------------------------------------


def filled(directory: Path, number: int) -> Journal:
    """A journal with so many images that nobody has used."""
    clock = HandClock()
    journal = open_journal(directory, clock=clock)
    row = journal.get(ran(journal, 0, None))
    assert row is not None
    with closing(sqlite3.connect(directory / "journal.sqlite3")) as connection:
        names = [
            each[1] for each in connection.execute("PRAGMA table_info(tasks)") if each[1] not in ("id", "created_at")
        ]
        listed = ", ".join(names)
        connection.executemany(
            f"INSERT INTO tasks (id, created_at, {listed}) SELECT ?, ?, {listed} FROM tasks WHERE id = ?",
            [(f"{k:032x}", row.created_at - 1 - k // 3, row.id) for k in range(number - 1)],
        )
        connection.commit()
    return journal


def spent(journal: Journal, before: str = "") -> float:
    """Processor seconds for 100 pages of one row."""
    runtime, query = looking_at(journal), {"state": "undelivered", "limit": "1", "before": before}
    tasks.listed(runtime, CATALOGUE, query, users.EVERYBODY)
    start = time.process_time()
    for _ in range(100):
        page = tasks.listed(runtime, CATALOGUE, query, users.EVERYBODY)
        assert len(page["tasks"]) == 1
        assert page["more"]
    return time.process_time() - start


@pytest.mark.long
def test_a_page_of_the_undelivered_costs_as_much_among_ten_thousand_as_among_ten(tmp_path: Path) -> None:
    few, many = (filled(tmp_path / str(number), number) for number in (10, 10_000))
    least = min(spent(few) for _ in range(3))
    assert min(spent(many) for _ in range(3)) < 2 * least
    runtime, query = looking_at(many), {"state": "undelivered", "limit": "900"}
    deep = tasks.listed(runtime, CATALOGUE, query, users.EVERYBODY)["tasks"][-1]["id"]
    assert min(spent(many, deep) for _ in range(3)) < 3 * least
    with closing(sqlite3.connect(tmp_path / "10000" / "journal.sqlite3")) as connection:
        newer = "UPDATE tasks SET delivered_at = 1, created_at = created_at + 1e6 WHERE id > ?"
        connection.execute(newer, (f"{20:032x}",))
        connection.commit()
    assert min(spent(many) for _ in range(3)) < 2 * least, "of the oldest, behind those that were used"
