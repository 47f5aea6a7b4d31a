"""Stories of odd answers on virtual time: whatever the gateway says, a paid task's image comes, once."""

from __future__ import annotations

import asyncio
import base64

import pytest

from hunyuan import errors
from hunyuan.journal.records import CreditTotals
from hunyuan.models import ImageInput, TaskState
from sandbox.odd_bodies import WRAPPINGS
from sandbox.other_gateways import RELATIVES
from sandbox.plan import SHAPES
from tests.kit.rig import DRAWN, KEY, Rig, image, story

PACKED = {"gzip", "gzip_unsaid", "deflate", "gzip_not", "br_not"}  # over HTTP: tests/contract/test_client_answers.py


def edited() -> tuple[ImageInput, ...]:
    """An input that the gateway's answers repeat."""
    encode = image().encode
    assert encode is not None
    url = f"data:image/png;base64,{base64.b64encode(encode().data).decode()}"
    return (ImageInput(f"url:{url}", url=url),)


# -- shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [False, True], ids=["polled", "at once"])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not shape.startswith("direct")])
@story(task=lambda shape, at_once: {"shape": shape, "at_once": at_once, "echo": "nested"})
async def test_every_shape_ends_in_the_image_at_the_create_and_at_a_poll(rig: Rig, shape: str, at_once: bool) -> None:
    got = await rig.collected(rig.submit(5, inputs=edited())[0])
    assert rig.results.read(got.row.files[0]) == DRAWN + b"a lighthouse|5"
    assert [each.digest for each in got.images] == ["a lighthouse|5"]
    assert (rig.count("polls") > 0) is not at_once
    assert not (await rig.collected(rig.submit(5, inputs=edited())[0])).paid
    assert rig.billed == 1


@pytest.mark.parametrize("shape", RELATIVES)
@story(task=lambda shape: {"shape": shape, "charged": 15})
async def test_a_task_created_elsewhere_is_read_in_every_shape_though_its_inputs_are_not_known(
    rig: Rig, shape: str
) -> None:
    url = str(edited()[0].url)
    created = rig.client.create(rig.request(5, images=(f"url:{url}",)), [url], 30.0)
    got = await rig.collected(rig.attach(str(created.task_id)))
    assert got.images[0].digest == "a lighthouse|5"
    assert (got.row.credits, rig.billed) == (0, 1)


@pytest.mark.parametrize("at_once", [False, True], ids=["polled", "at once"])
@pytest.mark.parametrize("shape", RELATIVES)
@story(task=lambda shape, at_once: {"shape": shape, "at_once": at_once, "fail": "the paint ran out"})
async def test_a_failure_is_told_in_the_words_of_every_shape(rig: Rig, shape: str, at_once: bool) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.TaskFailedError)
    assert "the paint ran out" in str(error)
    assert rig.journal.overview.credits() == CreditTotals(refunded=25)


@pytest.mark.parametrize("at_once", [False, True], ids=["polled", "at once"])
@pytest.mark.parametrize("shape", ["documented", "general", "upstream"])
@story(
    task=lambda shape, at_once: {
        "shape": shape,
        "at_once": at_once,
        "fail": "the paint ran out",
        "error_form": "completed",
    }
)
async def test_completed_beside_an_error_is_a_failure(rig: Rig, shape: str, at_once: bool) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.TaskFailedError)
    assert "the paint ran out" in str(error)
    assert rig.journal.overview.credits().refunded == 25


@pytest.mark.parametrize("at_once", [False, True], ids=["polled", "at once"])
@story(task=lambda at_once: {"shape": "upstream", "at_once": at_once, "flagged": True})
async def test_an_image_that_moderation_keeps_back_is_moderation(rig: Rig, at_once: bool) -> None:
    assert isinstance(await rig.failure(rig.submit(5)[0]), errors.ModerationError)
    assert rig.journal.overview.credits().refunded == 25


@pytest.mark.parametrize("link", ["path", "host", "raw"])
@pytest.mark.parametrize("at_once", [False, True], ids=["polled", "at once"])
@pytest.mark.parametrize("shape", ["documented", "upstream", "sites", "flags", "fail_reason"])
@story(task=lambda shape, at_once, link: {"shape": shape, "at_once": at_once, "link": link})
async def test_links_that_are_relative_or_not_escaped_are_followed(
    rig: Rig, shape: str, at_once: bool, link: str
) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.images[0].digest == "a lighthouse|5"
    assert all(url.startswith("http://sandbox.invalid/") and url.isascii() for url in got.row.urls)
    assert rig.billed == 1


# -- status words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["documented", "general", "sites", "state"])
@story(task=lambda shape: {"shape": shape, "words": {"pending": "Levitating", "running": "levitating"}, "seconds": 60})
async def test_a_status_word_that_nobody_knows_is_waited_out_and_told_once(rig: Rig, shape: str) -> None:
    got = await asyncio.gather(*map(rig.collected, rig.submit(5, 6)))
    assert [each.images[0].digest for each in got] == ["a lighthouse|5", "a lighthouse|6"]
    told = [warning for warning in rig.warnings if "levitating" in warning]
    assert len(told) == 1
    assert "still running" in told[0]
    assert rig.billed == 2


LEVITATING = {"code": 200, "data": {"status": "levitating", "trace": KEY, "signed": "https://a.test/b?sig=deadbeef"}}


@pytest.mark.parametrize("status", [None, {"name": "RUNNING"}, ["RUNNING"]])
@story(
    lambda status: {
        "on": "poll",
        "body": {"code": 200, "data": {"progress": 3, "status": status, "trace": KEY}},
        "times": 20,
    }
)
async def test_a_poll_without_a_status_word_is_waited_out_and_told_once(rig: Rig, status: object) -> None:
    assert (await rig.collected(rig.submit(5)[0])).images[0].digest == "a lighthouse|5"
    assert rig.count("polls") > 20
    (told,) = rig.warnings
    assert "still running" in told
    assert KEY not in told
    assert rig.billed == 1


@pytest.mark.parametrize("words", ["temporary database failure", "Too many requests"])
@story(lambda words: {"on": "poll", "body": {"status": "error", "message": words}, "times": 8})
async def test_an_error_that_says_nothing_of_the_task_ends_no_task(rig: Rig, words: str) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.images[0].digest == "a lighthouse|5"
    assert rig.journal.overview.credits() == CreditTotals(spent=25)
    assert rig.billed == 1


@story({"on": "poll", "body": LEVITATING, "times": "always"})
async def test_a_status_word_that_nobody_knows_and_never_ends_is_a_timeout(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5, timeout_s=300)[0])
    assert isinstance(error, errors.TaskTimeoutError)
    assert rig.clock.monotonic() == pytest.approx(300)
    rig.gateway.script.clear()
    rig.finish()
    assert not (await rig.collected(rig.submit(5)[0])).paid
    assert rig.billed == 1
    (told,) = rig.warnings
    assert '"levitating"' in told
    assert KEY not in told
    assert "deadbeef" not in told


@story(task={"seconds": None})
async def test_a_gateway_that_makes_up_words_does_not_fill_the_log(rig: Rig) -> None:
    for number in range(400):
        body = {"data": {"status": f"phase {number} of many"}}
        rig.gateway.script.add({"on": "poll", "body": body})
    await rig.failure(rig.submit(5, timeout_s=3000)[0])
    assert rig.count("polls") > 100
    assert len(rig.warnings) == 50


# -- bytes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["documented", "general", "upstream", "sites", "music"])
@pytest.mark.parametrize("kind", sorted(set(WRAPPINGS) - PACKED))
@story(
    lambda kind: {"on": "create", "wrapped": kind},
    lambda kind: {"on": "poll", "wrapped": kind, "times": 2 if kind == "cut" else "always"},
    task=lambda shape: {"shape": shape},
)
async def test_a_paid_task_is_never_dropped_for_what_stands_around_its_id(rig: Rig, kind: str, shape: str) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.images[0].digest == "a lighthouse|5"
    assert rig.billed == 1


@pytest.mark.parametrize("status", [200, 500, 502, 504])
@story({"on": "create", "status": 504, "billed": True, "delay_s": 5})
async def test_an_id_in_a_create_that_is_answered_with_an_error_is_asked_for(rig: Rig, status: int) -> None:
    handle = rig.submit(5)[0]
    await rig.clock.sleep(1)
    task = rig.state["tasks"][0]["task_id"]
    assert rig.rows()[0].task_id is None, "not yet answered"
    body = {"error": {"code": status, "message": "upstream timed out"}, "task_id": task}
    rig.gateway.script.add({"on": "create", "status": status, "body": body, "billed": True})
    assert isinstance(await rig.failure(handle), errors.BillingUnknownError)
    created = rig.client.create(rig.request(6), [], 30.0)
    assert created.task_id == task


# -- what it cost --------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [False, True], ids=["polled", "at once"])
@pytest.mark.parametrize("shape", ["documented", "upstream", *RELATIVES])
@pytest.mark.parametrize("charged", [0, 15, 40])
@story(task=lambda shape, at_once, charged: {"shape": shape, "at_once": at_once, "charged": charged})
async def test_what_the_gateway_charged_is_what_counts(rig: Rig, shape: str, at_once: bool, charged: int) -> None:
    got = await asyncio.gather(*map(rig.collected, rig.submit(5, 6)))
    assert [each.row.credits for each in got] == [charged, charged]
    assert [row.credits for row in rig.rows()] == [charged, charged]
    assert rig.journal.overview.credits() == CreditTotals(spent=2 * charged)
    assert rig.state["credits"] == 2 * charged
    assert any(row.credits == charged for row in rig.changes), "the page hears of it"


@story
async def test_a_price_that_a_create_names_counts_at_once_and_a_zero_of_a_running_task_does_not(rig: Rig) -> None:
    for credits in (40, 0):
        data = {"task_id": f"n68_{credits}", "status": "pending", "consumed_credits": credits}
        rig.gateway.script.add({"on": "create", "body": {"code": 200, "data": data}})
        handle = rig.submit(credits)[0]
        row = await asyncio.wrap_future(handle.created)
        assert row.credits == (credits or 25)


# -- ids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [False, True], ids=["polled", "at once"])
@pytest.mark.parametrize("shape", ["documented", "upstream", "sites"])
@story(task=lambda shape, at_once: {"shape": shape, "at_once": at_once, "odd_id": True})
async def test_ids_with_dots_colons_and_slashes_are_kept_and_sent_back_as_one_segment(
    rig: Rig, shape: str, at_once: bool
) -> None:
    got = await rig.collected(rig.submit(5)[0])
    assert got.row.task_id == rig.state["tasks"][0]["task_id"]
    assert set(".:/") < set(str(got.row.task_id))
    assert {request["path"].count("/") for request in rig.state["requests"] if request["event"] == "poll"} <= {4}
    rig.results.path_of(got.row.files[0]).unlink()
    again = await rig.collected(rig.attach(str(got.row.task_id)))
    assert again.row.id == got.row.id
    other = rig.client.create(rig.request(6), [], 30.0)
    assert (await rig.collected(rig.attach(str(other.task_id)))).images[0].digest == "a lighthouse|6"
    assert rig.billed == 2


# -- the same request runs already ---------------------------------------------------------------------


@story(same_request="409")
async def test_a_conflict_that_names_a_running_task_is_that_task(rig: Rig) -> None:
    elsewhere = rig.client.create(rig.request(5), [], 30.0)
    got = await rig.collected(rig.submit(5)[0])
    assert got.row.task_id == elsewhere.task_id
    assert got.images[0].digest == "a lighthouse|5"
    assert rig.billed == 1


@pytest.mark.parametrize("hidden", [False, True], ids=["on the list", "taken off it"])
@story({"on": "create", "drop": "before_answer"}, same_request="409")
async def test_a_conflict_names_what_became_of_a_create_whose_answer_was_lost(rig: Rig, hidden: bool) -> None:
    assert isinstance(await rig.failure(rig.submit(5)[0]), errors.BillingUnknownError)
    assert rig.rows()[0].state is TaskState.UNKNOWN
    rig.journal.mark_hidden(rig.rows()[0].id, hidden=hidden)
    got = await rig.collected(rig.submit(5)[0])
    assert got.images[0].digest == "a lighthouse|5"
    assert [row.task_id for row in rig.rows()] == [got.row.task_id], "one task, one row"
    assert rig.journal.overview.credits() == CreditTotals(spent=25)
    assert rig.billed == 1


@story(same_request="409")
async def test_a_conflict_names_a_task_that_is_under_way_here(rig: Rig) -> None:
    first = rig.submit(5)[0]
    await rig.clock.sleep(1)
    second = rig.submit(5, reuse=False)[0]
    one, two = await asyncio.gather(rig.collected(first), rig.collected(second))
    assert (one.row.id, one.paid, two.paid) == (two.row.id, True, False)
    assert len(rig.rows()) == rig.billed == 1
    assert rig.journal.overview.credits() == CreditTotals(spent=25)


@story(task={"seconds": 60})
async def test_a_conflict_that_names_the_task_of_another_request_does_not_give_its_image(rig: Rig) -> None:
    first = rig.submit(5)[0]
    await rig.clock.sleep(5)
    words = f"task {rig.rows()[0].task_id} is already running"
    rig.gateway.script.add({"on": "create", "status": 409, "message": words})
    error = await rig.failure(rig.submit(6)[0])
    assert isinstance(error, errors.RejectedRequestError)
    assert str(rig.rows()[-1].task_id) in str(error)
    assert error.money is errors.Money.NOT_SPENT
    got = await rig.collected(first)
    assert got.images[0].digest == "a lighthouse|5"
    assert (rig.limiter.in_flight, rig.billed) == (0, 1)
    assert rig.journal.overview.credits() == CreditTotals(spent=25)


@story({"on": "create", "status": 409})
async def test_a_conflict_that_names_no_task_is_refused(rig: Rig) -> None:
    error = await rig.failure(rig.submit(5)[0])
    assert isinstance(error, errors.RejectedRequestError)
    assert rig.journal.overview.credits() == CreditTotals()
