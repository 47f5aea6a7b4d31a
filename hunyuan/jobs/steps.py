"""The values that the steps of a task's life hand on, and what a step may find out instead.

Each holds what is certain at its point, so that what is not known yet cannot be asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from ..models import GenerationRequest, ImageInput, TaskStatus
from .handle import Decoded

if TYPE_CHECKING:
    from ..journal.records import TaskRow


@dataclass(frozen=True)
class Requested:
    """What a node asks for. reuse: an earlier task of the same request will do.

    counts: the credit limits let it in as a new task, after they looked for an earlier one.
    """

    request: GenerationRequest
    inputs: Sequence[ImageInput] = ()
    reuse: bool = True
    counts: bool = False


@dataclass(frozen=True)
class TypedId:
    """A task id that somebody typed."""

    task_id: str


@dataclass(frozen=True)
class Reserved:
    """The row is written and the slot is held: the create may be sent, once, while the row is young.

    urls: of the input images. begun: both clocks in seconds when the row was asked for. attempt: 1 for the first.
    """

    request: GenerationRequest
    urls: tuple[str, ...]
    row: TaskRow
    begun: tuple[float, float]
    attempt: int


@dataclass(frozen=True)
class Accepted:
    """A task with a row, sent by whomever. in_hand: this process is the one that asks for it.

    status: the gateway's answer to a create of this process. created_at: monotonic seconds at that answer.
    """

    row: TaskRow
    in_hand: bool = False
    status: TaskStatus | None = None
    created_at: float | None = None


@dataclass(frozen=True)
class Finished:
    """The gateway has the images: their links or `data:` URIs."""

    row: TaskRow
    images: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Stored:
    """The images are on disk, and decoded here."""

    row: TaskRow
    images: tuple[Decoded, ...] = field(repr=False)


@dataclass(frozen=True)
class Again:
    """The create certainly did not arrive: reserve and send it again after `delay` seconds."""

    delay: float


class Left(Enum):
    """What a step found out instead of the next value."""

    UNWANTED = "unwanted"  # nobody waits for what was not sent, or the process is about to end
    JOINED = "joined"  # another job of this process has the same task, and took over the handles
    STILL_RUNNING = "still running"  # and nobody waits for it: the sweeper looks again later
    TAKEN_OVER = "taken over"  # by another process: this one was silent for so long that it counted as dead
    TAKEN_BACK = "taken back"  # who had it in hand did not send it after all
    LOST = "lost"  # it was collected, and its images can be had no more
