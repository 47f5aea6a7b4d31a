"""All tasks of the process: nodes submit and watch, the sweeper goes on with what nobody watches.

The runner keeps one job a task. The same request twice, from two nodes or two prompts, is one job
with two handles; what another process has in hand is followed through the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..errors import (
    HunyuanError,
    JournalError,
    LinkDeadError,
    Money,
    ShuttingDownError,
    TaskFailedError,
    UnknownTaskError,
)
from ..journal.record_errors import error_of_row
from ..journal.records import Limits, RunContext, TaskRow
from ..models import GenerationRequest, ImageInput, TaskState, check_task_id
from .closing import PATIENCE
from .create import obtain_row
from .handle import Decoded, Handle, Phase
from .job import HandedOver, Job, Options, StillRunning, TakenBack, TakenOver, Tools
from .limiter import Clock
from .poll import await_success, collect, follow, keep_inline, load, poll
from .sweeper import Sweeper


class TaskRunner:
    """One a process; every method may be called from any thread."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._by_fingerprint: dict[str, Job] = {}
        self._by_row: dict[str, Job] = {}
        self._jobs: set[Job] = set()
        self._admitting = asyncio.Lock()  # of the background loop
        self._sent_off: set[Job] = set()  # told to end, since the process does
        self._told = False  # what the end waits for
        self.sweeper = Sweeper(tools, self._look_quietly, self._rows_in_hand)

    @property
    def clock(self) -> Clock:
        """The background loop's clock."""
        return self.tools.background.clock

    # --- what nodes call -----------------------------------------------------------------------------------

    def submit(
        self, requests: Sequence[tuple[GenerationRequest, Sequence[ImageInput]]], options: Options
    ) -> list[Handle]:
        """Watches one task a request; those that are new are created, together within the credit limits.

        Each handle fails by itself: CreditLimitError, JournalError, InputImageError, what the create or the
        task failed with, TaskTimeoutError.
        """
        handles = [Handle(options.timeout_s) for _ in requests]
        if self._refuse(handles):
            return handles
        self.tools.background.post(lambda: self.tools.background.spawn(self._admit(requests, options, handles)))
        return handles

    def attach(self, task_id: str, options: Options) -> Handle:
        """Watches a task by its id; raises InvalidTaskIdError for what can never be one."""
        checked = check_task_id(task_id)
        handle = Handle(options.timeout_s)
        if self._refuse([handle]):
            return handle
        job = Job(self.tools, options, task_id=checked)
        self.tools.background.post(lambda: self._start(job, handle))
        return handle

    def delivered(self, rows: Sequence[TaskRow]) -> None:
        """These tasks' images have reached a graph: they may be evicted from the disk when space is needed."""

        async def note() -> None:
            try:
                for row in rows:
                    fresh = await self.tools.background.blocking(self.tools.journal.delivered, row.id)
                    self.tools.on_change(fresh or row)
            except JournalError as error:  # an image that counts as undelivered is only kept longer
                self.tools.warn(f"That images were delivered could not be written down: {error}")

        self.tools.background.post(lambda: self.tools.background.spawn(note()))

    def start_sweeper(self) -> None:
        """Goes on with the open tasks of earlier runs, quietly, until `wait_for_unwritten`."""
        self.tools.background.post(self.sweeper.start)

    def close(self) -> None:
        """From now on nothing new begins: no slot, no row, no create. A second call does nothing.

        From any thread, also inside a signal handler.
        """
        if not self.tools.closing.begun:
            self.tools.closing.begin(self.clock.monotonic())
            self.tools.background.post(lambda: self.tools.background.spawn(self.wait_for_unwritten()))

    def hurry(self) -> None:
        """The end waits for nothing any more. From any thread, also inside a signal handler."""
        self.tools.closing.hurried = True

    async def wait_for_unwritten(self) -> None:
        """Closes, and ends when nothing is held any more that stands nowhere else (or at once, where that is hurried):
        every answer that came is written down before the process ends."""
        self.close()
        while not self.tools.closing.hurried:
            self._send_off()
            out = sum(job.must_finish for job in self._jobs)
            if not out:
                return
            if not self._told:
                self.tools.warn(f"ComfyUI ends: waiting up to {PATIENCE:g} s for {out} tasks to be written down.")
            self._told = True
            await self.clock.sleep(0.02)

    def _send_off(self) -> None:
        """Ends what can go on at the next start. An image that came without a task id is written down by its job."""
        self.sweeper.stop()
        for job in self._jobs - self._sent_off:
            if job.is_only_here or not job.must_finish:
                self._sent_off.add(job)
                job.leave()

    def _refuse(self, handles: Sequence[Handle]) -> bool:
        """Fails these where the process is about to end."""
        if not self.tools.closing.begun:
            return False
        for handle in handles:
            handle.fail(
                ShuttingDownError("ComfyUI is shutting down.", do="Nothing was sent. Run again after the start.")
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
                new = await self._check_limits(prints, options)
            except asyncio.CancelledError:
                self._refuse(handles)
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the nodes must hear of it, or they wait for ever
                for handle in handles:
                    handle.fail(error.but() if isinstance(error, HunyuanError) else error)  # to each its own
                return
            for (request, inputs), fingerprint, handle in zip(requests, prints, handles, strict=True):
                if handle.left:
                    continue
                running = self._by_fingerprint.get(fingerprint)
                if running is not None and options.reuse:
                    self._add_handle(running, handle)
                    continue
                counts = fingerprint in new
                job = Job(self.tools, options, request, inputs, reuse=options.reuse, first=handle, counts=counts)
                self._by_fingerprint[fingerprint] = job
                self._start(job, handle)

    async def _check_limits(self, prints: Sequence[str], options: Options) -> set[str]:
        """Which of these requests will cost credits, where there are limits; raises CreditLimitError if too many."""
        blocking, journal, settings = self.tools.background.blocking, self.tools.journal, self.tools.settings()
        limits = Limits(settings.credit_limit_per_day, settings.credit_limit_per_session)
        if not limits.has_credits:
            return set()
        unknown = [each for each in prints if not (options.reuse and each in self._by_fingerprint)]
        promised = [job for job in self._jobs if job.is_promised]
        writing = [job.intent for job in promised if job.intent]

        def admit() -> set[str]:
            return journal.admit(
                unknown,
                account=settings.account,
                context=options.context,
                limits=limits,
                reuse=options.reuse,
                promised=len(promised),
                writing=writing,
            )

        return await blocking(admit)

    def _start(self, job: Job, handle: Handle | None) -> None:
        if self._refuse([handle] if handle else []):
            self._unlist(job)
            return
        self._jobs.add(job)
        task = self.tools.background.spawn(self._run(job))
        job.leave = task.cancel
        if handle is not None:
            self._add_handle(job, handle)

    def _add_handle(self, job: Job, handle: Handle) -> None:
        job.add(handle)
        background = self.tools.background

        async def expire() -> None:
            await self.clock.sleep(handle.timeout_s)
            holder = self._holder(handle)
            if holder is not None:
                holder.expire(handle)
                self._left(holder)

        timer = background.spawn(expire())
        handle.done.add_done_callback(lambda _: background.post(timer.cancel))

        def let_go() -> None:
            timer.cancel()
            holder = self._holder(handle)
            if holder is not None:
                holder.remove(handle)
                self._left(holder)

        handle.let_go = lambda: background.post(let_go)
        if handle.left:  # in the same moment, from another thread
            let_go()

    def _holder(self, handle: Handle) -> Job | None:
        return next((job for job in self._jobs if handle in job.handles), None)

    def _left(self, job: Job) -> None:
        """Nobody watches any more: what was not sent is dropped."""
        if not job.handles and job.phase.is_free and not job.paid:
            self._jobs.discard(job)
            self._unlist(job)  # at once: who comes in this moment must not join what is about to end
            job.leave()

    async def _run(self, job: Job) -> None:
        try:
            job.succeed(await self._road(job))
        except (HandedOver, StillRunning):
            pass  # somebody else goes on: another job, or the sweeper at its next sweep
        except asyncio.CancelledError:
            job.shut_down()
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

    async def _road(self, job: Job) -> Sequence[Decoded]:
        try:
            return await self._way(job)
        except (Exception, asyncio.CancelledError):
            await keep_inline(job)
            raise

    async def _way(self, job: Job) -> Sequence[Decoded]:
        if job.row is None:
            await (obtain_row(job) if job.request is not None else self._find(job))
        self._settle_on(job)
        assert job.row is not None
        row, in_hand = job.row, job.paid
        while True:
            try:
                if not in_hand:
                    await follow(job)
                job.mark_created()
                if job.row.state is TaskState.COLLECTED:
                    return await self._reload(job)
                await await_success(job)
                return await collect(job)
            except TakenBack:
                return await self._anew(job, row)
            except TakenOver:
                job.release_slot()
                in_hand = False

    async def _reload(self, job: Job) -> Sequence[Decoded]:
        """A collected task's images; where they can be had no more, the request is created anew."""
        row = job.row
        assert row is not None
        try:
            return await load(job)
        except (LinkDeadError, UnknownTaskError) as error:
            await job.note(self.tools.journal.lost, error.what)
            if job.request is None:
                raise
        job.reuse = False
        return await self._anew(job, row)

    async def _anew(self, job: Job, row: TaskRow) -> Sequence[Decoded]:
        """The request's task is none any more: it begins from the start."""
        self._by_row.pop(row.id, None)
        if job.request is None:
            raise TaskFailedError("This task was taken back before it was sent.", money=Money.NOT_SPENT)
        job.row, job.answered, job.created_at, job.phase = None, None, None, Phase.LOOKING
        return await self._way(job)

    def _settle_on(self, job: Job) -> None:
        """One job a row: the later one hands its handles over."""
        assert job.row is not None
        held = self._by_row.setdefault(job.row.id, job)
        if held is not job:
            for handle in job.handles:
                held.add(handle)
            job.handles.clear()
            raise HandedOver

    async def _find(self, job: Job) -> None:
        """A typed id: a row of ours, else a task created elsewhere that the gateway must know."""
        assert job.task_id is not None
        journal, task_id = self.tools.journal, job.task_id
        row = await job.blocking(journal.by_task_id, task_id) or await job.blocking(journal.get, task_id)
        if row is None:
            job.hear(await poll(job))
            settings, context = self.tools.settings(), job.options.context

            def adopt() -> TaskRow:
                return journal.adopt(task_id, base_url=settings.base_url, account=settings.account, context=context)

            row = await job.blocking(adopt)
        job.row = row
        if row.state in (TaskState.FAILED, TaskState.UNKNOWN):
            raise error_of_row(row)

    # --- for the sweeper ---------------------------------------------------------------------------------

    def _rows_in_hand(self) -> set[str]:
        """The rows that a job of this process has in hand."""
        return {job.row.id for job in self._jobs if job.row is not None}

    async def _look_quietly(self, row: TaskRow) -> bool:
        """Looks once at an open task that nobody watches; whether the gateway answered for it."""
        if self.tools.closing.begun:
            return False
        context = RunContext(row.prompt_id, row.node_id, row.session)
        job = Job(self.tools, Options(context), row=row, quiet=True)
        task = asyncio.current_task()
        assert task is not None
        job.leave = task.cancel
        self._jobs.add(job)
        await self._run(job)
        return job.asked
