"""What is told where a task is not waited for any more: its node's `timeout_s` is up, or the process ends."""

from __future__ import annotations

from ..errors import BillingUnknownError, HunyuanError, Money, ShuttingDownError, TaskTimeoutError
from ..models import TaskState
from ..sentences import Sentence, Sentences, say, together
from .handle import Phase
from .job import Job

_STATES = {
    TaskState.SUBMITTED: say("submitted"),
    TaskState.RUNNING: say("running"),
    TaskState.SUCCEEDED: say("succeeded"),
}  # in which a task is waited for


def ago(seconds: float) -> Sentence:
    """A span in words: `40 seconds`, `4 minutes`, `3 hours`."""
    if seconds >= 3600:
        n = int(seconds // 3600)
        return say("1 hour") if n == 1 else say("{n} hours", n=n)
    if seconds >= 60:
        n = int(seconds // 60)
        return say("1 minute") if n == 1 else say("{n} minutes", n=n)
    n = int(seconds)
    return say("1 second") if n == 1 else say("{n} seconds", n=n)


def closing_error(job: Job) -> ShuttingDownError:
    """The process ends: what became of the task."""
    if job.row is None or job.phase is Phase.RESERVING:
        money, do = Money.NOT_SPENT, say("Nothing was sent. Run the node again after the start.")
    elif job.row.state is TaskState.INTENDED and job.answered is None:
        money = Money.MAYBE_SPENT
        do = say("The create was sent and is not answered: look at your usage at the gateway.")
    else:
        money = Money.SPENT if job.paid else Money.UNTOUCHED
        do = say("Its image is collected after ComfyUI's next start; the same request then costs nothing.")
    return ShuttingDownError(say("ComfyUI is shutting down."), do=do, money=money)


def timeout_error(job: Job, timeout_s: float) -> HunyuanError:
    """A node's time is up; the task stays."""
    late = say("Not done within timeout_s = {seconds:g} s", seconds=timeout_s)
    seed = job.request.seed if job.request else None  # named, since -1 would draw another, for new credits
    again = "" if seed is None else say(": run the same inputs again with seed = {seed} to get it", seed=seed)
    if job.phase is Phase.SENDING:
        return BillingUnknownError(
            say("{late}: the create was sent and is not yet answered.", late=late),
            do=say("When the answer comes, the image is collected in the background{again}.", again=again),
        )
    if job.phase.is_free or job.phase is Phase.RESERVING or job.row is None:
        why, do = _why_unsent(job)
        return TaskTimeoutError(say("{late}.", late=late), why=why, do=do, money=Money.NOT_SPENT)
    return TaskTimeoutError(
        say("{late}: the task is {state}.", late=late, state=_STATES.get(job.row.state, job.row.state.value)),
        why=_why_not_here(job),
        do=say("It is collected in the background{again}, or put its id into Hunyuan Image 3 Task Wait.", again=again),
        task_id=job.known_id,
        money=None if job.row.state.is_attachable else Money.MAYBE_SPENT,
    )


def _why_not_here(job: Job) -> Sentences | Sentence:
    """What kept it from being asked for; empty where nothing did."""
    if trouble := job.trouble:
        return together(say("When it was last asked for:"), trouble.what, trouble.why)
    return _too_many(job) if job.tools.limiter.paused_for > 0 and job.phase is Phase.WAITING else together()


def _too_many(job: Job) -> Sentence:
    """What the gateway said at the 429 for which all tasks wait."""
    refusal = job.tools.limiter.refusal
    words = say(': "{words}"', words=refusal) if refusal else ""
    return say("The gateway took no more requests (429){words}.", words=words)


def _why_unsent(job: Job) -> tuple[Sentence, Sentence]:
    """Why nothing was accepted so far, and what to do."""
    limiter = job.tools.limiter
    if job.phase is Phase.QUEUED and limiter.refusal is not None:
        return (
            _too_many(job),
            say("Wait a while and run again; max_in_flight in the settings says how many are sent at once."),
        )
    if job.phase is Phase.QUEUED:
        count, oldest = limiter.crowd
        whom = say(" ({n} in flight, the oldest for {age})", n=count, age=ago(oldest)) if count else ""
        return (
            say("Nothing was sent: it still waited for a slot{whom}.", whom=whom),
            say(
                "Raise timeout_s or max_in_flight (settings), or run again later; the task list shows what is running."
            ),
        )
    step = {
        Phase.PREPARING: say("its input images were being uploaded"),
        Phase.RESERVING: say("its row in the journal was still being written"),
    }.get(job.phase, say("it had not begun"))
    return say("Nothing was sent: {step}.", step=step), say("Raise timeout_s or run again.")
