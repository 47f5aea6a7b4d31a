"""Finds the finished images in an answer, and never one of the request's own inputs: pure functions."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
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
# From the root, from another host, or the plain path of an image file.
_RELATIVE = re.compile(
    r"//[^\s/]+/.|/(?!9j/)[^\s/]|[\w\-][^\s:?#]*\.(?:png|jpe?g|webp|gif|avif|bmp)(?:\?|$)", re.IGNORECASE
)
_LONGEST_RELATIVE = 4096  # characters
_API = "/api/"  # below the base URL: where tasks are asked for, no image


@dataclass(frozen=True)
class _Search:
    """What is looked for. echoes: the request's inputs in all their spellings. base_url: the gateway's, "" if unknown.
    relative: whether links that are joined to it count."""

    echoes: frozenset[str]
    base_url: str = ""
    relative: bool = False


def images(root: Mapping[str, Any], request_inputs: Collection[str], base_url: str = "") -> tuple[str, ...]:
    """URLs and `data:` URIs of the finished images, in order, each once; never one of the request's inputs.

    Relative links are joined to base_url where one is given; what a URL may not hold is escaped, the rest stays as it
    is, byte for byte: a signature may cover it.
    """
    echoes = _echoes(request_inputs)
    whole = _in_object(root, _Search(echoes, base_url), 0)
    found = whole or (_in_object(root, _Search(echoes, base_url, relative=True), 0) if base_url else [])
    return tuple(dict.fromkeys(found))


def odd_images(record: Mapping[str, Any], request_inputs: Collection[str], base_url: str = "") -> tuple[str, ...]:
    """Links of a success in fields of a record that are there for its failure."""
    search = _Search(_echoes(request_inputs), base_url, relative=bool(base_url))
    found = [value for key, value in record.items() if re.sub(r"[_\-]", "", key.lower()) in _ODD_KEYS]
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
    by_key = {re.sub(r"[_\-]", "", key.lower()): value for key, value in record.items()}
    order = [*_RESULT_KEYS, *_IMAGE_KEYS]
    if "prompt" in by_key:
        order.remove(_REQUEST_IMAGES)
        if not any(key in by_key for key in _RESULT_KEYS):  # an empty `outputs` says that there is none
            order.append(_REQUEST_IMAGES)
    for key in order:
        found = _in_value(by_key.get(key), search, depth + 1)
        if found:
            return found
    return []


def _in_value(value: object, search: _Search, depth: int) -> list[str]:
    if depth > _DEEPEST:
        return []
    if isinstance(value, dict):
        return _in_object(value, search, depth)
    if isinstance(value, list):
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
    api = bool(search.base_url) and link.startswith(f"{search.base_url}{_API}")
    return [link] if link and not api and not _is_echo(link, search) else []


def _is_echo(text: str, search: _Search) -> bool:
    return text in search.echoes or unquote(text[:8192]) in search.echoes


def _link(text: str, search: _Search) -> str:
    """The text as a link that can be fetched; empty for what is none."""
    text = re.sub(r"[\t\r\n]", "", text)  # as browsers do (URL standard, 4.4)
    if _ABSOLUTE.match(text):
        return _escaped(text)
    base_url = search.base_url
    if not search.relative or len(text) > _LONGEST_RELATIVE or not _RELATIVE.match(text):
        return ""
    scheme, _, rest = base_url.partition("://")
    if text.startswith("//"):
        return _escaped(f"{scheme}:{text}")
    origin = f"{scheme}://{rest.partition('/')[0]}"
    return _escaped(f"{origin}{text}" if text.startswith("/") else urljoin(f"{base_url}/", text))


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
