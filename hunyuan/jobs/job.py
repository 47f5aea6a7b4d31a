"""One task on its road: request → row in the journal → create → wait → download → file on disk.

A driver belongs to the task, not to a node: many watches may look on, and when the last lets go the road
goes on to the disk, unless nothing has been sent yet. The steps stand in `creating.py` and `collecting.py`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    BillingUnknownError,
    HunyuanError,
    JournalError,
    Money,
    RateLimitedError,
    ShuttingDownError,
    TaskTimeoutError,
)
from ..models import GenerationRequest, ImageInput, ResolvedImage, TaskState, TaskStatus
from .background_loop import Engine
from .closing import Closing
from .handle import Collected, Decoded, Phase, Progress, Watch
from .limiter import Limiter, Slot
from .timeouts import trouble_of, why_unsent

if TYPE_CHECKING:
    from ..gateway.client import Client
    from ..journal import Journal
    from ..journal.records import RunContext, TaskRow
    from ..settings.store import Settings
    from ..sources import SourceChain
    from ..storage.results import ResultStore
    from .durations import Durations

T = TypeVar("T")
MOST_TOLD_WORDS = 50  # of a gateway that makes up a new status every time


@dataclass(frozen=True)
class Tools:
    """What every driver works with; built once in the composition root."""

    engine: Engine
    client: Client
    journal: Journal
    results: ResultStore
    sources: SourceChain
    limiter: Limiter
    durations: Durations
    settings: Callable[[], Settings]
    decode: Callable[[bytes], Decoded]
    on_change: Callable[[TaskRow], None] = lambda row: None
    warn: Callable[[str], None] = lambda text: None
    chance: Callable[[], float] = random.random
    closing: Closing = field(default_factory=Closing)
    told_words: set[str] = field(default_factory=set)  # status words that nobody knows: each is told once


@dataclass(frozen=True)
class Options:
    """How a node wants its task. timeout_s: seconds the node waits; the task itself has no end."""

    context: RunContext
    reuse: bool = True
    timeout_s: float = 600.0


class HandedOver(Exception):
    """Another driver of this process has the same task in hand and took the watches."""


class TakenBack(Exception):
    """Another process had the task in hand and did not send it after all."""


class StillRunning(Exception):
    """Not done, and nobody watches: the collector looks again later."""


class TakenOver(Exception):
    """Another process has the task in hand: this one was silent for so long that it counted as dead."""


@dataclass(eq=False)
class Driver:
    """The state of one task's road. All fields are touched on the engine's loop only, read from anywhere."""

    tools: Tools
    options: Options
    request: GenerationRequest | None = None
    inputs: Sequence[ImageInput] = ()
    task_id: str | None = None  # typed by the user, not yet known to the journal
    row: TaskRow | None = None
    intent: str = ""  # the id of the row that is being written, or was last
    reuse: bool = True
    phase: Phase = Phase.LOOKING
    counts: bool = False  # let in as a new task by the credit limits
    paid: bool = False
    quiet: bool = False  # begun by the collector: looks once, unless somebody begins to watch
    first: Watch | None = None  # of the node that asked for it: the one to whom it costs
    leave: Callable[[], object] = lambda: None  # ends the road; what is only in memory is written down on the way out
    slot: Slot | None = None
    resolved: tuple[ResolvedImage, ...] = ()
    answered: TaskStatus | None = None  # the gateway's last word
    charged: int | None = None  # credits that the gateway says it cost
    created_at: float | None = None  # monotonic seconds at the create's answer
    seconds: float | None = None  # how long the task took, where polls could tell
    watches: list[Watch] = field(default_factory=list)
    nudged: asyncio.Event = field(default_factory=asyncio.Event)  # somebody began to watch
    heard_at: float | None = None  # monotonic seconds at the gateway's last usable word of the task
    trouble: HunyuanError | None = None  # what its last poll failed with
    asked: bool = False  # whether the gateway has answered for it at all, be it that there is no such task

    @property
    def clock(self) -> Any:
        return self.tools.engine.clock

    @property
    def known_id(self) -> str | None:
        """The gateway's id, else the journal's where the gateway gave none."""
        if self.row is not None and not self.task_id and self.row.state.is_attachable:
            return self.row.task_id or self.row.id
        return self.task_id or (self.row.task_id if self.row else None)

    @property
    def input_urls(self) -> list[str]:
        """What the gateway may echo and is not the result; after a restart those that the user gave."""
        if self.resolved or self.row is None:
            return [image.url for image in self.resolved]
        return [identity.removeprefix("url:") for identity in self.row.images if identity.startswith("url:")]

    @property
    def is_promised(self) -> bool:
        """Whether its credits are let in by the limits, and not yet counted by the journal."""
        return self.counts and self.row is None and self.phase is not Phase.ENDED

    @property
    def is_only_here(self) -> bool:
        """Whether a finished image, or its link, came inside the create's answer and stands nowhere but in memory."""
        done = self.answered is not None and self.answered.state is TaskState.SUCCEEDED
        row = self.row if done and not self.task_id else None
        return row is not None and row.task_id is None and not row.state.is_attachable

    @property
    def is_wanted(self) -> bool:
        """Whether what was not sent yet still is to be: somebody waits for it, and the process is not about to end."""
        return any(not watch.left for watch in self.watches) and not self.tools.closing.begun

    @property
    def must_finish(self) -> bool:
        """Whether it holds what stands nowhere else, so that the process may not end yet: a row that is being written
        or taken back, a create under way, an answer (task id, end, finished image) that is not written down."""
        if self.phase is Phase.RESERVING or self.is_only_here:
            return True
        return self.paid and self.row is not None and self.row.state is TaskState.INTENDED

    async def blocking(self, call: Callable[..., T], *arguments: object) -> T:
        """Runs a short blocking call of the library away from the loop."""
        return await self.tools.engine.blocking(call, *arguments)

    async def remote(self, call: Callable[..., T], *arguments: object) -> T:
        """Runs a call over the network away from the loop."""
        return await self.tools.engine.remote(call, *arguments)

    # --- watches -------------------------------------------------------------------------------------------

    def add(self, watch: Watch) -> None:
        """A node begins to watch."""
        began = self.clock.monotonic()
        self.watches.append(watch)
        watch.look = lambda: self._view(began)
        if self.row is not None and self.row.state.is_attachable:
            watch.settle_created(self.row, paid=self._is_paid_by(watch))
        self.nudged.set()

    def remove(self, watch: Watch) -> None:
        """A node no longer watches; who asked next pays for what is not yet created."""
        self.watches.remove(watch)
        if watch is self.first and not watch.created.done() and self.watches:
            self.first = self.watches[0]

    def expire(self, watch: Watch) -> None:
        """The watch's time is up: the node is told, the task stays."""
        if watch in self.watches and not watch.done.done():
            self.remove(watch)
            watch.fail(self._timeout_error(watch.timeout_s))

    def settled(self) -> None:
        """The gateway has accepted the task: who only wanted that goes on. A create may be answered with a failure."""
        if self.answered is not None and self.answered.state is TaskState.FAILED:
            return
        for watch in self.watches:
            if self.row is not None:
                watch.settle_created(self.row, paid=self._is_paid_by(watch))

    def succeed(self, images: Sequence[Decoded]) -> None:
        """The image is on disk: every watch gets it."""
        assert self.row is not None
        self.phase = Phase.ENDED
        for watch in self.watches:
            watch.settle(Collected(self.row, tuple(images), self.resolved, self._is_paid_by(watch)))
        self.watches.clear()

    def _is_paid_by(self, watch: Watch) -> bool:
        return self.paid and watch is self.first

    def fail(self, error: BaseException) -> None:
        """Every watch is told."""
        self.phase = Phase.ENDED
        if isinstance(error, HunyuanError):
            money = error.money
            if money is Money.NOT_SPENT and self.row is not None and self.row.state.is_attachable:
                money = Money.SPENT  # whatever failed now, the task was accepted before
            error = error.but(task_id=error.task_id or self.known_id, money=money)
        for watch in self.watches:
            watch.fail(error.but() if isinstance(error, HunyuanError) else error)  # to each its own
        self.watches.clear()

    def release_slot(self) -> None:
        """The gateway is done with the task."""
        if self.slot is not None:
            self.slot.release()
            self.slot = None

    async def note(self, step: Callable[..., TaskRow | None], *arguments: object) -> TaskRow:
        """Takes a step of the journal's with this task; the page is told how it stands then."""
        assert self.row is not None
        fresh = await self.blocking(step, self.row.id, *arguments)
        if fresh is None:  # the journal was set aside or deleted meanwhile, and the row with it
            await self.blocking(self.tools.journal.restore, self.row)
            fresh = await self.blocking(step, self.row.id, *arguments)
        self.row = fresh or self.row
        self.tools.on_change(self.row)
        return self.row

    def hear(self, status: TaskStatus) -> None:
        """Keeps what the gateway said last. A status word that nobody knows is told, each once."""
        self.answered = status
        self.charged = self.charged if status.credits is None else status.credits
        word, told = status.odd_word, self.tools.told_words
        if word and word not in told and len(told) < MOST_TOLD_WORDS:
            told.add(word)
            self.tools.warn(
                f'The gateway gave the status "{word}", which this pack does not know: the task counts as still '
                f"running. The answer began: {status.odd_answer}"
            )

    async def note_charged(self) -> None:
        """Writes down what the gateway says it cost, where that is not what is written already."""
        if self.charged is None or self.row is None or not self.row.fingerprint or self.row.credits == self.charged:
            return
        try:
            await self.note(self.tools.journal.charged, self.charged)
        except JournalError as unwritten:  # the image matters more than its price
            self.tools.warn(f"That the task cost {self.charged} credits could not be written down: {unwritten.what}")

    async def age(self) -> float:
        """Seconds since the create's answer, by the journal where another process had it; 0 where nobody knows."""
        if self.created_at is not None:
            return float(self.clock.monotonic() - self.created_at)
        if self.row is None:
            return 0.0
        now = await self.blocking(self.tools.journal.now)  # this machine's own clock may differ
        return max(0.0, now - (self.row.submitted_at or self.row.created_at))

    async def heed(self, error: HunyuanError) -> None:
        """After a 429 everything of this key rests, in this process and in all others on the journal."""
        if isinstance(error, RateLimitedError):
            self.tools.limiter.throttled(error.retry_after, error.words)
            account, seconds = self.tools.settings().account, self.tools.limiter.paused_for
            try:
                await self.blocking(self.tools.journal.pause, account, seconds)
            except JournalError as unwritten:
                self.tools.warn(f"The pause after a 429 is this process's alone: {unwritten.what}")

    async def forget_inputs(self) -> None:
        """The gateway could not fetch the inputs' URLs: they go another way next time."""
        for image in self.resolved:
            try:
                await self.blocking(self.tools.sources.forget, image.url)
            except JournalError as unwritten:  # the failure that is being told matters more
                self.tools.warn(f"An input's URL that the gateway cannot reach is still remembered: {unwritten.what}")

    # --- views ---------------------------------------------------------------------------------------------

    def _view(self, began: float) -> Progress:
        limiter = self.tools.limiter
        queued = self.phase is Phase.QUEUED
        in_flight, oldest = limiter.crowd if queued else (0, 0.0)
        return Progress(
            self.phase,
            self.clock.monotonic() - began,
            self.known_id,
            self._fraction(),
            limiter.waiting if queued else 0,
            limiter.paused_for if queued or self.phase is Phase.WAITING else 0.0,
            in_flight,
            oldest,
            limiter.refusal if queued or isinstance(self.trouble, RateLimitedError) else None,
            self._usual() if self.request else 0.0,
        )

    def _usual(self) -> float:
        return self.tools.durations.usual(self.request.type, self.request.size) if self.request else 10.0

    def _fraction(self) -> float:
        """A guess of how far the task is: the gateway's own, else from how long such tasks took."""
        if self.phase is Phase.DOWNLOADING:
            return 0.95
        if self.created_at is None or self.phase is not Phase.WAITING:
            return 0.0
        if self.answered is not None and self.answered.progress is not None:
            return min(0.95, self.answered.progress)
        return 0.9 * (1 - math.exp(-1.5 * (self.clock.monotonic() - self.created_at) / self._usual()))

    def shut_down(self) -> None:
        """The process ends: every watch is told what became of its task."""
        if self.row is None or self.phase is Phase.RESERVING:
            money, do = Money.NOT_SPENT, "Nothing was sent. Run the node again after the start."
        elif self.row.state is TaskState.INTENDED and self.answered is None:
            money, do = Money.MAYBE_SPENT, "The create was sent and is not answered: look at your usage at the gateway."
        else:
            money = Money.SPENT if self.paid else Money.UNTOUCHED
            do = "Its image is collected after ComfyUI's next start; the same request then costs nothing."
        self.fail(ShuttingDownError("ComfyUI is shutting down.", do=do, money=money))

    def _timeout_error(self, timeout_s: float) -> HunyuanError:
        said = f"Not done within timeout_s = {timeout_s:g} s"
        seed = self.request.seed if self.request else None  # named, since -1 would draw another, for new credits
        again = "" if seed is None else f": run the same inputs again with seed = {seed} to get it"
        if self.phase is Phase.SENDING:
            return BillingUnknownError(
                f"{said}: the create was sent and is not yet answered.",
                do=f"When the answer comes, the image is collected in the background{again}.",
            )
        if self.phase.is_free or self.phase is Phase.RESERVING or self.row is None:
            why, do = why_unsent(self)
            return TaskTimeoutError(f"{said}.", why=why, do=do, money=Money.NOT_SPENT)
        return TaskTimeoutError(
            f"{said}: the task is {self.row.state.value}.",
            why=trouble_of(self),
            do=f"It is collected in the background{again}, or put its id into Hunyuan Image 3 Task Wait.",
            task_id=self.known_id,
            money=None if self.row.state.is_attachable else Money.MAYBE_SPENT,
        )
