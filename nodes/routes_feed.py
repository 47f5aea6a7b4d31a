"""News for the pages that asked: each change of a task, and soon after it the totals. No page ever polls.

A page asks with its client id. One that is just loading again under the same id has a new websocket and does not hear
the old one's news: ComfyUI's page would complain of messages that nobody listens to yet.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ..hunyuan.errors import HunyuanError
from .routes_rows import public_row, summary

if TYPE_CHECKING:
    from ..hunyuan.rows import TaskRow
    from .runtime import Runtime

TASK, CREDITS = "hunyuan.task", "hunyuan.credits"  # the events' names
GATHER_SECONDS = 0.25  # changes that come together make one look at the totals
LOG = logging.getLogger("hunyuan")


class Feed:
    """A listener of the runtime's: called on the engine's thread, sends on the server's loop."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._runtime: Runtime | None = None
        self._pages: dict[str, Any] = {}  # client id → the websocket it asked over
        self._armed = False
        self._telling: set[asyncio.Task[None]] = set()  # a task that nothing holds may be collected

    def follow(self, runtime: Runtime) -> None:
        """Listen to this runtime; again and again is once."""
        self._runtime = runtime
        if self not in runtime.listeners:
            runtime.listeners.append(self)

    def add_page(self, client: str) -> None:
        """A page that wants the news from now on; on the server's loop."""
        if client in self._server.sockets:
            self._pages[client] = self._server.sockets[client]

    def __call__(self, row: TaskRow) -> None:
        self._server.loop.call_soon_threadsafe(self._tell_row, row)

    def _tell_row(self, row: TaskRow) -> None:
        self._send(TASK, public_row(row))
        self.tell_totals()

    def _send(self, event: str, content: dict[str, Any]) -> None:
        for client, socket in list(self._pages.items()):
            if self._server.sockets.get(client) is socket:
                self._server.send_sync(event, content, client)
            else:
                del self._pages[client]

    def tell_totals(self) -> None:
        """Send the totals shortly; on the server's loop."""
        if not self._armed:
            self._armed = True
            self._server.loop.call_later(GATHER_SECONDS, self._start)

    def _start(self) -> None:
        self._armed = False
        task = self._server.loop.create_task(self._tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        if self._runtime is None or not self._pages:
            return
        try:
            totals = await asyncio.wrap_future(self._runtime.call(summary, self._runtime))
        except HunyuanError as error:
            LOG.warning("The task list could not be told the totals: %s", error)
            return
        self._send(CREDITS, totals)
