"""From the inputs of another model's node to validated requests. Blocking; runs on a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..hunyuan.errors import InvalidRequestError
from ..hunyuan.limits import MAX_SEED
from ..hunyuan.models import ImageInput, check_task_id
from ..hunyuan.sentences import say
from .input_values import MAX_TASK_IDS, is_url, split_ids, split_urls, text, whole
from .known_ids import known_ids
from .model_sockets import sockets_of
from .requests import Prepared, require_key, seeds_for
from .schema import MAX_COUNT

if TYPE_CHECKING:
    from ..hunyuan.gateway.models.family import Family
    from .runtime import Runtime


def model_requests(family: Family, given: Mapping[str, Any], runtime: Runtime) -> Prepared:
    """One request a task. given: the node's inputs by name, those that are not linked and not set left out.

    Raises MissingKeyError, InvalidRequestError, InputImageError.
    """
    settings = runtime.settings_store.load()
    require_key(settings)
    prompt = text("prompt", given.get("prompt", ""))
    model = text("model", given.get("model", family.models[0]))
    values = {each.name: given[each.name] for each in family.parameters if each.name in given}
    values = {name: _plain(family, name, value) for name, value in values.items()}
    images = _images(family, given, runtime)
    seed = family.parameter("seed")
    count = whole("count", given.get("count", 1), 1, MAX_COUNT)
    seed_given = whole(seed.name, given.get(seed.name, seed.usual), -1) if seed else 0
    variation = whole("variation", given.get("variation", 0), 0, MAX_SEED)
    task = family.parameter("task")
    each_task: list[tuple[dict[str, Any], int]] = [({}, variation + number) for number in range(count)]
    if seed:
        each_task = [({seed.name: number}, 0) for number in seeds_for(seed_given, count)]
    if task:
        ids = _earlier(family, given.get("task_ids", ""), runtime)
        each_task = [({task.name: task_id}, variation) for task_id in ids]
    pairs = [(name, item.identity) for name, item in images]
    inputs = [item for _, item in images]
    return Prepared(
        [
            (family.request(prompt, {**values, **own}, model=model, images=pairs, variation=number), inputs)
            for own, number in each_task
        ],
        seed_given=seed_given,
    )


def _plain(family: Family, name: str, value: object) -> object:
    """A number that was linked as a float without a fraction is one; the entry judges all else."""
    kind = next(each.kind for each in family.parameters if each.name == name)
    return whole(name, value) if kind in ("number", "seed") else value


def _images(family: Family, given: Mapping[str, Any], runtime: Runtime) -> list[tuple[str, ImageInput]]:
    found: list[tuple[str, ImageInput]] = []
    for sockets in sockets_of(family):
        field, linked = sockets.field, [name for name in sockets.images if name in given]
        urls = _urls(sockets.urls, given.get(sockets.urls, "")) if sockets.urls else []
        tensors = [_tensor(name, given[name], is_mask=field.is_mask) for name in linked]
        count = sum(tensor.shape[0] if tensor.ndim == 4 else 1 for tensor in tensors) + len(urls)
        if field.most is not None and count > field.most:  # before any work on the pixels
            raise InvalidRequestError(
                say(
                    "{title} takes at most {most} images as {input}, got {count}.",
                    title=family.title,
                    most=field.most,
                    input=field.input,
                    count=count,
                ),
                do=say("Each image of a batch and each line of URLs counts."),
            )
        found += [(field.name, item) for tensor in tensors for item in _inputs(tensor, runtime, is_mask=field.is_mask)]
        found += [(field.name, ImageInput(identity=runtime.sources.identity_of(url), url=url)) for url in urls]
    return found


def _tensor(name: str, value: object, *, is_mask: bool) -> Any:
    from .images.masks import mask_image
    from .images.tensors import as_image

    return mask_image(name, value) if is_mask else as_image(name, value)


def _inputs(tensor: Any, runtime: Runtime, *, is_mask: bool) -> Sequence[ImageInput]:
    from .images.options import EncodeOptions
    from .images.tensors import image_inputs

    options = EncodeOptions.of(runtime.settings_store.load())
    return image_inputs(tensor, replace(options, format="png") if is_mask else options)  # JPEG blurs a mask's edges


def _urls(name: str, given: object) -> list[str]:
    urls = split_urls(text(name, given))
    for url in urls:
        if not is_url(url, "data:image/"):
            raise InvalidRequestError(
                say("{url!r} in {name} is not an http or https URL.", url=url[:80], name=name),
                do=say("One URL a line."),
            )
    return urls


def _earlier(family: Family, given: object, runtime: Runtime) -> list[str]:
    """The ids of earlier tasks, each of a family that this one goes on from, as far as the journal knows them."""
    entered = text("task_ids", given)
    known = known_ids(entered, runtime)
    ids = split_ids(entered, known)
    if not ids:
        raise InvalidRequestError(say("task_ids is empty."), do=say("Type task ids, one a line, or link task_ids."))
    if len(ids) > MAX_TASK_IDS:
        raise InvalidRequestError(
            say("At most {most} task ids at once, got {count}.", most=MAX_TASK_IDS, count=len(ids))
        )
    for each in ids:
        stranger = strange_model(family, each if each in known else check_task_id(each), runtime)
        if stranger:
            raise InvalidRequestError(
                say(
                    "{title} goes on from a task of its own family; {task} is one of {stranger}.",
                    title=family.title,
                    task=each[:60],
                    stranger=stranger,
                ),
                do=say("Link task_ids of a node of that family."),
            )
    return ids


def strange_model(family: Family, task_id: str, runtime: Runtime) -> str:
    """The model of an earlier task that this family cannot go on from; empty where it can, or where nobody knows."""
    task = family.parameter("task")
    row = runtime.journal.by_task_id(task_id, runtime.settings_store.load().base_url)
    if task is None or row is None or not row.model or row.model in task.choices:
        return ""
    return row.model
