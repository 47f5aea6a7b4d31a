"""What the journal hands out: its rows as values. Light: importing this loads no database code."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from enum import Enum

from ..limits import CREDITS_PER_TASK
from ..models import ImageSize, StoredImage, TaskState, TaskType

DROPPED = "dropped"  # the error code of a task that was certainly never sent
STALLED = "stalled"  # the error code of an open task of which the gateway says nothing usable: not in flight
# The error codes of an open task that is only asked for when the user wants it: its file ended the process, or none
# that can be read came in several tries.
ENDED_PROCESS, GIVEN_UP = "ended_process", "given_up"


class RowMoney(str, Enum):
    """What a task means for the user's credits."""

    SPENT = "spent"  # accepted by the gateway and not failed
    MAYBE = "maybe"  # about to be sent, or sent with the answer lost: counts towards the limits
    REFUNDED = "refunded"  # failed after it was accepted ("billed per successful request")
    NONE = "none"  # certainly not accepted, or paid elsewhere (an adopted id)


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """One task as the journal knows it. Times are unix seconds; None where it has not come to that.

    id: local, known before the gateway answers. fingerprint: of the request, "" for an adopted task.
    task_id: the gateway's id. type, size, seed: None for an adopted task. prompt: the text, or
    `sha256:<hex>` where only hashes are kept. account: which key (never the key). images: identities of
    the inputs. owner: the worker that drives it. seconds: how long the task took at the gateway.
    files: the stored originals. evicted_at: when they were removed to make room. lost_at: when it turned out that
    the image can no longer be had. hidden: taken off the list.
    parameters, image_fields, choices, variation: of another model than Hunyuan Image 3, as its request had them.
    credits: what it cost as far as that is known; price: what one such task costs by the catalogue.
    user_id: ComfyUI's user who ran it, where there are several.
    """

    id: str
    fingerprint: str = ""
    task_id: str | None = None
    state: TaskState
    type: TaskType | None = None
    prompt: str = ""
    size: ImageSize | None = None
    seed: int | None = None
    model: str = ""
    base_url: str = ""
    account: str = ""
    images: tuple[str, ...] = ()
    credits: int = 0
    prompt_id: str = ""
    node_id: str = ""
    session: str = ""
    owner: str = ""
    created_at: float
    submitted_at: float | None = None
    polled_at: float | None = None
    finished_at: float | None = None
    seconds: float | None = None
    collected_at: float | None = None
    delivered_at: float | None = None
    lost_at: float | None = None
    evicted_at: float | None = None
    error_code: str = ""
    error_text: str = ""
    urls: tuple[str, ...] = ()
    files: tuple[StoredImage, ...] = ()
    hidden: bool = False
    parameters: tuple[tuple[str, str | int], ...] = ()
    image_fields: tuple[str, ...] = ()
    choices: str = ""
    variation: int = 0
    price: int = CREDITS_PER_TASK
    user_id: str = ""

    @property
    def money(self) -> RowMoney:
        """Which of the totals this task's credits belong to."""
        if not self.credits:
            return RowMoney.NONE
        if self.state in (TaskState.INTENDED, TaskState.UNKNOWN):
            return RowMoney.MAYBE
        return RowMoney.REFUNDED if self.state is TaskState.FAILED else RowMoney.SPENT

    @property
    def is_dropped(self) -> bool:
        """Whether it was taken back before anything of it was accepted: it is as if it had not been."""
        return self.state is TaskState.FAILED and self.error_code == DROPPED

    def is_for(self, user: str | None) -> bool:
        """Whether it is this user's; what nobody ran, and whoever is the only one, is let in."""
        return not self.user_id or user in (None, self.user_id)

    @property
    def is_set_aside(self) -> bool:
        """Whether its image is only asked for when the user wants it."""
        return self.state.is_open and self.error_code in (ENDED_PROCESS, GIVEN_UP)

    @property
    def storage_id(self) -> str:
        """The id its files are stored under: the gateway's, else the local one."""
        return self.task_id or self.id


@dataclass(frozen=True)
class RunContext:
    """Where in ComfyUI a request came from. session: one run of the server, as credits are counted.

    user: who ran it, "" where nobody knows; None: ComfyUI has one user, and everything is theirs.
    """

    prompt_id: str = ""
    node_id: str = ""
    session: str = ""
    user: str | None = None


@dataclass(frozen=True)
class Limits:
    """What `begin` must keep to; 0 = no limit. Credits count what is spent and what may be."""

    credits_per_day: int = 0
    credits_per_session: int = 0
    max_in_flight: int = 0

    @property
    def has_credits(self) -> bool:
        """Whether credits are limited at all."""
        return bool(self.credits_per_day or self.credits_per_session)


@dataclass(frozen=True)
class CreditTotals:
    """Sums of credits by what became of them."""

    spent: int = 0
    maybe: int = 0
    refunded: int = 0


@dataclass(frozen=True)
class Begun:
    """The row is written: send the create, once."""

    row: TaskRow


@dataclass(frozen=True)
class Attached:
    """The same request is already under way or done: send nothing.

    A row in state `intended` belongs to another living worker: watch it. Should it become `unknown`,
    that worker died with the create under way.
    """

    row: TaskRow


@dataclass(frozen=True)
class Busy:
    """No slot: so many tasks of the account are in flight in all workers. Nothing was written.

    retry_in: seconds that the account's creates rest after a 429 (see `Journal.pause`); 0 = wait for a slot.
    oldest: for how many seconds the oldest of these tasks has been in flight.
    """

    in_flight: int
    retry_in: float = 0.0
    oldest: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Survey:
    """What a round of the sweeper looks at. now: unix seconds by the journal's clock.

    paused_for: seconds that the account's creates rest after a 429.
    open_rows: tasks whose image is still to be had and that no other living worker drives, oldest first.
    """

    now: float
    paused_for: float
    open_rows: list[TaskRow]


@dataclass(frozen=True)
class Link:
    """A remembered URL of an input image. expires_at: unix seconds, None = not known to expire."""

    key: str
    url: str
    way: str
    expires_at: float | None
    created_at: float


def new_row_id() -> str:
    """32 hex characters, later ones sorting after earlier ones (kind to the index), unique between machines."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
