"""Finds the finished images in an answer, and never one of the request's own inputs: pure functions."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urljoin

_DEEPEST = 16  # levels of nesting that are searched for images

# Keys of images, without case, '_' and '-', the surest first. Requests use none of the first group.
_RESULT_KEYS = (
    *("outputs", "output", "outputurls", "outputurl", "outputimages", "outputimage"),
    *("results", "result", "resulturls", "resulturl", "resultimages", "resultimage"),
    *("resultimageurls", "resultimageurl", "resultjson", "taskresult", "responsedata", "response", "task"),
)
_IMAGE_KEYS = (
    *("images", "imageurls", "imageurl", "image", "urls", "url", "fileurls", "fileurl"),
    *("generatedimages", "imagelist", "imgurls", "imgurl", "downloadurl"),
    *("b64json", "b64", "base64", "imagebase64", "data"),
)
_REQUEST_IMAGES = "images"  # the request's own field: in an echo of the request it is not the result
_ODD_KEYS = ("failreason",)  # where some gateways put the link of a success
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
_MIMES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
_ABSOLUTE = re.compile(r"https?://[^\s/?#\\]+(?:[/?#]|$)", re.IGNORECASE)
_FILE_END = r"\.(?:png|jpe?g|webp|gif|avif|bmp)(?:[?#]|$)"
# Relative links: the path of an image file, blanks and all; from the root, from another host, from where one is; and
# any other path, which is no MIME type and no "n/a".
_FILE = re.compile(rf"(?://[^\s/]+/|(?:\.{{0,2}}/)*)[^\s:?#/.][^:?#]*{_FILE_END}", re.IGNORECASE)
_ROOTED = re.compile(r"//[^\s/]+/.|/(?!9j/)[^\s/]|(?:\.{1,2}/)+[^\s/]")
_PATH = re.compile(r"(?!(?:image|text|audio|video|application)/[\w.+\-]+$|n/a$)[^\s:?#/]+/\S+$", re.IGNORECASE)
_API_FILE = re.compile(rf"[^?#]*{_FILE_END}", re.IGNORECASE)
_LONGEST_RELATIVE = 4096  # characters
_LINK_KEY = re.compile(r"url|image|img|^outputs?$|^results$")  # keys whose text can only be a link
_IN_A_LIST = "images"  # the key that a list's texts count as having: lists hold results, whatever they are called
# Where the gateway is asked for tasks and creates them: no image, unless it is a file there.
_API = re.compile(
    r"(?:https?://[^/?#]*|[^?#]*/(?:api|v\d+))/(?:tasks|jobs|predictions|images/generations)(?:[/?#]|$)", re.IGNORECASE
)


@dataclass(frozen=True)
class _Search:
    """What is looked for, and where. echoes: the request's inputs in all their spellings. base_url: the gateway's, ""
    if unknown. relative: whether links that are joined to it count. has_state: see images(). key: the folded key that a
    text stands under."""

    echoes: frozenset[str]
    base_url: str = ""
    relative: bool = False
    has_state: bool = True
    key: str = ""


def images(
    root: Mapping[str, Any], request_inputs: Collection[str], base_url: str = "", *, has_state: bool = True
) -> tuple[str, ...]:
    """URLs and `data:` URIs of the finished images, in order, each once; never one of the request's inputs.

    Relative links are joined to base_url where one is given; what a URL may not hold is escaped, the rest stays as it
    is, byte for byte: a signature may cover it. has_state: whether the answer says how the task stands; where it does
    not, a path alone says too little, and only image files under keys of links are joined.
    """
    search = _Search(_echoes(request_inputs), base_url, has_state=has_state)
    whole = _in_object(root, search, 0)
    found = whole or (_in_object(root, replace(search, relative=True), 0) if base_url else [])
    return tuple(dict.fromkeys(found))


def odd_images(record: Mapping[str, Any], request_inputs: Collection[str], base_url: str = "") -> tuple[str, ...]:
    """Links of a success in fields of a record that are there for its failure."""
    search = _Search(_echoes(request_inputs), base_url, relative=bool(base_url))
    found = [value for key, value in record.items() if fold(key) in _ODD_KEYS]
    return tuple(dict.fromkeys(link for value in found for link in _in_value(value, search, 0)))


def _echoes(request_inputs: Collection[str]) -> frozenset[str]:
    return frozenset(form for text in request_inputs for form in _forms(text))


def _forms(text: str) -> Iterator[str]:
    yield text
    yield unquote(text)
    if text.startswith("data:"):
        yield text.partition(",")[2]


def _in_object(record: Mapping[str, Any], search: _Search, depth: int) -> list[str]:
    """The images under the surest key that has any: an object names the same image in several ways."""
    by_key: dict[str, list[Any]] = {}  # `imageUrl` may be empty beside an `image_url` that is not
    for key, value in record.items():
        by_key.setdefault(fold(key), []).append(value)
    order = [*_RESULT_KEYS, *_IMAGE_KEYS]
    if "prompt" in by_key:
        order.remove(_REQUEST_IMAGES)
        if not any(key in by_key for key in _RESULT_KEYS):  # an empty `outputs` says that there is none
            order.append(_REQUEST_IMAGES)
    for key in order:
        for value in by_key.get(key, ()):
            if found := _in_value(value, replace(search, key=key), depth + 1):
                return found
    return []


def fold(key: str) -> str:
    """A key as keys are compared: `task_id`, `taskId` and `Task-ID` are `taskid`."""
    return re.sub(r"[_\-]", "", key.lower())


def _in_value(value: object, search: _Search, depth: int) -> list[str]:
    if depth > _DEEPEST:
        return []
    if isinstance(value, dict):
        return _in_object(value, search, depth)
    if isinstance(value, list):
        search = replace(search, key=_IN_A_LIST)
        return [image for item in value for image in _in_value(item, search, depth + 1)]
    if isinstance(value, str):
        inside = _unpacked(value)
        return _in_text(value.strip(), search) if inside is None else _in_value(inside, search, depth + 1)
    return []


def _in_text(text: str, search: _Search) -> list[str]:
    if _is_echo(text, search):
        return []
    if re.match(r"data:[^,]{0,200},", text, re.IGNORECASE):
        return [] if text.partition(",")[2] in search.echoes else [text]
    mime = _base64_mime(text)
    if mime:
        return [f"data:{mime};base64,{text}"]
    link = _link(text, search)
    return [link] if link and not _is_api(link, search) and not _is_echo(link, search) else []


def _is_echo(text: str, search: _Search) -> bool:
    return text in search.echoes or unquote(text[:8192]) in search.echoes


def _is_api(link: str, search: _Search) -> bool:
    """Whether a link leads to the gateway's own API, by http or https."""
    host = search.base_url.partition("://")[2].partition("/")[0].lower()
    at_gateway = bool(host) and link.partition("://")[2].lower().startswith(f"{host}/")
    return at_gateway and _API.match(link) is not None and _API_FILE.match(link) is None


def _link(text: str, search: _Search) -> str:
    """The text as a link that can be fetched; empty for what is none."""
    text = re.sub(r"[\t\r\n]", "", text)  # as browsers do (URL standard, 4.4)
    if _ABSOLUTE.match(text):
        return _escaped(text)
    base_url = search.base_url
    if not search.relative or not _is_relative(text, search):
        return ""
    scheme, _, rest = base_url.partition("://")
    if text.startswith("//"):
        return _escaped(f"{scheme}:{text}")
    origin = f"{scheme}://{rest.partition('/')[0]}"
    return _escaped(f"{origin}{text}" if text.startswith("/") else urljoin(f"{base_url}/", text))


def _is_relative(text: str, search: _Search) -> bool:
    """Whether a text that is no whole link is to be joined to the base URL."""
    if len(text) > _LONGEST_RELATIVE:
        return False
    is_file, at_link = _FILE.match(text) is not None, _LINK_KEY.search(search.key) is not None
    if not search.has_state:
        return is_file and at_link
    return bool(_ROOTED.match(text) or (is_file and (at_link or " " not in text)) or (at_link and _PATH.match(text)))


def _escaped(link: str) -> str:
    """Blanks, control characters, and what is not ASCII behind the host, in percent."""
    start = _ABSOLUTE.match(link)
    host = start.end() if start else 0
    return link[:host] + re.sub(r"[\x00-\x20\x7f]|[^\x00-\x7f]+", lambda part: _percent(part[0]), link[host:])


def _percent(text: str) -> str:
    return quote(text.encode("utf-8", "replace"), safe="")


def _base64_mime(text: str) -> str:
    """The type of an image in bare base64 by its first bytes, or an empty text."""
    if len(text) < 40 or not re.fullmatch(r"[A-Za-z0-9+/_\-]{40}", text[:40]):
        return ""
    try:
        head = base64.b64decode(text[:40].replace("-", "+").replace("_", "/"))
    except binascii.Error:
        return ""
    if head[4:8] == b"ftyp":
        return "image/avif"
    return next((mime for magic, mime in zip(_MAGIC, _MIMES, strict=True) if head.startswith(magic)), "")


def _unpacked(text: str) -> object:
    """What a JSON string inside the JSON holds, or None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def as_object(value: object) -> dict[str, Any] | None:
    """The object that a value is, holds as a JSON string, or has first in its list; or None."""
    if isinstance(value, str):
        value = _unpacked(value)
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    return value if isinstance(value, dict) else None
