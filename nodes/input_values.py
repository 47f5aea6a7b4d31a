"""What came into a node's inputs, made into what the node declares, or refused by the input's name.

ComfyUI checks what is typed into a node; what is linked comes as the other node gave it: INT outputs of other packs
are often floats, switches give None, and a list may stand where one value belongs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from numbers import Integral, Real

from ..hunyuan.errors import InvalidRequestError
from ..hunyuan.sentences import say

MAX_TASK_IDS = 200  # of one Hunyuan Image 3 Task Wait

_SHOWN = 60  # characters of a value in a message
_BETWEEN = re.compile(r"[\s,;，、；]+")
_NEW_URL = re.compile(r"(?<![\s,;，、；])([\s,;，、；]+)(?=(?:https?://|data:image/))", re.IGNORECASE)
_MARKS = " \t,;，、；"  # around a URL, none of them its own
_ID_LENGTH = 6  # characters from which a word with a digit in it is surely an id of its own


def whole(name: str, value: object, least: int | None = None, most: int | None = None) -> int:
    """An integer, also of a float without a fraction.

    Raises InvalidRequestError, for a boolean and for more digits than Python writes as well.
    """
    number = _integer(value)
    low, high = least is not None, most is not None
    if number is None or (low and number < least) or (high and number > most):  # type: ignore[operator]
        got = described(value)
        if low and high:
            what = say(
                "{name} must be a whole number of {least} to {most}, got {got}.",
                name=name,
                least=least,
                most=most,
                got=got,
            )
        elif low:
            what = say("{name} must be a whole number of at least {least}, got {got}.", name=name, least=least, got=got)
        else:
            what = say("{name} must be a whole number, got {got}.", name=name, got=got)
        raise InvalidRequestError(what, do=say("Look at what is linked to {name}.", name=name))
    return number


def _integer(value: object) -> int | None:
    if type(value).__name__ in ("bool", "bool_"):  # Python's and numpy's
        return None
    try:
        if isinstance(value, Integral):
            str(value)  # raises where it has too many digits for any message, file or request
            return int(value)
        if isinstance(value, Real) and float(value).is_integer():
            return int(float(value))
    except (ValueError, OverflowError):
        return None
    return None


def flag(name: str, value: object) -> bool:
    """True or False, also of 1 and 0. Raises InvalidRequestError."""
    if type(value).__name__ not in ("bool", "bool_") and _integer(value) not in (0, 1):
        raise InvalidRequestError(
            say("{name} must be true or false, got {got}.", name=name, got=described(value)),
            do=say("Look at what is linked to {name}.", name=name),
        )
    return bool(value)


def text(name: str, value: object) -> str:
    """A text. Raises InvalidRequestError."""
    if not isinstance(value, str):
        raise InvalidRequestError(
            say("{name} must be a text, got {got}.", name=name, got=described(value)),
            do=say("Look at what is linked to {name}.", name=name),
        )
    return value


def choice(name: str, value: object, options: Sequence[str]) -> str:
    """One of the options. Raises InvalidRequestError."""
    if not isinstance(value, str) or value not in options:
        raise InvalidRequestError(
            say("{name} must be {choices}, got {got}.", name=name, choices=_either(options), got=described(value))
        )
    return value


def _either(options: Sequence[str]) -> str:
    """`a or b or c`."""
    first, *others = options
    for each in others:
        first = say("{one} or {other}", one=first, other=each)
    return first


def described(value: object) -> str:
    """A value as a message shows it: what kind of thing it is, and itself where it is short."""
    if value is None:
        return say("nothing (None)")
    if isinstance(value, str):
        return say("the text {text}", text=_short(repr(value)))
    if isinstance(value, (list, tuple)):
        kinds = {type(each).__name__.lower() for each in value}
        if len(kinds) == 1:
            return say("a list of {n} {kind}s", n=len(value), kind=kinds.pop())
        return say("a list of {n} values", n=len(value))
    if isinstance(value, dict):
        return say("a LATENT") if "samples" in value else say("a dict")
    if isinstance(value, (bool, Real)):
        return _number(value)
    shape = getattr(value, "shape", None)
    kind, dtype = type(value).__name__, getattr(value, "dtype", None)
    kind = kind if dtype is None else f"{kind} ({str(dtype).removeprefix('torch.')})"
    return (
        say("a {kind}", kind=kind) if shape is None else say("a {kind} of shape {shape}", kind=kind, shape=list(shape))
    )


def _number(value: object) -> str:
    try:
        return _short(str(value))
    except (ValueError, OverflowError):  # Python writes no whole number of more than 4300 digits
        return say("a number too long to show")


def _short(shown: str) -> str:
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def is_url(given: str, data: str) -> bool:
    """Whether it is an http or https URL, or begins with `data`."""
    return given.lower().startswith(("http://", "https://", data))


def split_ids(given: str, known: Collection[str] = ()) -> list[str]:
    """Task ids, each once: one a line, or between commas, or between blanks where each piece is surely an id.

    What may be one text with a blank in it stays whole, for the check of ids to refuse. known: lines that are ids.
    """
    found = []
    for line in map(str.strip, given.splitlines()):
        if line in known:
            found.append(line)
            continue
        for part in re.split(r"[,;，、；]+", line):
            words = _BETWEEN.split(part.strip())
            several = all(len(word) >= _ID_LENGTH and re.search(r"\d", word) for word in words)
            found += words if several else [part.strip()]
    return list(dict.fromkeys(each for each in found if each))


def split_urls(given: str) -> list[str]:
    """URLs: one a line, or after commas or blanks where another one begins.

    A comma inside a URL is its own. After a bare comma "https://" begins a new one, except in a URL that already holds
    another ("?of=https://a,https://b"): there it may be the query's. What stands behind a URL after a blank is no part
    of it and comes by itself, for the check of URLs to refuse by name.
    """
    found: list[str] = []
    for line in given.splitlines():
        pieces = _NEW_URL.split(line.strip())
        urls = [pieces[0]]
        for mark, piece in zip(pieces[1::2], pieces[2::2], strict=True):
            own = not re.search(r"\s", mark) and urls[-1].count("://") > 1
            urls[-1:] = [f"{urls[-1]}{mark}{piece}"] if own else [urls[-1] + mark[0].strip(), piece]
        for url in urls:
            # A data: URI may hold blanks, and so may the name of a file, which is shown whole where it is refused.
            words = url.split(maxsplit=1) if is_url(url, "https://") else [url]
            found += [_without_marks(word) for word in words]
    return [url for url in found if url]


def _without_marks(url: str) -> str:
    """Without the marks around it. A semicolon at the end of a URL that holds others ("...;sig=abc;") is its own."""
    bare = url.strip(_MARKS)
    behind = url.lstrip(_MARKS)[len(bare) :]
    return f"{bare};" if behind.startswith(";") and ";" in bare and is_url(bare, "https://") else bare
