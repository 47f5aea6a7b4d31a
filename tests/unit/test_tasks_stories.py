"""Whole stories of paid tasks on virtual time, told against the sandbox's own count of what it billed."""

from __future__ import annotations

import asyncio
import base64
import re
from dataclasses import replace
from typing import Any, cast

import pytest

from hunyuan import errors
from hunyuan.jobs.handle import Phase
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import Begun, TaskRow
from hunyuan.models import ImageInput, TaskState
from sandbox.control import Control
from tests.kit.rig import DRAWN, Rig, decode, image, story


@story
async def test_a_task_from_request_to_file(rig: Rig) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.paid
    assert got.row.state is TaskState.COLLECTED
    assert [image.digest for image in got.images] == ["a lighthouse|5"]
    assert rig.results.read(got.row.files[0]) == DRAWN + b"a lighthouse|5"
    assert rig.clock.monotonic() <= 8 * 1.14
    assert (rig.billed, rig.count("polls") <= 16) == (1, True)


@story
async def test_eight_tasks_run_at_the_same_time(rig: Rig) -> None:
    handles = rig.submit(*range(8))
    got = await asyncio.gather(*map(rig.collected, handles))
    assert {image.images[0].digest for image in got} == {f"a lighthouse|{seed}" for seed in range(8)}
    assert rig.clock.monotonic() <= 9.1
    assert rig.state["max_in_flight"] == 8


@story
async def test_the_same_request_twice_at_once_is_billed_once(rig: Rig) -> None:
    first, second = rig.submit(5)[0], rig.submit(5, node="9", prompt_id="q")[0]
    one, two = await asyncio.gather(rig.collected(first), rig.collected(second))
    assert one.row.id == two.row.id
    again = await rig.collected(rig.submit(5)[0])
    assert not again.paid
    assert rig.billed == 1


class Odd(Exception):
    """Python would copy it by its arguments, which it does not take."""

    def __init__(self, *, place: str) -> None:
        super().__init__(f"a defect at {place}")


@pytest.mark.parametrize("defect", [ZeroDivisionError("a defect"), Odd(place="home")], ids=["plain", "odd"])
@story
async def test_nodes_that_wait_for_the_same_task_are_each_told_of_a_defect(rig: Rig, defect: Exception) -> None:
    rig.wire.broken = lambda: defect
    handles = [*rig.submit(5), *rig.submit(5, node="9", prompt_id="q")]
    told = await asyncio.gather(*(asyncio.wrap_future(handle.done) for handle in handles), return_exceptions=True)
    assert [repr(each) for each in told] == [repr(defect)] * 2
    assert told[0] is not told[1], "what is added at one node is not seen at the other"


@story
async def test_reuse_off_pays_for_a_new_image(rig: Rig) -> None:
    await rig.collected(rig.submit(5)[0])
    again = await rig.collected(rig.submit(5, reuse=False)[0])
    assert again.paid
    assert rig.billed == 2


LOST = [
    {"on": "create", "drop": "before_answer"},
    {"on": "create", "drop": "mid_body"},
    {"on": "create", "status": 502, "billed": True, "body": "html"},
    {"on": "create", "status": 500, "billed": True},
    {"on": "create", "status": 504, "billed": False},
    {"on": "create", "status": 200, "body": "html", "billed": True},
]


@pytest.mark.parametrize("rule", LOST, ids=lambda rule: str(rule.get("drop") or rule["status"]) + str(rule.get("body")))
@story(lambda rule: rule)
async def test_a_lost_answer_is_never_sent_again_by_itself(rig: Rig, rule: dict[str, object]) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.BillingUnknownError)
    assert "may have been billed, not sent again" in str(error)
    await rig.clock.sleep(3600)
    assert rig.count("creates") == 1
    assert [row.state for row in rig.rows()] == [TaskState.UNKNOWN]
    fresh = await rig.collected(rig.submit(5)[0])  # the user's own next run
    assert fresh.paid
    assert rig.count("creates") == 2


@story(max_in_flight=2, retry_after=3)
async def test_429_is_waited_out_and_sent_again(rig: Rig) -> None:
    got = await asyncio.gather(*map(rig.collected, rig.submit(*range(6))))
    assert len(got) == 6
    assert rig.billed == 6
    assert len(rig.rows()) == 6


@story
async def test_what_never_left_is_sent_again_and_then_said(rig: Rig) -> None:
    rig.wire.broken = lambda: errors.ConnectionRefusedByHostError("Refused.")
    handle = rig.submit(5)[0]
    await rig.clock.sleep(1.0)
    rig.wire.broken = None
    assert (await rig.collected(handle)).paid
    rig.wire.broken = lambda: errors.DnsError("No such host.")
    error = await rig.failure(rig.submit(6)[0])
    assert isinstance(error, errors.DnsError)
    assert "No credits were spent" in str(error)
    assert rig.billed == 1


FLAPS = [
    {"on": "poll", "times": 4, "status": 503},
    {"on": "poll", "times": 3, "status": 429, "retry_after": 5},
    {"on": "poll", "times": 3, "status": 200, "body": "html"},
    {"on": "poll", "times": 3, "drop": "before_answer"},
    {"on": "poll", "times": 2, "delay_s": 20},
    {"on": "download", "times": 4, "status": 404},
    {"on": "download", "times": 4, "status": 503},
    {"on": "download", "times": 3, "drop": "mid_body"},
    {"on": "download", "times": 1, "image": "html"},
    {"on": "download", "times": 2, "image": "garbage"},
]


@pytest.mark.parametrize("rule", FLAPS, ids=str)
@story(lambda rule: rule)
async def test_polls_and_downloads_are_patient(rig: Rig, rule: dict[str, object]) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.row.state is TaskState.COLLECTED
    assert rig.count("creates") == rig.billed == 1


@story({"on": "download", "times": "always", "status": 403})
async def test_a_link_that_stays_dead_is_said_and_the_task_stays_collectable(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.LinkDeadError)
    assert str(rig.rows()[0].task_id) in str(error)
    assert rig.rows()[0].state is TaskState.SUCCEEDED
    rig.gateway.script.clear()
    got = await rig.collected(rig.submit(5)[0])
    assert not got.paid
    assert rig.billed == 1


@story(task={"fail": "the paint ran out"})
async def test_a_failed_task_is_not_retried_and_its_own_words_are_told(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.TaskFailedError)
    assert "the paint ran out" in str(error)
    await rig.clock.sleep(600)
    assert rig.count("creates") == 1
    assert rig.journal.overview.credits().refunded == 25


BORN_DEAD = {"code": 200, "data": {"task_id": "n68_born_dead", "status": "FAILED", "error": "the paint ran out"}}


@story({"on": "create", "status": 200, "body": BORN_DEAD})
async def test_a_create_that_is_answered_with_a_failure_is_no_created_task(rig: Rig) -> None:
    """A node that does not wait would else give out an id, and count the credits, of what has failed already."""
    handle = rig.submit(5)[0]
    with pytest.raises(errors.TaskFailedError, match="the paint ran out"):
        await asyncio.wrap_future(handle.created)
    assert rig.journal.overview.credits().refunded == 25


@story(
    {"on": "create", "seed": 5, "task": {"fail": {"message": "flagged", "code": 1200}}},
    {"on": "create", "seed": 6, "task": {"fail": {"message": "Unable to access the media URL", "code": 1402}}},
)
async def test_moderation_and_unreachable_inputs_are_told_apart(rig: Rig) -> None:
    assert isinstance(await rig.failure(rig.submit(5)[0]), errors.ModerationError)
    error = await rig.failure(rig.submit(6)[0])
    assert isinstance(error, errors.InputUnreachableError)
    assert "not moderation" in str(error)


@story(task={"seconds": 30})
async def test_a_timeout_leaves_the_task_and_the_background_collects_it(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5, timeout_s=10)[0])
    assert isinstance(error, errors.TaskTimeoutError)
    assert str(rig.rows()[0].task_id) in str(error)
    assert rig.clock.monotonic() == pytest.approx(10)
    await rig.clock.sleep(60)
    assert rig.rows()[0].state is TaskState.COLLECTED
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


@pytest.mark.parametrize("at", [0.0, 2.0, 8.5])
@story(latency=1.0)
async def test_an_interrupt_loses_nothing(rig: Rig, at: float) -> None:
    handle = rig.submit(5)[0]
    await rig.clock.sleep(at)
    handle.detach()
    await rig.clock.sleep(60)
    assert rig.billed <= 1
    assert (await rig.collected(rig.submit(5)[0])).row.state is TaskState.COLLECTED
    assert rig.billed == 1


@story(settings={"max_in_flight": 1})
async def test_an_interrupt_in_the_queue_sends_nothing(rig: Rig) -> None:
    first, second = rig.submit(5)[0], rig.submit(6)[0]
    await rig.clock.sleep(1)
    assert second.progress().phase is Phase.QUEUED
    second.detach()
    await rig.collected(first)
    await rig.clock.sleep(60)
    assert rig.count("creates") == 1
    assert len(rig.rows()) == 1


@story
async def test_a_killed_process_is_taken_over_and_nothing_is_paid_twice(rig: Rig) -> None:
    rig.submit(5)
    await rig.clock.sleep(3)
    for task in list(rig.background._tasks):
        task.cancel()  # the process is gone, in the middle of its wait
    await rig.clock.sleep(40)
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(60)
    assert other.rows()[0].state is TaskState.COLLECTED
    assert not (await other.collected(other.submit(5)[0])).paid
    assert rig.billed == 1


@story(latency=0.2)
async def test_two_processes_send_the_same_request_once(rig: Rig) -> None:
    other = rig.another()
    rig.runner.start_sweeper()
    other.runner.start_sweeper()
    one, two = await asyncio.gather(rig.collected(rig.submit(5)[0]), other.collected(other.submit(5)[0]))
    assert one.row.id == two.row.id
    assert [one.paid, two.paid].count(True) == 1
    assert rig.billed == 1
    assert rig.count("polls") <= 16, "one of the two polls"


@story
async def test_typed_ids(rig: Rig) -> None:
    paid = await rig.collected(rig.submit(5)[0])
    before = rig.count("requests")
    got = await rig.collected(rig.attach(str(paid.row.task_id)))
    assert got.images[0].digest == "a lighthouse|5"
    assert rig.count("requests") == before, "a collected task needs no gateway"
    error = await rig.failure(rig.attach("nobody_knows_this"))
    assert isinstance(error, errors.UnknownTaskError)
    assert rig.clock.monotonic() < 15
    with pytest.raises(errors.InvalidTaskIdError):
        rig.attach("../x")


@story
async def test_a_task_created_elsewhere_is_collected_by_its_id(rig: Rig) -> None:
    status = rig.client.create(rig.request(5), [], 30.0)
    got = await rig.collected(rig.attach(str(status.task_id)))
    assert got.images[0].digest == "a lighthouse|5"
    assert got.row.credits == 0
    assert rig.billed == 1


@pytest.mark.parametrize("shape", ["documented", "general", "upstream", "direct_url", "direct_b64"])
@story(task=lambda shape: {"shape": shape})
async def test_every_answer_shape_ends_in_an_image(rig: Rig, shape: str) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.images[0].digest == "a lighthouse|5"
    again = await rig.collected(rig.attach(got.row.storage_id))
    assert again.images[0].digest == "a lighthouse|5"
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1


@story
async def test_an_input_that_is_echoed_after_a_restart_is_no_result(rig: Rig) -> None:
    encode = image().encode
    assert encode is not None
    url = f"data:image/png;base64,{base64.b64encode(encode().data).decode()}"
    inputs = (ImageInput(f"url:{url}", url=url),)
    handle = rig.submit(5, inputs=inputs)[0]
    await rig.clock.sleep(2)
    for task in list(rig.background._tasks):  # the process is killed
        task.cancel()
    await rig.ended(handle)
    echo = {"code": 200, "data": {"status": "completed", "images": [url]}}
    rig.gateway.script.add({"on": "poll", "body": echo, "times": 2})
    got = await rig.collected(rig.another().submit(5, inputs=inputs)[0])
    assert got.images[0].digest == "a lighthouse|5"


@story(settings={"credit_limit_per_day": 100})
async def test_the_credit_limit_refuses_the_whole_batch_before_anything_is_sent(rig: Rig) -> None:
    for handle in rig.submit(*range(8)):
        error = await rig.failure(handle)
        assert isinstance(error, errors.CreditLimitError)
        assert "200" in str(error)
    assert rig.count("creates") == 0
    await asyncio.gather(*map(rig.collected, rig.submit(*range(4))))
    assert isinstance(await rig.failure(rig.submit(4)[0]), errors.CreditLimitError)
    assert not (await rig.collected(rig.submit(3)[0])).paid, "what is paid for costs nothing"
    assert rig.billed == 4


@story(settings={"credit_limit_per_day": 300, "max_in_flight": 4})
async def test_the_credit_limit_refuses_the_whole_of_one_of_two_nodes_that_come_at_once(rig: Rig) -> None:
    first, second = rig.submit(*range(8), node="1"), rig.submit(*range(8, 16), node="2")
    await asyncio.gather(*map(rig.collected, first))
    for handle in second:
        error = await rig.failure(handle)
        assert isinstance(error, errors.CreditLimitError)
        counted, waiting = re.findall(r"(\d+) are counted already.*?(?:(\d+) wait|$)", str(error))[0]
        assert int(counted) + int(waiting or 0) == 200, "each of the eight is counted once, written down or not"
    assert rig.count("creates") == 8
    await asyncio.gather(*map(rig.collected, rig.submit(*range(8, 12), node="3")))
    assert rig.billed == 12, "what was let in is counted once"


@story({"on": "create", "seed": 2, "task": {"fail": "no"}})
async def test_partial_success_gives_the_good_ones(rig: Rig) -> None:
    handles = rig.submit(1, 2, 3)
    assert (await rig.collected(handles[0])).paid
    assert isinstance(await rig.failure(handles[1]), errors.TaskFailedError)
    assert (await rig.collected(handles[2])).paid


class FullDisk:
    """The journal on a disk that is full when the task id arrives, until space is made."""

    def __init__(self, journal: Journal, failures: int) -> None:
        self._journal = journal
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def mark_submitted(self, row_id: str, task_id: str) -> TaskRow | None:
        if self.failures:
            self.failures -= 1
            raise errors.JournalError("The disk is full.")
        return self._journal.mark_submitted(row_id, task_id)


@story
async def test_an_id_that_cannot_be_written_is_told_and_not_given_up(rig: Rig) -> None:
    full = FullDisk(rig.journal, 2)
    rig.runner.tools = replace(rig.runner.tools, journal=cast(Journal, full))
    got = await rig.collected(rig.submit(5)[0])
    assert any(str(got.row.task_id) in warning for warning in rig.warnings)
    assert rig.journal.by_task_id(str(got.row.task_id)) is not None
    assert rig.billed == 1


@pytest.mark.parametrize("opaque", [True, False])
@story
async def test_a_links_picture_stands_for_a_result_only_if_both_show_the_same(rig: Rig, opaque: bool) -> None:
    rig.runner.tools = replace(rig.runner.tools, decode=lambda data, most: replace(decode(data, most), opaque=opaque))
    first = await rig.collected(rig.submit(5)[0])
    pixels = f"pixels:{first.images[0].digest}"
    as_input = rig.sources.resolve(replace(image(), identity=pixels))
    assert as_input.way == ("remembered" if opaque else "data")


@story
async def test_an_evicted_image_is_fetched_again_and_a_lost_one_created_anew(rig: Rig) -> None:
    first = await rig.collected(rig.submit(5)[0])
    rig.results.path_of(first.row.files[0]).unlink()
    again = await rig.collected(rig.submit(5)[0])
    assert not again.paid
    assert rig.results.read(again.row.files[0])
    rig.results.path_of(again.row.files[0]).unlink()
    Control(rig.gateway).forget({})
    rig.gateway.script.add({"on": "download", "status": 404, "times": "always", "number": 1})
    lost = await rig.failure(rig.attach(str(first.row.task_id)))
    assert isinstance(lost, errors.LinkDeadError)
    fresh = await rig.collected(rig.submit(5)[0])
    assert fresh.paid
    assert fresh.row.id != first.row.id
    assert rig.billed == 2


@pytest.mark.parametrize("times", [1, "always"], ids=["one server of several", "for ever"])
@story
async def test_an_evicted_image_costs_nothing_though_the_gateway_does_not_know_its_task(
    rig: Rig, times: int | str
) -> None:
    first = await rig.collected(rig.submit(5)[0])
    rig.results.path_of(first.row.files[0]).unlink()
    rig.gateway.script.add({"on": "poll", "status": 404, "times": times})
    again = await rig.collected(rig.submit(5)[0])
    assert (again.row.id, again.paid) == (first.row.id, False)
    assert rig.results.read(again.row.files[0])
    assert rig.billed == 1


@pytest.mark.parametrize("why", ["429", "refused", "asleep", "left"])
@story(
    lambda why: [{"on": "create", "status": 429, "retry_after": 3}] if why == "429" else [],
    latency=0.5,
)
async def test_the_page_hears_that_a_row_is_gone_that_was_written_down_and_not_sent(rig: Rig, why: str) -> None:
    begin, begun = rig.journal.begin, list[str]()

    def begin_and_meanwhile(*arguments: Any, **options: Any) -> Any:
        outcome = cast(Begun, begin(*arguments, **options))
        if not begun and why == "asleep":
            rig.clock.epoch += 60
        if not begun and why == "left":
            handle.detach()
        begun.append(outcome.row.id)
        return outcome

    rig.journal.begin = begin_and_meanwhile  # type: ignore[method-assign]
    if why == "refused":
        rig.wire.broken = lambda: errors.ConnectionRefusedByHostError("Refused.")
    handle = rig.submit(5)[0]
    await rig.clock.sleep(0.2)  # a page may read its list now
    rig.wire.broken = None
    await rig.clock.sleep(30)
    assert len(begun) == (1 if why == "left" else 2)
    first, *others = rig.changes
    assert (first.id, first.hidden) == (begun[0], True)
    assert not any(row.hidden for row in others)
    assert rig.billed == len(begun) - 1


@pytest.mark.parametrize("leaves", [False, True])
@story({"on": "create", "status": 429, "retry_after": 3}, latency=1.0)
async def test_a_process_takes_its_create_back_and_the_one_that_followed_sends_it(rig: Rig, leaves: bool) -> None:
    other = rig.another()
    for each in (rig, other):
        each.runner.start_sweeper()
    mine = rig.submit(5)[0]
    await rig.clock.sleep(0.2)
    followed = other.submit(5)[0]
    await rig.clock.sleep(0.5)
    if leaves:
        mine.detach()
    assert (await other.collected(followed)).images[0].digest == "a lighthouse|5"
    assert leaves or (await rig.collected(mine)).images[0].digest == "a lighthouse|5"
    assert rig.billed == 1


@pytest.mark.long
@story(task={"seconds": None})
async def test_the_sweeper_is_quiet_and_gives_up_when_upstream_has_thrown_it_away(rig: Rig) -> None:
    handle = rig.submit(6)[0]
    await rig.clock.sleep(1)
    handle.detach()
    await rig.clock.sleep(700)  # its own job has ended
    rig.runner.start_sweeper()
    before = rig.count("polls")
    await rig.clock.sleep(1200)
    assert 3 <= rig.count("polls") - before <= 15, "twenty minutes of a task that nobody waits for"
    rig.runner.sweeper.stop()
    await rig.clock.sleep(9 * 86400)
    rig.runner.start_sweeper()
    await rig.clock.sleep(700)  # asked for once more: the clock may have been wrong
    assert rig.rows()[0].lost_at is not None
    before = rig.count("polls")
    await rig.clock.sleep(600)
    assert rig.count("polls") == before
