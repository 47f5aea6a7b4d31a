"""What a running node tells: the bar, the status line, and the `info` output."""

from __future__ import annotations

import json
from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..hunyuan.models import CREDITS_PER_TASK
from ..hunyuan.rows import RunContext, TaskRow
from ..hunyuan.watch import Collected, Progress, Watch
from .prompt_origin import language
from .texts import status_line

BAR_STEPS = 100  # of each task on the node's bar


@dataclass(frozen=True)
class Outcome:
    """How one task of a node ended. With wait = False only `row` is there. paid: whether this run paid for it."""

    seed: int | None
    row: TaskRow | None = None
    collected: Collected | None = None
    error: BaseException | None = None
    seconds: float = 0.0
    paid: bool = False

    @classmethod
    def of(cls, future: Future[Any], seed: int | None, watch: Watch) -> Outcome:
        """Reads a finished future of a watch."""
        seconds = round(watch.progress().seconds, 2)
        error = future.exception()
        if error is not None:
            return cls(seed, error=error, seconds=seconds)
        result = future.result()
        if isinstance(result, Collected):
            return cls(seed, result.row, result, seconds=seconds, paid=result.paid)
        return cls(seed, result, seconds=seconds, paid=watch.paid)

    @property
    def task_id(self) -> str:
        """The gateway's id, else the journal's; empty where there is none."""
        if self.row is not None:
            return self.row.storage_id
        return getattr(self.error, "task_id", None) or ""


def info_json(outcomes: Sequence[Outcome], notes: Sequence[str]) -> str:
    """The `info` output; one entry a task in `seeds`, `sizes` and `seconds`, credits as counted by this run."""
    inputs = next((each.collected.inputs for each in outcomes if each.collected and each.collected.inputs), ())
    content = {
        "seeds": [each.seed if each.seed is not None else _seed(each) for each in outcomes],
        "sizes": [each.row.size.api if each.row and each.row.size else None for each in outcomes],
        "seconds": [each.seconds for each in outcomes],
        "credits": CREDITS_PER_TASK * sum(each.paid for each in outcomes),
        "reused": sum(each.row is not None and not each.paid for each in outcomes),
        "task_ids": [each.task_id or None for each in outcomes],
        "inputs": [{"way": each.way, "bytes": each.uploaded, "note": each.note} for each in inputs],
        "failures": [_failure(each) for each in outcomes if each.error is not None],
        "notes": list(notes),
    }
    return json.dumps(content, ensure_ascii=False)


def _seed(outcome: Outcome) -> int | None:
    return outcome.row.seed if outcome.row else None


def _failure(outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.seed,
        "task_id": outcome.task_id or None,
        "code": getattr(outcome.error, "code", "error"),
        "money": getattr(getattr(outcome.error, "money", None), "value", None),
        "error": str(outcome.error),
    }


class Reporter:
    """Tells the submitting client how a node's tasks stand, when that changed."""

    def __init__(self, context: RunContext, watches: Sequence[Watch], *, costs: bool) -> None:
        from server import PromptServer

        self._server = PromptServer.instance
        self._sid = self._server.client_id  # whoever queued the prompt; later prompts may be another's
        self._context = context
        self._watches = watches
        self._costs = costs
        self._language = language()
        self._said = ""
        self._bar = -1

    async def tell(self) -> None:
        """Sends the bar and the text where they differ from what was sent last."""
        views = [watch.progress() for watch in self._watches]
        done = [watch.done.done() for watch in self._watches]
        await self._tell_bar(views, done)
        text = status_line(views, done, self._credits(), self._language)
        if text != self._said and self._context.node_id and self._sid:  # without a client it would go to everybody
            self._said = text
            self._server.send_progress_text(text, self._context.node_id, self._sid)

    def _credits(self) -> int:
        """What the tasks cost, less what turned out to be paid for already."""
        if not self._costs:
            return 0
        known = [watch for watch in self._watches if watch.created.done()]
        free = sum(watch.created.exception() is None and not watch.paid for watch in known)
        return CREDITS_PER_TASK * (len(self._watches) - free)

    async def _tell_bar(self, views: Sequence[Progress], done: Sequence[bool]) -> None:
        from comfy_api.latest import ComfyAPI

        full = [1.0 if ended else view.fraction for view, ended in zip(views, done, strict=True)]
        value = int(sum(full) * BAR_STEPS)
        if value != self._bar and self._context.node_id:
            self._bar = value
            # the class, since 0.3.75's ComfyAPI() has no `execution` of its own outside a synchronous wrapper
            await ComfyAPI.Execution().set_progress(value, BAR_STEPS * len(full), node_id=self._context.node_id)
