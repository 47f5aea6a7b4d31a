"""What a run of the canvas would cost, before anything is sent: as far as what stands there tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...hunyuan.errors import HunyuanError
from ...hunyuan.limits import CREDITS_PER_TASK
from ..input_values import whole
from ..prompt_table import read_prompts
from ..schema import DEFAULT_SIDE, DEFAULT_SIZE, MATCH_INPUT, MAX_COUNT
from .guard import Refused

if TYPE_CHECKING:
    from ..requests import Prepared
    from ..runtime import Runtime

PAID = ("HunyuanGenerate", "HunyuanEdit")
LIST = "HunyuanPromptList"
MOST_NODES = 500  # of a request


@dataclass(frozen=True)
class NodeCost:
    """Tasks of one node, and how many of them are paid for already. at_least: more may come out of its links."""

    tasks: int
    reused: int = 0
    at_least: bool = False


def cost(runtime: Runtime, nodes: Any, user: str = "") -> dict[str, Any]:
    """`{"credits", "at_least", "reused", "tasks", "nodes": {id: {…}}}` of the paid nodes that would run. Blocking.

    user: who would run them, where ComfyUI has several.

    nodes: `[{"id", "type", "inputs": {name: value}, "linked": {name: {"type", "inputs"}}}]`. Nothing of it is kept.
    """
    if not isinstance(nodes, list) or len(nodes) > MOST_NODES or not all(map(_is_node, nodes)):
        raise Refused(400, "nodes", f'"nodes" must be a list of at most {MOST_NODES} nodes.')
    found = {str(node["id"])[:200]: _of_node(runtime, node, user) for node in nodes if node["type"] in PAID}
    return {
        "credits": sum(each.tasks - each.reused for each in found.values()) * CREDITS_PER_TASK,
        "at_least": any(each.at_least for each in found.values()),
        "reused": sum(each.reused for each in found.values()),
        "tasks": sum(each.tasks for each in found.values()),
        "nodes": {
            name: {"tasks": each.tasks, "reused": each.reused, "at_least": each.at_least}
            for name, each in found.items()
        },
    }


def _is_node(node: Any) -> bool:
    return (
        isinstance(node, dict)
        and isinstance(node.get("id"), str)
        and all(isinstance(node.get(name), dict) for name in ("inputs", "linked"))
        and all(isinstance(source, dict) for source in node["linked"].values())
    )


def _of_node(runtime: Runtime, node: Mapping[str, Any], user: str) -> NodeCost:
    inputs, linked = node["inputs"], node["linked"]
    prompts = _prompts(inputs, linked)
    try:
        count = whole("count", inputs["count"], 1, MAX_COUNT)
    except (KeyError, HunyuanError):  # linked to something that is only known when it runs
        return NodeCost(len(prompts or [""]), at_least=True)
    if prompts is None:
        return NodeCost(count, at_least=linked.get("prompt", {}).get("type") == LIST)
    if not inputs.get("reuse", True) or set(linked) - {"prompt"}:
        return NodeCost(count * len(prompts))
    return NodeCost(count * len(prompts), sum(_reused(runtime, node, prompt, user) for prompt in prompts))


def _prompts(inputs: Mapping[str, Any], linked: Mapping[str, Any]) -> Sequence[str] | None:
    """The prompts as far as they stand in the graph, else None."""
    if isinstance(inputs.get("prompt"), str):
        return [inputs["prompt"]]
    source = linked.get("prompt", {})
    values = source.get("inputs", {}) if source.get("type") == LIST else {}
    try:
        return read_prompts(values["text"], values.get("separator", ""), bool(values.get("skip_empty", True)))
    except (KeyError, TypeError, AttributeError, HunyuanError):
        return None


def _reused(runtime: Runtime, node: Mapping[str, Any], prompt: str, user: str) -> int:
    """How many tasks of this prompt the journal has already: by the same fingerprints that the node would look for."""
    if node["inputs"].get("seed", -1) == -1:
        return 0
    try:
        prepared = _prepared(runtime, node, prompt)
        base_url = runtime.settings.base_url
        prints = [replace(each, user=user).fingerprint(base_url) for each, _ in prepared.requests] if prepared else []
        return sum(runtime.journal.find_reusable(each) is not None for each in prints)
    except HunyuanError:  # it will be refused, or the journal cannot be read: the run says so
        return 0


def _prepared(runtime: Runtime, node: Mapping[str, Any], prompt: str) -> Prepared | None:
    from ..requests import Wanted, edit_requests, text_requests

    inputs = node["inputs"]
    width, height = inputs.get("width", DEFAULT_SIDE), inputs.get("height", DEFAULT_SIDE)
    size = inputs.get("size", DEFAULT_SIZE)
    wanted = Wanted(prompt, size, width, height, inputs["seed"], inputs["count"])
    if node["type"] == "HunyuanGenerate":
        return text_requests(wanted, runtime.settings)
    urls = inputs.get("image_urls", "")
    if size == MATCH_INPUT or not urls:  # the size of an image is only known once it is fetched
        return None
    return edit_requests(wanted, {}, urls, runtime)
