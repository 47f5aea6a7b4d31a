"""The create of a task: sent once for each row, and its answer written down. What fails here may have cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import (
    BillingUnknownError,
    HunyuanError,
    InputUnreachableError,
    JournalError,
    Money,
    OutOfCreditsError,
    RateLimitedError,
)
from ..journal.records import TaskRow
from ..models import TaskStatus
from ..sentences import say
from .background_loop import Pool
from .handle import Phase
from .job import JOURNAL_PAUSE, Job
from .older_task import attach_to_older
from .reserve import both_clocks, take_back
from .retry import Next, after_create
from .steps import Accepted, Again, Reserved

CREATE_TIMEOUT = 180.0  # seconds: the gateway may answer with the finished image itself
# Seconds after which a row is too old to be sent: a machine that slept may count as dead by then, and the same
# request may have been asked for anew elsewhere. Under the journal's 30, and above what a slow `begin` takes (15).
ROW_LASTS = 20.0


async def create(job: Job, reserved: Reserved) -> Accepted | Again:
    """Sends the create once. Raises what it failed with, where it may not be sent again by itself."""
    tools, row = job.tools, reserved.row

    def send() -> TaskStatus | None:
        age = max(now - then for now, then in zip(both_clocks(job), reserved.begun, strict=True))
        if age > ROW_LASTS or tools.closing.begun:
            return None
        return tools.client.create(reserved.request, list(reserved.urls), CREATE_TIMEOUT)

    job.phase = Phase.SENDING
    older: Accepted | None = None
    try:
        status = await _answer(job, send)
        if status is not None and status.is_older and status.task_id:
            older = await attach_to_older(job, row, status.task_id)
    except HunyuanError as error:
        return await _not_accepted(job, reserved, error)
    except Exception as defect:
        await job.note(row, tools.journal.mark_unknown, say("A defect of this pack: {defect}", defect=repr(defect)))
        raise
    if status is None:  # it was too late to send it
        await take_back(job, row)
        job.release_slot()
        job.unsent()
        return Again(0.0)
    tools.limiter.accepted()
    if older is not None:
        return older
    job.created_at = None if status.is_older else job.clock.monotonic()
    return Accepted(await _write_down(job, row, status), True, status, job.created_at)


async def _answer(job: Job, send: Callable[[], TaskStatus | None]) -> TaskStatus | None:
    job.is_unanswered = True
    try:
        return await job.background.remote(Pool.CREATES, send)
    finally:
        job.is_unanswered = False


async def _not_accepted(job: Job, reserved: Reserved, error: HunyuanError) -> Again:
    """What follows a create that failed; raises where it may not be sent again."""
    journal, row = job.tools.journal, reserved.row
    decision = after_create(error, reserved.attempt, job.tools.chance())
    # The row comes first: whatever fails after it must not leave the task as if its create were still under way.
    if decision.next is Next.AGAIN:
        await take_back(job, row)
    elif decision.next is Next.UNKNOWN:
        await job.note(row, journal.mark_unknown, error.what)
    else:
        job.phase = Phase.RESERVING
        await job.note(row, journal.mark_failed, error.code, error.what, False)
    try:
        await job.pause_after_429(error)
    finally:
        job.release_slot()  # only now: after a 429 who gets it must wait out the pause
    if decision.next is Next.AGAIN:
        job.unsent()
        return Again(0.0 if isinstance(error, RateLimitedError) else decision.delay)
    if decision.next is Next.UNKNOWN:
        raise BillingUnknownError(
            say("The create was sent, but its answer is lost: {what}", what=error.what),
            why=error.why,
            do=say("Look at your usage at the gateway; running again sends it anew."),
        ) from None
    if isinstance(error, InputUnreachableError):
        await job.forget_inputs()
    if isinstance(error, OutOfCreditsError):
        error = error.but(
            do=say(
                "Top up the account at the gateway; this task costs {credits} credits.",
                credits=reserved.request.credits,
            )
        )
    raise error.but(money=Money.NOT_SPENT)


async def _write_down(job: Job, row: TaskRow, status: TaskStatus) -> TaskRow:
    """The task id goes into the journal the moment it arrives; a finished image stays in memory until it is on disk."""
    job.keep_answer(status)
    job.phase = Phase.WAITING
    if status.task_id is None:
        job.tools.on_change(row)
        return row
    job.task_id = status.task_id
    return await job.note_charged(await _write_id(job, row, status.task_id))


async def _write_id(job: Job, row: TaskRow, task_id: str) -> TaskRow:
    """A paid task's id is not given up because a disk is full: told loudly, and tried until it is written."""
    told = False
    while True:
        try:
            return await job.note(row, job.tools.journal.mark_submitted, task_id)
        except JournalError as error:
            if not told:
                job.tools.warn(f"Task {task_id} is paid for but could not be written down, trying on: {error}")
            told = True
            await job.clock.sleep(JOURNAL_PAUSE)
        except asyncio.CancelledError:  # the process ends before a slow journal has it
            job.tools.journal.keep_task_id(row.id, task_id)
            raise
