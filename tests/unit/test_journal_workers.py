"""Who lives, who died, and what that means for a task: real processes, killed without a farewell."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from hunyuan.journal.records import Attached, Begun, Busy, Limits
from hunyuan.models import TaskState
from tests.kit.journals import ACCOUNT, HandClock, Worker, begin, begun, collect, fresh, open_journal, request, stored


def test_an_intended_task_of_a_living_worker_is_attached_to(tmp_path: Path) -> None:
    first, second = open_journal(tmp_path, "worker-1"), open_journal(tmp_path, "worker-2")
    row = begun(first)
    outcome = begin(second)
    assert isinstance(outcome, Attached)
    assert (outcome.row.id, outcome.row.owner) == (row.id, "worker-1")


def test_an_intended_task_of_a_silent_worker_becomes_unknown_and_is_not_attached_to(tmp_path: Path) -> None:
    clock = HandClock()
    first, second = open_journal(tmp_path, "worker-1", clock), open_journal(tmp_path, "worker-2", clock)
    row = begun(first)
    clock.now += 29
    assert isinstance(begin(second), Attached)
    first.heartbeat()
    clock.now += 29
    second.heartbeat()
    assert second.find_reusable(row.fingerprint) is not None
    clock.now += 2
    assert second.find_reusable(row.fingerprint) is None
    assert isinstance(begin(second), Begun)
    left = fresh(second, row)
    assert (left.state, left.error_code) == (TaskState.UNKNOWN, "billing_unknown")
    assert second.overview.credits().maybe == 50


@pytest.mark.parametrize("noticed", ["by the one who waits", "by another before"])
def test_who_asked_before_the_answer_was_lost_is_told_instead_of_paying_again(tmp_path: Path, noticed: str) -> None:
    clock = HandClock()
    dead, waiting = open_journal(tmp_path, "dead", clock), open_journal(tmp_path, "waiting", clock)
    asked = clock.now
    row = begun(dead)
    clock.now += 31
    if noticed == "by another before":
        assert open_journal(tmp_path, "other", clock).recover()
        clock.now += 5
    told = begin(waiting, waited=clock.now - asked)
    assert isinstance(told, Attached)
    assert (told.row.id, told.row.state) == (row.id, TaskState.UNKNOWN)
    clock.now += 1
    assert isinstance(begin(waiting, waited=0.5), Begun), "asked for after it was known"
    told = begin(waiting, waited=clock.now - asked)
    assert isinstance(told, Attached)
    assert told.row.state is TaskState.INTENDED, "one that is under way goes before one that is lost"


def test_every_write_of_a_worker_is_a_heartbeat(tmp_path: Path) -> None:
    clock = HandClock()
    first, second = open_journal(tmp_path, "worker-1", clock), open_journal(tmp_path, "worker-2", clock)
    row, other = begun(first, 1), begun(first, 2)
    clock.now += 25
    first.mark_submitted(other.id, "n2")
    clock.now += 25
    assert isinstance(begin(second, 1), Attached)
    assert fresh(second, row).state is TaskState.INTENDED


def test_recover_gives_up_only_what_the_dead_had_begun(tmp_path: Path) -> None:
    clock = HandClock()
    dead, living = open_journal(tmp_path, "dead", clock), open_journal(tmp_path, "living", clock)
    intended, submitted = begun(dead, 1), begun(dead, 2)
    dead.mark_submitted(submitted.id, "n2")
    clock.now += 31
    theirs = begun(living, 3)
    mine = open_journal(tmp_path, "new", clock)
    assert [(row.id, row.state) for row in mine.recover()] == [(intended.id, TaskState.UNKNOWN)]
    assert mine.recover() == []
    assert fresh(mine, submitted).state is TaskState.SUBMITTED
    assert fresh(mine, theirs).state is TaskState.INTENDED


def test_only_the_tasks_of_the_dead_are_claimed_and_only_once(tmp_path: Path) -> None:
    clock = HandClock()
    first, second, third = (open_journal(tmp_path, name, clock) for name in ("first", "second", "third"))
    row = begun(first)
    assert not first.claim(row.id), "not sent yet: nothing to collect"
    first.mark_submitted(row.id, "n1")
    assert first.claim(row.id)
    assert [open_row.id for open_row in first.survey(ACCOUNT).open_rows] == [row.id]
    assert second.survey(ACCOUNT).open_rows == []
    assert not second.claim(row.id)
    clock.now += 16
    second.heartbeat()
    third.heartbeat()
    clock.now += 15
    assert [open_row.id for open_row in second.survey(ACCOUNT).open_rows] == [row.id]
    assert second.claim(row.id)
    assert not third.claim(row.id)
    assert third.survey(ACCOUNT).open_rows == []
    assert fresh(third, row).owner == "second"
    collect(second, row, "n1")
    assert not second.claim(row.id), "collected: nothing left to do"
    assert second.survey(ACCOUNT).open_rows == []


def test_who_was_silent_itself_lets_the_others_speak_first(tmp_path: Path) -> None:
    """A database that was away, a machine that slept: all were silent, none of them died."""
    clock = HandClock()
    first, second = open_journal(tmp_path, "first", clock), open_journal(tmp_path, "second", clock)
    intended, submitted = begun(first, 1), begun(first, 2)
    first.mark_submitted(submitted.id, "n2")
    second.heartbeat()
    clock.now += 3600
    assert isinstance(begin(second, 1), Attached)
    assert second.recover() == []
    assert not second.claim(submitted.id)
    clock.now += 14
    assert second.find_reusable(intended.fingerprint) is not None
    first.heartbeat()
    clock.now += 20
    assert second.recover() == []
    second.heartbeat()
    clock.now += 20
    assert [row.id for row in second.recover()] == [intended.id], "this time only the other was silent"
    assert second.claim(submitted.id)


def test_a_closed_worker_frees_its_tasks_at_once(tmp_path: Path) -> None:
    clock = HandClock()
    first = open_journal(tmp_path, "first", clock)
    row = begun(first)
    first.mark_submitted(row.id, "n1")
    first.close()
    second = open_journal(tmp_path, "second", clock)
    assert [open_row.id for open_row in second.survey(ACCOUNT).open_rows] == [row.id]
    assert second.claim(row.id)


def test_a_dead_worker_holds_no_slot(tmp_path: Path) -> None:
    clock = HandClock()
    limits = Limits(max_in_flight=1)
    dead, living = open_journal(tmp_path, "dead", clock), open_journal(tmp_path, "living", clock)
    dead.mark_submitted(begun(dead, 1, limits=limits).id, "n1")
    assert begin(living, 2, limits=limits) == Busy(1)
    clock.now += 16
    living.heartbeat()
    clock.now += 15
    assert isinstance(begin(living, 2, limits=limits), Begun)


@pytest.mark.parametrize("step", ["begun", "submitted", "succeeded", "collected"])
def test_a_process_killed_at_any_step_loses_nothing(tmp_path: Path, step: str) -> None:
    worker = Worker(
        tmp_path,
        "killed",
        f"""
step = {step!r}
row = begun(journal)
if step != "begun":
    journal.mark_submitted(row.id, "n1")
if step in ("succeeded", "collected"):
    journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 5.0)
if step == "collected":
    journal.mark_collected(row.id, [stored()])
say(row.id)
sys.stdin.readline()
""",
    )
    row_id = worker.hear()
    journal = open_journal(tmp_path, "restarted", clock=time)
    before = journal.get(row_id)
    assert before is not None
    if step != "collected":
        assert not journal.claim(row_id), "its process lives"
        assert journal.recover() == []
    worker.kill()
    # At once, not after 30 s of silence: on one machine the end of a process can be seen.
    if step == "begun":
        assert [row.state for row in journal.recover()] == [TaskState.UNKNOWN]
        assert isinstance(begin(journal), Begun)
        return
    outcome = begin(journal)
    assert isinstance(outcome, Attached)
    assert (outcome.row.id, outcome.row.task_id) == (row_id, "n1")
    assert outcome.row.state is TaskState(step)
    if step == "succeeded":
        assert outcome.row.urls == ("https://cdn.test/a.png",)
    if step == "collected":
        assert outcome.row.files == (stored(),)
    else:
        assert [row.id for row in journal.survey(ACCOUNT).open_rows] == [row_id]
        assert journal.claim(row_id)


def test_processes_that_want_the_same_create_it_once(tmp_path: Path) -> None:
    numbers = 10
    script = f"""
say("ready")
sys.stdin.readline()
outcomes = [begin(journal, number) for number in range({numbers})]
say(" ".join(type(outcome).__name__ for outcome in outcomes))
sys.stdin.readline()
"""
    workers = [Worker(tmp_path, f"worker-{k}", script) for k in range(3)]
    for worker in workers:
        assert worker.hear() == "ready"
    for worker in workers:  # the first begin of each also opens, and one of them creates, the file
        worker.tell("go")
    answers = [worker.hear().split() for worker in workers]
    for worker in workers:
        worker.tell("end")
        assert worker.end() == 0
    for number in range(numbers):
        assert sorted(answer[number] for answer in answers) == ["Attached"] * 2 + ["Begun"]
    assert sum(open_journal(tmp_path).overview.counts().values()) == numbers


@pytest.mark.long
def test_processes_never_pass_the_slots_together(tmp_path: Path) -> None:
    script = """
limits = Limits(max_in_flight=3)
say("ready")
sys.stdin.readline()
outcomes = [begin(journal, number, reuse=False, limits=limits) for number in range(5)]
say(str(sum(isinstance(outcome, Begun) for outcome in outcomes)))
sys.stdin.readline()
"""
    workers = [Worker(tmp_path, f"worker-{k}", script) for k in range(3)]
    for worker in workers:
        worker.hear()
    for worker in workers:
        worker.tell("go")
    assert sum(int(worker.hear()) for worker in workers) == 3
    for worker in workers:
        worker.tell("end")
        assert worker.end() == 0


def test_a_worker_whose_begin_was_refused_still_counts_as_alive_later(tmp_path: Path) -> None:
    """The heartbeat of a rolled back transaction must not be taken for written."""
    clock = HandClock()
    first, second = open_journal(tmp_path, "first", clock), open_journal(tmp_path, "second", clock)
    with pytest.raises(Exception, match="pass the limit"):
        begin(first, 1, limits=Limits(credits_per_day=24))
    row = begun(first, 2)
    assert second.find_reusable(request(2).fingerprint(row.base_url)) == row


def test_a_round_that_finds_nothing_to_recover_waits_for_no_writer(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock, busy_seconds=0.0)
    row = begun(journal)
    journal.mark_submitted(row.id, "n1")
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        assert journal.recover() == []
        found = journal.survey(row.account)
    assert (found.now, [each.id for each in found.open_rows]) == (clock.now, [row.id])


def test_workers_silent_for_a_week_are_forgotten(tmp_path: Path) -> None:
    clock = HandClock()
    old, new = open_journal(tmp_path, "old", clock), open_journal(tmp_path, "new", clock)
    old.heartbeat()
    for days, known in ((0.0, ["new", "old"]), (6.9, ["new", "old"]), (0.2, ["new"])):
        clock.now += days * 86400
        new.heartbeat("an account")
        new.recover()
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
            rows = connection.execute("SELECT worker_id, heartbeat_at FROM workers ORDER BY worker_id").fetchall()
        assert [name for name, _ in rows] == known
        assert rows[0][1] == clock.now
