"""Asks for an accepted task until the gateway says how it ended. Costs nothing, may be tried for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from functools import partial

from ..errors import (
    AnswerTooLargeError,
    AuthenticationError,
    HunyuanError,
    Money,
    RejectedRequestError,
    SettingsError,
    UnknownTaskError,
)
from ..journal.record_errors import error_of_row
from ..journal.records import TaskRow
from ..limits import MOST_LINKS, SLOT_PATIENCE
from ..models import TaskState, TaskStatus
from ..sentences import say, together
from .background_loop import Pool
from .handle import Phase
from .job import Job
from .poll_times import aim, measured, next_poll, plan
from .retry import Known, Next, after_poll
from .stalling import note_answer, note_trouble
from .steps import Accepted, Finished, Left
from .timeouts import ago

AIM_LATE = 1.0075  # of a gateway's progress: in whole percent it may be rounded up, and an aim too early is a miss
ALONE_TRIES = 3  # of a step that nobody waits for; the sweeper comes back to it


async def poll(job: Job, accepted: Accepted) -> Finished | Left:
    """Polls until the gateway says done; raises its words when it says failed, or what no poll gets past."""
    job.phase = Phase.WAITING
    row, status, seconds = accepted.row, accepted.status, None
    if row.state is TaskState.SUCCEEDED and row.urls and status is None:
        return Finished(row, row.urls)
    if status is None or not status.is_final:
        ended = await _poll_to_the_end(job, accepted)
        if isinstance(ended, Left):
            return ended
        status, seconds = ended
    return await _write_end(job, job.row or row, status, seconds)


async def _poll_to_the_end(job: Job, accepted: Accepted) -> tuple[TaskStatus, float | None] | Left:
    """The gateway's last word, and the seconds that the task took where polls could tell."""
    row, tools, clock = accepted.row, job.tools, job.clock
    pending: float | None = None
    measurable = accepted.created_at is not None  # its duration, from the create on
    job.created_at = began = clock.monotonic() - await job.age(row)
    history = await job.background.blocking(tools.durations.recent, row.type, row.size, row.model, row.choices)
    times, silence, said, missed = plan(history, tools.chance()), tools.journal.workers.silence, job.answered, False
    while True:
        if measurable:
            missed = await _pause(job, began, times, said, missed)
        if tools.journal.workers.silence != silence:
            silence = tools.journal.workers.silence
            if not await job.background.blocking(tools.journal.claim, row.id):
                return Left.TAKEN_OVER
        said = await ask(job, row)
        job.keep_answer(said)
        elapsed = clock.monotonic() - began
        if said.state is TaskState.SUCCEEDED and measurable:
            seconds = measured(pending, elapsed, aimed=bool(history))
            tools.durations.add(row.type, row.size, seconds, row.model, row.choices)
            return said, seconds
        if said.is_final:  # how soon a task fails says nothing of how long others run
            return said, None
        pending, measurable = elapsed, True
        if said.state is not row.state:
            row = await job.note(row, tools.journal.mark_progress, said.state)
        if not job.handles and (isinstance(job.wanted, TaskRow) or elapsed > SLOT_PATIENCE):
            return Left.STILL_RUNNING


async def _pause(job: Job, began: float, times: Iterator[float], said: TaskStatus | None, missed: bool) -> bool:
    """Waits for the time of the next poll; somebody who begins to wait ends the pause.

    missed: whether the gateway's own progress has aimed too early; given again, as it stands after the pause.
    """
    elapsed = job.clock.monotonic() - began
    if elapsed > SLOT_PATIENCE:
        job.release_slot()
    aimed = aim(elapsed, said.progress) if said and not missed else None
    aimed = None if aimed is None else aimed * AIM_LATE
    at = next_poll(times, elapsed, aimed, said.retry_after if said else None)
    job.joined.clear()
    sleeping = asyncio.ensure_future(job.clock.sleep(at - elapsed))
    joined = asyncio.ensure_future(job.joined.wait())
    try:
        await asyncio.wait({sleeping, joined}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        joined.cancel()
    return missed or (aimed is not None and at >= aimed)


async def ask(job: Job, row: TaskRow | str) -> TaskStatus:
    """Asks until the gateway gives a readable answer; raises what asking again does not mend.

    row: the task's, or the id that somebody typed.
    """
    tools, seen, inline = job.tools, Counter[type[HunyuanError]](), False
    known = row if isinstance(row, TaskRow) else None
    task_id = row if isinstance(row, str) else row.task_id or job.task_id or row.id
    while True:
        await tools.limiter.wait_to_poll()
        try:
            _check_gateway(job, known)
            work = partial(tools.client.status, task_id, job.input_urls, inline=inline)
            status = await job.background.remote(Pool.POLLS, work)
        except HunyuanError as error:
            if isinstance(error, AnswerTooLargeError) and job.handles and not inline:
                inline = True  # it may be the image itself, and somebody waits for it
                continue
            seen[type(error)] += 1
            age = await job.age(known)
            decision = after_poll(error, seen[type(error)], tools.chance(), age=age, known=_how_known(job, known))
            await job.pause_after_429(error)
            again = decision.next is Next.AGAIN
            await note_trouble(job, error, for_good=not again)
            if not again or (not job.handles and seen.total() >= ALONE_TRIES):
                raise await _told(job, known, error, decision.next, age) from error.__cause__
            if age > SLOT_PATIENCE:
                job.release_slot()
            await job.clock.sleep(decision.delay)
        else:
            await note_answer(job, status)
            return status


def _check_gateway(job: Job, row: TaskRow | None) -> None:
    """Another gateway knows nothing of the task, and what it says of the id must not count."""
    base_url = job.tools.settings().base_url
    if row is not None and row.base_url and row.base_url != base_url:
        raise SettingsError(
            say("This task was created at {its}; the base URL is {base_url} now.", its=row.base_url, base_url=base_url),
            do=say("Set the base URL back to collect it."),
            money=Money.UNTOUCHED,
            task_id=row.task_id,
        )


def _how_known(job: Job, row: TaskRow | None) -> Known:
    """What this process knows of the task, by which a 404 is judged: another key's says nothing."""
    if row is None:
        return Known.BY_NAME
    return Known.AS_OURS if row.account == job.tools.settings().account else Known.AS_ANOTHER_KEYS


async def _told(job: Job, row: TaskRow | None, error: HunyuanError, then: Next, age: float) -> HunyuanError:
    """What is raised where no further poll follows. A task that is gone is still counted, and not asked for again."""
    missing = isinstance(error, UnknownTaskError) or type(error) is RejectedRequestError
    if not missing or row is None or then is Next.AGAIN:
        return error
    if _how_known(job, row) is Known.AS_ANOTHER_KEYS:
        return AuthenticationError(
            say("The gateway does not give this task to the API key that is set: it was created with another one."),
            do=say("Set that key again to collect it."),
            task_id=row.task_id,
        )
    if then is Next.REPORT:
        again = say("Run the same again later: it asks for this task once more, at no cost.")
        return error.but(
            why=together(say("It accepted it {age} ago.", age=ago(age)), error.why),
            do=together(again, say("For a new image instead, for new credits, turn reuse off.")),
            money=Money.MAYBE_SPENT,
        )
    if not row.urls:  # else its link is known and may still work
        await job.note(row, job.tools.journal.mark_lost, error.what)
    return error.but(money=Money.MAYBE_SPENT)


async def _write_end(job: Job, row: TaskRow, status: TaskStatus, seconds: float | None) -> Finished:
    """Writes down how the task ended. An image that is only in the answer has no state of its own: it goes to the
    disk."""
    journal, urls = job.tools.journal, [url for url in status.images if not url.startswith("data:")][:MOST_LINKS]
    try:
        row = await job.note_charged(row)
        if status.state is TaskState.FAILED:
            row = await job.note(row, journal.mark_failed, status.gateway_code or "task_failed", status.words, True)
        elif urls:
            row = await job.note(row, journal.mark_succeeded, urls, seconds, row.task_id is None)
    finally:
        job.release_slot()  # only now: who gets it must not find this task still running in the journal
    if status.state is not TaskState.FAILED:
        return Finished(row, status.images)
    if row.error_code == "1402":
        await job.forget_inputs()
    raise error_of_row(row)
