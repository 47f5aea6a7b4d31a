"""What JSON stands in an answer's bytes, whatever stands around it: pure functions.

A proxy adds a line, a stream sends one object after another, an encoder breaks a character: the task in such an answer
is paid for all the same.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection
from typing import Any

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_MOST = 64  # values, and broken beginnings, that are looked at
_START = re.compile(r"[\[{]")
_STRING = re.compile(r'\s*"')  # JSON in a string: only as the whole body
_PART = re.compile(r"[\[{\"]")  # behind a broken beginning: it was JSON. Else it was some other bracket, as in a log
_START_OR_MARKUP = re.compile(r"[\[{\"<]")
# Only at the start of a line: what begins inside a value that is broken or cut is a part of it.
_NEXT_LINE = re.compile(r"^(?:data:[ \t]*)?[\[{]", re.MULTILINE)
_MARKUP = re.compile(
    r"(?:\s*<(html|head|body|script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^<>]*>|[^<\[{]+)+",
    re.IGNORECASE | re.DOTALL,
)
_VALUE = r'\s*:\s*(?:"([^"\\]{1,512})"|(\d{1,40})(?=[\s,}]))'
_ID_IN_PIECES = re.compile(r'"(?:task|job)_?id"' + _VALUE, re.IGNORECASE)
_BARE_ID_IN_PIECES = re.compile(  # where an answer or a task begins
    r'(?:^\s*|"data"\s*:\s*"?\[?\s*|"(?:task|output|result|response)"\s*:\s*"?)\{\s*"id"' + _VALUE
)


def text_of(body: bytes) -> str:
    """The body as text: broken sequences become U+FFFD, NUL bytes go (which also reads UTF-16 without a mark)."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            text = body[len(mark) :].decode(encoding, "replace").replace("\0", "")
            if _START_OR_MARKUP.search(text):  # else the mark is noise before bytes that it does not describe
                return text
    return body.decode("utf-8", "replace").replace("\0", "")


def values(body: bytes) -> list[Any]:
    """The JSON values that stand whole in the body, in order; none of those in a web page."""
    try:
        return [json.loads(body)]
    except (ValueError, RecursionError):
        return _values_in(_behind_markup(text_of(body)))


def _values_in(text: str) -> list[Any]:
    decoder = json.JSONDecoder(strict=False)
    found: list[Any] = []
    at, broken = _STRING.match(text) or _START.search(text), 0
    while at is not None and len(found) < _MOST and broken < _MOST:
        start = at.end() - 1
        try:
            value, end = decoder.raw_decode(text, start)
        except json.JSONDecodeError as failure:
            broken += 1
            begun = _PART.search(text, start + 1, failure.pos)
            at = _NEXT_LINE.search(text, start + 1) if begun else _START.search(text, max(start + 1, failure.pos))
            continue
        except (ValueError, RecursionError):
            broken += 1
            at = _NEXT_LINE.search(text, start + 1)
            continue
        found.append(value)
        at = _START.search(text, end)
    return found


def _behind_markup(text: str) -> str:
    """The text without the markup that it begins with: a script's warning, a proxy's comment, or a page as a whole,
    with all that stands in it."""
    markup = _MARKUP.match(text) if is_page(text) else None
    return text[markup.end() :] if markup else text


def is_page(text: str) -> bool:
    """Whether it begins with markup."""
    return text.lstrip()[:1] == "<"


def id_in_pieces(body: bytes, request_inputs: Collection[str] = ()) -> str:
    """A task id that stands whole in an answer which is cut or broken, and was none of the request's own inputs; or an
    empty text."""
    text = _behind_markup(text_of(body))
    for plain in (text, text.replace('\\"', '"')):  # JSON inside JSON as well
        for pattern in (_ID_IN_PIECES, _BARE_ID_IN_PIECES):
            for match in pattern.finditer(plain):
                found = (match[1] or match[2]).strip()
                if found and found not in request_inputs:
                    return found
    return ""
