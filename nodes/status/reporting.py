"""What a running node tells: the bar, the status line, and the `info` output."""

from __future__ import annotations

import json
import re
from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...hunyuan.jobs.handle import Collected, Handle, Progress
from ...hunyuan.journal.records import RunContext, TaskRow
from ...hunyuan.models import ImageSize
from ..comfyui.prompt_origin import language
from ..comfyui.submitter import is_page, submitter
from .run_end import RunEnd
from .run_events import tell_end
from .texts import status_line

BAR_STEPS = 100  # of a node's bar, however many tasks it has


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
    def of(cls, future: Future[Any], seed: int | None, handle: Handle) -> Outcome:
        """Reads a finished future of a handle."""
        seconds = round(handle.progress().seconds, 2)
        error = future.exception()
        if error is not None:
            return cls(seed, error=error, seconds=seconds)
        result = future.result()
        if isinstance(result, Collected):
            return cls(seed, result.row, result, seconds=seconds, paid=result.paid)
        return cls(seed, result, seconds=seconds, paid=handle.paid)

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
        "credits": sum(each.row.credits for each in outcomes if each.paid and each.row),
        "reused": sum(each.row is not None and not each.paid for each in outcomes),
        "task_ids": [each.task_id or None for each in outcomes],
        "inputs": [{"way": each.way, "bytes": each.uploaded, "note": each.note} for each in inputs],
        "failures": [_failure(each) for each in outcomes if each.error is not None],
        "notes": list(notes),
    }
    return json.dumps(content, ensure_ascii=False)


def size_notes(collected: Sequence[Collected]) -> list[str]:
    """Links that were not fetched, and images that came in another size than was asked for: some models change one in
    silence, and bill it."""
    notes = [
        f"The gateway gave {len(task.row.urls)} links for task {task.row.storage_id}, of which the first "
        f"{len(task.images)} were fetched. image_urls has them all."
        for task in collected
        if len(task.row.urls) > len(task.images)
    ]
    images = [(task.row, image) for task in collected for image in task.images]
    for number, (row, image) in enumerate(images, 1):
        asked, came = row.size, ImageSize(image.width, image.height)
        which = f"Image {number} (task {row.storage_id})"
        if asked is not None and came != asked:
            notes.append(f"{which} came as {came.api} pixels, asked for was {asked.api}.")
        elif asked is None and (missed := [word for _, word in row.parameters if not _fits(came, str(word))]):
            notes.append(f"{which} came as {came.api} pixels, asked for was {' and '.join(map(str, missed))}.")
    return notes


def _fits(came: ImageSize, word: str) -> bool:
    """Whether an image is what a ratio ("16:9") or a resolution ("2K") asks for; any other word asks for no size.

    Models round sides to what they can draw, up to 4 % of the ratio, and count a resolution by the side or by the area.
    """
    if ratio := re.fullmatch(r"([1-9]\d?):([1-9]\d?)", word):
        return 0.95 < came.width * int(ratio[2]) / (came.height * int(ratio[1])) < 1.05
    if resolution := re.fullmatch(r"([1-9])[kK]", word):
        side = int(resolution[1]) * 1024
        return max(came.width, came.height) > 0.7 * side and came.width * came.height < 2 * side**2
    return True


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


def cost_of(handle: Handle, price: int) -> int:
    """Credits of one task: what the gateway charged as far as it said so, else the price (0: it costs nothing)."""
    if not price:
        return 0
    if not handle.created.done() or handle.created.exception() is not None:
        return price
    if not handle.paid:
        return 0
    ended = handle.done.done() and handle.done.exception() is None
    return handle.done.result().row.credits if ended else handle.created.result().credits


class Reporter:
    """Tells the submitting client how a node's tasks stand, when that changed."""

    def __init__(self, context: RunContext, handles: Sequence[Handle], prices: Sequence[int], *, wait: bool) -> None:
        from server import PromptServer

        self._server = PromptServer.instance
        self._sid = submitter()  # whoever queued the prompt; later prompts may be another's
        self._context = context
        self._handles, self._prices, self._wait = handles, prices, wait
        self._language = language()
        self._said = ""
        self._bar = 0

    async def report(self, *, bar: bool = True) -> None:
        """Sends the text, and the bar too where it is wanted, as far as they differ from what was sent last."""
        views = [each.progress() for each in self._handles]
        done = [each.done.done() for each in self._handles]
        if bar:
            await self._send_bar(views, done)
        self._say(status_line(views, done, self._credits(), self._language))

    async def tell_end(self) -> None:
        """Sends what became of it: the last line on the node, and the same in codes and numbers."""
        end = RunEnd.of(self._handles, self._prices, wait=self._wait)
        if end.outcome != "stopped":
            await self._send_bar(
                [each.progress() for each in self._handles], [each.done.done() for each in self._handles]
            )
        self._say(end.line(self._language))
        tell_end(self._context.prompt_id, self._context.node_id, end, self._language, self._sid)

    def _say(self, text: str) -> None:
        if text != self._said and self._context.node_id and is_page(self._sid):
            self._said = text
            self._server.send_progress_text(text, self._context.node_id, self._sid)

    def _credits(self) -> int:
        """What the tasks cost, less what turned out to be paid for already."""
        return sum(map(cost_of, self._handles, self._prices))

    async def _send_bar(self, views: Sequence[Progress], done: Sequence[bool]) -> None:
        """Whole steps that only rise: an item that joins, or a task that starts over, holds the bar where it is."""
        from comfy_api.latest import ComfyAPI

        full = [1.0 if ended else view.fraction for view, ended in zip(views, done, strict=True)]
        value = int(sum(full) * BAR_STEPS / len(full))
        if value > self._bar and self._context.node_id:
            self._bar = value
            # the class, since 0.3.75's ComfyAPI() has no `execution` of its own outside a synchronous wrapper
            await ComfyAPI.Execution().set_progress(value, BAR_STEPS, node_id=self._context.node_id)
            self._send_to_old_clients(value)

    def _send_to_old_clients(self, value: int) -> None:
        """The event that core's samplers send beside `progress_state`: older clients know only this one.

        Not by comfy.utils.ProgressBar, which sends both but clears the interrupt flag. Without a client it would go to
        everybody.
        """
        if self._sid:
            node = {"prompt_id": self._context.prompt_id, "node": self._context.node_id}
            self._server.send_sync("progress", {"value": value, "max": BAR_STEPS, **node}, self._sid)
