"""What keeps a task whose node's `timeout_s` ends, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .handle import Phase

if TYPE_CHECKING:
    from .job import Job


def ago(seconds: float) -> str:
    """A span in words: `40 seconds`, `4 minutes`, `3 hours`."""
    size, unit = next(
        ((size, unit) for size, unit in ((3600, "hour"), (60, "minute")) if seconds >= size), (1, "second")
    )
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def why_unsent(job: Job) -> tuple[str, str]:
    """Why nothing was accepted so far, and what to do."""
    limiter = job.tools.limiter
    if job.phase is Phase.QUEUED and limiter.refusal is not None:
        words = f': "{limiter.refusal}"' if limiter.refusal else ""
        return (
            f"The gateway took no more requests (429){words}.",
            "Wait a while and run again; max_in_flight in the settings says how many are sent at once.",
        )
    if job.phase is Phase.QUEUED:
        count, oldest = limiter.crowd
        whom = f" ({count} in flight, the oldest for {ago(oldest)})" if count else ""
        return (
            f"Nothing was sent: it still waited for a slot{whom}.",
            "Raise timeout_s or max_in_flight (settings), or run again later; the task list shows what is running.",
        )
    step = {
        Phase.PREPARING: "its input images were being uploaded",
        Phase.RESERVING: "its row in the journal was still being written",
    }.get(job.phase, "it had not begun")
    return f"Nothing was sent: {step}.", "Raise timeout_s or run again."


def trouble_of(job: Job) -> str:
    """What the last poll of an accepted task failed with; empty where it was answered."""
    error = job.trouble
    return f"When it was last asked for: {error.what} {error.why}".strip() if error else ""
