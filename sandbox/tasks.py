"""Tasks and the money they move. Not thread-safe: the gateway's lock guards it."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
from collections.abc import Iterator
from typing import Any, Literal

from .contract import Create
from .inputs import Input
from .pictures import Picture
from .plan import Failure, Plan

State = Literal["pending", "running", "completed", "failed"]
PENDING_SHARE = 0.15  # of its seconds a task counts as pending in the shapes that have the word


@dataclasses.dataclass
class SandboxTask:
    """One accepted create. Times are on the gateway's monotonic clock, in seconds."""

    number: int
    task_id: str
    create: Create
    seed: int
    plan: Plan
    created: float
    created_at: float  # wall clock
    seconds: float | None
    inputs: tuple[Input, ...] = ()
    ended: float | None = None  # told to end before its time
    polls: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    downloads: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def done_time(self) -> float | None:
        """When the task ends or ended; None: never by itself."""
        if self.ended is not None:
            return self.ended
        return None if self.seconds is None else self.created + self.seconds

    def state(self, now: float) -> State:
        done = self.done_time
        if done is not None and now >= done:
            return "failed" if self.plan.fail or self.plan.flagged else "completed"
        if self.seconds is None:
            return "running"
        return "pending" if now - self.created < PENDING_SHARE * self.seconds else "running"

    def is_known(self, now: float) -> bool:
        """Whether polls find it."""
        return not self.plan.forgotten and now - self.created >= self.plan.known_after_s

    def progress(self, now: float) -> float:
        """0 to 1."""
        done = self.done_time
        if done is None:
            return 0.5
        return 1.0 if now >= done else (now - self.created) / (done - self.created)

    def end(self, now: float, fail: Failure | None = None) -> None:
        """Bring a running task to its end now; one that has ended stays as it is."""
        if self.state(now) in ("completed", "failed"):
            return
        self.ended = now
        if fail is not None:
            self.plan = dataclasses.replace(self.plan, fail=fail)

    def picture(self, index: int) -> Picture:
        """Picture `index` of the task's `count`; each has the next seed."""
        return Picture(
            prompt=self.create.prompt,
            seed=self.seed + index,
            size=self.plan.came or self.create.size,
            style=self.plan.picture,
            format=self.plan.format,
            inputs=tuple(item.content for item in self.inputs),
        )

    def as_dict(self, now: float, origin: float) -> dict[str, Any]:
        done, fail = self.done_time, self.plan.fail
        return {
            "number": self.number,
            "task_id": self.task_id,
            "state": self.state(now),
            "seed": self.seed,
            "size": "{}*{}".format(*self.create.size),
            "type": self.create.type,
            "model": self.create.model,
            "asked": dict(self.create.asked or ()),
            "credits": self.create.credits,
            "seconds": self.seconds,
            "created_t": round(self.created - origin, 6),
            "done_t": None if done is None else round(done - origin, 6),
            "polls": list(self.polls),
            "downloads": list(self.downloads),
            "inputs": [item.as_dict() for item in self.inputs],
            "failed": dataclasses.asdict(fail) if fail and self.state(now) == "failed" else None,
            "forgotten": self.plan.forgotten,
        }


class Till:
    """All tasks, by id, and what they cost. Ids are never the same in two processes."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        self.tasks: dict[str, SandboxTask] = {}
        self.max_in_flight = 0
        self._open: dict[str, SandboxTask] = {}

    def accept(
        self, create: Create, seed: int, plan: Plan, now: float, wall: float, seconds: float | None
    ) -> SandboxTask:
        serial = f"{self._run}{next(self._numbers):04x}"
        task_id = f"task_{serial}" if plan.shape == "general" else f"n68{serial}_{create.name}"
        if plan.odd_id:
            form = plan.odd_id if isinstance(plan.odd_id, str) else "hy:v3.1/{serial}.a"
            task_id = form.format(serial=serial)
        task = SandboxTask(len(self.tasks) + 1, task_id, create, seed, plan, now, wall, seconds)
        self.tasks[task_id] = self._open[task_id] = task
        self.max_in_flight = max(self.max_in_flight, self.in_flight(now))
        return task

    def in_flight(self, now: float) -> int:
        """How many tasks run now."""
        for task_id in [task.task_id for task in self._open.values() if task.state(now) in ("completed", "failed")]:
            del self._open[task_id]
        return len(self._open)

    def money(self, now: float) -> dict[str, int]:
        """`billed` and `refunded` in tasks, `credits` as they stand on the account."""
        kept = [task for task in self.tasks.values() if task.state(now) != "failed"]
        credits = sum(task.create.credits if task.plan.charged is None else task.plan.charged for task in kept)
        return {"billed": len(self.tasks), "refunded": len(self.tasks) - len(kept), "credits": credits}

    def select(self, which: dict[str, Any]) -> Iterator[SandboxTask]:
        """The tasks with that `task_id`, `number` or part of the `prompt`; all without any of them."""
        for task in self.tasks.values():
            if which.get("task_id") not in (None, task.task_id) or which.get("number") not in (None, task.number):
                continue
            if which.get("prompt") is None or which["prompt"] in task.create.prompt:
                yield task
