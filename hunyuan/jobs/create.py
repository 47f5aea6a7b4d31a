"""From a request to a task that the gateway has accepted, at most once.

Look-up → input images to URLs → slot → journal: intent → create → journal: task id. An exception at any
arrow leaves either nothing or a row from which the next attempt goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..errors import BillingUnknownError, HunyuanError, InputUnreachableError, JournalError, Money, RateLimitedError
from ..journal.records import Attached, Begun, Busy, Limits, TaskRow, new_row_id
from ..models import ImageInput, ResolvedImage, TaskStatus
from .handle import Phase
from .job import Job
from .older_task import attach_to_older
from .retry import Next, after_create, backoff

CREATE_TIMEOUT = 180.0  # seconds: the gateway may answer with the finished image itself
JOURNAL_PAUSE = 5.0  # seconds between tries to write down an id that must not be lost
# Seconds after which an intent is not sent any more: a machine that slept may count as dead by then, and the same
# request may have been asked for anew elsewhere. Under the journal's 30, and above what a slow `begin` takes (15).
INTENT_LASTS = 20.0


class _TooLate(Exception):
    """The intent is older than INTENT_LASTS, or the process is about to end: nothing was sent."""


class _Unwanted(Exception):
    """Nobody waits any more, or the process is about to end: no row was written."""


async def obtain_row(job: Job) -> None:
    """Gives the job a row: one of a task that is already paid for, or of one created now.

    Raises what the create failed with, CreditLimitError, JournalError, InputImageError.
    """
    assert job.request is not None
    tools, asked, attempt, busy = job.tools, job.clock.monotonic(), 0, 0
    if job.reuse and not job.counts and await _attach(job):  # what counts as new was looked up for the limits
        return
    await _prepare_inputs(job)
    while True:
        job.phase = Phase.QUEUED
        context = job.options.context
        if job.slot is None:
            job.slot = await tools.limiter.acquire((context.prompt_id, context.node_id), first=attempt + busy > 0)
        begun = _both_clocks(job)
        try:
            outcome = await _begin(job, job.clock.monotonic() - asked)
        except _Unwanted:
            raise asyncio.CancelledError from None
        if isinstance(outcome, Attached):
            job.release_slot()
            job.row = outcome.row
            return
        if isinstance(outcome, Busy):
            busy += 1
            await _wait_for_room(job, outcome, busy)
            continue
        attempt += 1
        tools.limiter.roomy()
        if not job.is_wanted:  # left while the intent was written down: nothing has been sent
            await _take_back(job, outcome.row)
        _stay_wanted(job)
        job.row, job.paid = outcome.row, True
        delay = await _create(job, attempt, begun)
        if delay is None:
            return
        job.row, job.paid = None, False
        job.phase = Phase.QUEUED  # nothing arrived: nodes may leave
        _stay_wanted(job)
        await job.clock.sleep(delay)


async def _wait_for_room(job: Job, outcome: Busy, busy: int) -> None:
    """All slots of the account are taken, or its creates rest. busy: how often in a row that was so."""
    limiter = job.tools.limiter
    job.phase = Phase.QUEUED
    limiter.pause(outcome.retry_in)
    if not outcome.retry_in:
        limiter.crowded(outcome.in_flight, outcome.oldest)
    # Else it keeps its slot: who has none does not ask the journal, however many wait in all processes.
    if limiter.paused_for > 0 or limiter.in_flight > limiter.width:
        job.release_slot()
    _stay_wanted(job)
    await job.clock.sleep(outcome.retry_in or backoff(busy, job.tools.chance(), first=0.2, longest=1.0))


def _stay_wanted(job: Job) -> None:
    """Ends the road where nothing was sent and nothing is to be any more."""
    if not job.is_wanted:
        raise asyncio.CancelledError


async def _attach(job: Job) -> bool:
    assert job.request is not None
    fingerprint = job.request.fingerprint(job.tools.settings().base_url)
    job.row = await job.blocking(job.tools.journal.find_reusable, fingerprint)
    return job.row is not None


async def _prepare_inputs(job: Job) -> None:
    """Every input image gets a URL, all at the same time."""
    if job.inputs and not job.resolved:
        job.phase = Phase.PREPARING

        async def resolve(image: ImageInput) -> ResolvedImage:
            return await job.remote(job.tools.sources.resolve, image)

        job.resolved = tuple(await asyncio.gather(*(resolve(image) for image in job.inputs)))


async def _begin(job: Job, waited: float) -> Begun | Attached | Busy:
    assert job.request is not None
    settings = job.tools.settings()
    limits = Limits(settings.credit_limit_per_day, settings.credit_limit_per_session, settings.max_in_flight)
    request, context, reuse = job.request, job.options.context, job.reuse
    job.intent = new_row_id()

    def check() -> None:
        if not job.is_wanted:
            raise _Unwanted

    def begin() -> Begun | Attached | Busy:
        return job.tools.journal.begin(
            request,
            base_url=settings.base_url,
            account=settings.account,
            context=context,
            limits=limits,
            reuse=reuse,
            waited=waited,
            row_id=job.intent,
            check=check,
        )

    job.phase = Phase.RESERVING
    return await job.blocking(begin)


def _both_clocks(job: Job) -> tuple[float, float]:
    """The stop-watch, which a sleeping machine stops, and the clock, which somebody may set."""
    return job.clock.monotonic(), job.clock.time()


async def _create(job: Job, attempt: int, begun: tuple[float, float]) -> float | None:
    """Sends the create once. None: accepted. Seconds: certainly not arrived, wait so long and begin again."""
    tools, row, request = job.tools, job.row, job.request
    assert row is not None and request is not None
    urls = [image.url for image in job.resolved]

    def send() -> TaskStatus:
        age = max(now - then for now, then in zip(_both_clocks(job), begun, strict=True))
        if age > INTENT_LASTS or tools.closing.begun:
            raise _TooLate
        return tools.client.create(request, urls, CREATE_TIMEOUT)

    job.phase = Phase.SENDING
    try:
        status = await job.remote(send)
    except _TooLate:
        await _take_back(job, row)
        job.release_slot()
        return 0.0
    except HunyuanError as error:
        return await _refused(job, row, error, attempt)
    except Exception as defect:
        await job.note(tools.journal.unknown, f"a defect of this pack: {defect!r}")
        raise
    tools.limiter.accepted()
    if status.is_older and status.task_id and await attach_to_older(job, status.task_id):
        return None
    job.created_at = None if status.is_older else job.clock.monotonic()
    await _write_down(job, status)
    return None


async def _take_back(job: Job, row: TaskRow) -> None:
    """The row of what was certainly not sent leaves the list, also one that the page has read meanwhile."""
    job.phase = Phase.RESERVING
    gone = await job.blocking(job.tools.journal.dropped, row.id)
    job.tools.on_change(gone or replace(row, hidden=True))  # None: it went with its journal


async def _refused(job: Job, row: TaskRow, error: HunyuanError, attempt: int) -> float:
    """What follows a create that failed; gives the delay where it may be sent again, raises otherwise."""
    journal = job.tools.journal
    decision = after_create(error, attempt, job.tools.chance())
    # The row comes first: whatever fails after it must not leave the task as if its create were still under way.
    if decision.next is Next.AGAIN:
        await _take_back(job, row)
    elif decision.next is Next.UNKNOWN:
        await job.note(journal.unknown, error.what)
    else:
        await job.note(journal.failed, error.code, error.what, False)
    try:
        await job.heed(error)
    finally:
        job.release_slot()  # only now: after a 429 who gets it must wait out the pause
    if decision.next is Next.AGAIN:
        return 0.0 if isinstance(error, RateLimitedError) else decision.delay
    if decision.next is Next.UNKNOWN:
        raise BillingUnknownError(
            f"The create was sent, but its answer is lost: {error.what}",
            why=error.why,
            do="Look at your usage at the gateway; running again sends it anew.",
        ) from None
    if isinstance(error, InputUnreachableError):
        await job.forget_inputs()
    raise error.but(money=Money.NOT_SPENT)


async def _write_down(job: Job, status: TaskStatus) -> None:
    """The task id goes into the journal the moment it arrives; a finished image stays in memory until it is on disk."""
    assert job.row is not None
    job.hear(status)
    job.phase = Phase.WAITING
    if status.task_id is not None:
        job.task_id = status.task_id
        await _insist(job, status.task_id)
        await job.note_charged()
    else:
        job.tools.on_change(job.row)
    job.mark_created()


async def _insist(job: Job, task_id: str) -> None:
    """A paid task's id is not given up because a disk is full: told loudly, and tried until it is written."""
    assert job.row is not None
    told = False
    while True:
        try:
            await job.note(job.tools.journal.submitted, task_id)
            return
        except JournalError as error:
            if not told:
                job.tools.warn(f"Task {task_id} is paid for but could not be written down, trying on: {error}")
            told = True
            await job.clock.sleep(JOURNAL_PAUSE)
        except asyncio.CancelledError:  # the process ends before a slow journal has it
            job.tools.journal.keep(job.row.id, task_id)
            raise
