"""Full disks and damaged journals while tasks run: nothing unrecorded is sent, nothing paid for is dropped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from hunyuan import errors
from hunyuan.journal.journal import Journal
from hunyuan.models import StoredImage, TaskState
from hunyuan.sentences import say
from hunyuan.settings.store import Settings
from hunyuan.storage.results import ResultStore
from sandbox.odd_bodies import spoiled
from tests.kit.rig import DRAWN, Rig, Unreadable, image, story


class FailingJournal:
    """A journal whose named step fails so many times, after so many that went well."""

    def __init__(self, journal: Journal, step: str, times: int, after: int = 0) -> None:
        self._journal, self._step, self.times, self.after = journal, step, times, after

    def __getattr__(self, name: str) -> Any:
        if name == self._step and self.after:
            self.after -= 1
        elif name == self._step and self.times:
            self.times -= 1
            return self._fail
        return getattr(self._journal, name)

    def _fail(self, *_: object, **__: object) -> None:
        raise errors.JournalError("The disk is full.")


class FullStore:
    """A results folder on a full disk until space is made."""

    def __init__(self, results: ResultStore) -> None:
        self._results, self.full = results, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._results, name)

    def store(self, task_id: str, index: int, data: bytes, mime: str, url: str = "") -> StoredImage:
        if self.full:
            raise errors.DownloadError("The image could not be stored.", why="The disk is full.")
        return self._results.store(task_id, index, data, mime, url)


@story
async def test_what_cannot_be_written_down_is_not_sent(rig: Rig) -> None:
    rig.runner.tools = replace(rig.runner.tools, journal=cast(Journal, FailingJournal(rig.journal, "begin", times=1)))
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.JournalError)
    assert "No credits were spent." in str(error)
    assert rig.count("requests") == 0
    assert rig.limiter.in_flight == 0
    assert (await rig.collected(rig.submit(5)[0])).paid


@pytest.mark.long
@pytest.mark.parametrize("shape", ["documented", "direct_url", "direct_b64"])
@story(task=lambda shape: {"shape": shape})
async def test_a_full_results_disk_loses_no_image(rig: Rig, shape: str) -> None:
    rig.runner.start_sweeper()
    store = FullStore(rig.results)
    rig.runner.tools = replace(rig.runner.tools, results=cast(ResultStore, store))
    handle = rig.submit(5, timeout_s=60)[0]
    error = await rig.failure(handle)
    assert isinstance(error, errors.HunyuanError)
    await rig.clock.sleep(600)
    store.full = False
    await rig.until(lambda: [row.state for row in rig.rows()] == [TaskState.COLLECTED], within=1200)
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


@pytest.mark.parametrize(
    "step", ["mark_progress", "mark_succeeded", "mark_collected", "mark_unknown", "mark_failed", "get"]
)
@pytest.mark.parametrize("after", [0.0, 9.0])
@story
async def test_a_step_that_cannot_be_written_once(rig: Rig, step: str, after: float) -> None:
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await rig.clock.sleep(after)
    rig.runner.tools = replace(rig.runner.tools, journal=cast(Journal, FailingJournal(rig.journal, step, times=1)))
    for job in rig.runner._jobs:
        job.tools = rig.runner.tools
    await rig.ended(handle)
    await rig.clock.sleep(120)
    assert rig.rows()[0].state is TaskState.COLLECTED
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


@pytest.mark.parametrize("shape", ["direct_b64", "direct_url"])
@pytest.mark.parametrize(("step", "after"), [("mark_succeeded", 0), ("mark_collected", 0), ("get", 0), ("get", 1)])
@story(task=lambda shape: {"shape": shape})
async def test_an_image_inside_the_creates_answer_outlives_a_journal_that_fails(
    rig: Rig, shape: str, step: str, after: int
) -> None:
    """No task id could fetch it again: until it is on disk, memory and the journal are all there is of it."""
    rig.runner.start_sweeper()
    failing = FailingJournal(rig.journal, step, times=2, after=after)
    rig.runner.tools = replace(rig.runner.tools, journal=cast(Journal, failing))
    handle = rig.submit(5)[0]
    await rig.ended(handle)
    await rig.clock.sleep(120)
    assert rig.rows()[0].state is TaskState.COLLECTED
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


CREATES = {
    "429": ({"status": 429, "retry_after": 1}, errors.SettingsError),
    "500": ({"status": 500}, errors.BillingUnknownError),
    "input": ({"status": 400, "code": 1402, "message": "Unable to access the media URL"}, errors.InputUnreachableError),
}


@pytest.mark.parametrize(("rule", "told"), CREATES.values(), ids=CREATES)
@story(lambda rule: {"on": "create", **rule}, latency=1.0)
async def test_nothing_that_fails_beside_a_refused_create_leaves_it_as_if_under_way(
    rig: Rig, rule: dict[str, Any], told: type[errors.HunyuanError]
) -> None:
    handle = rig.submit(5, inputs=(image(),))[0]
    await rig.clock.sleep(1.5)  # after the upload, the create is under way

    def broken(*_: object) -> Any:
        raise errors.JournalError("The disk is full.")

    fails, get = cast(Any, broken), rig.journal.get
    rig.sources.forget = fails  # type: ignore[method-assign]
    rig.journal.get = fails  # type: ignore[method-assign]
    mine, rig.settings = rig.settings, cast(Settings, Unreadable())
    assert isinstance(await rig.failure(handle), told)
    rig.settings, rig.journal.get = mine, get  # type: ignore[method-assign]
    assert rig.journal.overview.credits().spent == 0
    assert [row.state for row in rig.rows()] in ([], [TaskState.FAILED], [TaskState.UNKNOWN])
    rig.gateway.script.clear()
    again = await rig.collected(rig.submit(5, inputs=(image(),))[0])
    assert again.paid, "and not waited for as if it were under way"


@story
async def test_the_journal_is_damaged_while_a_task_runs(rig: Rig, tmp_path: Path) -> None:
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    await rig.clock.sleep(5)
    for name in ("journal.sqlite3", "journal.sqlite3-wal"):
        (tmp_path / name).write_bytes(b"not a database at all " * 400)
    got = await rig.collected(handle)
    assert got.images[0].digest == "a lighthouse|5"
    (kept,) = rig.results.directory.rglob("*.png")
    assert kept.read_bytes() == DRAWN + b"a lighthouse|5", "whether or not its row could be rescued"
    (row,) = rig.rows()
    assert (row.state, row.task_id, row.seed) == (TaskState.COLLECTED, got.row.task_id, 5)
    assert rig.journal.overview.credits().spent == 25
    assert rig.billed == rig.count("creates") == 1
    other = rig.another()
    other.runner.start_sweeper()
    assert (await other.collected(other.submit(6)[0])).paid, "and work goes on"
    said = [*rig.warnings, *other.warnings]
    (aside,) = tmp_path.glob("journal.sqlite3.damaged-*[0-9]")
    assert any(aside.name in text for text in said), "set aside and said loudly, not dropped"


@pytest.mark.parametrize("after", [0.5, 5.0], ids=["while it is created", "while it is polled"])
@story(latency=1.0)
async def test_the_whole_folder_vanishes_while_a_task_runs(rig: Rig, after: float) -> None:
    handle = rig.submit(5)[0]
    await rig.clock.sleep(after)
    shutil.rmtree(rig.directory)
    got = await rig.collected(handle)
    assert got.images[0].digest == "a lighthouse|5"
    assert [(row.state, row.task_id) for row in rig.rows()] == [(TaskState.COLLECTED, got.row.task_id)]
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == rig.count("creates") == 1


@story(task={"shape": "direct_b64"})
async def test_an_image_that_came_inside_the_answer_and_lost_its_file_is_created_anew(rig: Rig) -> None:
    """No link was ever there; an empty batch would be worse than a new task."""
    first = await rig.collected(rig.submit(5)[0])
    rig.results.path_of(first.row.files[0]).unlink()
    again = await rig.collected(rig.submit(5)[0])
    assert again.images, "never an empty batch"
    assert again.paid
    assert rig.billed == 2
    rig.results.path_of(again.row.files[0]).unlink()
    gone = await rig.failure(rig.attach(again.row.storage_id))
    assert isinstance(gone, errors.DownloadError)


@story(latency=1.0)
async def test_an_image_that_is_gone_is_created_anew_once_by_two_processes(rig: Rig) -> None:
    first = await rig.collected(rig.submit(5)[0])
    rig.results.path_of(first.row.files[0]).unlink()
    rig.gateway.script.add({"on": "download", "number": 1, "times": "always", "status": 410})
    other = rig.another()
    one = rig.submit(5)[0]
    await rig.clock.sleep(30)
    two = other.submit(5)[0]
    assert (await rig.collected(one)).images
    assert (await other.collected(two)).images
    assert rig.billed == 2


@story(task={"shape": "direct_b64"})
async def test_the_end_waits_for_an_image_that_the_journal_is_about_to_take(rig: Rig) -> None:
    tools, store = rig.runner.tools, FullStore(rig.results)
    failing = FailingJournal(rig.journal, "mark_succeeded", times=3)
    rig.runner.tools = replace(tools, results=cast(ResultStore, store), journal=cast(Journal, failing))
    rig.submit(5)
    await rig.until(lambda: failing.times < 3, within=30)
    await rig.end(forced=False)
    (row,) = rig.rows()
    assert row.state is TaskState.SUCCEEDED
    assert row.urls[0].startswith("data:image/")


@story(task={"shape": "direct_b64"}, latency=1.0, settings={"max_in_flight": 1})
async def test_a_new_image_that_is_given_up_hides_no_task_that_runs(rig: Rig) -> None:
    """Who asks for the same joins the one whose answer may be all there is of the image."""
    first = rig.submit(5)[0]
    await rig.clock.sleep(0.3)
    given_up = rig.submit(5, reuse=False, node="8")[0]
    await rig.clock.sleep(0.1)
    given_up.detach()
    await rig.clock.sleep(0.1)
    joined = rig.submit(5, node="9", timeout_s=60)[0]
    assert (await rig.collected(first)).paid
    assert not (await rig.collected(joined)).paid
    assert rig.billed == 1


@story({"on": "download", "number": 1, "times": "always", "status": 410})
async def test_nobody_waits_for_a_task_that_another_process_found_to_be_lost(rig: Rig) -> None:
    other = rig.another()
    rig.submit(5)
    await rig.until(lambda: [row.state for row in rig.rows()] == [TaskState.SUCCEEDED], within=30)
    followed = other.submit(5)[0]
    await rig.clock.sleep(1)
    rig.journal.mark_lost(rig.rows()[0].id, "gone")
    began = rig.clock.monotonic()
    assert (await other.collected(followed)).paid
    assert rig.clock.monotonic() - began < 30


@story
async def test_an_image_is_given_although_nothing_can_be_cleared_away_or_remembered(rig: Rig) -> None:
    def fails(*_: object) -> None:
        raise errors.JournalError(say("The journal is locked."))

    rig.results.evict = fails  # type: ignore[assignment]
    rig.runner.tools.sources.remember = fails  # type: ignore[assignment]
    got = await rig.collected(rig.submit(5)[0])
    assert got.images[0].digest == "a lighthouse|5"
    assert len([text for text in rig.warnings if "locked" in text]) == 2


@pytest.mark.parametrize("kind", ["html", "garbage", "bomb"])
@story(lambda kind: {"on": "download", "times": "always", "image": kind})
async def test_what_came_instead_of_the_image_is_kept_for_a_look_and_the_task_named(rig: Rig, kind: str) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert str(rig.rows()[0].task_id) in str(error)
    (kept,) = (rig.results.directory / "rejected").iterdir()
    assert str(kept) in str(error)
    assert kept.read_bytes() == spoiled(kind, b"", "image/png")[0]
    assert rig.rows()[0].state is TaskState.SUCCEEDED
