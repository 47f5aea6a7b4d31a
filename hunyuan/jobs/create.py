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
from .background_loop import Pool
from .handle import Phase
from .job import Driver
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


async def obtain_row(driver: Driver) -> None:
    """Gives the driver a row: one of a task that is already paid for, or of one created now.

    Raises what the create failed with, CreditLimitError, JournalError, InputImageError.
    """
    assert driver.request is not None
    tools, asked, attempt, busy = driver.tools, driver.clock.monotonic(), 0, 0
    if driver.reuse and not driver.counts and await _attach(driver):  # what counts as new was looked up for the limits
        return
    await _prepare_inputs(driver)
    while True:
        driver.phase = Phase.QUEUED
        context = driver.options.context
        if driver.slot is None:
            driver.slot = await tools.limiter.acquire((context.prompt_id, context.node_id), first=attempt + busy > 0)
        begun = _both_clocks(driver)
        try:
            outcome = await _begin(driver, driver.clock.monotonic() - asked)
        except _Unwanted:
            raise asyncio.CancelledError from None
        if isinstance(outcome, Attached):
            driver.release_slot()
            driver.row = outcome.row
            return
        if isinstance(outcome, Busy):
            busy += 1
            await _wait_for_room(driver, outcome, busy)
            continue
        attempt += 1
        tools.limiter.roomy()
        if not driver.is_wanted:  # left while the intent was written down: nothing has been sent
            await _take_back(driver, outcome.row)
        _stay_wanted(driver)
        driver.row, driver.paid = outcome.row, True
        delay = await _create(driver, attempt, begun)
        if delay is None:
            return
        driver.row, driver.paid = None, False
        driver.phase = Phase.QUEUED  # nothing arrived: nodes may leave
        _stay_wanted(driver)
        await driver.clock.sleep(delay)


async def _wait_for_room(driver: Driver, outcome: Busy, busy: int) -> None:
    """All slots of the account are taken, or its creates rest. busy: how often in a row that was so."""
    limiter = driver.tools.limiter
    driver.phase = Phase.QUEUED
    limiter.pause(outcome.retry_in)
    if not outcome.retry_in:
        limiter.crowded(outcome.in_flight, outcome.oldest)
    # Else it keeps its slot: who has none does not ask the journal, however many wait in all processes.
    if limiter.paused_for > 0 or limiter.in_flight > limiter.width:
        driver.release_slot()
    _stay_wanted(driver)
    await driver.clock.sleep(outcome.retry_in or backoff(busy, driver.tools.chance(), first=0.2, longest=1.0))


def _stay_wanted(driver: Driver) -> None:
    """Ends the road where nothing was sent and nothing is to be any more."""
    if not driver.is_wanted:
        raise asyncio.CancelledError


async def _attach(driver: Driver) -> bool:
    assert driver.request is not None
    fingerprint = driver.request.fingerprint(driver.tools.settings().base_url)
    driver.row = await driver.blocking(driver.tools.journal.find_reusable, fingerprint)
    return driver.row is not None


async def _prepare_inputs(driver: Driver) -> None:
    """Every input image gets a URL, all at the same time."""
    if driver.inputs and not driver.resolved:
        driver.phase = Phase.PREPARING

        async def resolve(image: ImageInput) -> ResolvedImage:
            return await driver.remote(Pool.UPLOADS, driver.tools.sources.resolve, image)

        driver.resolved = tuple(await asyncio.gather(*(resolve(image) for image in driver.inputs)))


async def _begin(driver: Driver, waited: float) -> Begun | Attached | Busy:
    assert driver.request is not None
    settings = driver.tools.settings()
    limits = Limits(settings.credit_limit_per_day, settings.credit_limit_per_session, settings.max_in_flight)
    request, context, reuse = driver.request, driver.options.context, driver.reuse
    driver.intent = new_row_id()

    def check() -> None:
        if not driver.is_wanted:
            raise _Unwanted

    def begin() -> Begun | Attached | Busy:
        return driver.tools.journal.begin(
            request,
            base_url=settings.base_url,
            account=settings.account,
            context=context,
            limits=limits,
            reuse=reuse,
            waited=waited,
            row_id=driver.intent,
            check=check,
        )

    driver.phase = Phase.RESERVING
    return await driver.blocking(begin)


def _both_clocks(driver: Driver) -> tuple[float, float]:
    """The stop-watch, which a sleeping machine stops, and the clock, which somebody may set."""
    return driver.clock.monotonic(), driver.clock.time()


async def _create(driver: Driver, attempt: int, begun: tuple[float, float]) -> float | None:
    """Sends the create once. None: accepted. Seconds: certainly not arrived, wait so long and begin again."""
    tools, row, request = driver.tools, driver.row, driver.request
    assert row is not None and request is not None
    urls = [image.url for image in driver.resolved]

    def send() -> TaskStatus:
        age = max(now - then for now, then in zip(_both_clocks(driver), begun, strict=True))
        if age > INTENT_LASTS or tools.closing.begun:
            raise _TooLate
        return tools.client.create(request, urls, CREATE_TIMEOUT)

    driver.phase = Phase.SENDING
    try:
        status = await driver.remote(Pool.CREATES, send)
    except _TooLate:
        await _take_back(driver, row)
        driver.release_slot()
        return 0.0
    except HunyuanError as error:
        return await _refused(driver, row, error, attempt)
    except Exception as defect:
        await driver.note(tools.journal.unknown, f"a defect of this pack: {defect!r}")
        raise
    tools.limiter.accepted()
    if status.is_older and status.task_id and await attach_to_older(driver, status.task_id):
        return None
    driver.created_at = None if status.is_older else driver.clock.monotonic()
    await _write_down(driver, status)
    return None


async def _take_back(driver: Driver, row: TaskRow) -> None:
    """The row of what was certainly not sent leaves the list, also one that the page has read meanwhile."""
    driver.phase = Phase.RESERVING
    gone = await driver.blocking(driver.tools.journal.dropped, row.id)
    driver.tools.on_change(gone or replace(row, hidden=True))  # None: it went with its journal


async def _refused(driver: Driver, row: TaskRow, error: HunyuanError, attempt: int) -> float:
    """What follows a create that failed; gives the delay where it may be sent again, raises otherwise."""
    journal = driver.tools.journal
    decision = after_create(error, attempt, driver.tools.chance())
    # The row comes first: whatever fails after it must not leave the task as if its create were still under way.
    if decision.next is Next.AGAIN:
        await _take_back(driver, row)
    elif decision.next is Next.UNKNOWN:
        await driver.note(journal.unknown, error.what)
    else:
        await driver.note(journal.failed, error.code, error.what, False)
    try:
        await driver.heed(error)
    finally:
        driver.release_slot()  # only now: after a 429 who gets it must wait out the pause
    if decision.next is Next.AGAIN:
        return 0.0 if isinstance(error, RateLimitedError) else decision.delay
    if decision.next is Next.UNKNOWN:
        raise BillingUnknownError(
            f"The create was sent, but its answer is lost: {error.what}",
            why=error.why,
            do="Look at your usage at the gateway; running again sends it anew.",
        ) from None
    if isinstance(error, InputUnreachableError):
        await driver.forget_inputs()
    raise error.but(money=Money.NOT_SPENT)


async def _write_down(driver: Driver, status: TaskStatus) -> None:
    """The task id goes into the journal the moment it arrives; a finished image stays in memory until it is on disk."""
    assert driver.row is not None
    driver.hear(status)
    driver.phase = Phase.WAITING
    if status.task_id is not None:
        driver.task_id = status.task_id
        await _insist(driver, status.task_id)
        await driver.note_charged()
    else:
        driver.tools.on_change(driver.row)
    driver.settled()


async def _insist(driver: Driver, task_id: str) -> None:
    """A paid task's id is not given up because a disk is full: told loudly, and tried until it is written."""
    assert driver.row is not None
    told = False
    while True:
        try:
            await driver.note(driver.tools.journal.submitted, task_id)
            return
        except JournalError as error:
            if not told:
                driver.tools.warn(f"Task {task_id} is paid for but could not be written down, trying on: {error}")
            told = True
            await driver.clock.sleep(JOURNAL_PAUSE)
        except asyncio.CancelledError:  # the process ends before a slow journal has it
            driver.tools.journal.keep(driver.row.id, task_id)
            raise
