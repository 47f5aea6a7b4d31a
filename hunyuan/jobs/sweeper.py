"""The sweeper: open tasks that nobody waits for go on being asked for, quietly, until their images are on disk.

It also says that this process lives, and clears up after those that do not. It sends nothing that costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from ..errors import AnswerTooLargeError, HunyuanError, NotAnImageError, TooLargeError
from ..journal.records import ENDED_PROCESS, GIVEN_UP, TaskRow
from ..limits import GIVEN_UP_AFTER, SLOT_PATIENCE
from ..sentences import say
from .job import Job, Tools
from .limiter import Clock
from .poll_times import quiet_gap

if TYPE_CHECKING:
    from ..settings.store import Settings

BEAT = 5.0  # seconds between rounds; well under the journal's 30 s after which a worker counts as dead
AT_ONCE = 4  # tasks that nobody waits for, asked for at the same time
# Seconds between looks at a task of which no image came that can be read. After the last it is left to the user.
BROKEN_GAPS = (60.0, 300.0, 1800.0, 7200.0)


class Sweeper:
    """Lives on the background loop. look: looks once at an open task, and gives the job as it ended; rows_in_hand: ids
    of the rows already in hand."""

    def __init__(
        self, tools: Tools, look: Callable[[TaskRow], Awaitable[Job]], rows_in_hand: Callable[[], set[str]]
    ) -> None:
        self._tools = tools
        self._run = look
        self._rows_in_hand = rows_in_hand
        # Row id → monotonic seconds, which no clock that is set moves: at the last look; and of a task that is too old
        # by the clock, at the first look at which the gateway answered for it.
        self._looked: dict[str, float] = {}
        self._answered: dict[str, float] = {}
        self._broken: dict[str, int] = {}  # row id → looks at which no image came that can be read
        self._hopeless: set[str] = set()
        self._rounds: asyncio.Task[None] | None = None
        self._complaint = ""
        self._account = ""  # of the key when the settings were last readable

    @property
    def _clock(self) -> Clock:
        return self._tools.background.clock

    def start(self) -> None:
        """Begins; a second call does nothing."""
        if self._rounds is None:
            self._rounds = self._tools.background.spawn(self._go_round())

    def stop(self) -> None:
        """Ends; what is under way goes on."""
        if self._rounds is not None:
            self._rounds.cancel()
            self._rounds = None

    async def _go_round(self) -> None:
        at_once = asyncio.Semaphore(AT_ONCE)
        while True:
            try:
                await self._show_life()
                await self._sweep(at_once)
                self._complaint = ""
            except Exception as error:  # noqa: BLE001 - told, and never the end of the collecting
                words = str(error) if isinstance(error, HunyuanError) else repr(error)
                if words != self._complaint:  # once, not every five seconds
                    self._tools.warn(f"The sweeper rests until this is mended: {words}")
                self._complaint = words
            await self._clock.sleep(BEAT)

    async def _show_life(self) -> None:
        """Heartbeat, and what dead processes left about to be sent."""
        blocking, journal = self._tools.background.blocking, self._tools.journal
        try:
            self._account = self._tools.settings().account
        finally:  # a worker whose settings cannot be read lives all the same
            await blocking(journal.heartbeat, self._account)
        await blocking(self._tools.kept.flush, journal.take_answer)
        for row in await blocking(journal.recover):
            self._tools.on_change(row)

    async def _sweep(self, at_once: asyncio.Semaphore) -> None:
        """Keeps to the key's shared pause, and looks at each open task when it is due; sparser the older it is."""
        blocking, journal, settings = self._tools.background.blocking, self._tools.journal, self._tools.settings()
        found = await blocking(journal.survey, settings.account)
        self._tools.limiter.pause(found.paused_for)
        self._tools.limiter.look_again()
        now, rows, rows_in_hand = found.now, found.open_rows, self._rows_in_hand()
        if strange := [row.id for row in rows if row.id not in rows_in_hand and self._is_strange(row, settings)]:
            await blocking(journal.release, strange)
        if not settings.api_key:
            return
        moment = self._clock.monotonic()
        self._looked, self._answered = _only(self._looked, rows), _only(self._answered, rows)
        self._broken = _only(self._broken, rows)
        for row in rows:
            if row.id in self._hopeless:
                self._hopeless.discard(row.id)
                text = say(
                    "Not collected within {days:g} days; the gateway keeps images for 7.", days=GIVEN_UP_AFTER / 86400
                )
                await blocking(journal.mark_lost, row.id, text)
                continue
            age = now - (row.submitted_at or row.created_at)
            too_old = age > GIVEN_UP_AFTER
            # A clock that was wrong may have made it so old: who knows it for a minute looks as at one of a minute.
            gap = quiet_gap(moment - self._answered[row.id] if row.id in self._answered else age)
            if row.id in self._broken:
                gap = max(gap, BROKEN_GAPS[self._broken[row.id] - 1])
            due = row.id not in self._looked or self._looked[row.id] + gap <= moment
            if due and row.id not in strange and row.base_url == settings.base_url and row.id not in rows_in_hand:
                self._looked[row.id] = moment
                self._tools.background.spawn(self._look(row, at_once, too_old))

    def _is_strange(self, row: TaskRow, settings: Settings) -> bool:
        """Whether this worker has a task that another one's key and gateway know, and must leave it to such a one."""
        mine = row.owner == self._tools.journal.workers.me
        fits = bool(settings.api_key) and (row.account, row.base_url) == (settings.account, settings.base_url)
        return mine and not fits

    async def _look(self, row: TaskRow, at_once: asyncio.Semaphore, too_old: bool) -> None:
        async with at_once:
            if row.id in self._rows_in_hand():
                return
            if self._tools.decoding.is_left(row.id):
                await self._set_aside(row, ENDED_PROCESS, say("ComfyUI ended while it read this image."))
                self._tools.decoding.clear(row.id)
                return
            job = await self._run(row)
            if is_broken(job.failure):
                await self._count_broken(row, job.failure)
            if not job.asked or not too_old:
                return
            moment = self._clock.monotonic()
            if moment - self._answered.setdefault(row.id, moment) >= SLOT_PATIENCE:
                self._hopeless.add(row.id)  # it was asked for, for longer than any task takes

    async def _count_broken(self, row: TaskRow, error: HunyuanError) -> None:
        """A file that is no image stays none: a handful of looks, then only when the user asks."""
        self._broken[row.id] = self._broken.get(row.id, 0) + 1
        if self._broken[row.id] > len(BROKEN_GAPS):
            await self._set_aside(row, GIVEN_UP, error.what)

    async def _set_aside(self, row: TaskRow, code: str, text: str) -> None:
        fresh = await self._tools.background.blocking(self._tools.journal.mark_set_aside, row.id, code, text)
        self._tools.on_change(fresh or row)


def is_broken(error: BaseException | None) -> TypeGuard[HunyuanError]:
    """Whether what came cannot be read, however often it is asked for."""
    return isinstance(error, AnswerTooLargeError | NotAnImageError | TooLargeError)


T = TypeVar("T")


def _only(known: dict[str, T], rows: list[TaskRow]) -> dict[str, T]:
    return {row.id: known[row.id] for row in rows if row.id in known}
