"""What JSON stands in an answer's bytes, whatever stands around it: pure functions.

A proxy adds a line, a stream sends one object after another, an encoder breaks a character: the task in such an answer
is paid for all the same.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_MOST = 64  # values, and broken beginnings, that are looked at
_START = re.compile(r"[\[{\"]")
# Only at the start of a line: what begins inside a value that is broken or cut is a part of it.
_NEXT_LINE = re.compile(r"^(?:data:[ \t]*)?[\[{]", re.MULTILINE)
_VALUE = r'\s*:\s*(?:"([^"\\]{1,512})"|(\d{1,40})(?=[\s,}]))'
_ID_IN_PIECES = re.compile(r'"(?:task|job)_?id"' + _VALUE, re.IGNORECASE)
_BARE_ID_IN_PIECES = re.compile(  # where an answer or a task begins
    r'(?:^\s*|"data"\s*:\s*"?\[?\s*|"(?:task|output|result|response)"\s*:\s*"?)\{\s*"id"' + _VALUE
)


def text_of(body: bytes) -> str:
    """The body as text: broken sequences become U+FFFD, NUL bytes go (which also reads UTF-16 without a mark)."""
    for mark, encoding in _BOMS:
        if body.startswith(mark) and (encoding == "utf-8" or 0 in body[2:4]):  # else two stray bytes before ASCII
            return body[len(mark) :].decode(encoding, "replace").replace("\0", "")
    return body.decode("utf-8", "replace").replace("\0", "")


def values(body: bytes) -> list[Any]:
    """The JSON values that stand whole in the body, in order; none of a web page's."""
    try:
        return [json.loads(body)]
    except (ValueError, RecursionError):
        text = text_of(body)
    return [] if is_page(text) else _values_in(text)


def _values_in(text: str) -> list[Any]:
    decoder = json.JSONDecoder(strict=False)
    found: list[Any] = []
    at, broken = _START.search(text), 0
    while at is not None and len(found) < _MOST and broken < _MOST:
        start = at.end() - 1
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            broken += 1
            at = _NEXT_LINE.search(text, start + 1)
            continue
        found.append(value)
        at = re.compile(r"[\[{]").search(text, end)
    return found


def is_page(text: str) -> bool:
    """Whether it is markup."""
    return text.lstrip()[:1] == "<"


def id_in_pieces(body: bytes) -> str:
    """A task id that stands whole in an answer which is cut or broken; or an empty text."""
    text = text_of(body)
    if is_page(text):
        return ""
    for plain in (text, text.replace('\\"', '"')):  # JSON inside JSON as well
        match = _ID_IN_PIECES.search(plain) or _BARE_ID_IN_PIECES.search(plain)
        if match:
            return (match[1] or match[2]).strip()
    return ""
