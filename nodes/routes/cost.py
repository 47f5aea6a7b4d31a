"""What a run of the canvas would cost, before anything is sent: as far as what stands there tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...hunyuan.errors import HunyuanError
from ...hunyuan.limits import HUNYUAN_MODEL
from ...hunyuan.sentences import say
from ..input_values import split_ids, whole
from ..model_sockets import sockets_of
from ..prompt_table import read_prompts
from ..schema import DEFAULT_SIDE, DEFAULT_SIZE, MATCH_INPUT, MAX_COUNT
from .guard import Refused
from .models import family_of_node

if TYPE_CHECKING:
    from ...hunyuan.gateway.models.catalogue import Catalogue
    from ...hunyuan.gateway.models.family import Family
    from ..requests import Prepared
    from ..runtime import Runtime

LIST = "HunyuanPromptList"
MOST_NODES = 500  # of a request


@dataclass(frozen=True)
class NodeCost:
    """Tasks of one node, what each costs, and how many of them are paid for already. at_least: more may come out of
    its links."""

    tasks: int
    price: int
    reused: int = 0
    at_least: bool = False


def cost(runtime: Runtime, catalogue: Catalogue, nodes: Any, user: str = "") -> dict[str, Any]:
    """`{"credits", "at_least", "reused", "tasks", "nodes": {id: {…}}}` of the paid nodes that would run. Blocking.

    user: who would run them, where ComfyUI has several.

    nodes: `[{"id", "type", "inputs": {name: value}, "linked": {name: {"type", "inputs", "list"}}}]`; list: that it may
    give several values. Nothing of it is kept.
    """
    if not isinstance(nodes, list) or len(nodes) > MOST_NODES or not all(map(_is_node, nodes)):
        raise Refused(400, "nodes", say('"nodes" must be a list of at most {most} nodes.', most=MOST_NODES))
    families = ((node, family_of_node(catalogue, node["type"])) for node in nodes)
    found = {str(node["id"])[:200]: _of_node(runtime, family, node, user) for node, family in families if family}
    return {
        "credits": sum((each.tasks - each.reused) * each.price for each in found.values()),
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
        and all(isinstance(node.get(name), str) for name in ("id", "type"))
        and all(isinstance(node.get(name), dict) for name in ("inputs", "linked"))
        and all(isinstance(source, dict) for source in node["linked"].values())
    )


def _of_node(runtime: Runtime, family: Family, node: Mapping[str, Any], user: str) -> NodeCost:
    inputs, linked = node["inputs"], node["linked"]
    prompts = _prompts(inputs, linked)
    price, open_price = _price(family, inputs, linked)
    try:
        count = _count(family, inputs)
    except (KeyError, HunyuanError):  # linked to something that is only known when it runs
        return NodeCost(len(prompts or [""]), price, at_least=True)
    several = any(_is_list(source) for name, source in linked.items() if name != "prompt" or prompts is None)
    if prompts is None:
        return NodeCost(count, price, at_least=open_price or several)
    reused = 0
    if inputs.get("reuse", True) and not set(linked) - {"prompt"}:
        reused = sum(_reused(runtime, family, node, prompt, user) for prompt in prompts)
    return NodeCost(count * len(prompts), price, reused, open_price or several)


def _is_list(source: Mapping[str, Any]) -> bool:
    return bool(source.get("list")) or source.get("type") == LIST


def _count(family: Family, inputs: Mapping[str, Any]) -> int:
    """Tasks of one prompt. Raises KeyError where that is linked."""
    if family.parameter("task"):
        return max(1, len(split_ids(str(inputs["task_ids"]))))
    return whole("count", inputs["count"], 1, MAX_COUNT)


def _price(family: Family, inputs: Mapping[str, Any], linked: Mapping[str, Any]) -> tuple[int, bool]:
    """Credits of one task, the least where a choice is linked, and whether one is. 0: no such choice; it is refused."""
    images = [name for sockets in sockets_of(family) for name in (*sockets.images, sockets.urls)]
    with_images = any(name in linked or inputs.get(name) for name in images)
    model = family.sends(str(inputs.get("model", family.models[0])), with_images)
    chosen = {name: value for name, value in {**family.chosen(inputs), "model": model}.items() if name not in linked}
    fitting = [
        price.credits for price in family.prices if all(chosen.get(name, each) == each for name, each in price.when)
    ]
    deciding = {name for price in family.prices for name, _ in price.when}
    deciding |= {each.name for each in family.parameters if each.per_image}
    is_open = bool(deciding & set(linked))
    return (min(fitting) if is_open else fitting[0]) * family.images_of(chosen) if fitting else 0, is_open


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


def _reused(runtime: Runtime, family: Family, node: Mapping[str, Any], prompt: str, user: str) -> int:
    """How many tasks of this prompt the journal has already: by the same fingerprints that the node would look for."""
    seed = family.parameter("seed")
    if seed and node["inputs"].get(seed.name, seed.usual) == -1:
        return 0
    try:
        prepared = _prepared(runtime, family, node, prompt)
        base_url = runtime.settings.base_url
        prints = [replace(each, user=user).fingerprint(base_url) for each, _ in prepared.requests] if prepared else []
        return sum(runtime.journal.find_reusable(each) is not None for each in prints)
    except HunyuanError:  # it will be refused, or the journal cannot be read: the run says so
        return 0


def _prepared(runtime: Runtime, family: Family, node: Mapping[str, Any], prompt: str) -> Prepared | None:
    from ..model_requests import model_requests
    from ..requests import Wanted, edit_requests, text_requests

    inputs = node["inputs"]
    if family.key != HUNYUAN_MODEL:
        return model_requests(family, {**inputs, "prompt": prompt}, runtime)
    width, height = inputs.get("width", DEFAULT_SIDE), inputs.get("height", DEFAULT_SIDE)
    size = inputs.get("size", DEFAULT_SIZE)
    wanted = Wanted(prompt, size, width, height, inputs["seed"], inputs["count"])
    if node["type"] == "HunyuanGenerate":
        return text_requests(wanted, runtime.settings)
    urls = inputs.get("image_urls", "")
    if size == MATCH_INPUT or not urls:  # the size of an image is only known once it is fetched
        return None
    return edit_requests(wanted, {}, urls, runtime)
