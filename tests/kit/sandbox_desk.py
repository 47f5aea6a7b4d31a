"""The sandbox's gateway on a clock that is moved by hand, without HTTP, and what a client does to it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from sandbox.control import Control
from sandbox.gateway import Gateway
from sandbox.inputs import Unreachable
from sandbox.pictures import Picture
from sandbox.replies import Reply
from sandbox.rules import Script
from sandbox.settings import Settings

KEY = "aio_0123456789abcdef0123456789abcdef"
MODEL = "hunyuan-image-3"


class Hand:
    """A clock that is moved by hand (`now += seconds`)."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_780_000_000.0 + self.now


class Desk:
    """A gateway with its clock, and what a client does to it."""

    def __init__(self, *rules: dict[str, Any], task: dict[str, Any] | None = None, **settings: Any) -> None:
        self.clock, self.drawn = Hand(), 0
        self.gateway = Gateway(
            self.clock,
            self._draw,
            Script(*rules),
            settings=Settings(keys=(KEY,)).changed({"task": {"seconds": 10.0, **(task or {})}, **settings}),
            fetch=self._fetch,
        )
        self.control = Control(self.gateway)

    def _draw(self, picture: Picture) -> bytes:
        self.drawn += 1
        return f"{picture.prompt} {picture.seed}".encode()

    def _fetch(self, url: str) -> bytes:
        raise Unreachable(url)

    def create(self, prompt: str = "a cat", key: str | None = KEY, **fields: Any) -> Reply:
        body = json.dumps({"model": MODEL, "prompt": prompt, "size": "512*512", **fields}).encode()
        return self.gateway.handle("POST", "/api/v1/images/generations", bearer(key), body)

    def poll(self, task_id: str, key: str | None = KEY) -> Reply:
        return self.gateway.handle("GET", f"/api/v1/tasks/{task_id}", bearer(key))

    def download(self, url: str) -> Reply:
        parts = urlsplit(url)
        return self.gateway.handle("GET", f"{parts.path}?{parts.query}", {})

    def task_id(self, **fields: Any) -> str:
        return str(self.create(**fields).json()["data"]["task_id"])

    def money(self) -> tuple[int, int, int]:
        state = self.control.state()
        return state["billed"], state["refunded"], state["credits"]


def bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
