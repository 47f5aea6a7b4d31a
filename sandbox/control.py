"""The routes under /_sandbox/: scripts in, records out. README.md lists them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from .gateway import Gateway
from .plan import Failure
from .replies import Reply, json_reply

CONTROL_PATH = "/_sandbox/"
EVENTS = (
    "connect", "create", "poll", "download", "other", "billed", "answered", "delivered", "held", "finished",
)  # fmt: skip


class Control:
    """What tests do to a running gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._posts: dict[str, Callable[[Any], Any]] = {
            "script": self.script,
            "settings": self.settings,
            "finish": lambda given: self.end(given or {}, None),
            "fail": lambda given: self.end(given or {}, _failure(given or {})),
            "forget": lambda given: self.forget(given or {}),
            "release": lambda given: {"released": gateway.gate.release((given or {}).get("rule"))},
            "clear": lambda given: self.clear(),
            "reset": lambda given: self.reset(),
        }

    def handle(self, method: str, target: str, body: bytes) -> Reply:
        path, _, query = target.partition("?")
        name, asked = path[len(CONTROL_PATH) :], dict(parse_qsl(query))
        try:
            if method == "POST" and name in self._posts:
                return json_reply(self._posts[name](json.loads(body) if body else None))
            if method == "GET" and name == "state":
                return json_reply(self.state(full=asked.get("full") in ("1", "true")))
            if method == "GET" and name == "wait":
                answer = self.wait(**_wait_arguments(asked))
                return json_reply(answer, 200 if answer["ok"] else 408)
        except (ValueError, TypeError) as error:
            return json_reply({"error": str(error)}, 400)
        return json_reply({"error": f"no {method} {path}"}, 404)

    def script(self, given: Mapping[str, Any] | list[Mapping[str, Any]]) -> dict[str, Any]:
        """Add rules; ValueError for what is not in the vocabulary (then none of them is added)."""
        rules = given if isinstance(given, list) else [given]
        with self._gateway.lock:
            for rule in rules:
                self._gateway.script.check(rule)
            return {"rules": [self._gateway.script.add(rule).name for rule in rules]}

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._gateway.change(given)
        return self._gateway.settings.as_dict()

    def end(self, which: dict[str, Any], failure: Failure | None) -> dict[str, Any]:
        """Bring running tasks to their end now, well or failed."""
        gateway = self._gateway
        with gateway.lock:
            now = gateway.clock.monotonic()
            tasks = [task for task in gateway.till.select(which) if task.state(now) in ("pending", "running")]
            for task in tasks:
                task.end(now, failure)
        gateway.gate.notify()
        return {"tasks": [task.task_id for task in tasks]}

    def forget(self, which: dict[str, Any]) -> dict[str, Any]:
        with self._gateway.lock:
            tasks = list(self._gateway.till.select(which))
            for task in tasks:
                task.plan = task.plan.changed({"forgotten": True})
        return {"tasks": [task.task_id for task in tasks]}

    def clear(self) -> dict[str, Any]:
        with self._gateway.lock:
            self._gateway.script.clear()
        return {}

    def reset(self) -> dict[str, Any]:
        self._gateway.reset()
        return {}

    def wait(self, event: str, count: int = 1, timeout: float = 10.0, **which: Any) -> dict[str, Any]:
        """Block until `event` happened `count` times since the start or reset."""
        if event not in EVENTS:
            raise ValueError(f"event: expected one of {', '.join(EVENTS)}, got {event!r}")
        gateway = self._gateway

        def happened() -> int:
            if event != "finished":
                return gateway.record.count(event, which)
            now = gateway.clock.monotonic()
            return sum(task.state(now) in ("completed", "failed") for task in gateway.till.select(which))

        reached = gateway.gate.wait(lambda: happened() >= count, timeout)
        with gateway.lock:
            return {"ok": reached, "event": event, "count": happened()}

    def state(self, *, full: bool = False) -> dict[str, Any]:
        gateway = self._gateway
        with gateway.lock:
            now, till, record = gateway.clock.monotonic(), gateway.till, gateway.record
            seen = [request.as_dict(full=full) for request in record.requests]
            return {
                "t": round(now - gateway.origin, 6),
                **till.money(now),
                "tasks": [
                    {**task.as_dict(now, gateway.origin), "prompt": record.hidden(task.create.prompt)}
                    for task in till.tasks.values()
                ],
                "creates": [request for request in seen if request["event"] == "create"],
                "polls": record.counts["poll"],
                "downloads": [request for request in seen if request["event"] == "download"],
                "others": [request for request in seen if request["event"] == "other"],
                "requests": seen,
                "in_flight": till.in_flight(now),
                "max_in_flight": till.max_in_flight,
                "max_requests": record.max_requests,
                "connections": record.counts["connect"],
                "held": gateway.gate.held,
                "rules": [rule.as_dict() for rule in gateway.script.rules],
                "key_leaks": list(record.key_leaks),
                "settings": gateway.settings.as_dict(),
            }


def _failure(given: Mapping[str, Any]) -> Failure:
    return Failure(str(given.get("message", "The task failed")), given.get("code"))


def _wait_arguments(asked: Mapping[str, str]) -> dict[str, Any]:
    kinds: dict[str, Callable[[str], Any]] = {"count": int, "timeout": float, "number": int}
    return {name: kinds.get(name, str)(value) for name, value in asked.items()}
