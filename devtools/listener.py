"""A ComfyUI websocket that is listened to on a thread and remembers everything it was told."""

from __future__ import annotations

import contextlib
import json
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import websocket

# ComfyUI's binary events (its protocol.py): the first four bytes, big-endian.
_BINARY = {1: "preview_image", 2: "unencoded_preview_image", 3: "progress_text", 4: "preview_image_with_metadata"}


@dataclass(frozen=True)
class Message:
    """One message from the server. `at` is time.monotonic() in seconds; `data` is the JSON payload,
    for progress_text `{"node": id, "text": …}`, for other binary events `{"bytes": n}`."""

    type: str
    data: dict[str, Any]
    at: float


# What a page's first message announces. A client that announces nothing gets no texts.
_PAGE = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}


class PromptSocket:
    """The websocket of one client id; messages are kept in order of arrival until it is closed.

    page: it announces what ComfyUI's page announces; else it is as plain as most clients."""

    def __init__(self, port: int, client_id: str, timeout: float = 20, *, page: bool = True) -> None:
        self.client_id = client_id
        self._messages: list[Message] = []
        self._arrived = threading.Condition()
        self._ended = ""
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}/ws?clientId={client_id}", timeout=timeout, http_no_proxy=["*"]
        )
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._listen, name=f"socket {client_id}", daemon=True)
        self._thread.start()
        self.wait_for(lambda message: message.type == "status", timeout)
        if page:
            self._socket.send(json.dumps(_PAGE))
            self.wait_for(lambda message: message.type == "feature_flags", timeout, "the server's feature flags")

    @property
    def open(self) -> bool:
        return not self._ended

    def messages(self, type_: str | None = None, prompt_id: str | None = None) -> list[Message]:
        """What arrived so far, narrowed to one type and to the messages that name one prompt."""
        with self._arrived:
            return [
                message
                for message in self._messages
                if type_ in (None, message.type) and prompt_id in (None, message.data.get("prompt_id"))
            ]

    def wait_for(self, wanted: Callable[[Message], bool], timeout: float, what: str = "a message") -> Message:
        """The first message, already here or to come, that `wanted` accepts; AssertionError past `timeout` seconds."""
        end = time.monotonic() + timeout
        seen = 0
        with self._arrived:
            while True:
                for message in self._messages[seen:]:
                    if wanted(message):
                        return message
                seen = len(self._messages)
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = f"the socket ended ({self._ended})" if self._ended else f"nothing within {timeout} s"
                    last = [f"{message.type} {str(message.data)[:200]}" for message in self._messages[-8:]]
                    raise AssertionError(f"Waiting for {what}: {why}. The last messages were:\n" + "\n".join(last))
                self._arrived.wait(left)

    def close(self) -> None:
        """Hang up as a closed tab does, and wait until the thread has ended."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=2)
        self._thread.join(10)

    def _listen(self) -> None:
        ended = "closed"
        try:
            while True:
                kind, payload = self._socket.recv_data()
                if kind == websocket.ABNF.OPCODE_CLOSE:
                    break
                self._keep(_message(kind, payload))
        except (OSError, websocket.WebSocketException) as failure:
            ended = str(failure) or type(failure).__name__
        with self._arrived:
            self._ended = ended
            self._arrived.notify_all()

    def _keep(self, message: Message) -> None:
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()


def _message(kind: int, payload: bytes) -> Message:
    now = time.monotonic()
    if kind == websocket.ABNF.OPCODE_TEXT:
        told = json.loads(payload)
        return Message(told["type"], told.get("data") or {}, now)
    (event,) = struct.unpack(">I", payload[:4])
    type_ = _BINARY.get(event, f"binary {event}")
    if type_ == "progress_text":
        (length,) = struct.unpack(">I", payload[4:8])
        return Message(type_, {"node": payload[8 : 8 + length].decode(), "text": payload[8 + length :].decode()}, now)
    return Message(type_, {"bytes": len(payload) - 4}, now)
