"""Pure decisions: may this be sent again, and when. Nothing here waits or sends.

Randomness comes in as a number (`phase`, 0..1), so that every decision can be shown in a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..errors import (
    AnswerTooLargeError,
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
    RejectedRequestError,
    ServerError,
    SettingsError,
    TransportError,
    UnknownTaskError,
    UnreadableAnswerError,
)
from ..limits import LONGEST_RETRY_AFTER

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
    REPORT = "report"  # the nodes that wait are told; the task stays collectable


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
        return Decision(Next.AGAIN, _at_least_as_asked(error, backoff(attempt, phase, first=1.0)))
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
    if type(error) is RejectedRequestError and error.gateway_code != "1401":  # that one is of the task's own inputs
        if _is_fresh(age, known):  # a missing task is refused in many words
            return Decision(Next.AGAIN, backoff(attempt, phase, longest=MISSING_GAP))
        return Decision(Next.REPORT)
    if isinstance(error, AuthenticationError | OutOfCreditsError):
        return Decision(Next.REPORT)
    if isinstance(error, RateLimitedError):
        return Decision(Next.AGAIN, _at_least_as_asked(error, backoff(attempt, phase, first=1.0)))
    stays = isinstance(error, UnreadableAnswerError) and error.is_json
    if (stays or isinstance(error, AnswerTooLargeError)) and attempt >= UNREADABLE_TRIES:
        return Decision(Next.REPORT)  # a shape or size that nobody reads does not change by asking again
    if isinstance(error, TransportError | ServerError | UnreadableAnswerError):
        return Decision(Next.AGAIN, _at_least_as_asked(error, backoff(attempt, phase)))
    return Decision(Next.REPORT)


def _is_fresh(age: float, known: Known) -> bool:
    """Whether the gateway may not know the task yet that it has accepted."""
    return known is Known.AS_OURS and age < MISSING_GRACE


def _after_missing(attempt: int, phase: float, age: float, known: Known) -> Decision:
    if known is not Known.BY_NAME and (_is_fresh(age, known) or attempt <= MISSING_TRIES):
        return Decision(Next.AGAIN, backoff(attempt, phase, longest=MISSING_GAP))
    return Decision(Next.REPORT if known is Known.AS_OURS and age < MISSING_KEPT else Next.GONE)


def after_download(error: HunyuanError, attempt: int, phase: float, *, since: float) -> Decision:
    """A download failed so for the attempt-th time. since: seconds since the first try."""
    if isinstance(error, LinkDeadError):
        return Decision(Next.AGAIN, backoff(attempt, phase)) if since < DEAD_LINK_GRACE else Decision(Next.REPORT)
    if isinstance(error, NotAnImageError):
        return Decision(Next.AGAIN, backoff(attempt, phase)) if attempt < BROKEN_FILE_TRIES else Decision(Next.REPORT)
    if isinstance(error, DownloadError):
        return Decision(Next.REPORT)
    if isinstance(error, TransportError | ServerError | RateLimitedError | UnreadableAnswerError):
        return Decision(Next.AGAIN, _at_least_as_asked(error, backoff(attempt, phase)))
    return Decision(Next.REPORT)


def _at_least_as_asked(error: HunyuanError, own: float) -> float:
    asked = error.retry_after if isinstance(error, GatewayError) else None
    return max(own, min(asked or 0.0, LONGEST_RETRY_AFTER))
