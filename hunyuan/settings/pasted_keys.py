"""A key as people paste it: with quotes, blanks, `Bearer`, a line of a script around it.

What certainly does not belong to it is taken away; what may or may not is refused with the reason. No message repeats
a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from ..errors import SettingsError
from ..sentences import say
from .redaction import KEY_START

_LONGEST, _LONGEST_PASTED = 1024, 8192  # characters of a key, and with what is pasted around it
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_BLANK = re.compile(r"[^\S\r\n]")  # no-break and full-width ones too
_AFTER = " \t\r\n,;\uff0c\uff1b\u3002"
_PAIRS = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\u300c\u300d", "\u300e\u300f", "\u00ab\u00bb", "<>")
_QUOTES = "".join(_PAIRS)
_SECRETS_PAIRS = _PAIRS[:-1]  # a secret may begin and end with angle brackets of its own
_NAME = r"(?:hunyuan_)?api[ _\-]?key|x-api-key|authorization|key|token|\u5bc6\u94a5"
_BEFORE = (
    re.compile(r"-H\s+", re.IGNORECASE),  # of a curl command
    re.compile(r"(?:export|set)\s+(?=\w+=)", re.IGNORECASE),
    re.compile(rf"[\"']?(?:{_NAME})[\"']?\s*(?:[:=\uff1a]|[\r\n])\s*", re.IGNORECASE),
    re.compile(r"bearer(?:\s*[:\uff1a]|\s)\s*", re.IGNORECASE),
)
# Only of the gateway's own form, which has letters, digits, _ and - : what may stand at it without a blank.
_GLUED = (
    re.compile(rf"(?:bearer|{_NAME})(?:%20|%3a|%3d|\+)*", re.IGNORECASE),  # a password field drops line breaks
    re.compile(r"[(\[{*#:=,;|&+>!?\uff08\u3010\uff1a\uff0c\uff1b]+\s*|-\s+"),
)
_BEHIND = re.compile(
    r"(?:\\[nrt]|%0[ad]|%20|(?<!\.)\.|[)\]}*\\,;:!?|&\uff09\u3011\u3002\uff0c\uff1b\uff01\uff1f])+\Z", re.IGNORECASE
)
_SHORTENED = re.compile(r"\*{3}|\.{3}|[\u2026\u2022\u25cf\u00b7]")
_SIGNS_AROUND = re.compile(rf"[\W_]+{KEY_START}|{KEY_START}.*[^\w\-+/=]\Z", re.DOTALL)
_AGAIN = say("Copy the key again, all of it and nothing else.")


def clean_key(text: str) -> str:
    """The key by itself; empty for a blank text. Raises SettingsError for what cannot be told."""
    if len(text) > _LONGEST_PASTED:
        raise SettingsError(say("expected at most {most} characters, got {count}.", most=_LONGEST, count=len(text)))
    key = _peeled(text, _one_less)
    if key.count(KEY_START) == 1 and len(key) <= _LONGEST and not _SHORTENED.search(key):
        inner = _peeled(key, _one_less_glued)
        key = inner if inner.startswith(KEY_START) else key  # another gateway's key may hold it in the middle
    if re.fullmatch(rf"bearer|{_NAME}", key, re.IGNORECASE):
        raise SettingsError(say("it is only the word that stands before a key."), do=_AGAIN)
    if key.count(KEY_START) > 1:
        raise SettingsError(say("it holds two keys."), do=say("Copy one of them."))
    if reason := _why_no_key(key) or _why_not_sent(key):
        raise SettingsError(reason, do=_AGAIN)
    return key


def clean_secret(text: str) -> str:
    """A secret of another kind, which may hold any character that can be sent: only blanks and quotes around it go.

    Raises SettingsError for what cannot be sent, or where the quotes may be the secret's own.
    """
    secret = _unquoted(_INVISIBLE.sub("", text).strip(), _SECRETS_PAIRS)
    reason = _why_not_sent(secret)
    if not reason and _unquoted(secret, _SECRETS_PAIRS) != secret:
        reason = say("it holds a quote.")
    if reason:
        raise SettingsError(reason, do=_AGAIN)
    return secret


def _unquoted(text: str, pairs: Collection[str]) -> str:
    """Without the one pair of quotes around it."""
    paired = len(text) > 1 and text[0] + text[-1] in pairs and text[0] not in text[1:-1]
    return text[1:-1].strip() if paired else text


def _peeled(text: str, one_less: Callable[[str], str]) -> str:
    """The text without blanks, quotes and all that `one_less` takes away, one after another."""
    key = _bare(text)
    while key != (less := one_less(key)):
        key = _bare(less)
    return key


def _bare(text: str) -> str:
    """Without blanks, quotes and list signs around it."""
    text = _BLANK.sub(" ", _INVISIBLE.sub("", text)).strip()
    while True:
        less = _unquoted(text.rstrip(_AFTER), _PAIRS)
        if less == text:
            return text
        text = less


def _one_less(text: str) -> str:
    return _without(text, _BEFORE)


def _one_less_glued(text: str) -> str:
    return _BEHIND.sub("", _without(text, (*_BEFORE, *_GLUED)))


def _without(text: str, beginnings: Iterable[re.Pattern[str]]) -> str:
    for words in beginnings:
        if (found := words.match(text)) and found.end() < len(text):
            return text[found.end() :]
    return text


def _why_no_key(key: str) -> str:
    """Why it is no key, or not certainly one; empty if it may be."""
    if _SHORTENED.search(key):
        return say("it is shortened: dots or stars stand for a part of it.")
    if "\n" in key or "\r" in key:
        return say("it holds a line break, and what of it is the key cannot be told.")
    if "://" in key:
        return say("it is an address and no key.")
    if " " in key:
        return say("it holds a blank, and what of it is the key cannot be told.")
    if any(character in _QUOTES for character in key):
        return say("it holds a quote.")
    if key.isascii() and _SIGNS_AROUND.match(key):
        return say("it holds a sign before or behind the key, and what of it is the key cannot be told.")
    return ""


def _why_not_sent(key: str) -> str:
    """Why no request can carry it; empty if one can."""
    if len(key) > _LONGEST:
        return say("expected at most {most} characters, got {count}.", most=_LONGEST, count=len(key))
    if not key.isascii():
        return say("it holds a character outside ASCII.")
    if not key.isprintable():
        return say("it holds a line break or another control character.")
    return ""
