"""One task in hand: what is known of it, who waits for it, and where it stands for whoever looks on.

A job belongs to the task, not to a node: many handles may look on, and when the last lets go it goes on to the disk,
unless nothing has been sent yet. How it goes from step to step is said in `flow.py`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import HunyuanError, JournalError, Money, RateLimitedError, TaskFailedError
from ..limits import MOST_IMAGES
from ..models import GenerationRequest, ResolvedImage, TaskState, TaskStatus
from ..sentences import say
from .background_loop import BackgroundLoop
from .closing import Closing
from .durations import PRIOR, Durations
from .handle import Collected, Decoded, Handle, Phase, Progress
from .limiter import Clock, Limiter, Slot
from .steps import Requested, Stored, TypedId

if TYPE_CHECKING:
    from ..gateway.client import Client
    from ..journal.journal import Journal
    from ..journal.records import RunContext, TaskRow
    from ..settings.store import Settings
    from ..sources import SourceChain
    from ..storage.decode_markers import DecodingMarks
    from ..storage.kept_answers import KeptAnswers
    from ..storage.results import ResultStore

JOURNAL_PAUSE = 5.0  # seconds between tries to write down what is paid for and must not be lost
MOST_ODD_WORDS = 50  # of a gateway that makes up a new status every time


@dataclass(frozen=True)
class Tools:
    """What every job works with; built once in the composition root."""

    background: BackgroundLoop
    client: Client
    journal: Journal
    results: ResultStore
    decoding: DecodingMarks
    kept: KeptAnswers
    sources: SourceChain
    limiter: Limiter
    durations: Durations
    settings: Callable[[], Settings]
    decode: Callable[[bytes, int], Decoded]  # a file's bytes, and the pixels that it may have
    most_images: Callable[[str], int] = lambda model: MOST_IMAGES  # of one task of this model
    on_change: Callable[[TaskRow], None] = lambda row: None
    warn: Callable[[str], None] = lambda text: None
    chance: Callable[[], float] = random.random
    closing: Closing = field(default_factory=Closing)
    odd_words: set[str] = field(default_factory=set)  # status words that nobody knows: each is said once


@dataclass(frozen=True)
class Options:
    """How a node wants its task. timeout_s: seconds the node waits; the task itself has no end."""

    context: RunContext
    reuse: bool = True
    timeout_s: float = 600.0


@dataclass(eq=False)
class Job:
    """What is known of one task. All fields are touched on the background loop only, and read from anywhere.

    The steps hand on values of their own (`steps.py`); what is optional here is for whoever looks on meanwhile.
    wanted: what it begins with; a row is an open task that nobody waits for, at which the sweeper looks once.
    """

    tools: Tools
    context: RunContext
    wanted: Requested | TypedId | TaskRow
    first: Handle | None = None  # of the node that asked for it: the one to whom it costs
    phase: Phase = Phase.LOOKING
    row: TaskRow | None = None  # as it was last read or written
    intent: str = ""  # the id of the row that is being written, or was last
    task_id: str | None = None  # typed by the user, or given by the gateway
    paid: bool = False  # its create is this job's
    is_unanswered: bool = False  # its create is under way, as far as this loop has heard
    is_kept_beside: bool = False  # its only image was put into a file beside the journal, as far as that went
    leave: Callable[[], object] = lambda: None  # ends it; what is only in memory is written down on the way out
    slot: Slot | None = None
    resolved: tuple[ResolvedImage, ...] = ()
    answered: TaskStatus | None = None  # the gateway's last word
    charged: int | None = None  # credits that the gateway says it cost
    created_at: float | None = None  # monotonic seconds at the create's answer
    handles: list[Handle] = field(default_factory=list)
    joined: asyncio.Event = field(default_factory=asyncio.Event)  # somebody began to wait
    heard_at: float | None = None  # monotonic seconds at the gateway's last usable word of the task
    trouble: HunyuanError | None = None  # what its last poll failed with
    failure: BaseException | None = None  # what it ended with
    is_keeping: bool = False  # on its way out, with an image that goes to the journal first
    asked: bool = False  # whether the gateway has answered for it at all, be it that there is no such task

    @property
    def background(self) -> BackgroundLoop:
        return self.tools.background

    @property
    def clock(self) -> Clock:
        return self.tools.background.clock

    @property
    def request(self) -> GenerationRequest | None:
        """What is asked for, where it is not an id or an open task."""
        return self.wanted.request if isinstance(self.wanted, Requested) else None

    @property
    def known_id(self) -> str | None:
        """The gateway's id, else the journal's where the gateway gave none."""
        if self.row is not None and not self.task_id and self.row.state.is_attachable:
            return self.row.storage_id
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
        counts = isinstance(self.wanted, Requested) and self.wanted.counts
        return counts and self.row is None and self.phase is not Phase.ENDED

    @property
    def only_here(self) -> tuple[TaskRow, TaskStatus] | None:
        """The row and the answer, where a finished image, or its link, came inside the create's answer and stands
        nowhere but in memory."""
        row, status = self.row, self.answered
        if row is None or status is None or status.state is not TaskState.SUCCEEDED:
            return None
        return None if self.task_id or row.task_id or row.state.is_attachable else (row, status)

    @property
    def is_wanted(self) -> bool:
        """Whether what was not sent yet still is to be: somebody waits for it, and the process is not about to end."""
        return any(not handle.left for handle in self.handles) and not self.tools.closing.begun

    @property
    def must_finish(self) -> bool:
        """Whether it holds what stands nowhere else, so that the process may not end yet: a row that is being written
        or taken back, a create under way, an answer (task id, end, finished image) that is not written down."""
        if self.phase is Phase.RESERVING or self.only_here:
            return True
        return self.paid and self.row is not None and self.row.state is TaskState.INTENDED

    # --- handles -------------------------------------------------------------------------------------------

    def add(self, handle: Handle) -> None:
        """A node begins to wait."""
        began = self.clock.monotonic()
        self.handles.append(handle)
        handle.progress = lambda: self._view(began)
        if self.row is not None and self.row.state.is_attachable:
            handle.mark_created(self.row, paid=self._is_paid_by(handle))
        self.joined.set()

    def remove(self, handle: Handle) -> None:
        """A node no longer waits; who asked next pays for what is not yet created."""
        self.handles.remove(handle)
        if handle is self.first and not handle.created.done() and self.handles:
            self.first = self.handles[0]

    def take_over_handles(self, other: Job) -> None:
        """Whoever waits for the other job waits for this one, which has the same task."""
        for handle in other.handles:
            self.add(handle)
        other.handles.clear()

    def mark_created(self, row: TaskRow) -> None:
        """The gateway has accepted the task: who only wanted that goes on. A create may be answered with a failure."""
        if self.answered is not None and self.answered.state is TaskState.FAILED:
            return
        for handle in self.handles:
            handle.mark_created(row, paid=self._is_paid_by(handle))

    def deliver(self, stored: Stored) -> None:
        """The image is on disk: every handle gets it."""
        self.phase = Phase.ENDED
        for handle in self.handles:
            handle.mark_done(Collected(stored.row, stored.images, self.resolved, self._is_paid_by(handle)))
        self.handles.clear()

    def _is_paid_by(self, handle: Handle) -> bool:
        return self.paid and handle is self.first

    def fail(self, error: BaseException) -> None:
        """Every handle is told."""
        self.phase, self.failure = Phase.ENDED, error
        if isinstance(error, HunyuanError):
            money = error.money
            if money is Money.NOT_SPENT and self.row is not None and self.row.state.is_attachable:
                money = Money.SPENT  # whatever failed now, the task was accepted before
            error = error.but(task_id=error.task_id or self.known_id, money=money)
        for handle in self.handles:
            handle.fail(error)
        self.handles.clear()

    # --- what steps write down -----------------------------------------------------------------------------

    def release_slot(self) -> None:
        """The gateway is done with the task."""
        if self.slot is not None:
            self.slot.release()
            self.slot = None

    def unsent(self) -> None:
        """Nothing of it is at the gateway: nodes may leave."""
        self.row, self.paid, self.phase = None, False, Phase.QUEUED

    def start_over(self) -> None:
        """The task no longer exists; the request begins from the start. Another process may have begun it anew."""
        if not isinstance(self.wanted, Requested):
            raise TaskFailedError(say("This task was taken back before it was sent."), money=Money.NOT_SPENT)
        self.row, self.answered, self.task_id, self.created_at = None, None, None, None
        self.paid, self.phase = False, Phase.LOOKING

    async def note(self, row: TaskRow, step: Callable[..., TaskRow | None], *arguments: object) -> TaskRow:
        """Takes a step of the journal's with this task; the page is told how it stands then."""
        fresh = await self.background.blocking(step, row.id, *arguments)
        if fresh is None:  # the journal was set aside or deleted meanwhile, and the row with it
            await self.background.blocking(self.tools.journal.restore, row)
            fresh = await self.background.blocking(step, row.id, *arguments)
        self.row = fresh or row
        self.tools.on_change(self.row)
        return self.row

    def keep_answer(self, status: TaskStatus) -> None:
        """Keeps what the gateway said last. A status word that nobody knows is told, each once."""
        self.answered = status
        self.charged = self.charged if status.credits is None else status.credits
        word, said = status.odd_word, self.tools.odd_words
        if word and word not in said and len(said) < MOST_ODD_WORDS:
            said.add(word)
            self.tools.warn(
                f'The gateway gave the status "{word}", which this pack does not know: the task counts as still '
                f"running. The answer began: {status.odd_answer}"
            )

    async def note_charged(self, row: TaskRow) -> TaskRow:
        """Writes down what the gateway says it cost, where that is not what is written already."""
        if self.charged is None or not row.fingerprint or row.credits == self.charged:
            return row
        try:
            return await self.note(row, self.tools.journal.mark_charged, self.charged)
        except JournalError as unwritten:  # the image matters more than its price
            self.tools.warn(f"That the task cost {self.charged} credits could not be written down: {unwritten.what}")
            return row

    async def age(self, row: TaskRow | None) -> float:
        """Seconds since the create's answer, by the journal where another process had it; 0 where nobody knows."""
        if self.created_at is not None:
            return self.clock.monotonic() - self.created_at
        if row is None:
            return 0.0
        now = await self.background.blocking(self.tools.journal.now)  # this machine's own clock may differ
        return max(0.0, now - (row.submitted_at or row.created_at))

    async def pause_after_429(self, error: HunyuanError) -> None:
        """After a 429 everything of this key rests, in this process and in all others on the journal."""
        if isinstance(error, RateLimitedError):
            self.tools.limiter.throttled(error.retry_after, error.words)
            account, seconds = self.tools.settings().account, self.tools.limiter.paused_for
            try:
                await self.background.blocking(self.tools.journal.pause, account, seconds)
            except JournalError as unwritten:
                self.tools.warn(f"The pause after a 429 is this process's alone: {unwritten.what}")

    async def forget_inputs(self) -> None:
        """The gateway could not fetch the inputs' URLs: they go another way next time."""
        for image in self.resolved:
            try:
                await self.background.blocking(self.tools.sources.forget, image.url)
            except JournalError as unwritten:  # the failure that is being told matters more
                self.tools.warn(f"An input's URL that the gateway cannot reach is still remembered: {unwritten.what}")

    # --- views ---------------------------------------------------------------------------------------------

    def _view(self, began: float) -> Progress:
        limiter = self.tools.limiter
        queued = self.phase is Phase.QUEUED
        in_flight, oldest = limiter.crowd if queued else (0, 0.0)
        paused = limiter.paused_for if queued or self.phase is Phase.WAITING else 0.0
        return Progress(
            self.phase,
            self.clock.monotonic() - began,
            self.known_id,
            self._fraction(),
            limiter.waiting if queued else 0,
            paused,
            in_flight,
            oldest,
            limiter.refusal if queued or paused or isinstance(self.trouble, RateLimitedError) else None,
            self._usual() if self.request else 0.0,
        )

    def _usual(self) -> float:
        """Seconds that such a task takes usually."""
        asked = self.request
        return (
            PRIOR if asked is None else self.tools.durations.usual(asked.type, asked.size, asked.model, asked.choices)
        )

    def _fraction(self) -> float:
        """A guess of how far the task is: the gateway's own, else from how long such tasks took."""
        if self.phase is Phase.DOWNLOADING:
            return 0.95
        if self.created_at is None or self.phase is not Phase.WAITING:
            return 0.0
        if self.answered is not None and self.answered.progress is not None:
            return min(0.95, self.answered.progress)
        return 0.9 * (1 - math.exp(-1.5 * (self.clock.monotonic() - self.created_at) / self._usual()))
