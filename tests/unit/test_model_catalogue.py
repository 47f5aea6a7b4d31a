"""The catalogue: what each family takes and costs, and a studio's own entries over it."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hunyuan.errors import InvalidRequestError
from hunyuan.gateway.models.catalogue import FAMILIES, HUNYUAN, Catalogue
from hunyuan.gateway.models.studio_file import read_catalogue
from hunyuan.gateway.protocol import create_body
from hunyuan.models import GenerationRequest, ImageSize, TaskType

CATALOGUE = Catalogue()
KEYS = [family.key for family in CATALOGUE.others]


def written(directory: Path, entries: object, name: str = "models.json") -> Catalogue:
    (directory / name).write_text(json.dumps(entries) if not isinstance(entries, str) else entries, encoding="utf-8")
    return read_catalogue(directory)


def request_of(key: str, **changes: Any) -> GenerationRequest:
    family = CATALOGUE.get(key)
    assert family is not None
    usual = {each.name: 7 for each in family.parameters if each.kind == "seed"}
    task = {each.name: "n1_grok" for each in family.parameters if each.kind == "task"}
    return family.request("a lighthouse", {**usual, **task, **changes.pop("values", {})}, **changes)


def test_hunyuans_fingerprint_is_what_journals_of_today_hold() -> None:
    plain = GenerationRequest(TaskType.TEXT_TO_IMAGE, "a lighthouse", ImageSize(1024, 1024), 5, "hunyuan-image-3")
    edit = GenerationRequest(TaskType.EDIT, "灯塔", ImageSize(1024, 1024), 5, "hunyuan-image-3", ("pixels:a", "url:b"))
    assert plain.fingerprint("https://apiin.one/") == "03d0c50168f7bf1426d3afd4a29567b691f1d01abe3052ccbc427315bff29f7a"
    assert edit.fingerprint("https://apiin.one/") == "9a095591966fa34df51ceff16cf89faccb5d296a85b77334ce9b461db651562e"


def test_no_two_requests_that_differ_share_a_fingerprint() -> None:
    requests = [request_of(key) for key in KEYS]
    requests += [request_of(key, variation=1) for key in KEYS]
    requests += [request_of("imagen-4", model="imagen4-ultra"), request_of("flux-2", values={"resolution": "2K"})]
    requests += [request_of("flux-2", images=[("input_urls", "pixels:a")])]
    requests += [request_of("ideogram-v3", images=[(name, "pixels:a")]) for name in ("image", "reference_images")]
    assert len({each.fingerprint("https://apiin.one") for each in requests}) == len(requests)
    assert requests[0].fingerprint("https://a.test") != requests[0].fingerprint("https://b.test")
    dearer = replace(requests[0], credits=99)
    assert dearer.fingerprint("https://a.test/") == requests[0].fingerprint("https://a.test")


def test_each_model_belongs_to_one_family_and_each_node_to_one() -> None:
    models = [model for family in FAMILIES for model in family.all_models]
    assert len(set(models)) == len(models)
    assert len({family.node for family in FAMILIES}) == len(FAMILIES)
    assert CATALOGUE.of_model("seedream/4.5-edit") is CATALOGUE.get("seedream-4-5")
    assert CATALOGUE.of_model("never heard of") is None


def test_images_go_into_their_own_fields_as_one_or_as_a_list() -> None:
    images = [("image", "pixels:a"), ("mask_image", "pixels:b"), ("reference_images", "pixels:c")]
    body = create_body(request_of("ideogram-v3", images=images), ["https://a", "https://b", "https://c"])
    assert (body["image"], body["mask_image"], body["reference_images"]) == ("https://a", "https://b", ["https://c"])


def test_several_images_of_a_task_cost_as_many_times() -> None:
    assert request_of("imagen-4", values={"num_images": 3}).credits == 3 * 4
    assert request_of("kling-image-o1", values={"num_images": 9, "type": "ai-multi-shot"}).credits == 9 * 16


WRONG = [
    ("flux-2", {"prompt": "ab"}, "at least 3 characters"),
    ("cogview-4", {"prompt": "x" * 1001}, "at most 1000 characters for CogView 4, got 1001"),
    ("flux-2", {"values": {"resolution": "4K"}}, "resolution of FLUX.2 must be one of 1K, 2K, got '4K'"),
    ("kling-image-o1", {"values": {"num_images": 10}}, "1 to 9, got 10"),
    ("kling-image-o1", {"values": {"num_images": True}}, "whole number"),
    ("flux-2", {"images": [("input_urls", str(k)) for k in range(9)]}, "at most 8 images"),
    ("ideogram-v3", {"images": [("mask_image", "a")]}, "mask of Ideogram V3 means nothing without image"),
    ("cogview-4", {"images": [("images", "a")]}, "takes no images"),
    ("imagen-4", {"model": "imagen5"}, "imagen4-fast, imagen4, imagen4-ultra"),
    ("grok-upscale", {"values": {"task_id": ""}}, "id of an earlier task"),
    ("imagen-4", {"values": {"negative_prompt": "\ud83d"}}, "negative_prompt holds half a character"),
]


@pytest.mark.parametrize(("key", "changes", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_what_a_model_does_not_take_is_refused_by_name(key: str, changes: dict[str, Any], words: str) -> None:
    family = CATALOGUE.get(key)
    assert family is not None
    prompt, values = changes.get("prompt", "a lighthouse"), changes.get("values", {})
    values = {"seed": 1, **values} if family.parameter("seed") else values
    others = {name: value for name, value in changes.items() if name not in ("prompt", "values")}
    with pytest.raises(InvalidRequestError) as refused:
        family.request(prompt, values, **others)
    assert words in str(refused.value)


# -- the studio's file --------------------------------------------------------------------------------


def test_without_a_file_the_catalogue_is_the_built_in_one(tmp_path: Path) -> None:
    assert read_catalogue(tmp_path) == Catalogue()


def test_a_studio_corrects_a_price_and_adds_a_size(tmp_path: Path) -> None:
    resolution = {"choices": ["1K", "2K", "4K"]}
    prices = [
        {"credits": 6, "when": {"type": "pro", "resolution": "1K"}},
        {"credits": 40, "when": {"resolution": "4K"}},
    ]
    found = written(tmp_path, {"flux-2": {"parameters": {"resolution": resolution}, "prices": prices}})
    assert found.mistakes == ()
    family = found.get("flux-2")
    assert family is not None
    assert family.credits("flux-2", {}) == 6
    assert family.credits("flux-2", {"type": "flex", "resolution": "4K"}) == 40
    assert family.credits("flux-2", {"type": "flex"}) == 14
    assert family.node == "HunyuanFlux2"


def test_a_new_family_in_toml(tmp_path: Path) -> None:
    text = '[my-model]\ntitle = "My Model"\nmodels = ["my/model-1"]\nprices = [{credits = 3}]\n'
    found = written(tmp_path, text, "models.toml")
    family = found.get("my-model")
    if family is None:  # before Python 3.11 its library reads no TOML
        assert find_spec("tomllib") is None
        assert found.mistakes == ("models.toml needs Python 3.11 or later: write models.json instead.",)
    else:
        assert (family.node, family.credits("my/model-1", {})) == ("HunyuanMyModel", 3)


MISTAKES = [
    ("[]", "must hold a table of families, got a list"),
    ("{", "models.json is not JSON"),
    ({"Big Name": {}}, '"Big Name" is not a name'),
    ({"hunyuan-image-3": {"prices": []}}, "has its own nodes"),
    ({"flux-2": 3}, '"flux-2" must be a table, got 3'),
    ({"flux-2": {"price": 3}}, '"flux-2" has "price", which nobody knows'),
    ({"flux-2": {"parameters": {"resolution": {"choices": "4K"}}}}, "must be a list of texts, got '4K'"),
    ({"flux-2": {"parameters": {"wait": {"choices": ["a"]}}}}, "cannot be a name"),
    ({"flux-2": {"parameters": {"resolution": {"choices": ["1K", "4K"]}}}}, "no price for model flux-2, type pro"),
    ({"flux-2": {"prices": [{"credits": -1}]}}, "whole number from 0, got -1"),
    ({"flux-2": {"prices": [{"when": {}}]}}, "names no credits"),
    ({"flux-2": {"prices": [{"credits": 1, "when": {"colour": "red"}}]}}, 'depends on "colour", which is no choice'),
    ({"flux-2": {"images": {"input_urls": {"most": "many"}}}}, "must be int, got 'many'"),
    ({"mine": {"prices": [{"credits": 1}]}}, "names no models"),
    ({"mine": {"models": ["flux-2"], "prices": [{"credits": 1}]}}, 'belongs to "flux-2" already'),
    ({"mine": {"models": ["m"], "parameters": {"a": {"kind": "odd"}}}}, "must be one of choice, number"),
    ({"mine": {"models": ["m"], "parameters": {"a": {"kind": "number"}}}}, "needs a number as its default"),
    ({"mine": {"models": ["m"], "parameters": {"a": {}}}}, "needs choices"),
]


@pytest.mark.parametrize(("entries", "words"), MISTAKES, ids=lambda value: str(value)[:50])
def test_each_mistake_has_a_sentence_and_changes_nothing_else(tmp_path: Path, entries: object, words: str) -> None:
    good = {"cogview-4": {"prices": [{"credits": 5}]}}
    found = written(tmp_path, {**entries, **good} if isinstance(entries, dict) else entries)
    (mistake,) = found.mistakes
    assert words in mistake
    assert mistake.endswith(".")
    cogview = found.get("cogview-4")
    assert cogview is not None
    assert cogview.credits("cogview-4", {}) == (5 if isinstance(entries, dict) else 4)
    assert [each.key for each in found.families] == [each.key for each in FAMILIES]
    assert found.get("flux-2") == CATALOGUE.get("flux-2")


def test_hunyuan_itself_is_an_entry() -> None:
    assert CATALOGUE.get("hunyuan-image-3") is HUNYUAN
    assert HUNYUAN not in list(CATALOGUE.others)
    assert HUNYUAN.credits("hunyuan-image-3", {}) == 25


@pytest.mark.parametrize("key", KEYS)
def test_a_number_that_python_cannot_show_is_refused_by_name(key: str) -> None:
    family = CATALOGUE.get(key)
    assert family is not None
    for each in family.parameters:
        if each.kind in ("number", "seed") and each.most is None:
            continue  # the node's own check refuses it
        with pytest.raises(InvalidRequestError, match=f"{each.name} of .* too long to show"):
            request_of(key, values={each.name: 10**5000})
