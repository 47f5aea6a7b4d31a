"""What ComfyUI asks when a prompt is queued: whether the values that stand in the graph can be used at all.

Each check gives True or a sentence in the page's language, as `validate_inputs` wants it; ComfyUI then answers 400
before any node runs. A linked input comes as None there and is looked at when the node runs. Naming an input in
`validate_inputs` switches ComfyUI's own checks of it off (range, list) and makes it carry every sentence of the node,
so a node names only what has no such check in every ComfyUI: 0.3.75 lets any `size` pass, width and height it checks.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..hunyuan.errors import InvalidRequestError, InvalidTaskIdError
from ..hunyuan.limits import MAX_INPUT_IMAGES, MAX_PROMPT_CHARACTERS, MAX_SIDE, MIN_SIDE
from ..hunyuan.models import ImageSize, check_task_id
from ..hunyuan.sentences import Sentence, say
from .comfyui.consoles import NEVER_RAISES
from .comfyui.prompt_origin import language
from .comfyui.queue_faults import note_fault
from .input_values import MAX_TASK_IDS, is_url, split_ids, split_urls
from .known_ids import known_at_queue
from .status.texts import said

if TYPE_CHECKING:
    from ..hunyuan.gateway.models.family import Fault

_SHOWN = 60  # characters of a value in a sentence

Verdict = bool | str


def first_fault(*verdicts: Verdict) -> Verdict:
    """The first that is not True, else True."""
    return next((each for each in verdicts if each is not True), True)


def prompt_verdict(prompt: str | None) -> Verdict:
    """Of Hunyuan's prompt: not empty, not too long, whole characters."""
    if prompt is not None and len(prompt) > MAX_PROMPT_CHARACTERS and prompt.strip():
        return first_fault(
            characters_verdict(prompt),
            _said(
                say(
                    "prompt has {n} characters, at most {most} are taken: shorten it.",
                    n=len(prompt),
                    most=MAX_PROMPT_CHARACTERS,
                )
            ),
        )
    return characters_verdict(prompt)


def characters_verdict(prompt: str | None) -> Verdict:
    """Of any model's prompt: not empty, whole characters."""
    if prompt is None:
        return True
    if not prompt.strip():
        return _said(say("prompt is empty: write what the image should show."))
    try:
        prompt.encode()
    except UnicodeEncodeError as broken:
        return _said(
            say("prompt holds half a character (a lone surrogate) at place {n}: delete it.", n=broken.start + 1)
        )
    return True


def fault_verdict(title: str, fault: Fault) -> Verdict:
    """The sentence for what a model does not take (see gateway/models)."""
    shown = _short(fault.got) if isinstance(fault.got, str) else fault.got
    values = {"title": title, "shown": shown, "input": fault.input, "got": fault.got, "most": fault.most}
    return _said(_of_fault(fault, values))


def _of_fault(fault: Fault, values: Mapping[str, object]) -> Sentence:
    return {
        "prompt_short": say("prompt has {got} characters, {title} takes at least {most}: say more.", **values),
        "prompt_long": say("prompt has {got} characters, {title} takes at most {most}: shorten it.", **values),
        "choice": say("{input} is {shown}; {title} takes {choices}.", choices=", ".join(fault.choices), **values),
        "number": say("{input} is {shown}; {title} takes a whole number {most}.", **values),
        "text": say("{input} is {shown}; {title} takes a text.", **values),
        "many_images": say(
            "{title} takes at most {most} images as {input}, got at least {got}: each URL counts.", **values
        ),
        "no_images": say("{title} takes no images as {input}.", **values),
        "needs_image": say("{input} means nothing to {title} without {most}: connect {most} too.", **values),
    }[fault.code]


def strange_task_verdict(title: str, task_id: str, model: str) -> Verdict:
    """The sentence for an earlier task of a model from which this one cannot go on."""
    return _said(
        say(
            "{title} goes on from a task of its own family; {shown} is one of {model}.",
            title=title,
            shown=_short(task_id),
            model=model,
        )
    )


def url_list_verdict(name: str, urls: str | None) -> Verdict:
    """Of a list of input images' URLs, which may be empty."""
    strange = next((url for url in split_urls(urls or "") if not is_url(url, "data:image/")), None)
    if strange is None:
        return True
    return _said(
        say("{input} holds {shown}, which is not an http, https or data: URL.", input=name, shown=_short(strange))
    )


def size_verdict(size: str | None, words: Collection[str]) -> Verdict:
    """Of the size: one of these words, or width*height within what the API takes."""
    if size is None or size in words:
        return True
    try:
        sides = ImageSize.parse(size)
    except InvalidRequestError:
        sides = ImageSize(0, 0)
    if min(sides.width, sides.height) >= MIN_SIDE and max(sides.width, sides.height) <= MAX_SIDE:
        return True
    return _said(
        say(
            "size is {shown}: pick one from the list, or width*height with sides of {low} to {high} pixels.",
            shown=_short(size),
            low=MIN_SIDE,
            high=MAX_SIDE,
        )
    )


def edit_images_verdict(linked: int, image_urls: str | None) -> Verdict:
    """Of an edit's images: at least one, and not surely more than two. A linked one may be a whole batch."""
    if image_urls is None:
        return True
    urls = split_urls(image_urls)
    strange = next((url for url in urls if not is_url(url, "data:image/")), None)
    if strange is not None:
        return _said(say("image_urls holds {shown}, which is not an http, https or data: URL.", shown=_short(strange)))
    count = linked + len(urls)
    if count == 0:
        return _said(say("An edit needs an image: connect image or image_2, or fill in image_urls."))
    if count <= MAX_INPUT_IMAGES:
        return True
    return _said(
        say(
            "An edit takes at most {most} images in all, got at least {n}: each line of image_urls counts.",
            n=count,
            most=MAX_INPUT_IMAGES,
        )
    )


def urls_verdict(image_urls: str | None) -> Verdict:
    """Of a list of URLs to download: at least one, and nothing else."""
    if image_urls is None:
        return True
    urls = split_urls(image_urls)
    strange = next((url for url in urls if not is_url(url, "data:")), None)
    if strange is not None:
        return _said(say("image_urls holds {shown}, which is not an http, https or data: URL.", shown=_short(strange)))
    return True if urls else _said(say("image_urls is empty: enter or link at least one URL."))


async def task_ids_verdict(task_ids: str | None) -> Verdict:
    """Of task ids: at least one, not too many, each of the form of an id or known to the journal."""
    found = await task_ids_of(task_ids) if task_ids is not None else []
    return found if isinstance(found, str) else True


async def task_ids_of(task_ids: str) -> list[str] | str:
    """The task ids in an input, or the sentence that refuses them."""
    known = await known_at_queue(task_ids)
    ids = split_ids(task_ids, known)
    if not ids:
        return _said(say("task_ids is empty: type task ids, one a line, or link task_ids."))
    if len(ids) > MAX_TASK_IDS:
        return _said(say("task_ids holds {n} ids, at most {most} are taken at once.", n=len(ids), most=MAX_TASK_IDS))
    for each in ids:
        try:
            if each not in known:
                check_task_id(each)
        except InvalidTaskIdError:
            return _said(
                say(
                    "task_ids holds {shown}, which is not a task id: copy it from a node's task_ids or the task list.",
                    shown=_short(each),
                )
            )
    return ids


def text_verdict(text: str | None) -> Verdict:
    """Of the text of a list of prompts: not empty."""
    return True if text is None or text.strip() else _said(say("text is empty: write one prompt a line."))


def _said(sentence: Sentence) -> str:
    text = said(sentence, language())
    if not _is_printable(text):
        text = sentence.encode("ascii", "backslashreplace").decode()
    note_fault(text)
    return text


def _is_printable(text: str) -> bool:
    """Whether the process's own streams can take it: ComfyUI prints it as it stands, and breaks where they cannot.

    They can, where they have been made lenient; another pack may have put a strict one in their place since.
    """
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in NEVER_RAISES:
            continue
        try:
            text.encode(getattr(stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return False
    return True


def _short(value: str) -> str:
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}... ({len(value)})"
