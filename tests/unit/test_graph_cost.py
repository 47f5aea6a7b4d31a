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


@dataclass
class Runtime:
    """The parts that are asked: settings, and a journal that knows these fingerprints."""

    known: set[str] = field(default_factory=set)
    settings: Any = field(default_factory=lambda: store.Settings(api_key="aio_0123456789abcdef0123456789abcdef"))

    @property
    def journal(self) -> Any:
        return SimpleNamespace(find_reusable=lambda each: object() if each in self.known else None)


def node(type: str = "HunyuanGenerate", linked: Any = None, **inputs: Any) -> dict[str, Any]:
    values = {"prompt": "a lighthouse", "seed": 7, "count": 1, "size": "1024*1024", "reuse": True, **inputs}
    kept = {name: value for name, value in values.items() if name not in (linked or {})}
    return {"id": str(id(values)), "type": type, "inputs": kept, "linked": linked or {}}


def prompt_list(text: str, **more: Any) -> dict[str, Any]:
    return {"prompt": {"type": "HunyuanPromptList", "inputs": {"text": text, **more}}}


def told(*nodes: Any, runtime: Any = None) -> tuple[int, bool, int]:
    found = cost.cost(runtime or Runtime(), list(nodes))
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


@pytest.mark.parametrize("wrong", [None, "x", [1], [{"id": 1}], [{**node(), "linked": {"x": 1}}], [node()] * 501])
def test_what_is_no_list_of_nodes_is_refused(wrong: Any) -> None:
    with pytest.raises(guard.Refused):
        cost.cost(Runtime(), wrong)
