"""What holds for the whole sandbox: keys, models, limits, and the plan tasks start from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from .plan import Plan, build_from, one_of

CREDITS_PER_TASK = 25
KEY_PREFIX = "aio_"


@dataclasses.dataclass(frozen=True)
class Settings:
    """All of it can be changed while the sandbox runs. `keys` empty: every `aio_…` key is good."""

    keys: tuple[str, ...] = ()
    models: tuple[str, ...] = ("hunyuan-image-3",)
    task: Plan = dataclasses.field(default_factory=Plan)
    seed: int = 1
    prefix: str = ""
    results_url: str | None = None
    max_in_flight: int | None = None
    per_second: float | None = None
    retry_after: str | int | float | None = 1
    unknown_task: Literal["404", "200"] = "404"
    input_error: Literal["http400", "http200", "task"] = "http400"
    same_request: Literal["new", "409"] = "new"
    idle_s: float = 300.0

    def __post_init__(self) -> None:
        one_of("unknown_task", self.unknown_task, ("404", "200"))
        one_of("same_request", self.same_request, ("new", "409"))
        one_of("input_error", self.input_error, ("http400", "http200", "task"))

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with `changes`; ValueError for a name or value they do not know."""
        values = dict(changes)
        if isinstance(values.get("task"), Mapping):
            values["task"] = self.task.changed(values["task"])
        for name in ("keys", "models"):
            if name in values:
                values[name] = tuple(values[name])
        settings: Settings = build_from(self, values, "settings")
        return settings

    def good_key(self, key: str | None) -> bool:
        if not key or not key.startswith(KEY_PREFIX) or len(key) <= len(KEY_PREFIX):
            return False
        return not self.keys or key in self.keys

    def as_dict(self) -> dict[str, Any]:
        """For the state page: everything but the keys."""
        return {**dataclasses.asdict(self), "keys": len(self.keys)}
