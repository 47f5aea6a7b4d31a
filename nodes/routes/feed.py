"""News for the pages that asked: each change of a task, and soon after it the totals. No page ever polls.

A page asks with its client id. One that is just loading again under the same id has a new websocket and does not hear
the old one's news: ComfyUI's page would complain of messages that nobody listens to yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...hunyuan.errors import HunyuanError

if TYPE_CHECKING:
    from ...hunyuan.journal.records import TaskRow
    from ..comfyui.users import Viewer
    from ..runtime import Runtime

TASK, CREDITS = "hunyuan.task", "hunyuan.credits"  # the events' names
GATHER_SECONDS = 0.25  # changes that come together make one look at the totals
AGAIN_SECONDS = 5.0  # after totals that could not be had
LOG = logging.getLogger("hunyuan")


@dataclass(frozen=True)
class _Page:
    """Who listens: the websocket it asked over, for whom, and what gives the language that they read."""

    socket: Any
    viewer: Viewer
    language: Callable[[], str]


class Feed:
    """A listener of the runtime's: called on the background loop's thread, sends on the server's loop."""

    def __init__(self, server: Any, get_runtime: Callable[[], Runtime]) -> None:
        self._server, self._get_runtime = server, get_runtime
        self._followed: Runtime | None = None
        self._pages: dict[str, _Page] = {}  # by client id
        self._armed = False
        self._again: asyncio.TimerHandle | None = None
        self._complaint = ""  # the last one, until the totals could be told
        self._telling: set[asyncio.Task[None]] = set()  # a task that nothing holds may be collected

    def follow(self, runtime: Runtime) -> None:
        """Listen to this runtime; again and again is once."""
        self._followed = runtime
        if self not in runtime.listeners:
            runtime.listeners.append(self)

    def add_page(self, client: str, viewer: Viewer, language: Callable[[], str]) -> None:
        """A page that wants the news of its user's tasks from now on; on the server's loop. language: `en` or `zh`."""
        if client in self._server.sockets:
            self._pages[client] = _Page(self._server.sockets[client], viewer, language)

    def __call__(self, row: TaskRow) -> None:
        self._server.loop.call_soon_threadsafe(self._tell_row, row)

    def tell_restored(self, row: TaskRow) -> None:
        """A task is back on the list: else a page takes it for older news of one that was taken off."""
        self._send_row(row, {**self._public(row), "restored": True})
        self.tell_totals()

    def _tell_row(self, row: TaskRow) -> None:
        self._send_row(row, self._public(row))
        self.tell_totals()

    def _public(self, row: TaskRow) -> dict[str, Any]:
        from .views import public_row

        return public_row(row, self._followed.runner.deliveries.awaited() if self._followed else ())

    def _send_row(self, row: TaskRow, content: dict[str, Any]) -> None:
        from ..status.chinese import worded

        for client, page in self._listening().items():
            if page.viewer.owns(row.user_id):
                # Only a failure has anything to translate: the language stands in a file.
                told = worded(content, page.language()) if content["error_text"] else content
                self._server.send_sync(TASK, told, client)

    def _listening(self) -> dict[str, _Page]:
        """The pages that still have the websocket they asked over; the others are not thought of any more."""
        sockets = self._server.sockets
        self._pages = {client: page for client, page in self._pages.items() if sockets.get(client) is page.socket}
        return self._pages

    def tell_totals(self) -> None:
        """Send the totals shortly; on the server's loop."""
        if not self._armed:
            self._armed = True
            self._server.loop.call_later(GATHER_SECONDS, self._start)

    def _start(self) -> None:
        self._armed = False
        task = self._server.loop.create_task(self._send_totals())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _send_totals(self) -> None:
        if not self._listening():
            return
        try:
            runtime = await asyncio.to_thread(self._get_runtime)  # a setting may have kept it from being built
            self.follow(runtime)
            from .views import summary

            totals = {
                users: await asyncio.wrap_future(runtime.call(summary, runtime, users))
                for users in {page.viewer.users for page in self._listening().values()}
            }
        except Exception as error:  # noqa: BLE001 - whatever it was, the pages must not believe the last totals for ever
            self._put_off(error)
            return
        self._complaint = ""
        for client, page in self._listening().items():
            if page.viewer.users in totals:
                self._server.send_sync(CREDITS, totals[page.viewer.users], client)

    def _put_off(self, error: Exception) -> None:
        """Tells later; says why once."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            defect = None if isinstance(error, HunyuanError) else error
            LOG.warning("The task list could not be told the totals: %s", error, exc_info=defect)
        if self._again is not None:
            self._again.cancel()
        self._again = self._server.loop.call_later(AGAIN_SECONDS, self.tell_totals)
