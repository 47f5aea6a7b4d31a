"""The plan of a task: how long it runs, how it ends, and in which shape the gateway tells of it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

SHAPES = (
    "documented", "general", "upstream", "direct_url", "direct_b64",
    "sites", "sites_json", "music", "state", "numbers", "flags", "url_list", "fail_reason",
)  # fmt: skip
RESULT_KEYS = (
    "output", "outputs", "result", "results", "response", "data",
    "images", "image", "url", "image_url", "image_urls",
)  # fmt: skip
RESULT_FORMS = (
    "string", "list", "object", "objects", "json", "json_list", "b64", "b64_string", "data_uri",
)  # fmt: skip
ERROR_FORMS = ("data.error", "data.error.message", "error.message", "message", "completed")
LINKS = ("whole", "path", "host", "raw")
PICTURES = ("marked", "plain", "noise")
FORMATS = ("png", "jpeg", "webp")

Seconds = float | tuple[float, ...] | list[float] | Mapping[str, Any] | None
"""A number, `[low, high]`, `{"cycle": […]}`, `{"choices": […]}`, `{"normal": [mean, deviation]}`; None: never done."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """What a failed task says of itself."""

    message: str
    code: int | str | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything about one task that a script may choose. The defaults are the documented contract."""

    seconds: Seconds = (2.0, 4.0)
    shape: str = "documented"
    result_key: str | None = None  # None: "outputs" in the upstream shape, else "images"
    result_form: str = "list"
    echo: Literal[False, "nested", "flat"] = False
    progress: Literal[False, "percent", "fraction"] = False
    words: Mapping[str, str] | None = None  # pending, running, completed, failed
    fail: Failure | None = None
    error_form: str = "data.error"
    forgotten: bool = False
    known_after_s: float = 0.0
    count: int = 1
    picture: str = "marked"
    format: str = "png"
    link_lifetime_s: float | None = None
    harsh_link: bool = False
    bare_link: bool = False
    direct_task_id: bool = False
    at_once: bool = False  # the create is answered after `seconds`, in the shape of the last poll
    link: str = "whole"
    charged: int | None = None  # credits; None: the usual ones, and no answer names them
    flagged: bool = False  # upstream shape: done, with `has_nsfw_contents: [true]` and no picture
    came: tuple[int, int] | None = None  # (width, height) of the picture in pixels; None: what was asked for
    odd_id: bool | str = False  # an id with `.`, `:` and `/` in it, or of such a form: "task {serial}, a"

    def __post_init__(self) -> None:
        one_of("shape", self.shape, SHAPES)
        one_of("result_key", self.result_key, (None, *RESULT_KEYS))
        one_of("result_form", self.result_form, RESULT_FORMS)
        one_of("echo", self.echo, (False, "nested", "flat"))
        one_of("progress", self.progress, (False, "percent", "fraction"))
        one_of("error_form", self.error_form, ERROR_FORMS)
        one_of("picture", self.picture, PICTURES)
        one_of("format", self.format, FORMATS)
        one_of("link", self.link, LINKS)
        Durations(random.Random(0)).draw(self.seconds)

    def changed(self, changes: Mapping[str, Any]) -> Plan:
        """This plan with `changes` (names as in the class); ValueError for a name or value it does not know."""
        values = dict(changes)
        fail = values.get("fail")
        if isinstance(fail, str):
            values["fail"] = Failure(fail)
        elif isinstance(fail, Mapping):
            values["fail"] = build(Failure, fail, "fail")
        if values.get("came") is not None:
            width, height = values["came"]
            values["came"] = int(width), int(height)
        plan: Plan = build_from(self, values, "task")
        return plan

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Durations:
    """Draws task durations (seconds) from their descriptions, with a seeded generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._cycles: dict[tuple[float, ...], int] = {}

    def draw(self, seconds: Seconds) -> float | None:
        if seconds is None:
            return None
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
            return max(0.0, float(seconds))
        if isinstance(seconds, Mapping) and len(seconds) == 1:
            (kind, values), *_ = seconds.items()
            return max(0.0, self._draw_kind(kind, values))
        if isinstance(seconds, (tuple, list)) and len(seconds) == 2:
            return self._rng.uniform(float(seconds[0]), float(seconds[1]))
        raise ValueError(f"seconds: expected a number, [low, high], a distribution or null, got {seconds!r}")

    def _draw_kind(self, kind: str, values: Sequence[float]) -> float:
        if kind == "cycle" and values:
            key = tuple(float(value) for value in values)
            turn = self._cycles.get(key, 0)
            self._cycles[key] = turn + 1
            return key[turn % len(key)]
        if kind == "choices" and values:
            return float(self._rng.choice(values))
        if kind == "normal" and len(values) == 2:
            return self._rng.gauss(float(values[0]), float(values[1]))
        raise ValueError(f"seconds: expected cycle, choices or normal with values, got {kind!r}: {values!r}")


def one_of(name: str, value: object, allowed: Sequence[object]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, allowed))}, got {value!r}")


def build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """`kind(**values)`; ValueError that names what `kind` does not know."""
    known_names(kind, values, where)
    return kind(**values)


def build_from(base: Any, values: Mapping[str, Any], where: str) -> Any:
    """`base` with `values` replaced; ValueError that names what its class does not know."""
    known_names(type(base), values, where)
    return dataclasses.replace(base, **values)


def known_names(kind: type[Any], values: Mapping[str, Any], where: str) -> None:
    names = {field.name for field in dataclasses.fields(kind) if field.init}
    unknown = sorted(set(values) - names)
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(names))}")
