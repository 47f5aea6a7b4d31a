"""The schema on a ComfyUI that knows the newer keywords, and on one that does not: by inspection, not by version."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan.gateway.models.catalogue import Catalogue
from hunyuan.limits import CREDITS_PER_TASK
from tests.kit.fake_comfy_api import api, ids, output_names, schemas
from tests.kit.pack import load

NEWER_ONLY = {"search_aliases", "advanced", "has_intermediate_output"}


@pytest.fixture(scope="module")
def older() -> dict[str, Any]:
    return schemas(newer=False)


@pytest.fixture(scope="module")
def newer() -> dict[str, Any]:
    return schemas(newer=True)


def test_the_older_one_refuses_what_it_does_not_know() -> None:
    """Else the tests below could not fail."""
    old, new = api(newer=False), api(newer=True)
    for keyword in ("search_aliases", "price_badge", "essentials_category"):
        with pytest.raises(TypeError):
            old.io.Schema(node_id="x", **{keyword: []})
        new.io.Schema(node_id="x", **{keyword: []})
    for kind in ("Boolean", "Int", "Combo"):
        with pytest.raises(TypeError):
            getattr(old.io, kind).Input("x", advanced=True)
        getattr(new.io, kind).Input("x", advanced=True)


def test_every_node_loads_on_both_and_is_the_same_node(older: dict[str, Any], newer: dict[str, Any]) -> None:
    assert list(older) == list(newer)
    others = tuple(family.node for family in Catalogue().others)
    assert tuple(older) == (*load("nodes.comfyui.prompt_origin").NODE_IDS, *others)
    for name, old in older.items():
        new = newer[name]
        assert ids(old.inputs) == ids(new.inputs)
        assert output_names(old) == output_names(new)
        for before, after in zip([old, *old.inputs], [new, *new.inputs], strict=True):
            known = {key: value for key, value in vars(after).items() if key not in NEWER_ONLY}
            plain = dict(vars(before))
            if before is old:
                known = {key: value for key, value in known.items() if key not in ("inputs", "outputs")}
                plain = {key: value for key, value in plain.items() if key not in ("inputs", "outputs")}
            assert plain == known


def test_the_newer_keywords_arrive_where_they_are_known(newer: dict[str, Any]) -> None:
    for name, schema in newer.items():
        assert "混元" in schema.search_aliases, name
    for name in ("HunyuanGenerate", "HunyuanEdit", "HunyuanTaskWait"):
        assert newer[name].display_name.startswith("Hunyuan Image 3 "), name
        for typed in ("hunyuan image 3", "hunyuan image", "hunyuan", "tencent", "混元", "混元图像"):
            assert typed in newer[name].search_aliases, (name, typed)
    advanced = {each.id for each in newer["HunyuanGenerate"].inputs if getattr(each, "advanced", None)}
    assert advanced == {"wait", "timeout_s", "on_failure", "reuse"}


def test_no_node_asks_for_a_login_or_shows_another_firms_price(newer: dict[str, Any]) -> None:
    for schema in newer.values():
        assert not getattr(schema, "is_api_node", None)
        assert not getattr(schema, "price_badge", None)


def test_the_cost_stands_in_the_description(newer: dict[str, Any]) -> None:
    for name in ("HunyuanGenerate", "HunyuanEdit"):
        assert f"{CREDITS_PER_TASK} credits an image" in newer[name].description
