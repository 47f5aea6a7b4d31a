"""From a finished task to its images on disk: download, verify by decoding, store. Costs nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from .. import addresses
from ..errors import (
    DownloadError,
    HunyuanError,
    JournalError,
    LinkDeadError,
    NotAnImageError,
    RateLimitedError,
    UnknownTaskError,
    UnreadableAnswerError,
)
from ..journal.records import TaskRow
from ..limits import GIVEN_UP_AFTER, MOST_LINKS, MOST_PIXELS
from ..models import StoredImage, TaskState, TaskStatus
from ..sentences import say, together
from .background_loop import Pool
from .handle import Decoded, Phase
from .job import JOURNAL_PAUSE, Job
from .poll import ALONE_TRIES, ask
from .retry import Next, after_download
from .steps import Finished, Left, Stored

DOWNLOAD_DEADLINE = 120.0  # seconds for one try at one image
PATIENT = 120.0  # seconds that a task is waited for which was taken for finished
LOOK_AGAIN = 3.0  # seconds between polls of a task that was taken for finished and is not


async def fetch(job: Job, finished: Finished) -> Stored:
    """Fetches the images of a finished task, verifies each by decoding and puts its bytes on disk.

    Links beyond what a task may have stay in the row: nothing of them is fetched."""
    job.phase = Phase.DOWNLOADING
    if not finished.images:
        raise LinkDeadError(say("The gateway gives no link to this task's image any more."), task_id=job.known_id)
    wanted = finished.images[: job.tools.most_images(finished.row.model)]
    try:
        got = await asyncio.gather(*(_fetch_one(job, finished.row, k, url) for k, url in enumerate(wanted)))
    except LinkDeadError as error:
        if await job.age(finished.row) > GIVEN_UP_AFTER:  # upstream has thrown it away: the same request is a new task
            await job.note(finished.row, job.tools.journal.mark_lost, error.what)
        raise
    files, only_here = [stored for stored, _ in got], finished.row.task_id is None
    row = await job.note(finished.row, job.tools.journal.mark_collected, files, only_here)
    try:
        await job.background.blocking(job.tools.results.evict)
    except (OSError, HunyuanError) as error:  # the image that was paid for is there
        job.tools.warn(f"Old results could not be removed: {error}")
    return Stored(row, tuple(decoded for _, decoded in got))


async def load(job: Job, row: TaskRow) -> Stored | Left:
    """The images of a collected task, from the disk alone; fetched again where the files are gone."""
    tools = job.tools

    def read() -> tuple[Decoded, ...]:
        return tuple(tools.decode(tools.results.read(stored), MOST_PIXELS) for stored in row.files)

    job.phase = Phase.DOWNLOADING
    try:
        return Stored(row, await job.background.remote(Pool.DOWNLOADS, read))
    except (OSError, HunyuanError) as error:
        tools.warn(f"The files of task {row.storage_id} cannot be read ({error}); fetching them again.")
    try:
        # The known link first: a gateway that no longer knows the task, or one server of it, must not cost a new image.
        images = row.urls if row.urls or row.task_id is None else (await ask(job, row)).images
        return await fetch(job, Finished(row, images))
    except (LinkDeadError, UnknownTaskError) as error:
        await job.note(row, tools.journal.mark_lost, error.what)
        if job.request is None:
            raise
        return Left.LOST


async def keep_inline(job: Job) -> None:
    """Where a job ends with an image that is only in memory, the journal takes it: no id could fetch it again."""
    while job.only_here is not None:
        row, status = job.only_here
        if job.tools.closing.begun:
            keep_beside(job, row, status)
        job.is_keeping = True
        try:
            await job.note(row, job.tools.journal.mark_succeeded, status.images, None, True)
        except JournalError as unwritten:
            job.tools.warn(f"An image that is paid for is only in memory, trying on: {unwritten.what}")
            await job.clock.sleep(JOURNAL_PAUSE)


def keep_beside(job: Job, row: TaskRow, status: TaskStatus) -> None:
    """At the end of the process such an image goes into a file too: the journal may be locked for longer than that.

    At once and on the loop itself: the answer may come in the last moment. A second call does nothing."""
    if job.is_kept_beside:
        return
    job.is_kept_beside = True
    try:
        job.tools.kept.add(row.id, status.images)
    except OSError as failure:
        job.tools.warn(f"An image that is paid for could not be kept in a file: {failure}")


async def _fetch_one(job: Job, row: TaskRow, index: int, url: str) -> tuple[StoredImage, Decoded]:
    tools, seen, since = job.tools, Counter[type[HunyuanError]](), job.clock.monotonic()
    given = url
    while True:
        await tools.limiter.resume()
        try:
            return await job.background.remote(Pool.DOWNLOADS, _download, job, row, index, url)
        except HunyuanError as error:
            seen[type(error)] += 1
            waited = job.clock.monotonic() - since
            decision = after_download(error, seen[type(error)], tools.chance(), since=waited)
            if isinstance(error, RateLimitedError) and _is_the_gateways(job, url):
                await job.pause_after_429(error)
            job.asked = job.asked or isinstance(error, DownloadError)  # the gateway's link was tried, to no good
            # The sweeper comes back to it; a file that is no image is seldom one a moment later.
            tries = 1 if isinstance(error, NotAnImageError) else ALONE_TRIES
            if decision.next is not Next.AGAIN or (not job.handles and seen.total() >= tries):
                if isinstance(error, LinkDeadError):
                    again = say("Run the node again while the task is young: it asks the gateway for the link anew.")
                    do = together(again, say("For a new image instead, for new credits, turn reuse off."))
                    raise error.but(do=do) from error.__cause__
                if isinstance(error, NotAnImageError) and url == given:  # it may never have been the image's
                    with suppress(HunyuanError):
                        url = await _fresh_link(job, row, index, url, patient=True)
                    if url != given:
                        seen.clear()
                        continue
                raise
            await job.clock.sleep(decision.delay)
            if isinstance(error, LinkDeadError):
                url = await _fresh_link(job, row, index, url)


def _is_the_gateways(job: Job, url: str) -> bool:
    """Whether a link is to the gateway itself: a file server's 429 says nothing of what the gateway takes."""
    link, gateway = addresses.parse(url), addresses.parse(job.tools.settings().base_url)
    return (link.host, link.port) == (gateway.host, gateway.port)


async def _fresh_link(job: Job, row: TaskRow, index: int, url: str, *, patient: bool = False) -> str:
    """The task's link as the gateway gives it now: a dead one may have been signed anew.

    patient: a task that still runs after all is waited for, while somebody waits for it.
    """
    if row.task_id is None:
        return url
    try:
        status = await ask(job, row)
        began = job.clock.monotonic()
        while patient and not status.is_final and not status.odd_word and job.handles:
            if job.clock.monotonic() - began > PATIENT:
                return url
            await job.clock.sleep(max(LOOK_AGAIN, status.retry_after or 0.0))
            status = await ask(job, row)
    except (UnknownTaskError, UnreadableAnswerError):
        return url  # the gateway gives none, but the one that is known may still come to life
    done = status.state is TaskState.SUCCEEDED
    if not done or index >= len(status.images) or status.images[index] == url:
        return url
    try:
        await job.note(row, job.tools.journal.mark_succeeded, status.images[:MOST_LINKS], None)
    except JournalError as unwritten:  # the image matters more than its link
        job.tools.warn(f"The new link of task {row.storage_id} could not be written down: {unwritten.what}")
    return status.images[index]


def _download(job: Job, row: TaskRow, index: int, url: str) -> tuple[StoredImage, Decoded]:
    """Blocking: download, decode (which verifies), store, and remember which content has which link."""
    tools, data = job.tools, b""
    try:
        data = tools.client.download(url, DOWNLOAD_DEADLINE)
        with tools.decoding.hold(row.id):
            decoded = tools.decode(data, row.size.most_pixels if row.size else MOST_PIXELS)
    except DownloadError as error:
        do, rejected = error.do, data or (error.body if isinstance(error, NotAnImageError) else b"")
        if rejected:
            kept = tools.results.keep_rejected(row.storage_id, index, rejected, tools.settings().redact)
            do = together(do, say("The bytes are kept for a look in {place}.", place=kept))
        raise error.but(task_id=row.storage_id, do=do) from error.__cause__
    link = "" if url.startswith("data:") else url
    stored = tools.results.store(row.storage_id, index, data, decoded.mime, link)
    if link and decoded.opaque:
        try:
            tools.sources.remember(f"pixels:{decoded.digest}", link)
        except JournalError as unwritten:  # the image matters more than that it need not be uploaded again
            tools.warn(f"The link of an image could not be remembered: {unwritten.what}")
    return stored, decoded
