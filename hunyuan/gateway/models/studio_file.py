"""A studio's own entries and corrections: `models.toml` or `models.json` beside the settings.

    [flux-2]                                   # a family that is known: only what differs
    parameters.resolution.choices = ["1K", "2K", "4K"]
    prices = [{credits = 30, when = {type = "flex", resolution = "4K"}}]

    [my-model]                                 # a new one
    title = "My Model"
    models = ["my-model"]
    prices = [{credits = 3}]

Each mistake gives one sentence, and the entry it stands in is left as it was without the file.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import InvalidRequestError
from .catalogue import FAMILIES, HUNYUAN, STUDIO_FILES, Catalogue
from .family import KINDS, Family, ImageField, Parameter, Price

_MOST_COMBINATIONS = 2000  # of choices, looked at for a price
_KEY = re.compile(r"[a-z0-9][a-z0-9.\-]{0,63}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TAKEN = ("model", "prompt", "count", "wait", "timeout_s", "on_failure", "reuse", "variation", "task_ids")


class _Mistake(Exception):
    """args[0]: the sentence."""


def read_catalogue(directory: Path) -> Catalogue:
    """The built-in families with the studio's file over them. Never raises: mistakes are told in the catalogue."""
    found = [directory / name for name in STUDIO_FILES if (directory / name).is_file()]
    if not found:
        return Catalogue()
    mistakes = [f"{path.name} is not read: {found[0].name} stands beside it." for path in found[1:]]
    try:
        entries = _read(found[0])
    except _Mistake as mistake:
        return Catalogue(mistakes=(str(mistake), *mistakes))
    families = {each.key: each for each in FAMILIES}
    for key, given in entries.items():
        try:
            families[key] = _entry(key, given, families)
        except _Mistake as mistake:
            mistakes.append(f"{found[0].name}: {mistake}")
    return Catalogue(tuple(families.values()), tuple(mistakes))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as failure:
        raise _Mistake(f"{path.name} cannot be read: {failure}.") from None
    try:
        entries = _toml(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as failure:  # both formats' errors are ValueErrors
        raise _Mistake(f"{path.name} is not {path.suffix[1:].upper()}: {failure}.") from None
    if not isinstance(entries, dict):
        raise _Mistake(f"{path.name} must hold a table of families, got a {type(entries).__name__}.")
    return entries


def _toml(text: str) -> Any:
    try:
        reader = import_module("tomllib")
    except ImportError:
        raise _Mistake("models.toml needs Python 3.11 or later: write models.json instead.") from None
    return reader.loads(text)


def _entry(key: str, given: object, families: Mapping[str, Family]) -> Family:
    if not _KEY.fullmatch(key):
        raise _Mistake(f'"{key[:64]}" is not a name: expected lower-case letters, digits, dots and hyphens.')
    if key == HUNYUAN.key:
        raise _Mistake(f'"{key}" has its own nodes: only the other models can be corrected.')
    table = _table(given, f'"{key}"')
    known = families.get(key)
    base = known or Family(key, _node_id(key), _text(table, "title", key), (), ())
    simple = {name: _SIMPLE[name](table, name, key) for name in table if name in _SIMPLE}
    _known(table, (*_SIMPLE, "prices", "parameters", "images"), f'"{key}"')
    family = replace(
        base,
        **simple,
        parameters=_merged(base.parameters, table.get("parameters", {}), Parameter, key),
        images=_merged(base.images, table.get("images", {}), ImageField, key),
        prices=_prices(base.prices, table.get("prices", []), key),
    )
    _check(family, families)
    return family


def _node_id(key: str) -> str:
    return "Hunyuan" + "".join(part[:1].upper() + part[1:] for part in re.split(r"[.\-]", key))


def _table(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _Mistake(f"{where} must be a table, got {given!r:.60}.")
    return given


def _known(table: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    strange = next((name for name in table if name not in names), None)
    if strange is not None:
        raise _Mistake(f'{where} has "{strange}", which nobody knows; known are {", ".join(names)}.')


def _text(table: Mapping[str, Any], name: str, key: str) -> str:
    value = table.get(name, key)
    if not isinstance(value, str) or not value.strip():
        raise _Mistake(f'{name} of "{key}" must be a text, got {value!r:.60}.')
    return value


def _texts(table: Mapping[str, Any], name: str, key: str) -> tuple[str, ...]:
    value = table[name]
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise _Mistake(f'{name} of "{key}" must be a list of texts, got {value!r:.60}.')
    return tuple(value)


def _whole(table: Mapping[str, Any], name: str, key: str) -> int:
    value = table[name]
    if type(value) is not int or value < 0:
        raise _Mistake(f'{name} of "{key}" must be a whole number from 0, got {value!r:.60}.')
    return value


_SIMPLE: dict[str, Any] = {
    "title": _text,
    "models": _texts,
    "edit_model": _text,
    "aliases": _texts,
    "prompt_least": _whole,
    "prompt_most": _whole,
    "most_images": _whole,
}


def _merged(before: tuple[Any, ...], given: object, kind: type[Any], key: str) -> tuple[Any, ...]:
    """The known ones with what the file says of each, then the new ones."""
    word = "parameters" if kind is Parameter else "images"
    found = {each.name: each for each in before}
    for name, values in _table(given, f'{word} of "{key}"').items():
        where = f'"{name}" in {word} of "{key}"'
        if not _NAME.fullmatch(name) or name in _TAKEN:
            raise _Mistake(f"{where} cannot be a name: expected lower-case letters, digits and _, none of ours.")
        names = tuple(each.name for each in fields(kind) if each.name != "name")
        table = _table(values, where)
        _known(table, names, where)
        changes = {field: _typed(kind, field, value, where) for field, value in table.items()}
        found[name] = replace(found.get(name) or kind(name), **changes)
    return tuple(found.values())


def _typed(kind: type[Any], field: str, value: object, where: str) -> Any:
    wanted = str({each.name: each.type for each in fields(kind)}[field])
    if wanted == "tuple[str, ...]":
        return _texts({field: value}, field, where.strip('"'))
    accepted = {"str": (str,), "int": (int,), "bool": (bool,), "int | None": (int,), "Value": (str, int)}[wanted]
    if not isinstance(value, accepted) or (isinstance(value, bool) and wanted != "bool"):
        raise _Mistake(f"{field} of {where} must be {wanted.replace(' | None', '')}, got {value!r:.60}.")
    if field == "kind" and value not in KINDS:
        raise _Mistake(f"kind of {where} must be one of {', '.join(KINDS)}, got {value!r:.60}.")
    return value


def _prices(before: tuple[Price, ...], given: object, key: str) -> tuple[Price, ...]:
    """The file's prices before the known ones, of which those for the same choices fall away."""
    if not isinstance(given, list):
        raise _Mistake(f'prices of "{key}" must be a list, got {given!r:.60}.')
    new = []
    for each in given:
        table = _table(each, f'a price of "{key}"')
        _known(table, ("credits", "when"), f'a price of "{key}"')
        if "credits" not in table:
            raise _Mistake(f'a price of "{key}" names no credits.')
        when = _table(table.get("when", {}), f'when of a price of "{key}"')
        new.append(Price(_whole(table, "credits", key), tuple(sorted(when.items()))))
    same = {price.when for price in new}
    return (*new, *(price for price in before if tuple(sorted(price.when)) not in same))


def _check(family: Family, families: Mapping[str, Family]) -> None:
    """What fits together. Raises _Mistake."""
    key = family.key
    if not family.models:
        raise _Mistake(f'"{key}" names no models: give the values that "model" takes.')
    taken = {model: each.key for each in families.values() if each.key != key for model in each.all_models}
    double = next((model for model in family.all_models if model in taken), None)
    if double is not None:
        raise _Mistake(f'"{double}" of "{key}" belongs to "{taken[double]}" already.')
    if any(each.node == family.node and each.key != key for each in families.values()):
        raise _Mistake(f'"{key}" would give a second node {family.node}: choose another name.')
    _check_parameters(family)
    _check_prices(family)


def _check_parameters(family: Family) -> None:
    key = family.key
    for each in family.parameters:
        if each.kind == "choice" and each.usual not in each.choices:
            raise _Mistake(f'"{each.name}" of "{key}" needs choices, with its default among them.')
        if each.kind in ("number", "seed") and not isinstance(each.usual, int):
            raise _Mistake(f'"{each.name}" of "{key}" needs a number as its default.')


def _check_prices(family: Family) -> None:
    key = family.key
    choosable = {each.name for each in family.parameters if each.kind == "choice"} | {"model"}
    for price in family.prices:
        strange = next((name for name, _ in price.when if name not in choosable), None)
        if strange is not None:
            raise _Mistake(f'a price of "{key}" depends on "{strange}", which is no choice of it.')
    for chosen in itertools.islice(_combinations(family), _MOST_COMBINATIONS):
        try:
            family.credits(str(chosen["model"]), chosen)
        except InvalidRequestError:
            shown = ", ".join(f"{name} {value}" for name, value in chosen.items())
            raise _Mistake(f'"{key}" has no price for {shown}.') from None


def _combinations(family: Family) -> Iterator[dict[str, object]]:
    """Every choice that a price may hang on."""
    told = {name for price in family.prices for name, _ in price.when} | {"model"}
    lists = [("model", family.all_models)]
    lists += [(each.name, each.choices) for each in family.parameters if each.kind == "choice" and each.name in told]
    for values in itertools.product(*(choices for _, choices in lists)):
        yield dict(zip((name for name, _ in lists), values, strict=True))
