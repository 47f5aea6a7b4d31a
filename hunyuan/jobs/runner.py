"""All tasks of the process: nodes submit and wait, the sweeper goes on with what nobody waits for.

The runner keeps one job a task. The same request twice, from two nodes or two prompts, is one job
with two handles; what another process has in hand is followed through the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..errors import ShuttingDownError
from ..journal.records import Limits, RunContext, TaskRow
from ..models import GenerationRequest, ImageInput, check_task_id
from ..sentences import say
from ..task_ids import check_given_id
from .deliveries import Deliveries
from .fetch import keep_beside
from .flow import run
from .handle import Handle, Phase
from .job import Job, Options, Tools
from .limiter import Clock
from .steps import Left, Requested, TypedId
from .sweeper import Sweeper
from .timeouts import closing_error, timeout_error


class TaskRunner:
    """One a process; every method may be called from any thread."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.deliveries = Deliveries(tools)
        self._by_fingerprint: dict[str, Job] = {}
        self._by_row: dict[str, Job] = {}
        self._jobs: set[Job] = set()
        self._admitting = asyncio.Lock()  # of the background loop
        self._sent_off: set[Job] = set()  # told to end, since the process does
        self._said = False  # what the end waits for
        self.sweeper = Sweeper(tools, self._look_quietly, self._rows_in_hand)

    @property
    def clock(self) -> Clock:
        """The background loop's clock."""
        return self.tools.background.clock

    # --- what nodes call -----------------------------------------------------------------------------------

    def submit(
        self, requests: Sequence[tuple[GenerationRequest, Sequence[ImageInput]]], options: Options
    ) -> list[Handle]:
        """A handle on one task for each request; those that are new are created, together within the credit limits.

        Each handle fails by itself: CreditLimitError, JournalError, InputImageError, what the create or the
        task failed with, TaskTimeoutError.
        """
        handles = [Handle(options.timeout_s) for _ in requests]
        if self._refuse(handles):
            return handles
        self.tools.background.post(lambda: self.tools.background.spawn(self._admit(requests, options, handles)))
        return handles

    def attach(self, task_id: str, options: Options, *, known: bool = False) -> Handle:
        """A handle on a task by its id; raises InvalidTaskIdError for what can never be one.

        known: it stands in the journal as a gateway gave it, and may look like no other."""
        checked = check_given_id(task_id) if known else check_task_id(task_id)
        handle = Handle(options.timeout_s)
        if self._refuse([handle]):
            return handle
        job = Job(self.tools, options.context, TypedId(checked), task_id=checked)
        self.tools.background.post(lambda: self._start(job, handle))
        return handle

    def start_sweeper(self) -> None:
        """Goes on with the open tasks of earlier runs, quietly, until `wait_for_unwritten`."""
        self.tools.background.post(self.sweeper.start)

    def close(self, *, forced: bool = False) -> None:
        """From now on nothing new begins: no slot, no row, no create. A second call only shortens the waiting, where
        it is forced: whoever ends the process kills it ten seconds later.

        From any thread, also inside a signal handler.
        """
        first = not self.tools.closing.begun
        self.tools.closing.begin(self.clock.monotonic(), forced=forced)
        if first:
            self.tools.background.post(lambda: self.tools.background.spawn(self.wait_for_unwritten()))

    def hurry(self, *, forced: bool = False) -> None:
        """After `close`: the end waits for no create that has no answer yet; forced: and kills within two seconds.
        From any thread, also inside a signal handler."""
        self.tools.closing.hurry(self.clock.monotonic(), forced=forced)

    def go_on(self) -> None:
        """Takes `close` back: the process does not end after all. From any thread."""
        self.tools.closing.take_back()
        self._said = False
        self.tools.background.post(self._sent_off.clear)
        self.tools.warn("ComfyUI did not end: something else took the signal. New tasks are taken again.")
        self.start_sweeper()

    async def wait_for_unwritten(self) -> None:
        """Closes, and ends when nothing is held any more that stands nowhere else, or when there is no time left:
        every answer that came is written down before the process ends."""
        self.close()
        closing, has_listened = self.tools.closing, False
        while closing.begun and closing.left(self.clock.monotonic()):
            self._send_off()
            out = sum(job.must_finish and not (closing.hurried and job.is_unanswered) for job in self._jobs)
            if not out and has_listened:
                return
            if not out:  # an answer that a thread has is heard of by then
                has_listened = True
                await self.clock.sleep(0.05 if any(job.is_unanswered for job in self._jobs) else 0.0)
                continue
            if not self._said:
                self.tools.warn(
                    f"ComfyUI ends: waiting up to {closing.patience:g} s for {out} tasks to be written down."
                )
            self._said = True
            await self.clock.sleep(0.02)

    def _send_off(self) -> None:
        """Ends what can go on at the next start. An image that came without a task id is written down by its job, and
        into a file at once."""
        self.sweeper.stop()
        for job in self._jobs:
            if job.only_here and job.is_keeping:  # it began before the end did
                keep_beside(job, *job.only_here)
        for job in self._jobs - self._sent_off:
            if (job.only_here and not job.is_keeping) or not job.must_finish:
                self._sent_off.add(job)
                job.leave()

    def _refuse(self, handles: Sequence[Handle]) -> bool:
        """Fails these where the process is about to end."""
        if not self.tools.closing.begun:
            return False
        for handle in handles:
            handle.fail(
                ShuttingDownError(
                    say("ComfyUI is shutting down."), do=say("Nothing was sent. Run again after the start.")
                )
            )
        return True

    # --- on the background loop ------------------------------------------------------------------------------

    async def _admit(
        self,
        requests: Sequence[tuple[GenerationRequest, Sequence[ImageInput]]],
        options: Options,
        handles: Sequence[Handle],
    ) -> None:
        """The whole of a node's requests must fit into the credit limits before the first is sent."""
        async with self._admitting:  # another node's check must count what this one lets in
            try:
                prints = [request.fingerprint(self.tools.settings().base_url) for request, _ in requests]
                new = await self._check_limits(prints, [request.credits for request, _ in requests], options)
            except asyncio.CancelledError:
                self._refuse(handles)
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, else the nodes would wait for ever
                for handle in handles:
                    handle.fail(error)
                return
            for (request, inputs), fingerprint, handle in zip(requests, prints, handles, strict=True):
                if handle.left:
                    continue
                running = self._by_fingerprint.get(fingerprint)
                if running is not None and options.reuse:
                    self._add_handle(running, handle)
                    continue
                wanted = Requested(request, inputs, options.reuse, counts=fingerprint in new)
                job = Job(self.tools, options.context, wanted, first=handle)
                self._by_fingerprint.setdefault(fingerprint, job)  # a new image takes no running task's place
                self._start(job, handle)

    async def _check_limits(self, prints: Sequence[str], prices: Sequence[int], options: Options) -> set[str]:
        """Which of these requests will cost credits, where there are limits; raises CreditLimitError if too many."""
        blocking, journal, settings = self.tools.background.blocking, self.tools.journal, self.tools.settings()
        limits = Limits(settings.credit_limit_per_day, settings.credit_limit_per_session)
        if not limits.has_credits:
            return set()
        priced = zip(prints, prices, strict=True)
        unknown = [each for each in priced if not (options.reuse and each[0] in self._by_fingerprint)]
        promised = [job for job in self._jobs if job.is_promised]
        writing = [job.intent for job in promised if job.intent]

        def admit() -> set[str]:
            return journal.admit(
                [fingerprint for fingerprint, _ in unknown],
                account=settings.account,
                context=options.context,
                limits=limits,
                reuse=options.reuse,
                prices=[price for _, price in unknown],
                promised=sum(driver.request.credits for driver in promised if driver.request),
                writing=writing,
            )

        return await blocking(admit)

    def _start(self, job: Job, handle: Handle) -> None:
        if self._refuse([handle]):
            self._unlist(job)
            return
        self._jobs.add(job)
        job.leave = self.tools.background.spawn(self._run(job)).cancel
        self._add_handle(job, handle)

    def _add_handle(self, job: Job, handle: Handle) -> None:
        job.add(handle)
        background = self.tools.background

        async def expire() -> None:
            await self.clock.sleep(handle.timeout_s)
            holder = self._remove(handle)
            if holder is not None:
                handle.fail(timeout_error(holder, handle.timeout_s))
                self._leave_unsent(holder)

        timer = background.spawn(expire())
        handle.done.add_done_callback(lambda _: background.post(timer.cancel))

        def let_go() -> None:
            timer.cancel()
            holder = self._remove(handle)
            if holder is not None:
                self._leave_unsent(holder)

        handle.let_go = lambda: background.post(let_go)
        if handle.left:  # in the same moment, from another thread
            let_go()

    def _remove(self, handle: Handle) -> Job | None:
        """Takes the handle from its job, which is given; None where the job has ended."""
        holder = next((job for job in self._jobs if handle in job.handles), None)
        if holder is not None:
            holder.remove(handle)
        return holder

    def _leave_unsent(self, job: Job) -> None:
        """Where nobody waits any more, what was not sent is dropped."""
        if not job.handles and job.phase.is_free and not job.paid:
            self._jobs.discard(job)
            self._unlist(job)  # at once: who comes in this moment must not join what is about to end
            job.leave()

    async def _run(self, job: Job) -> None:
        try:
            if await run(job, self._by_row) is Left.UNWANTED:
                job.fail(closing_error(job))
        except asyncio.CancelledError:
            job.fail(closing_error(job))
            raise
        except Exception as error:  # noqa: BLE001 - a defect must reach the node, not vanish in the background
            if not job.handles:
                self.tools.warn(f"Task {job.known_id or 'without an id'} in the background: {error!r}")
            job.fail(error)
        finally:
            job.phase = Phase.ENDED
            self._jobs.discard(job)
            self._unlist(job)
            job.release_slot()

    def _unlist(self, job: Job) -> None:
        for index in (self._by_fingerprint, self._by_row):
            for key in [key for key, held in index.items() if held is job]:
                del index[key]

    # --- for the sweeper ---------------------------------------------------------------------------------

    def _rows_in_hand(self) -> set[str]:
        """The rows that a job of this process has in hand."""
        return {job.row.id for job in self._jobs if job.row is not None}

    async def _look_quietly(self, row: TaskRow) -> Job:
        """Looks once at an open task that nobody waits for; the job as it ended."""
        job = Job(self.tools, RunContext(row.prompt_id, row.node_id, row.session, row.user_id), row, row=row)
        if self.tools.closing.begun:
            return job
        task = asyncio.current_task()
        if task is not None:
            job.leave = task.cancel
        self._jobs.add(job)
        await self._run(job)
        return job
