"""A paid task's life from top to bottom: find, prepare inputs, reserve, create, poll, fetch and store, deliver.

Each step takes a value and gives the next one (`steps.py`), or says what it found out instead (`Left`). What fails
raises, and leaves either nothing or a row from which the next attempt goes on.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

from ..errors import UnknownTaskError
from ..journal.record_errors import error_of_row
from ..journal.records import TaskRow
from ..models import NO_STATUS, TaskState
from ..sentences import say
from .create import create
from .fetch import fetch, keep_inline, load
from .handle import Phase
from .job import Job
from .poll import ask, poll
from .reserve import prepare_inputs, reserve
from .steps import Accepted, Again, Finished, Left, Requested, Reserved, Stored, TypedId

FOLLOW_GAP, CLAIM_GAP = 0.3, 5.0  # seconds between looks at a row that another process has in hand


async def run(job: Job, by_row: dict[str, Job]) -> Stored | Left:
    """Goes with a job to its end. by_row: which job of this process has which row, by the row's id."""
    try:
        while True:
            end = await _from_request_to_images(job, by_row)
            if isinstance(end, Stored):
                job.deliver(end)
            if end not in (Left.TAKEN_BACK, Left.LOST):
                return end
            if job.row is not None:
                by_row.pop(job.row.id, None)
            job.start_over()
    except (Exception, asyncio.CancelledError):
        await keep_inline(job)
        raise


async def _from_request_to_images(job: Job, by_row: dict[str, Job]) -> Stored | Left:
    found = await _find(job)
    accepted = await _create(job, found) if isinstance(found, Requested) else found
    if isinstance(accepted, Left):
        return accepted
    holder = by_row.setdefault(accepted.row.id, job)
    if holder is not job:
        await keep_inline(job)  # for whoever follows the row
        holder.take_over_handles(job)
        return Left.JOINED
    while True:
        mine = accepted if accepted.in_hand else await _follow(job, accepted)
        if isinstance(mine, Left):
            return mine
        job.mark_created(mine.row)
        if mine.row.state is TaskState.COLLECTED:
            return await load(job, mine.row)
        finished = await poll(job, mine)
        if isinstance(finished, Finished):
            return await fetch(job, finished)
        if finished is not Left.TAKEN_OVER:
            return finished
        job.release_slot()
        accepted = replace(mine, row=job.row or mine.row, in_hand=False)


async def _create(job: Job, requested: Requested) -> Accepted | Left:
    """Creates the request's task, at most once; from the reservation on again where the create did not arrive."""
    asked = job.clock.monotonic()
    urls = await prepare_inputs(job, requested)
    for attempt in itertools.count(1):
        reserved = await reserve(job, requested, urls, asked=asked, attempt=attempt)
        if not isinstance(reserved, Reserved):
            return reserved
        accepted = await create(job, reserved)
        if not isinstance(accepted, Again):
            return accepted
        if not job.is_wanted:
            break
        await job.clock.sleep(accepted.delay)
    return Left.UNWANTED


async def _find(job: Job) -> Accepted | Requested:
    """The task that there is already, else the request for a new one."""
    wanted = job.wanted
    if isinstance(wanted, TaskRow):
        return Accepted(wanted)
    if isinstance(wanted, TypedId):
        return await _find_by_id(job, wanted.task_id)
    if wanted.reuse and not wanted.counts:  # what counts as new was looked up for the limits
        fingerprint = wanted.request.fingerprint(job.tools.settings().base_url)
        job.row = await job.background.blocking(job.tools.journal.find_reusable, fingerprint)
    return wanted if job.row is None else Accepted(job.row)


async def _find_by_id(job: Job, task_id: str) -> Accepted:
    """A row of ours, else a task created elsewhere that the gateway must know. Raises what it failed with."""
    blocking, journal, status = job.background.blocking, job.tools.journal, None
    row = await blocking(journal.by_task_id, task_id) or await blocking(journal.get, task_id)
    if row is not None and not row.is_for(job.context.user):
        raise UnknownTaskError(say("This user has no such task."), status=404, task_id=task_id)
    if row is None:
        status = await ask(job, task_id)
        if status.odd_word == NO_STATUS and status.progress is None:  # as some gateways answer for a task there is not
            raise UnknownTaskError(say("The gateway says nothing of this task."), status=200, task_id=task_id)
        job.keep_answer(status)
        settings = job.tools.settings()

        def adopt() -> TaskRow:
            return journal.adopt(task_id, base_url=settings.base_url, account=settings.account, context=job.context)

        row = await blocking(adopt)
    job.row = row
    if row.state in (TaskState.FAILED, TaskState.UNKNOWN):
        raise error_of_row(row)
    return Accepted(row, status=status)


def _gone(job: Job, row: TaskRow) -> Left | None:
    """Whether the request begins anew, as the row is no task any more. Raises what the task failed with."""
    if row.is_dropped:
        return Left.TAKEN_BACK
    if row.state in (TaskState.FAILED, TaskState.UNKNOWN):
        raise error_of_row(row)
    return Left.LOST if row.lost_at is not None and job.request is not None else None


async def _follow(job: Job, accepted: Accepted) -> Accepted | Left:
    """Waits while another living process has the task in hand; takes it over when that one died."""
    journal, row, looked = job.tools.journal, accepted.row, -CLAIM_GAP
    while row.state is not TaskState.COLLECTED:
        if gone := _gone(job, row):
            return gone
        if row.is_set_aside or row.lost_at is not None:
            break  # whoever has it in hand does not ask
        now = job.clock.monotonic()
        if now - looked >= CLAIM_GAP and row.state.is_open:
            looked = now
            if await job.background.blocking(journal.claim, row.id):
                break
        if not job.handles:
            return Left.STILL_RUNNING  # whoever has it in hand goes on
        job.phase = Phase.FOLLOWING
        await job.clock.sleep(FOLLOW_GAP)
        fresh = await job.background.blocking(journal.get, row.id)
        if fresh is None:
            return Left.TAKEN_BACK
        row = job.row = fresh
        if row.state.is_attachable:
            job.mark_created(row)
    return replace(accepted, row=row, in_hand=True)
