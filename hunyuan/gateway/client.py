"""The gateway as three verbs: create, status, download; and a test of the key that costs nothing.

Everything blocks and is thread-safe. Nothing is retried here: what a failure means is the caller's decision.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NoReturn

from ..errors import AnswerLostError, GatewayError, HunyuanError, MissingKeyError, Money, TransportError
from ..http.downloads import MAX_BYTES, decode_inline, download
from ..http.transport import Exchange, Transport
from ..models import GenerationRequest, TaskStatus
from ..sentences import say
from ..settings.store import Settings
from ..task_ids import check_given_id, path_segment
from . import protocol
from .answer_ids import has_envelope
from .answer_parts import parse
from .key_check import IMPOSSIBLE_TASK_ID, KeyCheck, judge_answer, judge_failure

_CREATE_PATH = "/api/v1/images/generations"
_TASK_PATH = "/api/v1/tasks/"
_STATUS_TIMEOUT = 30.0  # seconds
# Bytes of an answer, unpacked: of one that may carry an image in base64, and of a poll's.
_MAX_INLINE = MAX_BYTES * 4 // 3 + 2**20
_MAX_POLL = 4 * 2**20
# A connection that the gateway is about to drop turns a create into one whose answer is lost: only a connection
# that was used a moment ago carries it.
_CREATE_IDLE_SECONDS = 3.0


class Client:
    """The gateway's API over a transport, with the key and address that the settings hold at the moment of the call."""

    def __init__(self, transport: Transport, settings_supplier: Callable[[], Settings]) -> None:
        self._transport = transport
        self._settings = settings_supplier

    def create(self, request: GenerationRequest, image_urls: Sequence[str], read_timeout: float) -> TaskStatus:
        """Sends the create, once. read_timeout in seconds: the answer may be the finished image itself.

        Raises MissingKeyError; TransportError with `sent` exact; the GatewayError tree. `money` says whether it may
        have been billed.
        """
        settings = self._usable_settings()
        body = json.dumps(protocol.create_body(request, image_urls), ensure_ascii=False).encode()
        inputs = [*image_urls, *(value for _, value in request.parameters if isinstance(value, str))]
        try:
            exchange = self._transport.send(
                "POST",
                settings.base_url + _CREATE_PATH,
                headers={**_bearer(settings), "Content-Type": "application/json", "Accept": "application/json"},
                body=body,
                read_timeout=read_timeout,
                max_bytes=_MAX_INLINE,
                reuse_idle_seconds=_CREATE_IDLE_SECONDS,
            )
        except TransportError as failure:
            if isinstance(failure, AnswerLostError):
                kept = protocol.read_cut_create(failure.status, failure.body, inputs)
                if kept is not None:
                    return kept
            raise failure.but(money=Money.MAYBE_SPENT if failure.sent else Money.NOT_SPENT) from failure.__cause__
        return protocol.read_create(
            exchange.status,
            exchange.headers.get("content-type", ""),
            exchange.body,
            inputs,
            headers=exchange.headers,
            redact=settings.redact,
            base_url=settings.base_url,
        )

    def status(self, task_id: str, request_inputs: Collection[str] = (), *, inline: bool = False) -> TaskStatus:
        """Asks for a task. request_inputs: the URLs the task was given, never taken for its result.

        inline: the answer may be as large as an image in it makes it; else 4 MiB, and AnswerTooLargeError.

        Raises InvalidTaskIdError, MissingKeyError, TransportError, the GatewayError tree (with the task's id).
        """
        task_id = check_given_id(task_id)
        settings = self._usable_settings()
        exchange = self._ask(settings, task_id, _MAX_INLINE if inline else _MAX_POLL)
        try:
            found = protocol.read_task(
                exchange.status,
                exchange.headers.get("content-type", ""),
                exchange.body,
                request_inputs,
                headers=exchange.headers,
                redact=settings.redact,
                base_url=settings.base_url,
                asked=task_id,
            )
        except GatewayError as failure:
            raise failure.but(task_id=task_id) from failure.__cause__
        return replace(found, task_id=task_id)

    def download(self, url_or_data_uri: str, deadline_seconds: float) -> bytes:
        """The bytes of a finished image, from its link, a `data:` URI or bare base64.

        deadline_seconds: for everything, redirects too. Raises TransportError, ServerError and RateLimitedError
        (worth another try), and DownloadError: LinkDeadError, UnsafeAddressError, TooLargeError, NotAnImageError.
        """
        if not url_or_data_uri.lower().startswith(("http:", "https:")):
            return decode_inline(url_or_data_uri, MAX_BYTES)
        return download(self._transport, self._settings(), url_or_data_uri, deadline_seconds)

    def check_key(self) -> KeyCheck:
        """Asks for a task that cannot exist, which is free; tells what of key, address, DNS, proxy, TLS is wrong."""
        try:
            settings = self._usable_settings()
            exchange = self._ask(settings, IMPOSSIBLE_TASK_ID)
        except HunyuanError as failure:
            return judge_failure(failure)
        root = parse(exchange.body)
        try:
            protocol.read_task(
                exchange.status,
                exchange.headers.get("content-type", ""),
                exchange.body,
                headers=exchange.headers,
                redact=settings.redact,
            )
        except GatewayError as failure:
            return judge_answer(failure, settings.base_url, is_json=root is not None)
        return judge_answer(None, settings.base_url, is_json=root is not None and has_envelope(root))

    def _ask(self, settings: Settings, task_id: str, max_bytes: int = _MAX_POLL) -> Exchange:
        return self._transport.send(
            "GET",
            f"{settings.base_url}{_TASK_PATH}{path_segment(task_id)}",
            headers={**_bearer(settings), "Accept": "application/json"},
            read_timeout=_STATUS_TIMEOUT,
            max_bytes=max_bytes,
        )

    def _usable_settings(self) -> Settings:
        settings = self._settings()
        if not settings.api_key:
            _refuse_without_key()
        return settings


def _bearer(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.api_key}"}


def _refuse_without_key() -> NoReturn:
    raise MissingKeyError(
        say("No API key is set."),
        do=say(
            "Enter the key of your API in One account under Settings > Hunyuan Image 3, or set the "
            "environment variable HUNYUAN_API_KEY before ComfyUI starts."
        ),
    )
