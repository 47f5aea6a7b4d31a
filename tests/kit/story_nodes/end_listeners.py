"""What other packs do about the end of the process, by STORY_END_LISTENER: `KIND` or empty."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from typing import Any

KIND = os.environ.get("STORY_END_LISTENER", "")


def _say(*_: object) -> None:
    print("the other listener was called", flush=True)


def _dawdle(*_: object) -> None:
    _say()
    time.sleep(30)


def _take() -> None:
    signal.signal(signal.SIGTERM, _say)
    _taken.append(signal.SIGTERM)


_taken: list[int] = []


def _install(server: Any) -> None:
    if KIND == "before":
        signal.signal(signal.SIGTERM, _say)
    elif KIND == "keeps":  # "press it again to end"
        signal.signal(signal.SIGINT, _say)
    elif KIND == "dawdles":
        signal.signal(signal.SIGTERM, _dawdle)
    elif KIND == "thread":  # Python joins it before `atexit`
        threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
        signal.signal(signal.SIGTERM, _say)

    async def on_startup(_: object) -> None:
        if KIND == "loop":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _say)
        elif KIND == "after":  # as a pack does that thinks of nobody else
            asyncio.get_running_loop().call_later(0.2, _take)

    server.app.on_startup.append(on_startup)

    @server.routes.get("/story/taken")
    async def taken(_: object) -> Any:
        """Whether the listener of kind `after` was there, and another one has the signal again."""
        from aiohttp import web

        return web.json_response(bool(_taken) and signal.getsignal(signal.SIGTERM) is not _say)

    @server.routes.post("/story/replace")
    async def replace(request: Any) -> None:
        """As ComfyUI-Manager restarts; by a file of that name instead of Python."""
        os.execv(request.query.get("by", sys.executable), [sys.executable, "-c", "print('replaced', flush=True)"])


def install() -> None:
    """Into the server of this process."""
    from server import PromptServer

    _install(PromptServer.instance)


install()
