"""The gateway without HTTP: a request in, a reply out, on an injected clock, under a script."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from .contract import Refused, parse_body
from .inputs import Fetch, fetch_loopback
from .pictures import Picture, draw
from .record import Record, Seen
from .replies import Reply, json_reply, refusal, spoil
from .rules import Script, Subject, Verdict
from .service import RESULT_PATH, TASK_PATH, Clock, Service
from .settings import Settings
from .tasks import SandboxTask, Till
from .waiting import Gate

CREATE_PATH = "/api/v1/images/generations"


class Gateway:
    """The stand-in. Thread-safe; pictures are drawn when they are downloaded."""

    def __init__(
        self,
        clock: Clock = time,
        draw: Callable[[Picture], bytes] = draw,
        script: Script | None = None,
        *,
        settings: Settings | None = None,
        fetch: Fetch = fetch_loopback,
        public_url: str = "http://sandbox.invalid",
    ) -> None:
        self.clock = clock
        self.script = script or Script()
        self.lock = threading.RLock()
        self.gate = Gate(self.lock)
        self.record = Record()
        self._earlier: set[str] = set()  # ids of tasks before the last reset
        self._first_settings = settings or Settings()
        self._service = Service(clock, draw, fetch, self.lock, self._first_settings, public_url)
        self.reset()

    @property
    def settings(self) -> Settings:
        return self._service.settings

    @property
    def till(self) -> Till:
        return self._service.till

    @property
    def public_url(self) -> str:
        """Scheme, host and port under which the gateway is reached."""
        return self._service.public_url

    @public_url.setter
    def public_url(self, url: str) -> None:
        self._service.public_url = url

    def reset(self) -> None:
        """Everything as at the start: tasks, records, rules, settings; what hangs is let go.

        Who still asks for an earlier task hears that it failed, and no event tells of it: its asker would go on for
        minutes with one that is not known.
        """
        with self.lock:
            self._earlier |= {*self.till.tasks}
            self.script.reset()
            self.record.reset()
            self._service.reset(self._first_settings)
            self.record.learn(self.settings.keys)
            self.origin = self.clock.monotonic()
        self.gate.release()

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings (names of Settings); ValueError if they do not exist."""
        with self.lock:
            self._service.configure(self.settings.changed(changes))
            self.record.learn(self.settings.keys)
            if "seed" in changes:
                self._service.reseed()

    def connect(self) -> Verdict:
        """The first request on a new connection: what the script does to it at once (drop, hang, delay)."""
        with self.lock:
            self.record.counts["connect"] += 1
            self.record.happen("connect", None)
            subject = Subject("connect", self.record.counts["connect"])
            verdict = self.script.judge(subject, unread=True)
            if not verdict.rules:
                verdict = self.script.judge(subject)
        self.gate.notify()
        return verdict

    def arrive(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        connection: int | None = None,
        *,
        proxied: bool = False,
    ) -> tuple[Seen, Reply | None]:
        """The head of a request is in. A reply means: drop it without reading the body."""
        with self.lock:
            event = self._event(method, target)
            moment = self.clock.monotonic() - self.origin
            seen = self.record.add(event, moment, method, target, _lower(headers), connection)
            seen.proxied = proxied
            task = self._task_of(event, target)
            if task is not None:
                _name(seen, task)
            verdict = self.script.judge(self._subject(seen, task, {}), unread=True)
            if not verdict.rules:
                return seen, None
            seen.rules = verdict.rules
            self.record.happen(event, seen)
        self.gate.notify()
        return seen, Reply(0, {}, b"", faults=verdict.fault, delay_s=verdict.fault.delay_s, seen=seen)

    def handle(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", seen: Seen | None = None
    ) -> Reply:
        """The reply to a request. `seen`: from `arrive`; without it (in-process use) it is called here.

        In process the caller plays the wire: `reply.delay_s` and `reply.faults` (hang, drop) are for it to act on;
        status 0 is a connection that was dropped before the body was read.
        """
        in_process = seen is None
        if seen is None:
            seen, dropped = self.arrive(method, target, headers)
            if dropped is not None:
                return dropped
        reply = self._reply(seen, target, _lower(headers), body)
        if in_process:
            self.sent(reply, complete=reply.faults.drop is None)
        return reply

    def hold(self, rules: tuple[str, ...], seen: Seen | None = None) -> bool:
        """Block while an answer hangs; False if the sandbox closed instead of releasing it."""
        return self.gate.hold(rules, lambda: self.record.happen("held", seen))

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Counts the requests that are there at once."""
        with self.lock:
            self.record.open_requests += 1
            self.record.max_requests = max(self.record.max_requests, self.record.open_requests)
        try:
            yield
        finally:
            with self.lock:
                self.record.open_requests -= 1

    def sent(self, reply: Reply, *, complete: bool) -> None:
        """The carrier is done with a reply."""
        seen = reply.seen
        if seen is None:
            return
        with self.lock:
            seen.delivered = complete
            if complete and seen.event == "create":
                self.record.happen("answered", seen)
            if complete and seen.event == "download" and reply.status == 200:
                self.record.happen("delivered", seen)
        self.gate.notify()

    def _reply(self, seen: Seen, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        given = _lenient(body) if seen.event == "create" else {}
        with self.lock:
            task = self._task_of(seen.event, target)
            if seen.event == "create":
                self.record.body(seen, given)
                seen.prompt = str(given.get("prompt", ""))
            verdict = self.script.judge(self._subject(seen, task, given))
            seen.rules = verdict.rules
            if task is not None and verdict.task:
                self._service.replan(task, verdict.task)
            self.record.happen(seen.event, seen)
        self.gate.notify()
        fault = verdict.fault
        own = self._work(seen, target, headers, body, verdict.task) if fault.processes else None
        reply = spoil(own, fault, target)
        if own is not None and own.faults.hang:
            reply = dataclasses.replace(reply, faults=dataclasses.replace(fault, hang=True))
        self._note(seen, reply, task)
        return dataclasses.replace(reply, seen=seen)

    def _work(self, seen: Seen, target: str, headers: Mapping[str, str], body: bytes, plan: Mapping[str, Any]) -> Reply:
        try:
            if seen.event == "create":
                return self._service.create(headers, body, plan, lambda task: self._accepted(seen, task))
            if seen.event == "poll":
                reply, seen.said = self._service.poll(headers, self._task_id(target))
                return reply
            if seen.event == "download":
                return self._service.download(target)
            if self._is_earlier(target):
                return json_reply({"code": 200, "message": "success", "data": {"status": "failed", "error": "reset"}})
            raise Refused(404, f"No such route: {seen.method} {target.partition('?')[0][:200]}")
        except Refused as refused:
            reply = refusal(refused)
            if refused.status == 429 and self.settings.retry_after is not None:
                reply.headers["Retry-After"] = str(self.settings.retry_after)
            return reply

    def _accepted(self, seen: Seen, task: SandboxTask) -> None:
        seen.accepted = True
        _name(seen, task)
        self.record.happen("billed", seen)
        self.gate.notify()

    def _note(self, seen: Seen, reply: Reply, task: SandboxTask | None) -> None:
        with self.lock:
            seen.status, seen.bytes = reply.status, len(reply.body)
            note = {"n": seen.n, "t": seen.t, "status": reply.status, "drop": reply.faults.drop}
            if task is not None and seen.event == "poll":
                task.polls.append({**note, "said": seen.said})
            elif task is not None and seen.event == "download":
                task.downloads.append({**note, "bytes": seen.bytes, "bearer": seen.bearer["present"]})

    def _event(self, method: str, target: str) -> str:
        path, prefix = target.partition("?")[0], self.settings.prefix
        if method == "POST" and path == prefix + CREATE_PATH:
            return "create"
        if method == "GET" and path.startswith(prefix + TASK_PATH):
            return "other" if self._is_earlier(target) else "poll"
        return "download" if method in ("GET", "HEAD") and path.startswith(RESULT_PATH) else "other"

    def _is_earlier(self, target: str) -> bool:
        return self._task_id(target) in self._earlier

    def _task_id(self, target: str) -> str:
        given = target.partition("?")[0][len(self.settings.prefix + TASK_PATH) :]
        return "" if "/" in given else unquote(given)

    def _task_of(self, event: str, target: str) -> SandboxTask | None:
        if event == "poll":
            return self.till.tasks.get(self._task_id(target))
        if event == "download":
            return self._service.task_of(target)
        return None

    def _subject(self, seen: Seen, task: SandboxTask | None, given: Mapping[str, Any]) -> Subject:
        if task is not None:
            create = task.create
            return Subject(seen.event, seen.nth, task.task_id, task.number, create.prompt, task.seed, create.type)
        if seen.event != "create":
            return Subject(seen.event, seen.nth)
        number, kind = len(self.till.tasks) + 1, given.get("type", "text-to-image")
        return Subject("create", seen.nth, None, number, str(given.get("prompt", "")), given.get("seed"), kind)


def _name(seen: Seen, task: SandboxTask) -> None:
    seen.task_id, seen.number, seen.prompt = task.task_id, task.number, task.create.prompt


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _lenient(body: bytes) -> dict[str, Any]:
    try:
        return parse_body(body)
    except Refused:
        return {}
