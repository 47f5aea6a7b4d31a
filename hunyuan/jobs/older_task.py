"""A create that is refused because a task of the same request runs already (409): that task is the request's."""

from __future__ import annotations

from dataclasses import replace

from ..errors import JournalError, RejectedRequestError
from ..journal.records import TaskRow
from ..sentences import say
from .job import Job
from .steps import Accepted


async def attach_to_older(job: Job, own: TaskRow, task_id: str) -> Accepted | None:
    """The older task in place of the job's own row, which was not billed; None where there is no row of it.

    Then it is a task of another machine or journal: the job's own row stands for it, and counts it. So it does where
    the journal cannot be asked: the id must not be lost. Raises RejectedRequestError where the task is another
    request's: then the gateway only says what is in the way.
    """
    try:
        return await _attach(job, own, task_id)
    except JournalError:
        return None


async def _attach(job: Job, own: TaskRow, task_id: str) -> Accepted | None:
    journal = job.tools.journal
    older = await job.background.blocking(journal.by_task_id, task_id, own.base_url)
    if older is None:  # then it may be the one whose create was never answered
        older = await job.background.blocking(journal.lost_answer, own.fingerprint, own.account)
    if older is None or older.id == own.id or not older.is_for(job.context.user):
        return None
    if older.fingerprint not in ("", own.fingerprint) and _asked(older) != _asked(own):
        raise RejectedRequestError(
            say(
                "The gateway refuses this request as long as task {task_id} runs, which is another's.", task_id=task_id
            ),
            do=say("Run the node again when that task has ended."),
        )
    if older.task_id is None:
        older = await job.background.blocking(journal.mark_submitted, older.id, task_id)
    if older is None or not older.state.is_attachable:
        return None
    gone = await job.background.blocking(journal.mark_dropped, own.id)
    job.tools.on_change(gone or replace(own, hidden=True))
    job.row, job.paid = older, False
    job.tools.on_change(older)
    job.release_slot()
    return Accepted(older)


def _asked(row: TaskRow) -> tuple[object, ...]:
    """What was sent, as far as a row knows it: not which of several same ones it is."""
    what = row.model, row.type, row.prompt, row.size, row.seed, row.parameters, row.choices
    return *what, row.image_fields, row.images
