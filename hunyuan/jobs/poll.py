"""From an accepted task to its image on disk: poll, download, verify, store. Costs nothing, may be tried for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from ..errors import (
    AuthenticationError,
    DownloadError,
    HunyuanError,
    JournalError,
    LinkDeadError,
    Money,
    NotAnImageError,
    SettingsError,
    UnknownTaskError,
    UnreadableAnswerError,
)
from ..journal.record_errors import error_of_row
from ..journal.records import TaskRow
from ..models import SLOT_PATIENCE, StoredImage, TaskState, TaskStatus
from .background_loop import Pool
from .handle import Decoded, Phase
from .job import Driver, StillRunning, TakenBack, TakenOver
from .retry import Known, Next, after_download, after_poll, measured, next_poll, poll_times
from .stalling import heard, troubled
from .timeouts import ago

DOWNLOAD_DEADLINE = 120.0  # seconds for one try at one image
ALONE_TRIES = 3  # of a step that nobody waits for; the collector comes back to it
JOURNAL_PAUSE = 5.0  # seconds between tries to write down what must not be lost
FOLLOW_GAP, CLAIM_GAP = 0.3, 5.0  # seconds between looks at a row that another process has in hand


async def follow(driver: Driver) -> None:
    """Waits while another living process has the task in hand; takes it over when that one died.

    Raises TakenBack where that process did not send it after all.
    """
    journal, looked = driver.tools.journal, -CLAIM_GAP
    while driver.row is not None and driver.row.state is not TaskState.COLLECTED:
        if driver.row.is_dropped:
            raise TakenBack
        if driver.row.state in (TaskState.FAILED, TaskState.UNKNOWN):
            raise error_of_row(driver.row)
        now = driver.clock.monotonic()
        if now - looked >= CLAIM_GAP and driver.row.state.is_open:
            looked = now
            if await driver.blocking(journal.claim, driver.row.id):
                return
        if not driver.watches:
            raise StillRunning  # whoever has it in hand goes on
        driver.phase = Phase.FOLLOWING
        await driver.clock.sleep(FOLLOW_GAP)
        driver.row = await driver.blocking(journal.get, driver.row.id)
        if driver.row is not None and driver.row.state.is_attachable:
            driver.settled()
    if driver.row is None:
        raise TakenBack


async def await_success(driver: Driver) -> None:
    """Polls until the gateway says done; raises its words when it says failed, or what no poll gets past.

    Raises StillRunning where it is not done and nobody waits for it, TakenOver where another process has it.
    """
    row = driver.row
    assert row is not None
    driver.phase = Phase.WAITING
    if row.state is TaskState.SUCCEEDED and row.urls and driver.answered is None:
        driver.answered = TaskStatus(TaskState.SUCCEEDED, row.task_id, row.urls)
        return
    if driver.answered is None or not _is_final(driver.answered):
        await _poll_to_the_end(driver)
    await _heed(driver)


def _is_final(status: TaskStatus) -> bool:
    return status.state in (TaskState.SUCCEEDED, TaskState.FAILED)


async def _poll_to_the_end(driver: Driver) -> None:
    row, tools, clock = driver.row, driver.tools, driver.clock
    assert row is not None
    pending: float | None = None
    from_start = driver.created_at is not None  # only then can its duration be measured
    if driver.created_at is None:
        driver.created_at = clock.monotonic() - await driver.age()
    history = await driver.blocking(tools.durations.recent, row.type, row.size)
    times, silence = poll_times(history, tools.chance()), tools.journal.silence
    while True:
        if from_start or pending is not None:
            await _pause(driver, times)
        if tools.journal.silence != silence:
            silence = tools.journal.silence
            if not await driver.blocking(tools.journal.claim, row.id):
                raise TakenOver
        status = await poll(driver)
        driver.hear(status)
        elapsed = clock.monotonic() - driver.created_at
        if _is_final(status):
            succeeded = status.state is TaskState.SUCCEEDED  # how soon a task fails says nothing of how long others run
            if succeeded and (from_start or pending is not None):
                driver.seconds = measured(pending, elapsed, aimed=bool(history))
                tools.durations.add(row.type, row.size, driver.seconds)
            return
        pending = elapsed
        if status.state is not row.state:
            row = await driver.note(tools.journal.progress, status.state)
        if not driver.watches and (driver.quiet or elapsed > SLOT_PATIENCE):
            raise StillRunning


async def _pause(driver: Driver, times: Iterator[float]) -> None:
    """Waits for the time of the next poll; somebody who begins to watch ends the wait."""
    assert driver.created_at is not None
    elapsed = driver.clock.monotonic() - driver.created_at
    if elapsed > SLOT_PATIENCE:
        driver.release_slot()
    said = driver.answered
    at = next_poll(times, elapsed, said.progress if said else None, said.retry_after if said else None)
    driver.nudged.clear()
    sleeping = asyncio.ensure_future(driver.clock.sleep(at - elapsed))
    nudged = asyncio.ensure_future(driver.nudged.wait())
    try:
        await asyncio.wait({sleeping, nudged}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        nudged.cancel()


async def poll(driver: Driver) -> TaskStatus:
    """Asks until the gateway gives a readable answer; raises what asking again does not mend."""
    tools, seen = driver.tools, Counter[type[HunyuanError]]()
    task_id = driver.task_id or (driver.row.task_id if driver.row else None)
    assert task_id is not None
    while True:
        await tools.limiter.resume()
        try:
            _check_gateway(driver)
            status = await driver.remote(Pool.POLLS, tools.client.status, task_id, driver.input_urls)
        except HunyuanError as error:
            seen[type(error)] += 1
            age = await driver.age()
            known = _is_known(driver)
            decision = after_poll(error, seen[type(error)], tools.chance(), age=age, known=known)
            await driver.heed(error)
            given_up = decision.next is not Next.AGAIN or (not driver.watches and seen.total() >= ALONE_TRIES)
            await troubled(driver, error, for_good=decision.next is not Next.AGAIN)
            if given_up:
                raise await _last_word(driver, error, decision.next, age) from error.__cause__
            if age > SLOT_PATIENCE:
                driver.release_slot()
            await driver.clock.sleep(decision.delay)
        else:
            await heard(driver, status)
            return status


def _check_gateway(driver: Driver) -> None:
    """Another gateway knows nothing of the task, and what it says of the id must not count."""
    row, base_url = driver.row, driver.tools.settings().base_url
    if row is not None and row.base_url and row.base_url != base_url:
        raise SettingsError(
            f"This task was created at {row.base_url}; the base URL is {base_url} now.",
            do="Set the base URL back to collect it.",
            money=Money.UNTOUCHED,
            task_id=row.task_id,
        )


def _is_known(driver: Driver) -> Known:
    """What this process knows of the task, by which a 404 is judged: another key's says nothing."""
    if driver.row is None:
        return Known.BY_NAME
    return Known.AS_OURS if driver.row.account == driver.tools.settings().account else Known.AS_ANOTHER_KEYS


async def _last_word(driver: Driver, error: HunyuanError, then: Next, age: float) -> HunyuanError:
    """What is raised where no further poll follows. A task that is gone is still counted, and not asked for again."""
    row = driver.row
    if not isinstance(error, UnknownTaskError) or row is None or then is Next.AGAIN:
        return error
    if _is_known(driver) is Known.AS_ANOTHER_KEYS:
        return AuthenticationError(
            "The gateway does not give this task to the API key that is set: it was created with another one.",
            do="Set that key again to collect it.",
            task_id=row.task_id,
        )
    if then is Next.TELL:
        again = "Run the same again later: it asks for this task once more, at no cost."
        return error.but(
            why=f"It accepted it {ago(age)} ago. {error.why}",
            do=f"{again} For a new image instead, for new credits, turn reuse off.",
            money=Money.MAYBE_SPENT,
        )
    if not row.urls:  # else its link is known and may still work
        await driver.note(driver.tools.journal.lost, error.what)
    return error.but(money=Money.MAYBE_SPENT)


async def _heed(driver: Driver) -> None:
    """Writes down how the task ended."""
    status = driver.answered
    assert status is not None and driver.row is not None
    try:
        await driver.note_charged()
        row = await _write_end(driver, driver.row, status)
    finally:
        driver.release_slot()  # only now: who gets it must not find this task still running in the journal
    if status.state is TaskState.FAILED:
        if row.error_code == "1402":
            await driver.forget_inputs()
        raise error_of_row(row)


async def _write_end(driver: Driver, row: TaskRow, status: TaskStatus) -> TaskRow:
    """The row then. An image that is only in the answer has no state of its own: it goes to the disk."""
    journal = driver.tools.journal
    urls = [url for url in status.images if not url.startswith("data:")]
    if status.state is TaskState.FAILED:
        return await driver.note(journal.failed, status.gateway_code or "task_failed", status.words, True)
    return await driver.note(journal.succeeded, urls, driver.seconds) if urls else row


async def collect(driver: Driver) -> list[Decoded]:
    """Fetches every image of a finished task, verifies it by decoding and puts its bytes on disk."""
    driver.phase = Phase.DOWNLOADING
    assert driver.row is not None
    images = driver.answered.images if driver.answered else driver.row.urls
    if not images:
        raise LinkDeadError("The gateway gives no link to this task's image any more.", task_id=driver.known_id)
    got = await asyncio.gather(*(_collect_one(driver, k, url) for k, url in enumerate(images)))
    await driver.note(driver.tools.journal.collected, [stored for stored, _ in got])
    await driver.blocking(driver.tools.results.evict)
    return [decoded for _, decoded in got]


async def _collect_one(driver: Driver, index: int, url: str) -> tuple[StoredImage, Decoded]:
    tools, seen, since = driver.tools, Counter[type[HunyuanError]](), driver.clock.monotonic()
    while True:
        await tools.limiter.resume()
        try:
            return await driver.remote(Pool.DOWNLOADS, _fetch, driver, index, url)
        except HunyuanError as error:
            seen[type(error)] += 1
            waited = driver.clock.monotonic() - since
            decision = after_download(error, seen[type(error)], tools.chance(), since=waited)
            await driver.heed(error)
            driver.asked = driver.asked or isinstance(error, DownloadError)  # the gateway's link was tried, to no good
            if decision.next is not Next.AGAIN or (not driver.watches and seen.total() >= ALONE_TRIES):
                if isinstance(error, LinkDeadError):
                    again = "Run the node again while the task is young: it asks the gateway for the link anew."
                    do = f"{again} For a new image instead, for new credits, turn reuse off."
                    raise error.but(do=do) from error.__cause__
                raise
            await driver.clock.sleep(decision.delay)
            if isinstance(error, LinkDeadError):
                url = await _fresh_link(driver, index, url)


async def keep_inline(driver: Driver) -> None:
    """Where the road ends with an image that is only in memory, the journal takes it: no id could fetch it again."""
    while driver.is_only_here:
        assert driver.row is not None and driver.answered is not None
        try:
            await driver.note(driver.tools.journal.succeeded, driver.answered.images, driver.seconds)
        except JournalError as unwritten:
            driver.tools.warn(f"An image that is paid for is only in memory, trying on: {unwritten.what}")
            await driver.clock.sleep(JOURNAL_PAUSE)


async def _fresh_link(driver: Driver, index: int, url: str) -> str:
    """The task's link as the gateway gives it now: a dead one may have been signed anew."""
    if driver.row is None or driver.row.task_id is None:
        return url
    try:
        status = await poll(driver)
    except (UnknownTaskError, UnreadableAnswerError):
        return url  # the gateway gives none, but the one that is known may still come to life
    return status.images[index] if index < len(status.images) else url


def _fetch(driver: Driver, index: int, url: str) -> tuple[StoredImage, Decoded]:
    """Blocking: download, decode (which verifies), store, and remember which content has which link."""
    tools, row = driver.tools, driver.row
    assert row is not None
    data = b""
    try:
        data = tools.client.download(url, DOWNLOAD_DEADLINE)
        decoded = tools.decode(data)
    except DownloadError as error:
        do, rejected = error.do, data or (error.body if isinstance(error, NotAnImageError) else b"")
        if rejected:
            kept = tools.results.keep_rejected(row.task_id or row.id, index, rejected, tools.settings().redact)
            do = f"{do} The bytes are kept for a look in {kept}.".strip()
        raise error.but(task_id=row.task_id or row.id, do=do) from error.__cause__
    link = "" if url.startswith("data:") else url
    stored = tools.results.store(row.task_id or row.id, index, data, decoded.mime, link)
    if link and decoded.opaque:
        tools.sources.remember(f"pixels:{decoded.digest}", link)
    return stored, decoded


async def load(driver: Driver) -> list[Decoded]:
    """The images of a collected task, from the disk alone; fetched again where the files are gone."""
    tools, row = driver.tools, driver.row
    assert row is not None

    def read() -> list[Decoded]:
        return [tools.decode(tools.results.read(stored)) for stored in row.files]

    driver.phase = Phase.DOWNLOADING
    try:
        return await driver.remote(Pool.DOWNLOADS, read)
    except (OSError, HunyuanError) as error:
        tools.warn(f"The files of task {row.task_id or row.id} cannot be read ({error}); fetching them again.")
    # The known link first: a gateway that no longer knows the task, or one server of it, must not cost a new image.
    driver.answered = None if row.urls or row.task_id is None else await poll(driver)
    return await collect(driver)
