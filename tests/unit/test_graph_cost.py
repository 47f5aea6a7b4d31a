"""What a run of the canvas costs, as the page asks it: as far as what stands in the nodes tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kit.fake_comfy_api import importable
from tests.kit.pack import load

with importable(newer=True):
    cost, requests = load("nodes.routes.cost"), load("nodes.requests")
guard = load("nodes.routes.guard")
store = load("hunyuan.settings.store")
catalogue = load("hunyuan.gateway.models.catalogue")


@dataclass
class Runtime:
    """The parts that are asked: settings, and a journal that knows these fingerprints."""

    known: set[str] = field(default_factory=set)
    settings: Any = field(default_factory=lambda: store.Settings(api_key="aio_0123456789abcdef0123456789abcdef"))

    @property
    def settings_store(self) -> Any:
        return SimpleNamespace(load=lambda: self.settings)

    @property
    def journal(self) -> Any:
        known = self.known
        return SimpleNamespace(
            find_reusable=lambda each: object() if each in known else None, by_task_id=lambda task_id, base_url: None
        )


def node(type: str = "HunyuanGenerate", /, linked: Any = None, **inputs: Any) -> dict[str, Any]:
    values = {"prompt": "a lighthouse", "seed": 7, "count": 1, "size": "1024*1024", "reuse": True, **inputs}
    kept = {name: value for name, value in values.items() if name not in (linked or {})}
    return {"id": str(id(values)), "type": type, "inputs": kept, "linked": linked or {}}


def prompt_list(text: str, **more: Any) -> dict[str, Any]:
    return {"prompt": {"type": "HunyuanPromptList", "inputs": {"text": text, **more}}}


def told(*nodes: Any, runtime: Any = None) -> tuple[int, bool, int]:
    found = cost.cost(runtime or Runtime(), catalogue.Catalogue(), list(nodes))
    return found["credits"], found["at_least"], found["reused"]


STORIES: dict[str, tuple[list[Any], tuple[int, bool, int]]] = {
    "nothing": ([], (0, False, 0)),
    "one": ([node()], (25, False, 0)),
    "count": ([node(count=3), node("HunyuanEdit")], (100, False, 0)),
    "a linked count": ([node(linked={"count": {"type": "Other", "inputs": {}}})], (25, True, 0)),
    "a list": ([node(linked=prompt_list("one\ntwo\n\nthree"), count=2)], (150, False, 0)),
    "a list with separators": ([node(linked=prompt_list("a\nb---c", separator="---"))], (50, False, 0)),
    "a list from elsewhere": (
        [node(linked={"prompt": {"type": "HunyuanPromptList", "inputs": {}}})],
        (25, True, 0),
    ),
    "a linked prompt": ([node(linked={"prompt": {"type": "CLIPTextEncode", "inputs": {}}})], (25, False, 0)),
    "a list of another pack's": (
        [node(linked={"prompt": {"type": "Lines", "inputs": {}, "list": True}})],
        (25, True, 0),
    ),
    "a list of images": (
        [node("HunyuanEdit", linked={"image": {"type": "Folder", "inputs": {}, "list": True}})],
        (25, True, 0),
    ),
    "a node of others": ([node("KSampler")], (0, False, 0)),
}


@pytest.mark.parametrize(("nodes", "expected"), STORIES.values(), ids=STORIES)
def test_every_task_counts(nodes: list[Any], expected: tuple[int, bool, int]) -> None:
    assert told(*nodes) == expected


def test_what_is_paid_already_costs_nothing() -> None:
    runtime, models = Runtime(), load("hunyuan.models")
    for seed in (7, 8):
        request = models.GenerationRequest(
            models.TaskType.TEXT_TO_IMAGE, "a lighthouse", models.ImageSize(1024, 1024), seed, runtime.settings.model
        )
        runtime.known.add(request.fingerprint(runtime.settings.base_url))
    assert told(node(), runtime=runtime) == (0, False, 1)
    assert told(node(count=3), runtime=runtime) == (25, False, 2)
    assert told(node(reuse=False), runtime=runtime) == (25, False, 0)
    assert told(node(seed=-1), runtime=runtime) == (25, False, 0), "draws a new one"
    assert told(node(size="custom", width=1024, height=1024), runtime=runtime) == (0, False, 1)
    assert told(node(prompt=""), runtime=runtime) == (25, False, 0), "will be refused, by the run itself"
    assert told(node(linked={"seed": {}}), runtime=runtime) == (25, False, 0), "only known when it runs"


LINK: dict[str, Any] = {"type": "Other", "inputs": {}}
OF_OTHER_MODELS: dict[str, tuple[dict[str, Any], tuple[int, bool, int]]] = {
    "its usual choices": (node("HunyuanFlux2", type="pro", resolution="1K"), (5, False, 0)),
    "its dearest": (node("HunyuanFlux2", type="flex", resolution="2K", count=2), (48, False, 0)),
    "a linked choice": (node("HunyuanFlux2", {"resolution": LINK}, type="flex"), (14, True, 0)),
    "a linked choice without a price": (node("HunyuanFlux2", {"aspect_ratio": LINK}, type="flex"), (14, False, 0)),
    "a model": (node("HunyuanImagen4", model="imagen4-ultra", num_images=3), (36, False, 0)),
    "linked pictures": (node("HunyuanImagen4", {"num_images": LINK}, model="imagen4"), (8, True, 0)),
    "by ids": (node("HunyuanGrokUpscale", task_ids="n1_grok\nn2_grok"), (24, False, 0)),
    "by linked ids": (node("HunyuanGrokUpscale", {"task_ids": LINK}), (12, True, 0)),
    "an edit": (node("HunyuanSeedream45", {"image": LINK}), (12, False, 0)),
    "a choice nobody knows": (node("HunyuanGPTImage15", quality="low"), (0, False, 0)),
}


@pytest.mark.parametrize(("given", "expected"), OF_OTHER_MODELS.values(), ids=OF_OTHER_MODELS)
def test_each_model_counts_its_own_credits(given: dict[str, Any], expected: tuple[int, bool, int]) -> None:
    assert told(given) == expected


def test_what_is_paid_already_of_another_model_costs_nothing() -> None:
    runtime, cogview = Runtime(), catalogue.Catalogue().get("cogview-4")
    request = cogview.request("a lighthouse", {"quality": "standard"}, variation=1)
    runtime.known.add(request.fingerprint(runtime.settings.base_url))
    assert told(node("HunyuanCogView4", quality="standard", count=2), runtime=runtime) == (4, False, 1)
    assert told(node("HunyuanCogView4", count=2), runtime=runtime) == (8, False, 0)
    assert told(node("HunyuanImagen4", seed=-1, model="imagen4"), runtime=runtime) == (8, False, 0)


@pytest.mark.parametrize("wrong", [None, "x", [1], [{"id": 1}], [{**node(), "linked": {"x": 1}}], [node()] * 501])
def test_what_is_no_list_of_nodes_is_refused(wrong: Any) -> None:
    with pytest.raises(guard.Refused):
        cost.cost(Runtime(), catalogue.Catalogue(), wrong)
