"""The sentences that users read, as values: English text that still knows of what it was made.

Whoever speaks to users makes each sentence with `say`; a plain str in its place is somebody else's words (the
gateway's, the system's), which no translation touches. The English text is the value itself, so that everything that
takes a str takes a sentence. How it is said in another language: nodes/status/chinese.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Spelled = Any  # of JSON: a text, a list of these, or an object of `say` (a template) and `with` (its values)
Value = str | int | float  # of a placeholder; a sentence among them is translated with the one it stands in


class Sentence(str):
    """One sentence, or a part of one. template: with placeholders as str.format has them, where there are values."""

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, values: Mapping[str, Value] | None = None) -> Sentence:
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template, made.values = template, values or {}
        return made

    def each(self, change: Callable[[str], str]) -> Sentence:
        """The same with every text in it changed."""
        values = {
            name: _changed(value, change) if isinstance(value, str) else value for name, value in self.values.items()
        }
        return Sentence(self.template, values)


class Sentences(str):
    """Several in a row, with a blank between them; each a sentence or somebody else's words."""

    parts: tuple[str, ...]

    def __new__(cls, parts: Iterable[str]) -> Sentences:
        kept = tuple(part for part in ([parts] if isinstance(parts, str) else parts) if part.strip())
        made = super().__new__(cls, " ".join(part.strip() for part in kept))
        made.parts = kept
        return made

    def each(self, change: Callable[[str], str]) -> Sentences:
        """The same with every text in it changed."""
        return Sentences(_changed(part, change) for part in self.parts)


def say(template: str, /, **values: object) -> Sentence:
    """A sentence. Its template stands here as it is and nowhere else: translations are looked up by it."""
    return Sentence(template, {name: _value(value) for name, value in values.items()})


def together(*parts: str) -> Sentences:
    """What is to be read in a row; empty parts leave no gap."""
    return Sentences(parts)


def redacted(text: str, redact: Callable[[str], str]) -> str:
    """`redact(text)`, which can still be translated where nothing but values, each by itself, was redacted."""
    clean = redact(text)
    if not isinstance(text, (Sentence, Sentences)):
        return clean
    same = text.each(redact)
    return same if same == clean else clean


def spelled(text: str) -> Spelled:
    """What JSON can hold of a text, and `respelled` makes it of again."""
    if isinstance(text, Sentence):
        values = {name: spelled(value) if isinstance(value, str) else value for name, value in text.values.items()}
        return {"say": text.template, "with": values}
    return [spelled(part) for part in text.parts] if isinstance(text, Sentences) else str(text)


def respelled(spelling: Spelled) -> str:
    """The text that was spelled so.

    Raises ValueError, TypeError, LookupError, AttributeError or RecursionError for what `spelled` has not made.
    """
    if isinstance(spelling, dict):
        values = {
            name: value if isinstance(value, (int, float)) else respelled(value)
            for name, value in spelling["with"].items()
        }
        return Sentence(spelling["say"], values)
    return Sentences(map(respelled, spelling)) if isinstance(spelling, list) else spelling


def _changed(text: str, change: Callable[[str], str]) -> str:
    return text.each(change) if isinstance(text, (Sentence, Sentences)) else change(text)


def _value(value: object) -> Value:
    if isinstance(value, (Sentence, Sentences)):
        return value
    try:
        shown = str(value)
    except (ValueError, OverflowError):  # Python writes no whole number of more than 4300 digits
        return say("a value too long to show")
    return value if isinstance(value, (int, float)) else shown
