"""What is told where a task is not waited for any more: its node's `timeout_s` is up, or the process ends."""

from __future__ import annotations

from ..errors import BillingUnknownError, HunyuanError, Money, ShuttingDownError, TaskTimeoutError
from ..models import TaskState
from .handle import Phase
from .job import Job


def ago(seconds: float) -> str:
    """A span in words: `40 seconds`, `4 minutes`, `3 hours`."""
    size, unit = next(
        ((size, unit) for size, unit in ((3600, "hour"), (60, "minute")) if seconds >= size), (1, "second")
    )
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def closing_error(job: Job) -> ShuttingDownError:
    """The process ends: what became of the task."""
    if job.row is None or job.phase is Phase.RESERVING:
        money, do = Money.NOT_SPENT, "Nothing was sent. Run the node again after the start."
    elif job.row.state is TaskState.INTENDED and job.answered is None:
        money, do = Money.MAYBE_SPENT, "The create was sent and is not answered: look at your usage at the gateway."
    else:
        money = Money.SPENT if job.paid else Money.UNTOUCHED
        do = "Its image is collected after ComfyUI's next start; the same request then costs nothing."
    return ShuttingDownError("ComfyUI is shutting down.", do=do, money=money)


def timeout_error(job: Job, timeout_s: float) -> HunyuanError:
    """A node's time is up; the task stays."""
    said = f"Not done within timeout_s = {timeout_s:g} s"
    seed = job.request.seed if job.request else None  # named, since -1 would draw another, for new credits
    again = "" if seed is None else f": run the same inputs again with seed = {seed} to get it"
    if job.phase is Phase.SENDING:
        return BillingUnknownError(
            f"{said}: the create was sent and is not yet answered.",
            do=f"When the answer comes, the image is collected in the background{again}.",
        )
    if job.phase.is_free or job.phase is Phase.RESERVING or job.row is None:
        why, do = _why_unsent(job)
        return TaskTimeoutError(f"{said}.", why=why, do=do, money=Money.NOT_SPENT)
    trouble = job.trouble
    return TaskTimeoutError(
        f"{said}: the task is {job.row.state.value}.",
        why=f"When it was last asked for: {trouble.what} {trouble.why}".strip() if trouble else "",
        do=f"It is collected in the background{again}, or put its id into Hunyuan Image 3 Task Wait.",
        task_id=job.known_id,
        money=None if job.row.state.is_attachable else Money.MAYBE_SPENT,
    )


def _why_unsent(job: Job) -> tuple[str, str]:
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
