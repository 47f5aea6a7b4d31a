"""A key as people paste it: with quotes, blanks, `Bearer`, a line of a script around it.

What certainly does not belong to it is taken away; what may or may not is refused with the reason. No message repeats
a part of it.
"""

from __future__ import annotations

import re

from ..errors import SettingsError
from ..sentences import say

_LONGEST = 1024  # characters
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_BLANK = re.compile(r"[^\S\r\n]")  # no-break and full-width ones too
_AFTER = " \t\r\n,;\uff0c\uff1b\u3002"
_PAIRS = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\u300c\u300d", "\u300e\u300f", "\u00ab\u00bb", "<>")
_QUOTES = "".join(_PAIRS)
_NAME = r"(?:hunyuan_)?api[ _\-]?key|x-api-key|authorization|key|token|\u5bc6\u94a5"
_BEFORE = (
    re.compile(r"-H\s+", re.IGNORECASE),  # of a curl command
    re.compile(r"(?:export|set)\s+(?=\w+=)", re.IGNORECASE),
    re.compile(rf"[\"']?(?:{_NAME})[\"']?\s*(?:[:=\uff1a]|[\r\n])\s*", re.IGNORECASE),
    re.compile(r"bearer(?:\s*[:\uff1a]|\s)\s*", re.IGNORECASE),
)
_SHORTENED = re.compile(r"\*{3}|\.{3}|[\u2026\u2022\u25cf\u00b7]")
_START = "aio_"  # of the gateway's keys (vendor's docs)
_AGAIN = say("Copy the key again, all of it and nothing else.")


def clean_key(text: str) -> str:
    """The key by itself; empty for a blank text. Raises SettingsError for what cannot be told."""
    key = _bare(text)
    while key != (less := _without_words(key)):
        key = _bare(less)
    if re.fullmatch(rf"bearer|{_NAME}", key, re.IGNORECASE):
        raise SettingsError(say("it is only the word that stands before a key."), do=_AGAIN)
    if key.count(_START) > 1:
        raise SettingsError(say("it holds two keys."), do=say("Copy one of them."))
    return _checked(key)


def clean_secret(text: str) -> str:
    """The same for a secret of another kind: only blanks and quotes around it go."""
    return _checked(_bare(text))


def _bare(text: str) -> str:
    """Without blanks, quotes and list signs around it."""
    text = _BLANK.sub(" ", _INVISIBLE.sub("", text)).strip()
    while True:
        less = text.rstrip(_AFTER)
        if len(less) > 1 and less[0] + less[-1] in _PAIRS and less[0] not in less[1:-1]:
            less = less[1:-1].strip()
        if less == text:
            return text
        text = less


def _without_words(text: str) -> str:
    for words in _BEFORE:
        if (found := words.match(text)) and found.end() < len(text):
            return text[found.end() :]
    return text


def _checked(key: str) -> str:
    reason: str = ""
    if len(key) > _LONGEST:
        reason = say("expected at most {most} characters, got {count}.", most=_LONGEST, count=len(key))
    elif _SHORTENED.search(key):
        reason = say("it is shortened: dots or stars stand for a part of it.")
    elif "\n" in key or "\r" in key:
        reason = say("it holds a line break, and what of it is the key cannot be told.")
    elif "://" in key:
        reason = say("it is an address and no key.")
    elif " " in key:
        reason = say("it holds a blank, and what of it is the key cannot be told.")
    elif any(character in _QUOTES for character in key):
        reason = say("it holds a quote.")
    elif not key.isascii():
        reason = say("it holds a character outside ASCII.")
    elif not key.isprintable():
        reason = say("it holds a control character.")
    if reason:
        raise SettingsError(reason, do=_AGAIN)
    return key
