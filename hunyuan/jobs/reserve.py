"""What comes before a create: input images become URLs, a slot is waited for, and the row is written."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..journal.records import Attached, Begun, Busy, Limits, TaskRow, new_row_id
from ..models import ImageInput, ResolvedImage
from .background_loop import Pool
from .handle import Phase
from .job import Job
from .retry import backoff
from .steps import Accepted, Left, Requested, Reserved


async def prepare_inputs(job: Job, requested: Requested) -> tuple[str, ...]:
    """Every input image gets a URL, all at the same time; those that have one keep it."""
    if requested.inputs and not job.resolved:
        job.phase = Phase.PREPARING

        async def resolve(image: ImageInput) -> ResolvedImage:
            return await job.background.remote(Pool.UPLOADS, job.tools.sources.resolve, image)

        job.resolved = tuple(await asyncio.gather(*(resolve(image) for image in requested.inputs)))
    return tuple(image.url for image in job.resolved)


async def reserve(
    job: Job, requested: Requested, urls: tuple[str, ...], *, asked: float, attempt: int
) -> Reserved | Accepted | Left:
    """Waits for a slot, here and in the journal, and writes the row; or finds the same request under way.

    asked: monotonic seconds at which the request came. Raises CreditLimitError and JournalError.
    """
    limiter, busy = job.tools.limiter, 0
    group = (job.context.prompt_id, job.context.node_id)
    while True:
        job.phase = Phase.QUEUED
        if job.slot is None:
            job.slot = await limiter.acquire(group, first=attempt > 1 or busy > 0)
        began = both_clocks(job)
        found = await _begin(job, requested, job.clock.monotonic() - asked)
        if isinstance(found, Left):
            return found
        if isinstance(found, Attached):
            job.release_slot()
            job.row = found.row
            return Accepted(found.row)
        if isinstance(found, Begun):
            limiter.roomy()
            if job.is_wanted:
                job.row, job.paid = found.row, True
                return Reserved(requested.request, urls, found.row, began, attempt)
            await take_back(job, found.row)  # left while the row was written: nothing has been sent
            job.phase = Phase.QUEUED
        else:
            busy += 1
            pause = _make_room(job, found, busy)
        if not job.is_wanted:
            return Left.UNWANTED
        if isinstance(found, Busy):
            await job.clock.sleep(pause)


class _Unwanted(Exception):
    """Makes the journal write nothing."""


async def _begin(job: Job, requested: Requested, waited: float) -> Begun | Attached | Busy | Left:
    """Writes the row, unless nobody waits any more, or the process is about to end, when it is its turn."""
    settings = job.tools.settings()
    limits = Limits(settings.credit_limit_per_day, settings.credit_limit_per_session, settings.max_in_flight)
    job.intent = new_row_id()

    def check() -> None:
        if not job.is_wanted:
            raise _Unwanted

    def begin() -> Begun | Attached | Busy | Left:
        try:
            return job.tools.journal.begin(
                requested.request,
                base_url=settings.base_url,
                account=settings.account,
                context=job.context,
                limits=limits,
                reuse=requested.reuse,
                waited=waited,
                row_id=job.intent,
                check=check,
            )
        except _Unwanted:
            return Left.UNWANTED

    job.phase = Phase.RESERVING
    return await job.background.blocking(begin)


def _make_room(job: Job, found: Busy, busy: int) -> float:
    """All slots of the account are taken, or its creates rest: seconds until the next try. busy: how often in a row."""
    limiter = job.tools.limiter
    job.phase = Phase.QUEUED
    limiter.pause(found.retry_in)
    if not found.retry_in:
        limiter.crowded(found.in_flight, found.oldest)
    # Else it keeps its slot: who has none does not ask the journal, however many wait in all processes.
    if limiter.paused_for > 0 or limiter.in_flight > limiter.width:
        job.release_slot()
    return found.retry_in or backoff(busy, job.tools.chance(), first=0.2, longest=1.0)


async def take_back(job: Job, row: TaskRow) -> None:
    """The row of what was certainly not sent leaves the list, also one that the page has read meanwhile."""
    job.phase = Phase.RESERVING
    gone = await job.background.blocking(job.tools.journal.mark_dropped, row.id)
    job.tools.on_change(gone or replace(row, hidden=True))  # None: it went with its journal


def both_clocks(job: Job) -> tuple[float, float]:
    """The stop-watch, which a sleeping machine stops, and the clock, which somebody may set."""
    return job.clock.monotonic(), job.clock.time()
