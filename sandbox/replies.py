"""Answers, and what faults make of them."""

from __future__ import annotations

import base64
import dataclasses
import http
import json
from typing import Any

from . import odd_bodies
from .contract import Refused, error_body
from .record import Seen
from .rules import NO_FAULT, Fault

JSON = "application/json"
HTML = "text/html; charset=utf-8"
MESSAGES = {
    401: "Invalid API key",
    402: "Insufficient credits",
    404: "Not found",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
    1200: "The content was flagged by moderation",
    1401: "Invalid parameter",
    5004: "Task timed out",
}


@dataclasses.dataclass(frozen=True)
class Reply:
    """What goes back. `faults` is for whoever carries it: delay, hang, drop, drip, close_after, chunked.

    `delay_s`: seconds before the answer (the fault's own, and the task's for a direct answer).
    """

    status: int
    headers: dict[str, str]
    body: bytes
    faults: Fault = NO_FAULT
    delay_s: float = 0.0
    seen: Seen | None = None

    def json(self) -> Any:
        return json.loads(self.body)


def json_reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": JSON}, json.dumps(value, ensure_ascii=False).encode())


def refusal(refused: Refused) -> Reply:
    """The documented error shape; the envelope where the HTTP status is 200."""
    if refused.status == 200:
        return json_reply({"code": refused.code, "message": refused.message})
    body = error_body(refused.code, refused.message, refused.status)
    if refused.task_id is not None:
        body["error"]["task_id"] = refused.task_id
    return json_reply(body, refused.status)


def spoil(reply: Reply | None, fault: Fault, target: str) -> Reply:
    """The gateway's reply (None: it did nothing) as the fault leaves it."""
    if fault.answers or reply is None:
        reply = dataclasses.replace(_own_answer(fault, target), delay_s=reply.delay_s if reply else 0.0)
    content_type, body = reply.headers.get("Content-Type", ""), reply.body
    if fault.image is not None and reply.status == 200:
        body, content_type = odd_bodies.spoiled(fault.image, body, content_type)
    headers = {**reply.headers, "Content-Type": content_type, **(fault.headers or {})}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.wrapped is not None:
        body, said = odd_bodies.wrapped(fault.wrapped, body)
        headers.update(said)
    return dataclasses.replace(
        reply,
        headers=headers,
        body=body + bytes(fault.pad_bytes),
        faults=fault,
        delay_s=reply.delay_s + fault.delay_s,
    )


def _own_answer(fault: Fault, target: str) -> Reply:
    status = fault.status or (302 if fault.redirect is not None else 200)
    if fault.redirect is not None:
        location = fault.redirect.replace("{path}", target)
        return Reply(status, {"Location": location, "Content-Type": HTML}, b"")
    if fault.body_b64 is not None:
        return Reply(status, {"Content-Type": "application/octet-stream"}, base64.b64decode(fault.body_b64))
    code = status if fault.code is None else fault.code
    message = fault.message or MESSAGES.get(code if isinstance(code, int) else 0) or _reason(status)
    body = fault.body if fault.body is not None else ("envelope" if status == 200 else "error")
    if body == "error":
        return json_reply(error_body(code, message, status), status)
    if body == "envelope":
        return json_reply({"code": code, "message": message}, status)
    if body == "html":
        return Reply(status, {"Content-Type": HTML}, odd_bodies.html_page(status, _reason(status)))
    if body == "empty":
        return Reply(status, {"Content-Type": JSON}, b"")
    if isinstance(body, str):
        return Reply(status, {"Content-Type": JSON if body[:1] in "{[" else HTML}, body.encode())
    return json_reply(body, status)


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
