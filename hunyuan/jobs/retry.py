"""Pure decisions: may this be sent again, and when; when to poll next. Nothing here waits or sends.

Randomness comes in as a number (`phase`, 0..1), so that every decision can be shown in a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from ..errors import (
    AuthenticationError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    DnsError,
    DownloadError,
    GatewayError,
    HunyuanError,
    InvalidRequestError,
    LinkDeadError,
    NotAnImageError,
    OutOfCreditsError,
    RateLimitedError,
    ServerError,
    SettingsError,
    TransportError,
    UnknownTaskError,
    UnreadableAnswerError,
)
from ..models import LONGEST_RETRY_AFTER

# Polling without history. Steps in a constant ratio bound what a poll adds to that ratio at any duration:
# from 3 s to 20 s with 1.135 it is 13.5 % at worst, half of that on average, in 16 polls.
FIRST_POLL, POLL_RATIO = 3.1, 1.135
LONGEST_POLL_GAP = 10.0
SHORTEST_POLL_GAP = 0.05  # seconds after an answer; well under LEARNED_STEP, or the time that answers take skips polls
LEARNED_STEP = 0.12  # seconds; the finest aim that is worth a request
TAIL_STEP = 0.2  # seconds; the first step past that window
LEARNED_POLLS = 4  # steps across the window in which recent tasks ended: 8 polls reach a second past its strays
# A task that was done at its first poll may have been done long before: look earlier next time, and much earlier
# where that first poll was not aimed by history.
EARLIER, MUCH_EARLIER = 0.93, 0.7

CONNECT_RESENDS = 3  # of a create that certainly did not arrive
MISSING_GRACE = 120.0  # seconds in which a gateway may not yet know a task that it has just accepted
MISSING_GAP = 6.0  # seconds at most between polls in that time
MISSING_TRIES = 6  # of a task that was accepted: one server of several may not know it for a while
# Seconds after the create in which a task that is not known may come back, so that the same request attaches to it
# instead of being paid for again.
MISSING_KEPT = 3600.0
DEAD_LINK_GRACE = 60.0  # seconds in which a fresh link may still be on its way to the file server
BROKEN_FILE_TRIES = 3
UNREADABLE_TRIES = 3


class Next(Enum):
    """What follows a failed step."""

    AGAIN = "again"  # after `delay`
    FAILED = "failed"  # certainly not accepted: nothing billed
    UNKNOWN = "unknown"  # may have been billed: never sent again by itself
    GONE = "gone"  # the gateway knows the task no more
    TELL = "tell"  # the watching nodes are told; the task stays collectable


class Known(Enum):
    """What this process knows of a task that it asks for."""

    AS_OURS = "ours"  # accepted from the key that is set
    AS_ANOTHER_KEYS = "another key's"
    BY_NAME = "by name"  # somebody typed its id


@dataclass(frozen=True)
class Decision:
    """next: what follows. delay: seconds to wait before AGAIN."""

    next: Next
    delay: float = 0.0


def backoff(attempt: int, phase: float, *, first: float = 0.5, longest: float = 15.0) -> float:
    """Seconds before the try after `attempt` failures (1 or more): doubled each time, spread by half."""
    full = min(longest, first * 2.0 ** min(attempt - 1, 30))
    return full * (0.5 + 0.5 * phase)


def after_create(error: HunyuanError, attempt: int, phase: float) -> Decision:
    """A create failed for the attempt-th time. Only what certainly did not arrive is sent again."""
    if isinstance(error, RateLimitedError):
        return Decision(Next.AGAIN, _heeded(error, backoff(attempt, phase, first=1.0)))
    if isinstance(error, TransportError):
        if error.sent:
            return Decision(Next.UNKNOWN)
        passing = isinstance(error, DnsError | ConnectionRefusedByHostError | ConnectTimeoutError)
        if passing and attempt <= CONNECT_RESENDS:
            return Decision(Next.AGAIN, backoff(attempt, phase))
        return Decision(Next.FAILED)
    if isinstance(error, ServerError):
        return Decision(Next.UNKNOWN)
    if isinstance(error, UnreadableAnswerError) and not 400 <= error.status < 500:
        return Decision(Next.UNKNOWN)  # a page in the place of an answer says nothing of what stands behind it
    if isinstance(error, GatewayError | SettingsError | InvalidRequestError):
        return Decision(Next.FAILED)
    return Decision(Next.UNKNOWN)


def after_poll(error: HunyuanError, attempt: int, phase: float, *, age: float, known: Known) -> Decision:
    """A poll failed so for the attempt-th time in a row. age: seconds since the create."""
    if isinstance(error, UnknownTaskError):
        return _after_missing(attempt, phase, age, known)
    if isinstance(error, AuthenticationError | OutOfCreditsError):
        return Decision(Next.TELL)
    if isinstance(error, RateLimitedError):
        return Decision(Next.AGAIN, _heeded(error, backoff(attempt, phase, first=1.0)))
    if isinstance(error, UnreadableAnswerError) and error.is_json and attempt >= UNREADABLE_TRIES:
        return Decision(Next.TELL)  # a shape that nobody reads does not change by asking again
    if isinstance(error, TransportError | ServerError | UnreadableAnswerError):
        return Decision(Next.AGAIN, _heeded(error, backoff(attempt, phase)))
    return Decision(Next.TELL)


def _after_missing(attempt: int, phase: float, age: float, known: Known) -> Decision:
    young = known is Known.AS_OURS and age < MISSING_GRACE
    if known is not Known.BY_NAME and (young or attempt <= MISSING_TRIES):
        return Decision(Next.AGAIN, backoff(attempt, phase, longest=MISSING_GAP))
    return Decision(Next.TELL if known is Known.AS_OURS and age < MISSING_KEPT else Next.GONE)


def after_download(error: HunyuanError, attempt: int, phase: float, *, since: float) -> Decision:
    """A download failed so for the attempt-th time. since: seconds since the first try."""
    if isinstance(error, LinkDeadError):
        return Decision(Next.AGAIN, backoff(attempt, phase)) if since < DEAD_LINK_GRACE else Decision(Next.TELL)
    if isinstance(error, NotAnImageError):
        return Decision(Next.AGAIN, backoff(attempt, phase)) if attempt < BROKEN_FILE_TRIES else Decision(Next.TELL)
    if isinstance(error, DownloadError):
        return Decision(Next.TELL)
    if isinstance(error, TransportError | ServerError | RateLimitedError | UnreadableAnswerError):
        return Decision(Next.AGAIN, _heeded(error, backoff(attempt, phase)))
    return Decision(Next.TELL)


def _heeded(error: HunyuanError, own: float) -> float:
    asked = error.retry_after if isinstance(error, GatewayError) else None
    return max(own, min(asked or 0.0, LONGEST_RETRY_AFTER))


def poll_times(history: Sequence[float], phase: float) -> Iterator[float]:
    """Seconds after the create at which to poll, without end.

    history: recent durations of such tasks in seconds, newest first (empty: a prior of 3 to 20 s).
    phase: 0..1, spreads the polls of tasks that began together.
    """
    window = _window(history)
    if window is None:
        # Tasks may be shorter than the first poll without history: once seen, they are looked for earlier.
        shortest = EARLIER * min(history[:12]) if history else FIRST_POLL
        start = min(FIRST_POLL, shortest) * (0.97 + 0.06 * phase)
        yield start
    else:
        low, high, step = window
        shift = 0.3 * step * phase  # just after the times at which such tasks ended, not just before
        times = [low + shift + step * k for k in range(-1, int((high - low) / step + 1.5))]
        yield from (time for time in times[:-1] if time > 0)
        start = times[-1]
        yield start
        gap = max(step, TAIL_STEP)
        while gap < start * (POLL_RATIO - 1):  # past the window: soon sparser
            start += gap
            yield start
            gap *= 1.5
    for _ in itertools.count():
        start += min(LONGEST_POLL_GAP, start * (POLL_RATIO - 1))
        yield start


def _window(history: Sequence[float]) -> tuple[float, float, float] | None:
    """The span in which such tasks ended lately and the step across it; None where it is too wide to aim."""
    recent = sorted(history[:12])
    if not recent:
        return None
    if len(recent) >= 8:
        recent = recent[1:-1]  # one stray each way does not widen the aim
    low, high = recent[0], recent[-1]
    step = max(LEARNED_STEP, (high - low) / LEARNED_POLLS)
    wide = step > max(LEARNED_STEP, low * (POLL_RATIO - 1))
    return None if wide else (low, high, step)


def next_poll(
    times: Iterator[float], elapsed: float, progress: float | None = None, retry_after: float | None = None
) -> float:
    """The next time to poll, in seconds after the create, later than now; aimed by the gateway's progress.

    retry_after: seconds from now before which the gateway does not want to be asked.
    """
    earliest = elapsed + max(SHORTEST_POLL_GAP, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
    planned = next(time for time in times if time >= earliest)
    if progress is None or not 0.05 <= progress < 1:
        return planned
    aimed = elapsed / progress
    longest = elapsed + min(LONGEST_POLL_GAP, max(elapsed * 0.5, 1.0))
    return max(earliest, min(aimed, longest))


def measured(last_pending: float | None, done: float, *, aimed: bool) -> float:
    """How long a task took, in seconds: between the last poll that said no and the one that said yes.

    aimed: whether history told when to poll first.
    """
    if last_pending is not None:
        return (last_pending + done) / 2
    return done * (EARLIER if aimed else MUCH_EARLIER)


def quiet_gap(age: float) -> float:
    """Seconds between polls that nobody waits for: sparse, and sparser with the task's age."""
    return min(600.0, max(5.0, age * 0.1))
