"""The money path of the journal: begin, attach, transitions that come late or twice."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hunyuan.errors import InvalidTaskIdError
from hunyuan.journal.records import Attached, Begun, Busy, Limits, RowMoney, RunContext
from hunyuan.models import GenerationRequest, ImageSize, TaskState, TaskType
from hunyuan.sentences import Sentence, Sentences, say, together
from tests.kit.journals import (
    ACCOUNT,
    GATEWAY,
    NOON,
    HandClock,
    begin,
    begun,
    collect,
    fresh,
    open_journal,
    request,
    stored,
)


def test_a_row_holds_the_whole_request_before_anything_is_sent(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    edit = GenerationRequest(
        TaskType.EDIT, "make it night 夜", ImageSize(768, 1280), 42, "hunyuan-image-3", ("pixels:ab", "url:https://x/y")
    )
    row = begun(journal, request=edit, context=RunContext("prompt-1", "12", "session-1"))
    again = fresh(open_journal(tmp_path, "worker-2"), row)
    assert again == row
    assert (again.state, again.task_id, again.created_at, again.owner) == (TaskState.INTENDED, None, NOON, "worker-1")
    assert (again.type, again.prompt, again.size, again.seed) == (edit.type, edit.prompt, edit.size, edit.seed)
    assert (again.images, again.model, again.base_url) == (edit.images, edit.model, GATEWAY)
    assert (again.prompt_id, again.node_id, again.session) == ("prompt-1", "12", "session-1")
    assert again.fingerprint == edit.fingerprint(GATEWAY)
    assert (again.credits, again.money) == (25, RowMoney.MAYBE)


@pytest.mark.parametrize("version", [sqlite3.sqlite_version_info, (3, 34, 1)], ids=["this SQLite", "one of 2021"])
def test_each_step_gives_the_row_as_it_stands_then(
    tmp_path: Path, version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3.dbapi2, "sqlite_version_info", version)  # where UPDATE had no RETURNING yet
    journal = open_journal(tmp_path)
    row = begun(journal)
    for step, state in (
        (lambda: journal.mark_progress(row.id, TaskState.RUNNING), TaskState.INTENDED),
        (lambda: journal.mark_submitted(row.id, "n1"), TaskState.SUBMITTED),
        (lambda: journal.mark_submitted(row.id, "n2"), TaskState.SUBMITTED),
        (lambda: journal.mark_progress(row.id, TaskState.SUBMITTED), TaskState.SUBMITTED),
        (lambda: journal.mark_progress(row.id, TaskState.RUNNING), TaskState.RUNNING),
        (lambda: journal.mark_succeeded(row.id, ["https://cdn.test/a"], 6.0), TaskState.SUCCEEDED),
        (lambda: journal.mark_succeeded(row.id, ["https://cdn.test/b"], 7.0), TaskState.SUCCEEDED),
        (lambda: journal.mark_failed(row.id, "500", "late", True), TaskState.SUCCEEDED),
        (lambda: journal.mark_collected(row.id, [stored("n1_0.png")]), TaskState.COLLECTED),
        (lambda: journal.mark_delivered(row.id), TaskState.COLLECTED),
        (lambda: journal.mark_hidden(row.id), TaskState.COLLECTED),
        (lambda: journal.mark_hidden(row.id, hidden=False), TaskState.COLLECTED),
    ):
        given = step()
        assert given is not None
        assert given == fresh(journal, row)
        assert (given.state, given.task_id in ("n1", None)) == (state, True)
    last = fresh(journal, row)
    assert (last.urls, last.seconds) == (("https://cdn.test/b",), 6.0)
    refused = begun(journal, 2)
    given = journal.mark_failed(refused.id, "400", "refused", False)
    assert given is not None
    assert given == fresh(journal, refused)
    assert given.credits == 0
    assert journal.mark_delivered("nobody's") is None


def test_a_row_that_was_lost_is_restored_and_one_that_is_there_is_not_undone(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "one")
    row = begun(journal)
    running = journal.mark_submitted(row.id, "n1")
    assert running is not None
    collect(journal, row, "n1")
    done = fresh(journal, row)
    journal.restore(running)
    assert fresh(journal, row) == done
    other = open_journal(tmp_path / "two")
    other.restore(running)
    assert fresh(other, row) == running


def test_a_whole_life(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    row = begun(journal)
    clock.now += 1
    journal.mark_submitted(row.id, "n1_hunyuan3")
    assert (fresh(journal, row).state, fresh(journal, row).submitted_at) == (TaskState.SUBMITTED, NOON + 1)
    journal.mark_progress(row.id, TaskState.SUBMITTED)
    assert fresh(journal, row).state is TaskState.SUBMITTED
    journal.mark_progress(row.id, TaskState.RUNNING)
    assert fresh(journal, row).state is TaskState.RUNNING
    clock.now += 6
    journal.mark_succeeded(row.id, ["https://cdn.test/a.png?sig=1"], 6.25)
    done = fresh(journal, row)
    assert (done.state, done.urls, done.seconds) == (TaskState.SUCCEEDED, ("https://cdn.test/a.png?sig=1",), 6.25)
    journal.mark_collected(row.id, [stored("n1_hunyuan3_0.png")])
    clock.now += 1
    journal.mark_delivered(row.id)
    end = fresh(journal, row)
    assert (end.state, end.files, end.money) == (TaskState.COLLECTED, (stored("n1_hunyuan3_0.png"),), RowMoney.SPENT)
    assert (end.finished_at, end.collected_at, end.delivered_at) == (NOON + 7, NOON + 7, NOON + 8)


@pytest.mark.parametrize("state", ["submitted", "running", "succeeded", "collected"])
def test_the_same_request_attaches_to_what_is_paid_for(tmp_path: Path, state: str) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    journal.mark_submitted(row.id, "n1")
    if state == "running":
        journal.mark_progress(row.id, TaskState.RUNNING)
    if state in ("succeeded", "collected"):
        journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 5.0)
    if state == "collected":
        journal.mark_collected(row.id, [stored()])
    later = open_journal(tmp_path, "worker-2", clock=HandClock(NOON + 86400))
    outcome = begin(later)
    assert isinstance(outcome, Attached)
    assert (outcome.row.id, outcome.row.state.value) == (row.id, state)
    assert later.find_reusable(request(1).fingerprint(GATEWAY)) == outcome.row


def test_what_differs_does_not_attach(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    collect(journal, begun(journal, 1), "n1")
    assert isinstance(begin(journal, 2), Begun)
    assert isinstance(begin(journal, 1, base_url="https://elsewhere.test"), Begun)
    assert isinstance(begin(journal, 1, reuse=False), Begun)
    assert journal.find_reusable(request(3).fingerprint(GATEWAY)) is None


@pytest.mark.parametrize("ending", ["failed", "refused", "unknown", "lost"])
def test_failed_unknown_and_lost_tasks_are_not_attached_to(tmp_path: Path, ending: str) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    if ending == "unknown":
        journal.mark_unknown(row.id, "connection reset")
    elif ending == "refused":
        journal.mark_failed(row.id, "rejected", "bad size", sent=False)
    else:
        journal.mark_submitted(row.id, "n1")
        if ending == "failed":
            journal.mark_failed(row.id, "1200", "moderated", sent=True)
        else:
            journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 5.0)
            journal.mark_lost(row.id, "404 for two days")
    assert journal.find_reusable(row.fingerprint) is None
    assert begun(journal).id != row.id


def test_the_newest_of_several_is_attached_to(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    collect(journal, begun(journal), "n1")
    clock.now += 1
    newer = begun(journal, reuse=False)
    collect(journal, newer, "n2")
    clock.now += 1
    journal.mark_failed(begun(journal, reuse=False).id, "1200", "moderated", sent=True)
    outcome = begin(journal)
    assert isinstance(outcome, Attached)
    assert outcome.row.id == newer.id


def test_a_collected_image_without_an_id_is_attached_to_but_an_open_task_without_any_handle_is_not(
    tmp_path: Path,
) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal, 1)
    journal.mark_collected(row.id, [stored(f"{row.id}_0.png")])
    outcome = begin(journal, 1)
    assert isinstance(outcome, Attached)
    assert outcome.row.storage_id == row.id
    bare = begun(journal, 2)
    journal.mark_succeeded(bare.id, [], 1.0)
    assert isinstance(begin(journal, 2), Begun)
    assert journal.survey(ACCOUNT).open_rows == []


def test_nothing_late_takes_anything_back(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    collect(journal, row, "n1")
    before = fresh(journal, row)
    journal.mark_submitted(row.id, "n1")
    journal.mark_progress(row.id, TaskState.RUNNING)
    journal.mark_succeeded(row.id, ["https://cdn.test/other.png"], 99.0)
    journal.mark_failed(row.id, "task_failed", "late", sent=True)
    journal.mark_failed(row.id, "task_failed", "late", sent=False)
    journal.mark_unknown(row.id, "late")
    journal.mark_dropped(row.id)
    assert fresh(journal, row) == before


def test_a_success_is_not_taken_back_by_a_failure_but_its_links_are_renewed(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    journal.mark_submitted(row.id, "n1")
    journal.mark_succeeded(row.id, ["https://cdn.test/a.png?sig=1"], 5.0)
    journal.mark_failed(row.id, "task_failed", "late", sent=True)
    journal.mark_succeeded(row.id, ["https://cdn.test/a.png?sig=2"], 70.0)
    journal.mark_succeeded(row.id, [], 71.0)
    done = fresh(journal, row)
    assert (done.state, done.urls, done.seconds) == (TaskState.SUCCEEDED, ("https://cdn.test/a.png?sig=2",), 5.0)
    assert done.error_code == ""


def test_a_task_id_proves_that_a_given_up_row_was_accepted(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    journal.mark_unknown(row.id, "the process was thought dead")
    journal.mark_submitted(row.id, "n1")
    assert (fresh(journal, row).state, fresh(journal, row).task_id) == (TaskState.SUBMITTED, "n1")
    assert fresh(journal, row).error_code == ""
    journal.mark_submitted(row.id, "n1")
    assert fresh(journal, row).task_id == "n1"
    refused = begun(journal, 2)
    journal.mark_failed(refused.id, "rejected", "wrongly believed", sent=False)
    journal.mark_submitted(refused.id, "n2")
    assert (fresh(journal, refused).state, fresh(journal, refused).money) == (TaskState.SUBMITTED, RowMoney.SPENT)


def test_a_malformed_task_id_is_never_written_down(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    for bad in ("../x", "a/../b", "x" * 10_000, ""):
        with pytest.raises(InvalidTaskIdError):
            journal.mark_submitted(row.id, bad)
    for typed in ("../x", "https://gateway.test/x", "a b", "x" * 10_000, ""):
        with pytest.raises(InvalidTaskIdError):
            journal.adopt(typed, base_url=GATEWAY, account=ACCOUNT, context=RunContext())
    assert fresh(journal, row).task_id is None


def test_image_data_is_kept_only_while_nothing_else_has_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    known, bare = begun(journal, 1), begun(journal, 2)
    journal.mark_submitted(known.id, "n1")
    data = "data:image/png;base64,AAAA"
    journal.mark_succeeded(known.id, [data, "https://cdn.test/b.png"], 5.0)
    journal.mark_succeeded(bare.id, [data], 5.0)
    assert fresh(journal, known).urls == ("https://cdn.test/b.png",)
    assert fresh(journal, bare).urls == (data,)
    journal.mark_collected(bare.id, [stored(f"{bare.id}_0.png")])
    assert fresh(journal, bare).urls == ()


def test_a_dropped_row_costs_nothing_and_leaves_the_way_free(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    journal.mark_dropped(row.id)
    gone = fresh(journal, row)
    assert (gone.state, gone.error_code, gone.money, gone.hidden) == (TaskState.FAILED, "dropped", RowMoney.NONE, True)
    assert begun(journal).id != row.id


def test_a_foreign_id_is_adopted_once_and_costs_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    ours = begun(journal)
    journal.mark_submitted(ours.id, "n1")
    context = RunContext("p", "9", "s1")
    assert journal.adopt(" n1 ", base_url=GATEWAY, account=ACCOUNT, context=context).id == ours.id
    foreign = journal.adopt("n2", base_url=GATEWAY, account=ACCOUNT, context=context)
    assert journal.adopt("n2", base_url=GATEWAY, account=ACCOUNT, context=context) == foreign
    assert (foreign.state, foreign.type, foreign.size, foreign.money) == (
        TaskState.SUBMITTED,
        None,
        None,
        RowMoney.NONE,
    )
    assert journal.by_task_id("n2") == foreign
    assert journal.by_task_id("n2", "https://elsewhere.test") is None
    journal.mark_collected(foreign.id, [stored("n2_0.png")])
    assert journal.overview.credits().spent == 25


def test_no_more_in_flight_than_the_limit(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    limits = Limits(max_in_flight=2)
    first, second = begun(journal, 1, limits=limits), begun(journal, 2, limits=limits)
    journal.mark_submitted(second.id, "n2")
    assert begin(journal, 3, limits=limits) == Busy(2)
    assert isinstance(begin(journal, 1, limits=limits), Attached), "what is attached needs no slot"
    assert isinstance(begin(journal, 9, limits=limits, account="another"), Begun)
    journal.mark_succeeded(second.id, ["https://cdn.test/a.png"], 5.0)
    third = begun(journal, 3, limits=limits)
    assert begin(journal, 4, limits=limits) == Busy(2)
    journal.mark_dropped(first.id)
    journal.mark_failed(third.id, "1200", "moderated", sent=True)
    begun(journal, 4, limits=limits)


def test_what_stalls_or_is_lost_is_not_in_flight(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    limits = Limits(max_in_flight=2)
    first, second = begun(journal, 1, limits=limits), begun(journal, 2, limits=limits)
    journal.mark_submitted(first.id, "n1")
    clock.now += 100
    busy = begin(journal, 3, limits=limits)
    assert isinstance(busy, Busy)
    assert (busy.in_flight, busy.oldest) == (2, 100.0)
    journal.mark_stalled(first.id, "nobody can read it")
    stalled = fresh(journal, first)
    assert (stalled.state, stalled.error_code, stalled.error_text) == (
        TaskState.SUBMITTED,
        "stalled",
        "nobody can read it",
    )
    assert isinstance(begin(journal, 1, limits=limits), Attached), "the same request still finds it"
    third = begun(journal, 3, limits=limits)
    journal.mark_resumed(first.id)
    assert fresh(journal, first).error_code == ""
    assert begin(journal, 4, limits=limits) == Busy(3)
    journal.mark_submitted(third.id, "n3")
    journal.mark_stalled(third.id, "x")
    journal.mark_succeeded(third.id, ["https://cdn.test/a.png"], 5.0)
    assert fresh(journal, third).error_code == ""
    journal.mark_lost(first.id, "gone")
    journal.mark_stalled(first.id, "x")
    assert fresh(journal, first).error_code == "lost"
    assert isinstance(begin(journal, 4, limits=limits), Begun)
    journal.mark_stalled(second.id, "x")
    assert fresh(journal, second).error_code == "", "its create is under way"


def test_threads_that_want_the_same_create_it_once(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    outcomes: list[object] = []
    start = threading.Barrier(8)

    def one() -> None:
        start.wait()
        outcomes.extend(begin(journal, number) for number in range(5))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Begun) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, Attached) for outcome in outcomes) == 35


def test_prompts_can_be_kept_as_hashes_only(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, hash_prompts=lambda: True)
    row = begun(journal, request=request(1, "a secret product"))
    digest = hashlib.sha256(b"a secret product").hexdigest()
    assert fresh(journal, row).prompt == f"sha256:{digest}"
    journal.close()
    assert all(b"secret product" not in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    again = begin(open_journal(tmp_path), request=request(1, "a secret product"))
    assert isinstance(again, Attached), "it is still known as the same request"


def test_a_text_of_ours_is_still_a_sentence_when_it_is_read(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    why = say("HTTP {status}: {words}", status=503, words=say("{reason}.", reason="lone \ud800 surrogate"))
    journal.mark_unknown(row.id, together(why, "Busy, says the gateway."))
    text = fresh(journal, row).error_text
    assert text == "HTTP 503: lone ? surrogate. Busy, says the gateway."
    assert isinstance(text, Sentences)
    first, words = text.parts
    assert isinstance(first, Sentence)
    assert (first.template, first.values) == ("HTTP {status}: {words}", {"status": 503, "words": "lone ? surrogate."})
    assert not isinstance(words, (Sentence, Sentences))
    journal.mark_submitted(row.id, "n1")
    assert fresh(journal, row).error_text == ""
    journal.mark_failed(row.id, "1200", "Not allowed, says the gateway.", sent=True)
    text = fresh(journal, row).error_text
    assert (text, type(text)) == ("Not allowed, says the gateway.", str)
    other = begun(journal, 2)
    journal.mark_unknown(other.id, say("{words}", words="x" * 3000))
    assert fresh(journal, other).error_text == "x" * 2000


@pytest.mark.parametrize(
    "damaged",
    ["{", "7", "[7]", '{"s\ufffdy": "x", "with": {}}', '{"say": "{x}", "with": {"y": 1}}', '{"say": "{0}", "with": {}}',
     '{"say": "{", "with": {"a": 1}}', '{"say": 7, "with": {"a": 1}}', '{"say": "x", "with": [1]}', '"other words"'],
)  # fmt: skip
def test_a_row_is_as_good_where_damage_got_at_how_its_text_was_said(tmp_path: Path, damaged: str) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    journal.mark_unknown(row.id, say("Busy: {words}", words="later"))
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
        connection.execute("UPDATE tasks SET error_said = ?", (damaged,))
        connection.commit()
    text = fresh(journal, row).error_text
    assert (text, type(text)) == ("Busy: later", str)


def test_what_no_database_takes_is_written_all_the_same(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal, request=request(1, "NUL \0 here"))
    journal.mark_unknown(row.id, "lone \ud800 surrogate and \0")
    assert fresh(journal, row).prompt == "NUL \ufffd here"
    assert fresh(journal, row).error_text == "lone ? surrogate and \ufffd"


def test_an_answer_that_a_clock_ahead_lost_holds_up_no_request(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    clock.now += 86400.0
    journal.mark_unknown(begun(journal).id, "connection reset")
    clock.now -= 86400.0  # set right
    assert isinstance(begin(journal, waited=1.0), Begun)
