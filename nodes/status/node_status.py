"""One status line, one bar and one look at the interrupt for a running node, however many items its list has."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .interrupt import LOOK_SECONDS, check
from .reporting import Reporter

if TYPE_CHECKING:
    from ...hunyuan.jobs.handle import Handle
    from ...hunyuan.journal.records import RunContext

BAR_LOOKS = 3  # a bar that moves three times a second looks alive; each move makes the page draw the node anew


class Board:
    """Tells how all handles of one node stand, looking ten times a second. Lives on the event loop of its prompt."""

    def __init__(self, context: RunContext, *, wait: bool) -> None:
        self._handles: list[Handle] = []
        self._prices: list[int] = []
        self._reporter = Reporter(context, self._handles, self._prices, wait=wait)
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ticker = asyncio.ensure_future(self._tick())
        self.items = 0

    def enter(self, handles: Sequence[Handle], prices: Sequence[int]) -> None:
        """An item of the node's list begins to wait for these; prices: credits each may cost, 0: none."""
        self._handles.extend(handles)
        self._prices.extend(prices)
        self.items += 1

    async def wait(self, futures: Sequence[asyncio.Future[Any]]) -> None:
        """Waits until all are done; raises ComfyUI's InterruptProcessingException when the user pressed stop."""
        done = asyncio.ensure_future(asyncio.wait(futures))
        try:
            await asyncio.wait({done, self._stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                self._stopped.result()
        finally:
            done.cancel()

    async def close(self) -> None:
        """The last item has what it waited for, or lets go; the line is left saying how it ended."""
        self._ticker.cancel()
        if self._stopped.done() and not self._stopped.cancelled():
            self._stopped.exception()  # seen, also where no item was waiting any more
        await self._reporter.tell_end()

    async def _tick(self) -> None:
        try:
            for look in itertools.count():
                check()
                await self._reporter.report(bar=look % BAR_LOOKS == 0)
                await asyncio.sleep(LOOK_SECONDS)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - ComfyUI's interrupt is one; every item raises it
            self._stopped.set_exception(error)


class Boards:
    """The boards of the nodes that run now."""

    def __init__(self) -> None:
        self._boards: dict[tuple[object, str, str], Board] = {}

    @asynccontextmanager
    async def join(
        self, context: RunContext, handles: Sequence[Handle], prices: Sequence[int], *, wait: bool
    ) -> AsyncIterator[Board]:
        """The node's board while one item of its list waits for `handles`."""
        key = (asyncio.get_running_loop(), context.prompt_id, context.node_id)
        board = self._boards.get(key)
        if board is None:
            board = self._boards[key] = Board(context, wait=wait)
        board.enter(handles, prices)
        try:
            yield board
        finally:
            board.items -= 1
            if board.items == 0:
                del self._boards[key]
                await board.close()
