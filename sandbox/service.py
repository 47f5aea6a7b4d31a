"""What the gateway does for a request that reaches it: create, poll, download. Raises Refused."""

from __future__ import annotations

import dataclasses
import random
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from .contract import MEDIA_ERROR, Create, Refused, check_bearer, parse_body, parse_create
from .inputs import Fetch, Input, Unreachable, data_uri, read_input
from .links import Signer
from .pictures import Picture
from .plan import Durations, Failure
from .replies import Reply, json_reply
from .rules import Fault
from .settings import Settings
from .shapes import Told
from .tasks import SandboxTask, Till

TASK_PATH = "/api/v1/tasks/"
RESULT_PATH = "/results/"
RAW_NAME = "灯 塔.png"  # in a link as it may not stand there


class Clock(Protocol):
    """Seconds: `monotonic()` from anywhere, `time()` since 1970."""

    def monotonic(self) -> float: ...

    def time(self) -> float: ...


class Service:
    """The tasks and their rules. Thread-safe; draws and fetches outside the lock."""

    def __init__(
        self,
        clock: Clock,
        draw: Callable[[Picture], bytes],
        fetch: Fetch,
        lock: threading.RLock,
        settings: Settings,
        public_url: str,
    ) -> None:
        self._clock, self._draw, self._fetch, self._lock = clock, draw, fetch, lock
        self.public_url = public_url
        self.till = Till()
        self._signer = Signer(secrets.token_bytes(16))
        self.reset(settings)

    def reset(self, settings: Settings) -> None:
        """Forget all tasks."""
        self.till.reset()
        self._recent: deque[float] = deque()
        self._links: dict[str, tuple[SandboxTask, int]] = {}
        self.configure(settings)
        self.reseed()

    def configure(self, settings: Settings) -> None:
        self.settings = settings

    def reseed(self) -> None:
        """Start the durations and random seeds afresh from the settings' seed."""
        self._durations = Durations(random.Random(self.settings.seed))
        self._seeds = random.Random(self.settings.seed)

    def create(
        self,
        headers: Mapping[str, str],
        body: bytes,
        plan: Mapping[str, Any],
        on_accept: Callable[[SandboxTask], None],
    ) -> Reply:
        """Accept a create: billed from here on. `on_accept` is called under the lock, before the answer is made."""
        with self._lock:
            check_bearer(headers, self.settings)
            self._limit_rate()
            self._limit_in_flight()
            create = parse_create(parse_body(body), self.settings)
            self._refuse_same(create)
            self._check_earlier(create)
        inputs, failure = self._inputs(create)
        with self._lock:
            self._limit_in_flight()
            task = self._accept(create, inputs, failure, plan)
            on_accept(task)
            told = self._told(task)
        if not task.plan.at_once and not task.plan.shape.startswith("direct"):
            return json_reply(told.created())
        reply = json_reply(told.ended() if task.plan.at_once else told.direct())
        if task.seconds is None:
            return dataclasses.replace(reply, faults=Fault(hang=True))
        return dataclasses.replace(reply, delay_s=task.seconds)

    def poll(self, headers: Mapping[str, str], task_id: str) -> tuple[Reply, str]:
        """The task as it stands, and its status word."""
        with self._lock:
            check_bearer(headers, self.settings)
            self._limit_rate()
            task = self.till.tasks.get(task_id)
            if task is None or not task.is_known(self._clock.monotonic()):
                raise Refused(int(self.settings.unknown_task), "Task not found", code=404)
            told = self._told(task)
        return json_reply(told.polled()), told.said()

    def download(self, target: str) -> Reply:
        """The picture behind a link (path and query)."""
        with self._lock:
            link = self._links.get(target)
            if link is None:
                raise Refused(403, "SignatureDoesNotMatch: the link's path or query is not the one that was signed")
            task, index = link
            done, lifetime = task.done_time, task.plan.link_lifetime_s
            if lifetime is not None and done is not None and self._clock.monotonic() > done + lifetime:
                raise Refused(403, "AccessDenied: Request has expired")
            picture = task.picture(index)
        return Reply(200, {"Content-Type": f"image/{picture.format}"}, self._draw(picture))

    def replan(self, task: SandboxTask, changes: Mapping[str, Any]) -> None:
        """Change the plan of a task that exists; new `seconds` count from its create."""
        task.plan = task.plan.changed(changes)
        if "seconds" in changes and task.ended is None:
            task.seconds = self._durations.draw(task.plan.seconds)

    def _accept(
        self, create: Create, inputs: tuple[Input, ...], failure: Failure | None, changes: Mapping[str, Any]
    ) -> SandboxTask:
        plan = self.settings.task.changed(changes)
        if failure is not None:
            plan = dataclasses.replace(plan, fail=failure)
        plan = dataclasses.replace(plan, count=plan.count * create.count)
        seed = create.seed if create.seed >= 0 else self._seeds.randrange(2**31)
        seconds = self._durations.draw(plan.seconds)
        task = self.till.accept(create, seed, plan, self._clock.monotonic(), self._clock.time(), seconds)
        task.inputs = inputs
        return task

    def _inputs(self, create: Create) -> tuple[tuple[Input, ...], Failure | None]:
        try:
            return tuple(self._input(url) for url in create.images), None
        except Unreachable:
            if self.settings.input_error == "task":
                return (), Failure(MEDIA_ERROR, 1402)
            raise Refused(200 if self.settings.input_error == "http200" else 400, MEDIA_ERROR, code=1402) from None

    def _input(self, url: str) -> Input:
        if url.startswith("data:"):
            return read_input("data", url, data_uri(url))
        base = self._results_base()
        if url.startswith(base + RESULT_PATH):
            try:
                return read_input("own", url, self.download(url[len(base) :]).body)
            except Refused as refused:
                raise Unreachable(refused.message) from refused
        return read_input("http", url, self._fetch(url))

    def _told(self, task: SandboxTask) -> Told:
        plan = task.plan
        targets = [
            self._signer.target(task.task_id, index, plan.format, harsh=plan.harsh_link, bare=plan.bare_link)
            for index in range(plan.count)
        ]
        links = [self._results_base() + target for target in targets]
        if plan.link == "path":
            links = list(targets)
        elif plan.link == "host":
            links = [link.partition(":")[2] for link in links]
        elif plan.link == "raw":
            links = [f"{link}&as={RAW_NAME}" for link in links]
            targets = [f"{target}&as={quote(RAW_NAME)}" for target in targets]
        self._links.update({target: (task, index) for index, target in enumerate(targets)})
        return Told(
            task,
            self._clock.monotonic(),
            links,
            lambda: [self._draw(task.picture(index)) for index in range(task.plan.count)],
            f"{self.public_url}{self.settings.prefix}{TASK_PATH}{task.task_id}",
        )

    def task_of(self, target: str) -> SandboxTask | None:
        """The task whose picture a link (path and query) leads to."""
        path = target.partition("?")[0]
        return next((link[0] for known, link in self._links.items() if known.partition("?")[0] == path), None)

    def _refuse_same(self, create: Create) -> None:
        if self.settings.same_request == "new":
            return
        now = self._clock.monotonic()
        for task in self.till.tasks.values():
            if task.create == create and task.state(now) in ("pending", "running"):
                raise Refused(409, "The same request is already running", task_id=task.task_id)

    def _check_earlier(self, create: Create) -> None:
        if create.earlier is None:
            return
        task_id, models = create.earlier
        task = self.till.tasks.get(task_id)
        if task is None or task.create.model not in models or task.state(self._clock.monotonic()) != "completed":
            raise Refused(400, "task_id must be a finished image task of this model")

    def _limit_rate(self) -> None:
        now, rate = self._clock.monotonic(), self.settings.per_second
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if rate is not None and len(self._recent) + 1 > rate:
            raise Refused(429, "Rate limit exceeded")
        self._recent.append(now)

    def _limit_in_flight(self) -> None:
        most = self.settings.max_in_flight
        if most is not None and self.till.in_flight(self._clock.monotonic()) >= most:
            raise Refused(429, f"Too many concurrent tasks (limit {most})")

    def _results_base(self) -> str:
        return self.settings.results_url or self.public_url
