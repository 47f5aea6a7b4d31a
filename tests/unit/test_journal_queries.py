"""Lists, look-ups, durations and remembered links."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from hunyuan.journal.records import Limits, Link, RunContext
from hunyuan.models import GenerationRequest, ImageSize, TaskState, TaskType
from tests.kit.journals import ACCOUNT, NOON, HandClock, begun, collect, open_journal, request


def test_pages_newest_first_without_gaps_or_repeats(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    ids = []
    for number in range(10):
        clock.now += number % 3 == 0  # several rows of the same moment
        ids.append(begun(journal, number).id)
    seen: list[str] = []
    before: str | None = None
    while page := journal.overview.list_tasks(before=before, limit=3):
        assert len(page) <= 3
        seen += [row.id for row in page]
        before = page[-1].id
    assert sorted(seen) == sorted(ids)
    times = [row.created_at for row in journal.overview.list_tasks()]
    assert times == sorted(times, reverse=True)


def test_lists_by_state_and_search(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    one = begun(journal, request=request(1, "A red Lighthouse at night"))
    two = begun(journal, request=request(2, "夜晚的灯塔 100% _x_"))
    journal.mark_submitted(two.id, "n77_hunyuan3")
    assert [row.id for row in journal.overview.list_tasks(TaskState.INTENDED)] == [one.id]
    both = journal.overview.list_tasks([TaskState.INTENDED, TaskState.SUBMITTED])
    assert {row.id for row in both} == {one.id, two.id}
    assert [row.id for row in journal.overview.list_tasks(search="NIGHT red")] == [one.id]
    assert [row.id for row in journal.overview.list_tasks(search="灯塔")] == [two.id]
    assert [row.id for row in journal.overview.list_tasks(search="77_hunyuan")] == [two.id]
    assert [row.id for row in journal.overview.list_tasks(search="100%")] == [two.id]
    assert [row.id for row in journal.overview.list_tasks(search="%")] == [two.id]
    assert [row.id for row in journal.overview.list_tasks(search="_x_")] == [two.id]
    assert journal.overview.list_tasks(search="red 灯塔") == []


def test_lists_by_model_under_whatever_name_a_setting_gives_hunyuan(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    now, before, confusing = (
        begun(journal, request=GenerationRequest(TaskType.TEXT_TO_IMAGE, "x", ImageSize(1024, 1024), 1, model))
        for model in ("hunyuan-image-3", "hunyuan-preview", "flux-2")
    )
    flux = begun(journal, request=GenerationRequest(None, "x", None, None, "flux-2"))
    hunyuan = journal.overview.list_tasks(models=["hunyuan-image-3"], typed=True)
    assert {row.id for row in hunyuan} == {now.id, before.id, confusing.id}
    assert [row.id for row in journal.overview.list_tasks(models=["flux-2"])] == [flux.id]


def test_counts_and_the_undelivered(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    first, second = begun(journal, 1), begun(journal, 2)
    begun(journal, 3)
    collect(journal, first, "n1")
    collect(journal, second, "n2")
    journal.mark_delivered(first.id)
    counts = journal.overview.counts()
    assert (counts[TaskState.COLLECTED], counts[TaskState.INTENDED], counts[TaskState.FAILED]) == (2, 1, 0)
    assert journal.overview.undelivered() == 1
    journal.mark_hidden(second.id)
    assert journal.overview.undelivered() == 0
    assert journal.overview.counts()[TaskState.COLLECTED] == 1
    journal.mark_hidden(second.id, hidden=False)
    assert journal.overview.undelivered() == 1
    assert journal.overview.counts()[TaskState.COLLECTED] == 2


def test_left_behind_is_what_earlier_starts_paid_for_and_nobody_living_is_about_to_use(tmp_path: Path) -> None:
    clock = HandClock()
    earlier = open_journal(tmp_path, "worker-1", clock)
    rows = [begun(earlier, number) for number in range(3)]
    for row in rows:
        collect(earlier, row, f"n{row.seed}")
    journal = open_journal(tmp_path, "worker-2", clock)
    collect(journal, begun(journal, 9, context=RunContext(session="s2")), "n9")
    assert journal.overview.undelivered() == 4
    assert journal.overview.left_behind("s2") == 0, "the other server lives: its nodes may be about to deliver them"
    for _ in range(4):
        clock.now += 10
        journal.heartbeat()
    assert journal.overview.left_behind("s2") == 3
    journal.mark_delivered(rows[0].id)
    journal.mark_hidden(rows[1].id)
    assert journal.overview.left_behind("s2") == 1
    assert journal.overview.left_behind("s3") == 2


def test_durations_are_of_one_kind_newest_first(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    for number in range(25):
        row = begun(journal, number)
        clock.now += 1
        journal.mark_submitted(row.id, f"n{number}")
        journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], float(number))
    journal.mark_submitted(begun(journal, 99).id, "n99")
    square, wide = ImageSize(1024, 1024), ImageSize(1280, 720)
    assert journal.overview.durations(TaskType.TEXT_TO_IMAGE, square) == [float(k) for k in range(24, 4, -1)]
    assert journal.overview.durations(TaskType.TEXT_TO_IMAGE, square, limit=2) == [24.0, 23.0]
    assert journal.overview.durations(TaskType.TEXT_TO_IMAGE, wide) == []
    assert journal.overview.durations(TaskType.EDIT, square) == []


def test_the_longest_delivered_is_evictable_first_and_only_the_delivered(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    rows = [begun(journal, number) for number in range(3)]
    for number, row in enumerate(rows):
        collect(journal, row, f"n{number}")
    for row in (rows[2], rows[0]):
        clock.now += 1
        journal.mark_delivered(row.id)
    assert [row.id for row in journal.evictable()] == [rows[2].id, rows[0].id]
    journal.mark_evicted(rows[2].id)
    assert [row.id for row in journal.evictable()] == [rows[0].id]
    collect(journal, rows[2], "n2")
    assert rows[2].id in [row.id for row in journal.evictable()], "fetched again"


def test_what_is_not_there(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert journal.get("none") is None
    assert journal.by_task_id("none") is None
    assert not journal.claim("none")
    journal.mark_submitted("none", "n1")
    journal.mark_succeeded("none", ["https://cdn.test/a.png"], 1.0)
    assert journal.overview.list_tasks() == []


def test_links_are_remembered_until_they_expire(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    assert journal.links.find("pixels:ab") is None
    journal.links.save("pixels:ab", "https://store.test/1", "s3", NOON + 100)
    journal.links.save("pixels:cd", "https://store.test/2", "remembered", None)
    again = open_journal(tmp_path, "worker-2", clock)
    assert again.links.find("pixels:ab") == Link("pixels:ab", "https://store.test/1", "s3", NOON + 100, NOON)
    again.links.save("pixels:ab", "https://store.test/3", "http", NOON + 50)
    found = journal.links.find("pixels:ab")
    assert found is not None
    assert found.url == "https://store.test/3"
    clock.now += 50
    assert journal.links.find("pixels:ab") is None
    clock.now += 1e9
    assert journal.links.find("pixels:cd") is not None
    journal.links.drop("pixels:cd")
    assert again.links.find("pixels:cd") is None


def test_no_step_of_a_task_reads_through_the_whole_table(tmp_path: Path) -> None:
    """What keeps the cost flat: every hot statement finds its rows by an index."""
    statements: dict[str, Any] = {}

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            statements[statement] = parameters

    journal = open_journal(tmp_path)
    limits = Limits(1000, 1000, 8)
    begun(journal, 1, limits=limits)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        row = begun(journal, 2, limits=limits)
        journal.find_reusable(row.fingerprint)
        collect(journal, row, "n2")
        journal.mark_delivered(row.id)
        journal.survey(ACCOUNT)
        journal.recover()
        journal.overview.undelivered()
        journal.overview.left_behind("s2")
        journal.evictable()
        journal.overview.durations(TaskType.TEXT_TO_IMAGE, ImageSize(1024, 1024))
        journal.by_task_id("n2")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
        plans = {
            statement: [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in statements.items()
            if " tasks" in statement
        }
    assert len(plans) > 12
    for statement, plan in plans.items():
        scans = [step for step in plan if step.startswith("SCAN tasks") and "tasks_evictable" not in step]
        assert not scans, (statement, plan)
        if "account = ?" in statement:
            assert any("account=? AND state=?" in step for step in plan), plan
