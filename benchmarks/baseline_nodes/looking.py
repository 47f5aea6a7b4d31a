"""Routes that look at this ComfyUI from inside: its memory, and what its main thread opens.

GET /bench/memory: resident bytes after a collection of garbage (`?now=1`: without one).
POST /bench/watch: begins to note what the main thread opens, lists or connects to; GET ends it and gives the notes.
"""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

from aiohttp import web

EVENTS = {"open", "os.listdir", "os.scandir", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}


class _Watch:
    """An audit hook (it cannot be taken away again, so it is set at the first use) and its notes."""

    def __init__(self) -> None:
        self._hooked = False
        self._on = False
        self._notes: list[str] = []

    def begin(self) -> None:
        if not self._hooked:
            sys.addaudithook(self._heard)
            self._hooked = True
        self._notes = []
        self._on = True

    def end(self) -> list[str]:
        self._on = False
        return self._notes

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._on and event in EVENTS and threading.current_thread() is threading.main_thread():
            self._notes.append(f"{event} {arguments[0] if arguments else ''}")


def register(routes: web.RouteTableDef) -> None:
    """Adds the routes to ComfyUI's."""
    watch = _Watch()

    @routes.get("/bench/memory")
    async def memory(request: web.Request) -> web.Response:
        import psutil

        if "now" not in request.query:
            gc.collect()
        return web.json_response({"bytes": psutil.Process().memory_info().rss})

    @routes.post("/bench/watch")
    async def begin(_: web.Request) -> web.Response:
        watch.begin()
        return web.json_response({})

    @routes.get("/bench/watch")
    async def end(_: web.Request) -> web.Response:
        return web.json_response({"notes": watch.end()})
