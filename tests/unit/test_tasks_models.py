"""The other models on the endpoint: what is sent, what it costs, and the promises of money with a second model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hunyuan import errors
from hunyuan.gateway.models.catalogue import Catalogue
from hunyuan.gateway.models.family import Family
from hunyuan.jobs.handle import Handle
from hunyuan.models import GenerationRequest, ImageInput, TaskState
from tests.kit.documented_models import TABLE, Documented, bodies_of
from tests.kit.journals import begun, fresh, open_journal
from tests.kit.rig import Rig, image, story

CATALOGUE = Catalogue()


def family_of(key: str) -> Family:
    found = CATALOGUE.get(key)
    assert found is not None
    return found


def submit(rig: Rig, *wanted: tuple[GenerationRequest, tuple[ImageInput, ...]], reuse: bool = True) -> list[Handle]:
    return rig.runner.submit(list(wanted), rig.options(reuse))


def plain(key: str, **changes: Any) -> tuple[GenerationRequest, tuple[ImageInput, ...]]:
    return family_of(key).request("a lighthouse", {"seed": 1, **changes.pop("values", {})}, **changes), ()


@pytest.mark.parametrize("documented", TABLE, ids=lambda each: each.key)
@story(task={"seconds": 1.0})
async def test_every_documented_choice_is_taken_and_costs_what_the_page_says(rig: Rig, documented: Documented) -> None:
    family = family_of(documented.key)
    assert family.prompt_most == documented.prompt
    assert {each.name for each in family.parameters} == set(documented.choices) - {"model"}
    for number, chosen in enumerate(bodies_of(documented)):
        before = rig.state["credits"]
        values = {name: value for name, value in chosen.items() if name != "model"}
        request = family.request(f"a lighthouse {number}", values, model=chosen["model"])
        (handle,) = submit(rig, (request, ()))
        got = await rig.collected(handle)
        told = tuple(str(chosen[name]) for name in documented.told)
        credits = documented.credits[told] * chosen.get("num_images", 1)
        assert rig.state["credits"] - before == got.row.credits == request.credits == credits
        assert len(got.images) == len(got.row.files) == chosen.get("num_images", 1)
        body = rig.state["creates"][-1]["body"]
        assert body == {"prompt": f"a lighthouse {number}", **{name: v for name, v in chosen.items() if v != ""}}
    for parameter in family.parameters:  # and no choice that no page knows
        if parameter.kind == "choice":
            assert set(parameter.choices) == set(documented.choices[parameter.name])
            assert parameter.usual == documented.choices[parameter.name][0]


WITH_IMAGES = [each for each in TABLE if each.images]


@pytest.mark.parametrize("documented", WITH_IMAGES, ids=lambda each: each.key)
@story(task={"seconds": 1.0})
async def test_input_images_go_into_the_fields_of_the_page(rig: Rig, documented: Documented) -> None:
    family = family_of(documented.key)
    fields = [name for name, count in documented.images.items() for _ in range(count)]
    inputs = tuple(image(f"{name} {number}") for number, name in enumerate(fields))
    pairs = [(name, each.identity) for name, each in zip(fields, inputs, strict=True)]
    (handle,) = submit(rig, (family.request("a lighthouse", {}, images=pairs), inputs))
    got = await rig.collected(handle)
    body = rig.state["creates"][-1]["body"]
    for name, count in documented.images.items():
        assert isinstance(body[name], str if name in ("image", "mask_image") else list)
        assert count == (1 if isinstance(body[name], str) else len(body[name]))
    assert got.row.image_fields == tuple(fields)
    edits = {"seedream-4-5": "seedream/4.5-edit"}
    assert body["model"] == edits.get(documented.key, documented.choices["model"][0])


@story
async def test_a_grok_task_is_upscaled_by_its_id(rig: Rig) -> None:
    first = await rig.collected(submit(rig, plain("grok-imagine"))[0])
    upscale = family_of("grok-upscale").request("a lighthouse", {"task_id": first.row.task_id})
    got = await rig.collected(submit(rig, (upscale, ()))[0])
    assert (got.row.credits, rig.state["credits"]) == (12, 17)
    other = await rig.collected(rig.submit(5)[0])
    wrong = family_of("grok-upscale").request("a lighthouse", {"task_id": other.row.task_id})
    assert isinstance(await rig.failure(submit(rig, (wrong, ()))[0]), errors.RejectedRequestError)
    assert rig.state["credits"] == 17 + 25


# -- the promises of money, with a second model -------------------------------------------------------


@story
async def test_the_same_request_of_a_second_model_is_billed_once_also_after_a_restart(rig: Rig) -> None:
    one, two = await asyncio.gather(*map(rig.collected, submit(rig, plain("flux-2")) + submit(rig, plain("flux-2"))))
    assert one.row.id == two.row.id
    again = await rig.another().collected(submit(rig.another(), plain("flux-2"))[0])
    assert not again.paid
    assert (rig.billed, rig.state["credits"]) == (1, 5)
    varied = await rig.collected(submit(rig, plain("flux-2", variation=1))[0])
    assert varied.paid
    assert "variation" not in rig.state["creates"][-1]["body"]
    new = await rig.collected(submit(rig, plain("flux-2"), reuse=False)[0])
    assert new.paid
    assert rig.state["credits"] == 15


@story({"on": "create", "drop": "before_answer"})
async def test_a_lost_answer_of_a_second_model_is_not_sent_again_by_itself(rig: Rig) -> None:
    error = await rig.failure(submit(rig, plain("recraft-v4", model="recraft-v4-pro-text-to-image"))[0])
    assert isinstance(error, errors.BillingUnknownError)
    await rig.clock.sleep(3600)
    assert rig.count("creates") == 1
    assert rig.journal.overview.credits().maybe == 60


@story(settings={"credit_limit_per_day": 40})
async def test_limits_count_each_models_own_credits(rig: Rig) -> None:
    cheap = [plain("imagen-4", values={"seed": seed}) for seed in range(4)]
    await asyncio.gather(*map(rig.collected, submit(rig, *cheap)))
    assert rig.journal.overview.credits().spent == 16
    dear = submit(rig, plain("flux-2", values={"type": "flex", "resolution": "2K"}))
    await rig.collected(dear[0])
    refused = await rig.failure(submit(rig, plain("cogview-4"))[0])
    assert isinstance(refused, errors.CreditLimitError)
    assert "4 credits more would pass the limit of 40 credits today: 40 are counted already" in str(refused)
    assert rig.state["credits"] == 40


@story(settings={"credit_limit_per_day": 40})
async def test_what_waits_for_its_turn_is_counted_with_its_own_credits(rig: Rig) -> None:
    first = submit(rig, plain("gpt-image-1-5", values={"quality": "high"}))[0]
    second = submit(rig, plain("ideogram-v4"))[0]
    third = submit(rig, plain("cogview-4"))[0]
    assert isinstance(await rig.failure(third), errors.CreditLimitError)
    await asyncio.gather(*map(rig.collected, (first, second)))
    assert rig.state["credits"] == 40


@story(task={"charged": 7})
async def test_what_the_answer_says_was_charged_is_the_truth(rig: Rig) -> None:
    got = await rig.collected(submit(rig, plain("kling-image-o1", values={"num_images": 3}))[0])
    assert (got.row.price, got.row.credits) == (18, 7)


@story({"on": "create", "status": 402, "message": "No credits"})
async def test_an_empty_account_is_told_the_models_own_price(rig: Rig) -> None:
    error = await rig.failure(submit(rig, plain("gpt-image-1-5", values={"quality": "high"}))[0])
    assert isinstance(error, errors.OutOfCreditsError)
    assert "this task costs 28 credits" in str(error)


@story(task={"fail": "no"})
async def test_a_failed_task_of_a_second_model_gives_its_credits_back(rig: Rig) -> None:
    await rig.failure(submit(rig, plain("gpt-image-1-5", values={"quality": "high"}))[0])
    assert (rig.journal.overview.credits().refunded, rig.journal.overview.credits().spent) == (28, 0)


@story(task={"seconds": {"cycle": [3.0, 20.0]}})
async def test_durations_are_learned_by_model_and_choice(rig: Rig) -> None:
    await rig.collected(submit(rig, plain("flux-2"))[0])
    await rig.collected(submit(rig, plain("flux-2", values={"type": "flex"}))[0])
    fast, slow = plain("flux-2")[0], plain("flux-2", values={"type": "flex"})[0]
    for durations in (rig.runner.tools.durations, rig.another().runner.tools.durations):  # also from the journal
        (quick,), (long,) = (durations.recent(None, None, "flux-2", each.choices) for each in (fast, slow))
        assert quick < 5 < 18 < long
        assert durations.recent(None, None, "cogview-4", fast.choices) == ()


def test_an_id_that_comes_late_counts_the_models_own_price(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal, request=plain("recraft-v4")[0])
    journal.mark_failed(row.id, "x", "refused", False)
    assert fresh(journal, row).credits == 0
    journal.mark_submitted(row.id, "n1")
    assert (fresh(journal, row).credits, fresh(journal, row).state) == (10, TaskState.SUBMITTED)


def test_where_prompts_are_hashed_no_text_of_the_request_is_kept(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, hash_prompts=lambda: True)
    row = begun(journal, request=plain("imagen-4", values={"negative_prompt": "nobody may read this"})[0])
    assert "nobody" not in repr(row)
    assert b"nobody" not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_a_row_of_another_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    request = family_of("seedream-4-5").request("a", {"quality": "high"}, images=[("image_urls", "url:x")], variation=3)
    row = begun(journal, request=request)
    assert fresh(open_journal(tmp_path), row) == row
    assert (row.model, row.variation, row.price, row.type) == ("seedream/4.5-edit", 3, 12, None)
    assert dict(row.parameters) == {"aspect_ratio": "1:1", "quality": "high"}
