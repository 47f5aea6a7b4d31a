"""Takes secrets out of a text, however they are written: what errors, logs and lists show went through here.

A secret may come back in other case, escaped (percent, JSON, HTML), in base64 or hex, backwards, or with blanks,
newlines or zero-width characters between its letters. Patterns for all of these take minutes for megabytes: a plain
search in the text without escapes, blanks and capitals tells which forms there are, and only those are cut out.
"""

from __future__ import annotations

import base64
import html
import html.entities
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

MASK = "***"
SHORTEST = 4  # characters; anything shorter would turn every text into stars
_SHORTEST_DISGUISED = 8  # a short secret in other letters, or split, is too often an ordinary word
KEY_START = "aio_"  # of the gateway's keys (vendor's docs)
_KEY_LIKE = re.compile(rf"{KEY_START}[A-Za-z0-9_\-]+")
# What may stand between a secret's letters: blanks of all kinds, what is not seen, and blanks as JSON writes them.
_BETWEEN = (
    r"(?:[\s\x00-\x1f\x7f-\xa0\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
    r"|\\[nrtbf])"
)
_SQUEEZE = re.compile(f"{_BETWEEN}+")
_ESCAPE = re.compile(r"\\+u\{([0-9a-fA-F]{1,5})\}|\\+u([0-9a-fA-F]{4})|\\+x([0-9a-fA-F]{2})|%(?:25)*([0-9a-fA-F]{2})")
_SLASHED = re.compile(r"\\+([/\"'])")


class _Forms(NamedTuple):
    """exact: found as they stand. disguised: in small letters, found in a text that was squeezed."""

    exact: tuple[str, ...]
    disguised: tuple[str, ...]


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every form of these secrets, and everything of a key's form, replaced by `***`.

    One in which a secret shows that cannot be cut out is `***` as a whole.
    """
    forms = _forms(tuple(secrets))
    for form in forms.exact:
        text = text.replace(form, MASK)
    text = _KEY_LIKE.sub(MASK, text)
    if not forms.disguised:
        return text
    shown = list(_shown(text, forms.disguised))
    for form in shown:
        text = _pattern(form).sub(MASK, text)
    return MASK if shown and any(True for _ in _shown(text, forms.disguised)) else text


def _shown(text: str, forms: tuple[str, ...]) -> Iterator[str]:
    squeezed = _squeezed(text)
    plain = _squeezed(_unescaped(text)) if any(sign in text for sign in "\\%&") else squeezed
    for form in forms:
        if form in squeezed or (plain is not squeezed and form in plain):
            yield form


def _squeezed(text: str) -> str:
    return _SQUEEZE.sub("", text).lower()


def _unescaped(text: str) -> str:
    """Without the escapes of JSON, addresses and HTML, those of escapes too."""
    for _ in range(2):
        before = text
        if "&" in text:
            text = html.unescape(text)
        if "\\" in text or "%" in text:
            text = _SLASHED.sub(r"\1", _ESCAPE.sub(_letter, text))
        if text == before:
            break
    return text


def _letter(escape: re.Match[str]) -> str:
    return chr(int(next(digits for digits in escape.groups() if digits), 16))


@lru_cache(maxsize=64)
def _forms(secrets: tuple[str, ...]) -> _Forms:
    plain = {secret for secret in secrets if len(secret) >= SHORTEST}
    exact = {form for secret in plain for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])}
    squeezed = {
        _squeezed(form) for secret in plain if len(secret) >= _SHORTEST_DISGUISED for form in _disguises(secret)
    }
    disguised = {form for form in squeezed if len(form) >= _SHORTEST_DISGUISED}
    return _Forms(tuple(sorted(exact, key=len, reverse=True)), tuple(sorted(disguised, key=len, reverse=True)))


def _disguises(secret: str) -> Iterator[str]:
    yield secret
    yield secret[::-1]
    data = secret.encode("utf-8", "surrogatepass")
    for turned in (data, data[::-1]):
        yield turned.hex()
        # In base64 the letters depend on where in a group of three bytes the secret begins; its first and last letters
        # may hold bits of its neighbours.
        for shift in range(3):
            letters = base64.b64encode(bytes(shift) + turned).decode()
            inner = letters[(shift * 8 + 5) // 6 : (shift + len(data)) * 8 // 6]
            yield inner
            yield inner.translate(str.maketrans("+/", "-_"))


@lru_cache(maxsize=256)
def _pattern(form: str) -> re.Pattern[str]:
    """The form with escaped letters, in any case and with anything in between."""
    return re.compile(f"{_BETWEEN}*".join(_letters(letter) for letter in form), re.IGNORECASE)


def _letters(letter: str) -> str:
    """One letter as it stands, and in its escapes: those of its capital too."""
    codes = sorted({ord(letter), *(ord(other) for other in letter.upper())})
    ways = [r"\\*" + re.escape(letter)]
    for code in codes:
        ways += [rf"\\+u\{{?0*{code:x}\}}?", rf"&#x0*{code:x};?", rf"&#0*{code};?"]
        ways += [rf"\\+x{code:02x}", rf"%(?:25)*{code:02x}"] if code < 256 else []
    named = [name for name, value in html.entities.html5.items() if value == letter and name.endswith(";")]
    ways += [f"&{re.escape(name)}" for name in named]
    return f"(?:{'|'.join(ways)})"
