"""What a node holds of a task: two futures, a view of where it stands, and the way to let go."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import HunyuanError
from ..models import ResolvedImage

if TYPE_CHECKING:
    from ..journal.records import TaskRow


class Phase(str, Enum):
    """Where a task stands, finer than its state in the journal."""

    LOOKING = "looking"  # is there already such a task?
    PREPARING = "preparing"  # input images become URLs
    QUEUED = "queued"  # waits for a slot
    RESERVING = "reserving"  # its row is being written, or taken back: nothing is on its way to the gateway
    SENDING = "sending"  # the create is under way
    WAITING = "waiting"  # the gateway works
    FOLLOWING = "following"  # another process has it in hand
    DOWNLOADING = "downloading"
    ENDED = "ended"

    @property
    def is_free(self) -> bool:
        """Whether it can still be left without anything having been sent."""
        return self in (Phase.LOOKING, Phase.PREPARING, Phase.QUEUED)


class Decoded(Protocol):
    """A result's pixels as the injected decoder gives them. digest: names the content, as `pixels:<digest>`.

    opaque: whether the file shows just these pixels, so that its URL stands for them.
    """

    @property
    def digest(self) -> str: ...

    @property
    def mime(self) -> str: ...

    @property
    def opaque(self) -> bool: ...


@dataclass(frozen=True)
class Progress:
    """A view for the node. seconds: since the node began to wait. fraction: 0..1, a guess before the end."""

    phase: Phase
    seconds: float
    task_id: str | None = None
    fraction: float = 0.0
    waiting: int = 0  # how many wait for a slot
    paused_for: float = 0.0  # seconds of the 429 pause that are left
    in_flight: int = 0  # where it waits for a slot: how many have one
    oldest: float = 0.0  # for how many seconds the oldest of these
    refusal: str | None = None  # the gateway's words at a 429 that still holds
    usual: float = 0.0  # seconds that such a task takes usually, 0 where its kind is not known


@dataclass(frozen=True)
class Collected:
    """A task whose image is on disk. paid: whether this run created it (else it was attached to, for nothing)."""

    row: TaskRow
    images: tuple[Any, ...] = field(repr=False)
    inputs: tuple[ResolvedImage, ...] = ()
    paid: bool = False


def _begun() -> Future[Any]:
    """A future that only the background loop ends: else an asyncio wrapper that is cancelled would cancel it too."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(eq=False)
class Handle:
    """A node's hold on a task. `created` ends when the gateway has accepted it, `done` when its image is on disk.

    Both end with the failure, if there is one. Safe to use from any thread.
    """

    timeout_s: float
    created: Future[TaskRow] = field(default_factory=_begun)
    done: Future[Collected] = field(default_factory=_begun)
    paid: bool = False  # whether it was this handle's node that paid, once `created` has ended
    progress: Callable[[], Progress] = lambda: Progress(Phase.LOOKING, 0.0)  # where the task stands now
    let_go: Callable[[], None] = lambda: None
    left: bool = False  # let go of, perhaps before the runner had it

    @property
    def row_id(self) -> str:
        """The task's row in the journal; empty until the gateway has it, and where it failed before."""
        created = self.created
        return created.result().id if created.done() and created.exception() is None else ""

    def detach(self) -> None:
        """Lets go: what was not sent is dropped, what was sent goes on by itself to the disk."""
        self.left = True
        self.let_go()

    def mark_created(self, row: TaskRow, *, paid: bool) -> None:
        """The gateway has it."""
        if not self.created.done():
            self.paid = paid
            self.created.set_result(row)

    def mark_done(self, collected: Collected) -> None:
        """The image is here."""
        self.mark_created(collected.row, paid=collected.paid)
        if not self.done.done():
            self.done.set_result(collected)

    def fail(self, error: BaseException) -> None:
        """Both end with a failure; with a copy of it, since several nodes may be told the same."""
        own = _copied(error)
        for future in (self.created, self.done):
            if not future.done():
                future.set_exception(own)


def _copied(error: BaseException) -> BaseException:
    if isinstance(error, HunyuanError):
        return error.but()
    try:
        twin = copy.copy(error)
    except TypeError:  # a class that is made of something else than Python keeps for it
        twin = type(error).__new__(type(error), *error.args)
        vars(twin).update(vars(error))
    twin.__cause__, twin.__suppress_context__ = error.__cause__, error.__suppress_context__
    return twin.with_traceback(error.__traceback__)
