"""What the sandbox saw: every request, in order, with no key in it. Guarded by the gateway's lock."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from .contract import bearer
from .inputs import shortened

SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
HIDDEN = "[key]"


@dataclasses.dataclass
class Seen:
    """One request. `t` in seconds since the start or reset; `status` None until answered."""

    n: int
    nth: int
    event: str
    t: float
    method: str
    path: str
    headers: dict[str, str]
    bearer: dict[str, Any]
    connection: int | None
    body: Any = None
    task_id: str | None = None
    number: int | None = None
    prompt: str | None = None
    status: int | None = None
    accepted: bool = False
    said: str | None = None
    bytes: int = 0
    delivered: bool = False
    proxied: bool = False
    rules: tuple[str, ...] = ()

    def as_dict(self, *, full: bool) -> dict[str, Any]:
        """Without the prompt, which stands in the body and in the task."""
        values = dataclasses.asdict(self)
        del values["prompt"]
        return values if full else {**values, "body": _short(values["body"])}


class Record:
    """Everything seen since the start or reset."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self.open_requests = 0
        self.reset()

    def reset(self) -> None:
        self.requests: list[Seen] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.happened: list[tuple[str, Seen | None]] = []
        self.key_leaks: list[str] = []
        self.max_requests = 0

    def add(
        self, event: str, t: float, method: str, path: str, headers: Mapping[str, str], connection: int | None
    ) -> Seen:
        key = bearer(headers)
        self.learn([key] if key else [])
        self.counts[event] += 1
        shown = {name: value for name, value in headers.items() if name not in SECRET_HEADERS}
        seen = Seen(
            n=len(self.requests) + 1,
            nth=self.counts[event],
            event=event,
            t=round(t, 6),
            method=method,
            path=self._without_key(path, f"{event} path"),
            headers={name: self._without_key(value, f"{event} header {name}") for name, value in shown.items()},
            bearer={"present": bool(key), "last4": key[-4:] if key and len(key) > 12 else None},
            connection=connection,
        )
        self.requests.append(seen)
        return seen

    def learn(self, keys: Iterable[str]) -> None:
        """Keys to look for in all that comes."""
        self._keys.update(key for key in keys if len(key) > 8)

    def body(self, seen: Seen, body: Any) -> None:
        """Keep the JSON body of a create; a key in it is a leak."""
        seen.body = self._cleaned(body)

    def hidden(self, text: str) -> str:
        """`text` without any key that is known."""
        for key in self._keys:
            text = text.replace(key, HIDDEN)
        return text

    def happen(self, event: str, seen: Seen | None) -> None:
        self.happened.append((event, seen))

    def count(self, event: str, which: Mapping[str, Any]) -> int:
        """How often `event` happened, to the task with `task_id`, `number` or part of the `prompt` if given."""
        return sum(name == event and _is_of(seen, which) for name, seen in self.happened)

    def _without_key(self, text: str, where: str) -> str:
        clean = self.hidden(text)
        if clean != text:
            self.key_leaks.append(where)
        return clean

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._without_key(value, "create body")
        if isinstance(value, dict):
            return {name: self._cleaned(inner) for name, inner in value.items()}
        return [self._cleaned(inner) for inner in value] if isinstance(value, list) else value


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return [_short(inner) for inner in value] if isinstance(value, list) else value


def _is_of(seen: Seen | None, which: Mapping[str, Any]) -> bool:
    if seen is None:
        return not which
    if which.get("prompt") is not None and which["prompt"] not in (seen.prompt or ""):
        return False
    return all(which.get(name) in (None, getattr(seen, name)) for name in ("task_id", "number"))
