"""What the page is told of the models, and the node that makes a task again: the very same request comes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.kit.documented_models import TABLE, Documented, bodies_of
from tests.kit.fake_comfy_api import importable
from tests.kit.pack import load

with importable(newer=True):
    models, model_requests, requests = load("nodes.routes.models"), load("nodes.model_requests"), load("nodes.requests")
CATALOGUE = load("hunyuan.gateway.models.catalogue").Catalogue()
records, values, store = load("hunyuan.journal.records"), load("hunyuan.models"), load("hunyuan.settings.store")
SETTINGS = store.Settings(api_key="aio_0123456789abcdef0123456789abcdef")
RUNTIME = SimpleNamespace(
    settings_store=SimpleNamespace(load=lambda: SETTINGS),
    sources=SimpleNamespace(identity_of=lambda url: f"url:{url}"),
    journal=SimpleNamespace(by_task_id=lambda task_id, base_url: None),
)


def row_of(request: Any) -> Any:
    """The row that the journal has of a request."""
    same = ("type", "prompt", "size", "seed", "model", "images", "credits", "parameters", "image_fields", "variation")
    empty = ("base_url", "account", "prompt_id", "node_id", "session", "owner")
    return records.TaskRow(
        id="1", fingerprint="f", task_id="n1", state=values.TaskState.COLLECTED, created_at=1.0,
        **{name: getattr(request, name) for name in same}, **dict.fromkeys(empty, ""),
    )  # fmt: skip


@pytest.mark.parametrize("documented", TABLE, ids=lambda each: each.key)
def test_the_node_of_a_task_sends_the_same_request(documented: Documented) -> None:
    family = CATALOGUE.get(documented.key)
    pictures = [(name, k) for name, count in documented.images.items() if name != "mask_image" for k in range(count)]
    pairs = [(name, f"url:https://images.example/{name}{k}.png") for name, k in pictures]
    for chosen in bodies_of(documented):
        for images in [[], pairs] if pairs else [[]]:
            own = {name: value for name, value in chosen.items() if name != "model"}
            variation = 0 if family.parameter("seed") else 3
            request = family.request("a lighthouse", own, model=chosen["model"], images=images, variation=variation)
            row = row_of(request)
            found = models.node_of(CATALOGUE, row, [each.removeprefix("url:") for each in row.images])
            assert (found["type"], found["credits"], found["masks"]) == (family.node, request.credits, {})
            assert found["inputs"].pop("reuse") is False, "what is run again is a new task"
            given = {**found["inputs"], **({found["seed"]: row.seed} if found["seed"] else {})}
            assert [again for again, _ in model_requests.model_requests(family, given, RUNTIME).requests] == [request]


def test_a_mask_comes_back_by_its_own_way() -> None:
    pairs = [("image", "url:https://a.example/a.png"), ("mask_image", "sha256:1"), ("reference_images", "sha256:2")]
    row = row_of(CATALOGUE.get("ideogram-v3").request("a poster", {}, images=pairs))
    found = models.node_of(CATALOGUE, row, ["https://a.example/a.png", "https://a.example/mask.png", None])
    assert found["masks"] == {"mask": "https://a.example/mask.png"}
    assert found["inputs"]["image_urls"] == "https://a.example/a.png"
    assert found["inputs"]["reference_image_urls"] == ""


@pytest.mark.parametrize("side", [1024, 1000])
def test_hunyuans_own_nodes_come_back_whatever_its_model_is_called(side: int) -> None:
    request = values.GenerationRequest(
        values.TaskType.EDIT, "a boat", values.ImageSize(side, side), 7, "a-renamed-model", ("url:https://a.example/a",)
    )
    found = models.node_of(CATALOGUE, row_of(request), ["https://a.example/a"])
    size = {"size": "1024*1024"} if side == 1024 else {"size": "custom", "width": 1000, "height": 1000}
    assert (found["type"], found["seed"], found["credits"]) == ("HunyuanEdit", "seed", 25)
    assert found["inputs"] == {
        "prompt": "a boat", "reuse": False, "count": 1, **size, "image_urls": "https://a.example/a"
    }  # fmt: skip


def test_a_model_that_left_the_catalogue_has_no_node() -> None:
    row = row_of(CATALOGUE.get("flux-2").request("a boat", {}))
    assert models.node_of(type(CATALOGUE)(()), row, []) is None


def test_the_page_is_told_what_each_price_follows_from() -> None:
    told = {each["key"]: each for each in models.families(CATALOGUE)["families"]}
    assert len(told) == 12
    assert told["hunyuan-image-3"]["nodes"] == ("HunyuanGenerate", "HunyuanEdit")
    flux = told["flux-2"]
    assert flux["prices"][0] == {"credits": 5, "when": {"type": "pro", "resolution": "1K"}}
    assert (flux["usual"]["type"], flux["usual"]["model"]) == ("pro", "flux-2")
    assert flux["image_inputs"] == ["image", "image_2", "image_3", "image_4", "image_urls"]
    assert told["imagen-4"]["per_image"] == ["num_images"]
    assert [key for key, each in told.items() if each["by_task"]] == ["grok-upscale"]
