"""What ComfyUI asks when a prompt is queued: whether the values that stand in the graph can be used at all.

Each check gives True or a sentence in the page's language, as `validate_inputs` wants it; ComfyUI then answers 400
before any node runs. A linked input comes as None there and is looked at when the node runs. Naming an input in
`validate_inputs` switches ComfyUI's own checks of it off (range, list) and makes it carry every sentence of the node,
so a node names only what has no such check in every ComfyUI: 0.3.75 lets any `size` pass, width and height it checks.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from ..hunyuan.errors import InvalidRequestError, InvalidTaskIdError
from ..hunyuan.limits import MAX_INPUT_IMAGES, MAX_PROMPT_CHARACTERS, MAX_SIDE, MIN_SIDE
from ..hunyuan.models import ImageSize, check_task_id
from .comfyui.prompt_origin import language
from .comfyui.queue_faults import note_fault
from .input_values import MAX_TASK_IDS, is_url, split_ids, split_urls

if TYPE_CHECKING:
    from ..hunyuan.gateway.models.family import Fault

_SAID = {
    "en": {
        "prompt_empty": "prompt is empty: write what the image should show.",
        "prompt_long": "prompt has {n} characters, at most {most} are taken: shorten it.",
        "prompt_broken": "prompt holds half a character (a lone surrogate) at place {n}: delete it.",
        "size": "size is {shown}: pick one from the list, or width*height with sides of {low} to {high} pixels.",
        "no_image": "An edit needs an image: connect image or image_2, or fill in image_urls.",
        "many_images": "An edit takes at most {most} images in all, got at least {n}: each line of image_urls counts.",
        "url_empty": "image_urls is empty: enter or link at least one URL.",
        "url_bad": "image_urls holds {shown}, which is not an http, https or data: URL.",
        "ids_empty": "task_ids is empty: type task ids, one a line, or link task_ids.",
        "ids_bad": "task_ids holds {shown}, which is not a task id: copy it from a node's task_ids or the task list.",
        "ids_many": "task_ids holds {n} ids, at most {most} are taken at once.",
        "text_empty": "text is empty: write one prompt a line.",
        "model_prompt_short": "prompt has {got} characters, {title} takes at least {most}: say more.",
        "model_prompt_long": "prompt has {got} characters, {title} takes at most {most}: shorten it.",
        "model_choice": "{input} is {shown}; {title} takes {choices}.",
        "model_number": "{input} is {shown}; {title} takes a whole number {most}.",
        "model_text": "{input} is {shown}; {title} takes a text.",
        "model_many_images": "{title} takes at most {most} images as {input}, got at least {got}: each URL counts.",
        "model_no_images": "{title} takes no images as {input}.",
        "model_needs_image": "{input} means nothing to {title} without {most}: connect {most} too.",
        "model_strange_task": "{title} goes on from a task of its own family; {shown} is one of {model}.",
        "model_url_bad": "{input} holds {shown}, which is not an http, https or data: URL.",
    },
    "zh": {
        "prompt_empty": "提示词为空：请写明图像内容。",
        "prompt_long": "提示词有 {n} 个字符，最多 {most} 个：请缩短。",
        "prompt_broken": "提示词第 {n} 处是半个字符（孤立的代理项）：请删除。",
        "size": "尺寸为 {shown}：请从列表中选择，或写成 宽*高，边长 {low} 到 {high} 像素。",
        "no_image": "编辑需要一张图像：请连接图像或图像 2，或填写图像链接。",
        "many_images": "编辑最多使用 {most} 张图像，现在至少有 {n} 张：图像链接的每一行都算一张。",
        "url_empty": "图像链接为空：请输入或连入至少一个链接。",
        "url_bad": "图像链接中的 {shown} 不是 http、https 或 data: 链接。",
        "ids_empty": "任务 ID 为空：请输入任务 ID，每行一个，或从其他节点连入。",
        "ids_bad": "任务 ID 中的 {shown} 不是任务 ID：请从节点的任务 ID输出或任务列表复制。",
        "ids_many": "任务 ID 有 {n} 个 ID，一次最多 {most} 个。",
        "text_empty": "文本为空：请每行写一个提示词。",
        "model_prompt_short": "提示词有 {got} 个字符，{title} 至少需要 {most} 个：请写得更多。",
        "model_prompt_long": "提示词有 {got} 个字符，{title} 最多 {most} 个：请缩短。",
        "model_choice": "{input} 为 {shown}；{title} 可用：{choices}。",
        "model_number": "{input} 为 {shown}；{title} 需要整数 {most}。",
        "model_text": "{input} 为 {shown}；{title} 需要文本。",
        "model_many_images": "{title} 的 {input} 最多 {most} 张图像，现在至少有 {got} 张：链接的每一行都算一张。",
        "model_no_images": "{title} 的 {input} 不接受图像。",
        "model_needs_image": "没有 {most}，{input} 对 {title} 没有意义：请同时连接 {most}。",
        "model_strange_task": "{title} 只能接续同系列的任务；{shown} 是 {model} 的任务。",
        "model_url_bad": "{input} 中的 {shown} 不是 http、https 或 data: 链接。",
    },
}
_SHOWN = 60  # characters of a value in a sentence

Verdict = bool | str


def first_fault(*verdicts: Verdict) -> Verdict:
    """The first that is not True, else True."""
    return next((each for each in verdicts if each is not True), True)


def prompt_verdict(prompt: str | None) -> Verdict:
    """Of Hunyuan's prompt: not empty, not too long, whole characters."""
    if prompt is not None and len(prompt) > MAX_PROMPT_CHARACTERS and prompt.strip():
        return first_fault(characters_verdict(prompt), _said("prompt_long", n=len(prompt), most=MAX_PROMPT_CHARACTERS))
    return characters_verdict(prompt)


def characters_verdict(prompt: str | None) -> Verdict:
    """Of any model's prompt: not empty, whole characters."""
    if prompt is None:
        return True
    if not prompt.strip():
        return _said("prompt_empty")
    try:
        prompt.encode()
    except UnicodeEncodeError as broken:
        return _said("prompt_broken", n=broken.start + 1)
    return True


def fault_verdict(title: str, fault: Fault) -> Verdict:
    """The sentence for what a model does not take (see gateway/models)."""
    shown = _short(fault.got) if isinstance(fault.got, str) else str(fault.got)
    values = {"input": fault.input, "got": fault.got, "most": fault.most, "choices": ", ".join(fault.choices)}
    return _said(f"model_{fault.code}", title=title, shown=shown, **values)


def strange_task_verdict(title: str, task_id: str, model: str) -> Verdict:
    """The sentence for an earlier task of a model from which this one cannot go on."""
    return _said("model_strange_task", title=title, shown=_short(task_id), model=model)


def url_list_verdict(name: str, urls: str | None) -> Verdict:
    """Of a list of input images' URLs, which may be empty."""
    strange = next((url for url in split_urls(urls or "") if not is_url(url, "data:image/")), None)
    return True if strange is None else _said("model_url_bad", input=name, shown=_short(strange))


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
    return _said("size", shown=_short(size), low=MIN_SIDE, high=MAX_SIDE)


def edit_images_verdict(linked: int, image_urls: str | None) -> Verdict:
    """Of an edit's images: at least one, and not surely more than two. A linked one may be a whole batch."""
    if image_urls is None:
        return True
    urls = split_urls(image_urls)
    strange = next((url for url in urls if not is_url(url, "data:image/")), None)
    if strange is not None:
        return _said("url_bad", shown=_short(strange))
    count = linked + len(urls)
    if count == 0:
        return _said("no_image")
    return True if count <= MAX_INPUT_IMAGES else _said("many_images", n=count, most=MAX_INPUT_IMAGES)


def urls_verdict(image_urls: str | None) -> Verdict:
    """Of a list of URLs to download: at least one, and nothing else."""
    if image_urls is None:
        return True
    urls = split_urls(image_urls)
    strange = next((url for url in urls if not is_url(url, "data:")), None)
    if strange is not None:
        return _said("url_bad", shown=_short(strange))
    return True if urls else _said("url_empty")


def task_ids_verdict(task_ids: str | None) -> Verdict:
    """Of task ids: at least one, not too many, each of the form of an id."""
    if task_ids is None:
        return True
    ids = split_ids(task_ids)
    if not ids:
        return _said("ids_empty")
    if len(ids) > MAX_TASK_IDS:
        return _said("ids_many", n=len(ids), most=MAX_TASK_IDS)
    for each in ids:
        try:
            check_task_id(each)
        except InvalidTaskIdError:
            return _said("ids_bad", shown=_short(each))
    return True


def text_verdict(text: str | None) -> Verdict:
    """Of the text of a list of prompts: not empty."""
    return True if text is None or text.strip() else _said("text_empty")


def _said(name: str, **values: object) -> str:
    sentence = _SAID[language()][name].format(**values)
    if not _is_printable(sentence):
        sentence = _SAID["en"][name].format(**values).encode("ascii", "backslashreplace").decode()
    note_fault(sentence)
    return sentence


def _is_printable(sentence: str) -> bool:
    """Whether the process's own streams can take it: ComfyUI prints it as it stands, and breaks where they cannot."""
    for stream in (sys.stdout, sys.stderr):
        try:
            sentence.encode(getattr(stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return False
    return True


def _short(value: str) -> str:
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}... ({len(value)})"
