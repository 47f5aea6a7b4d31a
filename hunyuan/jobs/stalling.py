"""A task of which the gateway says nothing usable takes no slot, here and in the journal's count of all processes.

Finished in a way that nobody can read, not known, or not to be asked for: it stays open and is asked for again, but
what is new need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import HunyuanError, JournalError, RateLimitedError, ServerError, UnknownTaskError, UnreadableAnswerError
from ..journal.records import STALLED
from ..models import TaskState, TaskStatus
from ..sentences import Sentence, say
from .job import Job

if TYPE_CHECKING:
    from ..journal.records import TaskRow

# Seconds without a usable answer. A restart of the gateway takes less, and its tasks go on meanwhile.
STALLS_AFTER = 60.0


async def note_answer(job: Job, status: TaskStatus) -> None:
    """A poll was answered with the task's state: while it runs, it is in flight again.

    A status that nobody knows may be any: it is waited for, but without progress it holds a slot as long as silence.
    """
    job.trouble, job.asked = None, True
    if status.odd_word and status.progress is None:
        if _is_silent(job):
            await _stall(job, say('The gateway gives the unknown status "{word}".', word=status.odd_word))
        return
    job.heard_at = job.clock.monotonic()
    row = job.row
    if row is not None and row.error_code == STALLED and status.state in (TaskState.SUBMITTED, TaskState.RUNNING):
        await _write(job, row, job.tools.journal.mark_resumed)


async def note_trouble(job: Job, error: HunyuanError, *, for_good: bool) -> None:
    """A poll failed. for_good: asking again soon does not mend it."""
    job.trouble = error
    job.asked = job.asked or _is_answer(job, error)
    silent = _is_silent(job)
    if not isinstance(error, RateLimitedError) and (for_good or silent):  # a 429 keeps back by itself all that is new
        await _stall(job, error.what)


def _is_silent(job: Job) -> bool:
    if job.heard_at is None:
        job.heard_at = job.clock.monotonic() if job.created_at is None else job.created_at
    return job.clock.monotonic() - job.heard_at >= STALLS_AFTER


async def _stall(job: Job, why: Sentence | str) -> None:
    job.release_slot()
    row = job.row
    if row is not None and not row.error_code and row.state in (TaskState.SUBMITTED, TaskState.RUNNING):
        await _write(job, row, job.tools.journal.mark_stalled, why)


async def _write(job: Job, row: TaskRow, step: Callable[..., TaskRow | None], *arguments: object) -> None:
    try:
        await job.note(row, step, *arguments)
    except JournalError as unwritten:  # what counts as in flight is wrong for a while, no more
        job.tools.warn(f"Whether task {job.known_id} takes a slot could not be written down: {unwritten.what}")


def _is_answer(job: Job, error: HunyuanError) -> bool:
    """Whether the gateway has spoken of the task, though there is no such task, or nobody can read it."""
    if isinstance(error, UnknownTaskError):  # to another key it says nothing
        return job.row is None or job.row.account == job.tools.settings().account
    if isinstance(error, ServerError):
        return error.status < 300  # it says that something failed, again and again
    return isinstance(error, UnreadableAnswerError) and error.is_json
