"""All tasks of the process: nodes submit and watch, the collector goes on with what nobody watches.

The runner keeps one driver a task. The same request twice, from two nodes or two prompts, is one driver
with two watches; what another process has in hand is followed through the journal.
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
from .handle import Decoded, Phase, Watch
from .job import Driver, HandedOver, Options, StillRunning, TakenBack, TakenOver, Tools
from .limiter import Clock
from .poll import await_success, collect, follow, keep_inline, load, poll
from .sweeper import Collector


class TaskRunner:
    """One a process; every method may be called from any thread."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._by_fingerprint: dict[str, Driver] = {}
        self._by_row: dict[str, Driver] = {}
        self._drivers: set[Driver] = set()
        self._admitting = asyncio.Lock()  # of the engine's loop
        self._sent_off: set[Driver] = set()  # told to end, since the process does
        self._told = False  # what the end waits for
        self.collector = Collector(tools, self._drive_quietly, self._driven)

    @property
    def clock(self) -> Clock:
        """The engine's clock."""
        return self.tools.engine.clock

    # --- what nodes call -----------------------------------------------------------------------------------

    def submit(
        self, requests: Sequence[tuple[GenerationRequest, Sequence[ImageInput]]], options: Options
    ) -> list[Watch]:
        """Watches one task a request; those that are new are created, together within the credit limits.

        Each watch fails by itself: CreditLimitError, JournalError, InputImageError, what the create or the
        task failed with, TaskTimeoutError.
        """
        watches = [Watch(options.timeout_s) for _ in requests]
        if self._refuse(watches):
            return watches
        self.tools.engine.post(lambda: self.tools.engine.spawn(self._admit(requests, options, watches)))
        return watches

    def attach(self, task_id: str, options: Options) -> Watch:
        """Watches a task by its id; raises InvalidTaskIdError for what can never be one."""
        checked = check_task_id(task_id)
        watch = Watch(options.timeout_s)
        if self._refuse([watch]):
            return watch
        driver = Driver(self.tools, options, task_id=checked)
        self.tools.engine.post(lambda: self._start(driver, watch))
        return watch

    def delivered(self, rows: Sequence[TaskRow]) -> None:
        """These tasks' images have reached a graph: they may be evicted from the disk when space is needed."""

        async def note() -> None:
            try:
                for row in rows:
                    fresh = await self.tools.engine.blocking(self.tools.journal.delivered, row.id)
                    self.tools.on_change(fresh or row)
            except JournalError as error:  # an image that counts as undelivered is only kept longer
                self.tools.warn(f"That images were delivered could not be written down: {error}")

        self.tools.engine.post(lambda: self.tools.engine.spawn(note()))

    def start_collector(self) -> None:
        """Goes on with the open tasks of earlier runs, quietly, until `farewell`."""
        self.tools.engine.post(self.collector.start)

    def close(self) -> None:
        """From now on nothing new begins: no slot, no row, no create. A second call does nothing.

        From any thread, also inside a signal handler.
        """
        if not self.tools.closing.begun:
            self.tools.closing.begin(self.clock.monotonic())
            self.tools.engine.post(lambda: self.tools.engine.spawn(self.farewell()))

    def hurry(self) -> None:
        """The end waits for nothing any more. From any thread, also inside a signal handler."""
        self.tools.closing.hurried = True

    async def farewell(self) -> None:
        """Closes, and ends when nothing is held any more that stands nowhere else (or at once, where that is hurried):
        every answer that came is written down before the process ends."""
        self.close()
        while not self.tools.closing.hurried:
            self._send_off()
            out = sum(driver.must_finish for driver in self._drivers)
            if not out:
                return
            if not self._told:
                self.tools.warn(f"ComfyUI ends: waiting up to {PATIENCE:g} s for {out} tasks to be written down.")
            self._told = True
            await self.clock.sleep(0.02)

    def _send_off(self) -> None:
        """Ends what can go on at the next start. An image that came without a task id is written down by its driver."""
        self.collector.stop()
        for driver in self._drivers - self._sent_off:
            if driver.is_only_here or not driver.must_finish:
                self._sent_off.add(driver)
                driver.leave()

    def _refuse(self, watches: Sequence[Watch]) -> bool:
        """Fails these where the process is about to end."""
        if not self.tools.closing.begun:
            return False
        for watch in watches:
            watch.fail(
                ShuttingDownError("ComfyUI is shutting down.", do="Nothing was sent. Run again after the start.")
            )
        return True

    # --- on the engine's loop ------------------------------------------------------------------------------

    async def _admit(
        self,
        requests: Sequence[tuple[GenerationRequest, Sequence[ImageInput]]],
        options: Options,
        watches: Sequence[Watch],
    ) -> None:
        """The whole of a node's requests must fit into the credit limits before the first is sent."""
        async with self._admitting:  # another node's check must count what this one lets in
            try:
                prints = [request.fingerprint(self.tools.settings().base_url) for request, _ in requests]
                new = await self._check_limits(prints, [request.credits for request, _ in requests], options)
            except asyncio.CancelledError:
                self._refuse(watches)
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the nodes must hear of it, or they wait for ever
                for watch in watches:
                    watch.fail(error.but() if isinstance(error, HunyuanError) else error)  # to each its own
                return
            for (request, inputs), fingerprint, watch in zip(requests, prints, watches, strict=True):
                if watch.left:
                    continue
                running = self._by_fingerprint.get(fingerprint)
                if running is not None and options.reuse:
                    self._watch(running, watch)
                    continue
                counts = fingerprint in new
                driver = Driver(self.tools, options, request, inputs, reuse=options.reuse, first=watch, counts=counts)
                self._by_fingerprint[fingerprint] = driver
                self._start(driver, watch)

    async def _check_limits(self, prints: Sequence[str], prices: Sequence[int], options: Options) -> set[str]:
        """Which of these requests will cost credits, where there are limits; raises CreditLimitError if too many."""
        blocking, journal, settings = self.tools.engine.blocking, self.tools.journal, self.tools.settings()
        limits = Limits(settings.credit_limit_per_day, settings.credit_limit_per_session)
        if not limits.has_credits:
            return set()
        priced = zip(prints, prices, strict=True)
        unknown = [each for each in priced if not (options.reuse and each[0] in self._by_fingerprint)]
        promised = [driver for driver in self._drivers if driver.is_promised]
        writing = [driver.intent for driver in promised if driver.intent]

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

    def _start(self, driver: Driver, watch: Watch | None) -> None:
        if self._refuse([watch] if watch else []):
            self._unlist(driver)
            return
        self._drivers.add(driver)
        task = self.tools.engine.spawn(self._drive(driver))
        driver.leave = task.cancel
        if watch is not None:
            self._watch(driver, watch)

    def _watch(self, driver: Driver, watch: Watch) -> None:
        driver.add(watch)
        engine = self.tools.engine

        async def expire() -> None:
            await self.clock.sleep(watch.timeout_s)
            holder = self._holder(watch)
            if holder is not None:
                holder.expire(watch)
                self._left(holder)

        timer = engine.spawn(expire())
        watch.done.add_done_callback(lambda _: engine.post(timer.cancel))

        def let_go() -> None:
            timer.cancel()
            holder = self._holder(watch)
            if holder is not None:
                holder.remove(watch)
                self._left(holder)

        watch.let_go = lambda: engine.post(let_go)
        if watch.left:  # in the same moment, from another thread
            let_go()

    def _holder(self, watch: Watch) -> Driver | None:
        return next((driver for driver in self._drivers if watch in driver.watches), None)

    def _left(self, driver: Driver) -> None:
        """Nobody watches any more: what was not sent is dropped."""
        if not driver.watches and driver.phase.is_free and not driver.paid:
            self._drivers.discard(driver)
            self._unlist(driver)  # at once: who comes in this moment must not join what is about to end
            driver.leave()

    async def _drive(self, driver: Driver) -> None:
        try:
            driver.succeed(await self._road(driver))
        except (HandedOver, StillRunning):
            pass  # somebody else goes on: another driver, or the collector at its next sweep
        except asyncio.CancelledError:
            driver.shut_down()
            raise
        except Exception as error:  # noqa: BLE001 - a defect must reach the node, not vanish in the background
            if not driver.watches:
                self.tools.warn(f"Task {driver.known_id or 'without an id'} in the background: {error!r}")
            driver.fail(error)
        finally:
            driver.phase = Phase.ENDED
            self._drivers.discard(driver)
            self._unlist(driver)
            driver.release_slot()

    def _unlist(self, driver: Driver) -> None:
        for index in (self._by_fingerprint, self._by_row):
            for key in [key for key, held in index.items() if held is driver]:
                del index[key]

    async def _road(self, driver: Driver) -> Sequence[Decoded]:
        try:
            return await self._way(driver)
        except (Exception, asyncio.CancelledError):
            await keep_inline(driver)
            raise

    async def _way(self, driver: Driver) -> Sequence[Decoded]:
        if driver.row is None:
            await (obtain_row(driver) if driver.request is not None else self._find(driver))
        self._settle_on(driver)
        assert driver.row is not None
        row, in_hand = driver.row, driver.paid
        while True:
            try:
                if not in_hand:
                    await follow(driver)
                driver.settled()
                if driver.row.state is TaskState.COLLECTED:
                    return await self._reload(driver)
                await await_success(driver)
                return await collect(driver)
            except TakenBack:
                return await self._anew(driver, row)
            except TakenOver:
                driver.release_slot()
                in_hand = False

    async def _reload(self, driver: Driver) -> Sequence[Decoded]:
        """A collected task's images; where they can be had no more, the request is created anew."""
        row = driver.row
        assert row is not None
        try:
            return await load(driver)
        except (LinkDeadError, UnknownTaskError) as error:
            await driver.note(self.tools.journal.lost, error.what)
            if driver.request is None:
                raise
        driver.reuse = False
        return await self._anew(driver, row)

    async def _anew(self, driver: Driver, row: TaskRow) -> Sequence[Decoded]:
        """The request's task is none any more: it begins from the start."""
        self._by_row.pop(row.id, None)
        if driver.request is None:
            raise TaskFailedError("This task was taken back before it was sent.", money=Money.NOT_SPENT)
        driver.row, driver.answered, driver.created_at, driver.phase = None, None, None, Phase.LOOKING
        return await self._way(driver)

    def _settle_on(self, driver: Driver) -> None:
        """One driver a row: the later one hands its watches over."""
        assert driver.row is not None
        held = self._by_row.setdefault(driver.row.id, driver)
        if held is not driver:
            for watch in driver.watches:
                held.add(watch)
            driver.watches.clear()
            raise HandedOver

    async def _find(self, driver: Driver) -> None:
        """A typed id: a row of ours, else a task created elsewhere that the gateway must know."""
        assert driver.task_id is not None
        journal, task_id = self.tools.journal, driver.task_id
        row = await driver.blocking(journal.by_task_id, task_id) or await driver.blocking(journal.get, task_id)
        if row is None:
            driver.hear(await poll(driver))
            settings, context = self.tools.settings(), driver.options.context

            def adopt() -> TaskRow:
                return journal.adopt(task_id, base_url=settings.base_url, account=settings.account, context=context)

            row = await driver.blocking(adopt)
        driver.row = row
        if row.state in (TaskState.FAILED, TaskState.UNKNOWN):
            raise error_of_row(row)

    # --- for the collector ---------------------------------------------------------------------------------

    def _driven(self) -> set[str]:
        """The rows that a driver of this process has in hand."""
        return {driver.row.id for driver in self._drivers if driver.row is not None}

    async def _drive_quietly(self, row: TaskRow) -> bool:
        """Looks once at an open task that nobody watches; whether the gateway answered for it."""
        if self.tools.closing.begun:
            return False
        context = RunContext(row.prompt_id, row.node_id, row.session)
        driver = Driver(self.tools, Options(context), row=row, quiet=True)
        task = asyncio.current_task()
        assert task is not None
        driver.leave = task.cancel
        self._drivers.add(driver)
        await self._drive(driver)
        return driver.asked
