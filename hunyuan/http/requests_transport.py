"""One HTTP exchange over a pool of kept connections, with requests: one attempt, the whole answer, every failure as one
of ours. The one place that knows requests' exceptions; what requests does not offer stands in traced_connections.py.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import requests
import urllib3
import urllib3.exceptions

from ..addresses import Address, parse
from ..errors import AnswerLostError, DownloadError, HunyuanError, TooLargeError
from ..sentences import say
from ..settings.store import Settings
from .address_guard import AddressGuard
from .decompression import CODINGS, leniently, unpacked
from .network_errors import answer_cut, answer_too_large, describe, proxy_wants_login
from .proxy_and_ca import choose
from .traced_connections import Call, TlsContexts, TracedAdapter, current_call
from .transport import CONNECT_TIMEOUT, REUSE_IDLE_SECONDS, Exchange

USER_AGENT = "hunyuan-image-3 (ComfyUI)"
_OUR_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
_CHUNK = 65_536  # bytes
_SLOWEST_UPLINK = 16_384  # bytes per second a body is given at least
_ERROR_BODY = 65_536  # bytes read of a download that did not answer 200

Resolve = Callable[[str, int], list[str]]  # host, port → its IP addresses; raises OSError


class RequestsTransport:
    """Transport over requests: thread-safe, one pool for all threads, proxy and CA as the settings say now.

    resolve: what names are looked up with where a proxy connects and this machine only checks. guard: where `send` may
    go; None: anywhere, for its addresses are the user's own settings.
    """

    def __init__(
        self,
        settings_supplier: Callable[[], Settings],
        resolve: Resolve | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._settings, self._resolve, self._guard = settings_supplier, resolve or _resolved, guard
        self._adapter = TracedAdapter()
        self._contexts = TlsContexts()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float,
        max_bytes: int,
        reuse_idle_seconds: float = REUSE_IDLE_SECONDS,
    ) -> Exchange:
        """See Transport. A GET that met a kept connection just as the server dropped it goes out once more."""
        call = Call(
            method=method,
            address=parse(url),
            headers={**_OUR_HEADERS, **headers},
            body=body,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            total_seconds=connect_timeout + read_timeout + len(body or b"") / _SLOWEST_UPLINK,
            max_bytes=max_bytes,
            max_idle=reuse_idle_seconds,
            guard=self._guard,
            contexts=self._contexts,
        )
        return self._exchange(call)

    def fetch(
        self,
        address: Address,
        *,
        headers: Mapping[str, str],
        deadline_seconds: float,
        max_bytes: int,
        guard: AddressGuard,
    ) -> Exchange:
        """See Transport."""
        call = Call(
            method="GET",
            address=address,
            headers={**_OUR_HEADERS, **headers},
            body=None,
            connect_timeout=min(CONNECT_TIMEOUT, deadline_seconds),
            read_timeout=deadline_seconds,
            total_seconds=deadline_seconds,
            max_bytes=max_bytes,
            max_idle=REUSE_IDLE_SECONDS,
            guard=guard,
            is_download=True,
            contexts=self._contexts,
        )
        return self._exchange(call)

    def close(self) -> None:
        """Closes the kept connections; the next exchange opens new ones."""
        self._adapter.close()

    def _exchange(self, call: Call) -> Exchange:
        """The answer; raises TransportError, UnsafeAddressError under a guard, TooLargeError for a download."""
        settings = self._settings()
        try:
            outcome = self._outcome(call, settings)
        except HunyuanError as failure:
            outcome = failure
        if isinstance(outcome, HunyuanError):
            # Raised here, outside any except: a foreign exception behind it would carry the request's headers.
            raise _without_secrets(outcome, settings.redact)
        return outcome

    def _outcome(self, call: Call, settings: Settings) -> Exchange | HunyuanError:
        route = choose(call.address, settings)
        call.proxy, call.ca_source = route.proxy, route.ca_source
        if call.proxy and call.guard is not None:
            _check_by_name(call.address, call.guard, self._resolve)
        outcome = self._attempt(call, route.ca)
        if isinstance(outcome, AnswerLostError) and call.reused and call.body is None and not call.expired:
            # The server dropped the kept connection while the request was on its way (RFC 9110, 9.2.2).
            outcome = self._attempt(call.again(), route.ca)
        if isinstance(outcome, AnswerLostError):
            outcome.status, outcome.body = call.status, b"".join(call.got)
        return outcome

    def _attempt(self, call: Call, ca: str) -> Exchange | HunyuanError:
        token = current_call.set(call)
        timer = threading.Timer(call.total_seconds, call.expire)
        timer.daemon = True
        timer.start()
        try:
            response = self._adapter.send(
                _prepared(call),
                stream=True,
                timeout=(call.connect_timeout, call.read_timeout),
                verify=ca,
                proxies={call.address.scheme: call.proxy} if call.proxy else {},
            )
            try:
                return _read(call, response)
            finally:
                response.close()
        except HunyuanError as failure:
            return failure
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
        ) as failure:
            return describe(call, failure)
        finally:
            timer.cancel()
            current_call.reset(token)


def _without_secrets(failure: HunyuanError, redact: Callable[[str], str]) -> HunyuanError:
    """The same failure, no secret in what it quotes: a key that was entered as an address is a host's name, too."""
    return failure.but(what=redact(failure.what), why=redact(failure.why), do=redact(failure.do))


def _prepared(call: Call) -> requests.PreparedRequest:
    """The request without its path: that goes out as it is (TracedConnection), not as requests would re-quote it."""
    request = requests.PreparedRequest()
    request.prepare(method=call.method, url=f"{call.address.origin}/", headers=dict(call.headers))
    if call.body is not None:
        request.body = call.pieces()  # type: ignore[assignment]  # requests takes any iterable
        request.headers["Content-Length"] = str(len(call.body))
    return request


def _read(call: Call, response: requests.Response) -> Exchange | HunyuanError:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if response.status_code == 407 and call.proxy:
        return proxy_wants_login(call)
    wanted = not call.is_download or response.status_code == 200
    limit = call.max_bytes if wanted else min(call.max_bytes, _ERROR_BODY)
    length = None if call.method == "HEAD" or response.status_code in (204, 304) else _length(headers)
    if wanted and length is not None and length > limit:
        return _over(call)
    coding = headers.get("content-encoding", "").strip().lower() if wanted else ""
    if call.is_download and coding not in CODINGS:
        return _packed_oddly(call, coding)
    call.status, size = response.status_code, 0
    for chunk in _pieces(response, coding, limit, trusted=call.guard is None):
        call.got.append(chunk)
        size += len(chunk)
        if size > limit:
            if wanted:
                return _over(call)
            break
    else:
        # requests leaves it to urllib3's version whether a short body is an error.
        if call.expired or (length is not None and "transfer-encoding" not in headers and response.raw.tell() < length):
            return answer_cut(call)
    return Exchange(response.status_code, headers, b"".join(call.got))


def _pieces(response: requests.Response, coding: str, limit: int, *, trusted: bool) -> Iterator[bytes]:
    """The body; trusted: the gateway alone can have sent it."""
    raw: Iterator[bytes] = response.raw.stream(_CHUNK, decode_content=False)
    if not trusted:
        return unpacked(raw, coding)
    return leniently(raw, coding) if coding in CODINGS else _oddly_packed(raw, coding, limit)


def _oddly_packed(raw: Iterator[bytes], coding: str, limit: int) -> Iterator[bytes]:
    """What only urllib3 can unpack, if anybody; plain JSON that only says that it is packed passes as it is."""
    body = b""
    while len(body) <= limit and (piece := next(raw, b"")):
        body += piece
    if body.lstrip()[:1] in (b"{", b"["):
        return iter([body])
    headers = {"content-encoding": coding}
    response = urllib3.HTTPResponse(io.BytesIO(body), headers=headers, preload_content=False)
    unpacked_by_urllib3: Iterator[bytes] = response.stream(_CHUNK, decode_content=True)
    return unpacked_by_urllib3


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _over(call: Call) -> HunyuanError:
    if not call.is_download:
        return answer_too_large(call)
    return TooLargeError(
        say("The file at {host} is larger than {size:.0f} MiB.", host=call.address.host, size=call.max_bytes / 2**20),
        why=say("Downloads are capped against files that fill memory."),
        do=say("Open the link in a browser if you trust it."),
    )


def _packed_oddly(call: Call, coding: str) -> HunyuanError:
    return DownloadError(
        say(
            "{place} sent the file packed as {coding!r}, which was not asked for.",
            place=call.address.place,
            coding=coding[:40],
        ),
        do=say("Try again; report it if it stays so."),
    )


def _check_by_name(address: Address, guard: AddressGuard, resolve: Resolve) -> None:
    """Through a proxy nobody here sees the address connected to, so the name is resolved for the check alone.

    That does not stop a DNS which answers the proxy otherwise; and where only the proxy can resolve names, the
    decision is the proxy's. A written-out or locally known closed address is refused in either case.
    """
    try:
        found = resolve(address.host, address.port)
    except (OSError, UnicodeError):
        return
    guard.check_for_proxy(address.host, address.port, found)


def _resolved(host: str, port: int) -> list[str]:
    return [str(where[0]) for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
