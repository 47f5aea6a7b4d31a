"""The collector: open tasks that nobody watches go on being asked for, quietly, until their images are on disk.

It also says that this process lives, and clears up after those that do not. It sends nothing that costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .driver import Tools
from .errors import HunyuanError
from .limiter import Clock
from .retry import quiet_gap
from .rows import TaskRow

BEAT = 5.0  # seconds between rounds; well under the journal's 30 s after which a worker counts as dead
AT_ONCE = 4  # unwatched tasks that are asked for at the same time
GIVEN_UP_AFTER = 8 * 86400.0  # seconds; upstream keeps results 7 days


class Collector:
    """Lives on the engine's loop. drive: looks once at an open task; driven: ids of the rows already in hand."""

    def __init__(
        self, tools: Tools, drive: Callable[[TaskRow], Awaitable[None]], driven: Callable[[], set[str]]
    ) -> None:
        self._tools = tools
        self._drive = drive
        self._driven = driven
        self._looked: dict[str, float] = {}  # row id → the journal's time of the last look
        self._rounds: asyncio.Task[None] | None = None
        self._complaint = ""

    @property
    def _clock(self) -> Clock:
        return self._tools.engine.clock

    def start(self) -> None:
        """Begins; a second call does nothing."""
        if self._rounds is None:
            self._rounds = self._tools.engine.spawn(self._go_round())

    def stop(self) -> None:
        """Ends; what is being driven goes on."""
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
                    self._tools.warn(f"The collector rests until this is mended: {words}")
                self._complaint = words
            await self._clock.sleep(BEAT)

    async def _show_life(self) -> None:
        """Heartbeat, and what dead processes left about to be sent."""
        blocking, journal, account = self._tools.engine.blocking, self._tools.journal, self._tools.settings().account
        await blocking(journal.heartbeat, account)
        for row in await blocking(journal.recover):
            self._tools.on_change(row)

    async def _sweep(self, at_once: asyncio.Semaphore) -> None:
        """Keeps to the key's shared pause, and looks at each open task when it is due; sparser the older it is."""
        blocking, journal, settings = self._tools.engine.blocking, self._tools.journal, self._tools.settings()
        found = await blocking(journal.survey, settings.account)
        self._tools.limiter.pause(found.paused_for)
        if not settings.api_key:
            return
        now, rows = found.now, found.open_rows
        driven, looked = self._driven(), self._looked
        self._looked = {row.id: looked[row.id] for row in rows if row.id in looked}
        for row in rows:
            age = now - (row.submitted_at or row.created_at)
            if age > GIVEN_UP_AFTER:
                text = f"not collected within {GIVEN_UP_AFTER / 86400:g} days: upstream keeps results for 7"
                await blocking(journal.lost, row.id, text)
                continue
            due = self._looked.get(row.id, 0.0) + quiet_gap(age) <= now
            if due and row.base_url == settings.base_url and row.id not in driven:
                self._looked[row.id] = now
                self._tools.engine.spawn(self._look(row, at_once))

    async def _look(self, row: TaskRow, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            if row.id not in self._driven():
                await self._drive(row)
