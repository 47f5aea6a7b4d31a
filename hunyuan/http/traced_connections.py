"""requests' connections, made to tell how far an exchange came and to connect only where the guard allows.

What requests itself does not offer: whether a byte of the body went out, the address actually connected to, a
request line without re-quoted escapes, the age of a kept connection. Imported at the first exchange.
"""

from __future__ import annotations

import contextvars
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import certifi
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from ..addresses import Address
from ..errors import UnsafeAddressError
from .address_guard import AddressGuard

POOL_SIZE = 64  # kept connections a host: not less than max_in_flight may be
_HOSTS = 32
_PIECE = 65_536  # bytes of a body handed to the socket at a time


class Stage(IntEnum):
    """How far an exchange came. Everything before REQUEST certainly did not arrive."""

    START = 0
    RESOLVE = 1
    DIAL = 2
    PROXY_HANDSHAKE = 3
    TUNNEL = 4
    HANDSHAKE = 5
    REQUEST = 6
    SENT = 7


@dataclass(eq=False)
class Call:
    """One exchange: what is asked for, and how far it came. Times in seconds, monotonic clock.

    sent: a byte of the body (of the request, where there is none) may have gone out.
    """

    method: str
    address: Address
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    connect_timeout: float
    read_timeout: float
    total_seconds: float
    max_bytes: int
    max_idle: float
    guard: AddressGuard | None = None
    is_download: bool = False  # what comes is a file from somewhere, not the answer of who was asked
    proxy: str = field(default="", repr=False)
    ca_source: str = ""  # which setting or variable named the CA certificates; empty: the usual ones
    contexts: TlsContexts | None = field(default=None, repr=False)

    stage: Stage = Stage.START
    sent: bool = False
    reused: bool = False
    expired: bool = False
    connection: TracedConnection | None = field(default=None, repr=False)
    socket: Any = field(default=None, repr=False)
    status: int = 0
    got: list[bytes] = field(default_factory=list, repr=False)  # the answer's body as far as it came, unpacked

    def again(self) -> Call:
        """The same call, not begun, for a connection of its own."""
        return replace(
            self,
            max_idle=-1.0,
            stage=Stage.START,
            sent=False,
            reused=False,
            expired=False,
            connection=None,
            socket=None,
            status=0,
            got=[],
        )

    def expire(self) -> None:
        """The time is up: ends the exchange, from another thread."""
        self.expired = True
        if self.connection is not None:
            self.connection.abort(self)

    @property
    def target(self) -> str:
        """What stands in the request line: the whole address where a proxy forwards it, else path and query."""
        forwarded = self.proxy and self.address.scheme == "http"
        return f"{self.address.origin}{self.address.target}" if forwarded else self.address.target

    def pieces(self) -> Iterator[bytes]:
        """The body on its way out: from the first piece on it counts as sent."""
        body = memoryview(self.body or b"")
        for start in range(0, len(body), _PIECE):
            self.sent, self.stage = True, Stage.SENT
            yield bytes(body[start : start + _PIECE])


# How a connection, which urllib3 makes by itself, learns for which call it works. Set around one exchange only.
current_call: contextvars.ContextVar[Call] = contextvars.ContextVar("current_call")


class TracedConnection(HTTPConnection):
    """An HTTP connection that notes the stage of the call it works for."""

    idle_since = 0.0
    _owner: Call | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owner_lock = threading.Lock()

    def _new_conn(self) -> socket.socket:
        call = self._work_for(current_call.get())
        call.stage = Stage.RESOLVE
        host = self._dns_host.strip("[]")
        assert self.port is not None
        return dial(call, host, self.port, self.socket_options or ())

    def _tunnel(self) -> None:
        current_call.get().stage = Stage.TUNNEL
        super()._tunnel()  # private to http.client since Python 2.6; only observed here
        current_call.get().stage = Stage.HANDSHAKE

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        """Begins the request with the call's own target: urllib3 would write its escapes in another way."""
        call = self._work_for(current_call.get())
        if self.sock is not None and call.guard is not None and not call.proxy:
            # A kept connection may have been opened by an exchange that had no guard.
            call.guard.check(call.address.host, call.address.port, self.sock.getpeername()[0])
        super().putrequest(method, call.target, skip_host=skip_host, skip_accept_encoding=skip_accept_encoding)

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        """Connects if need be, then sends the headers."""
        call = current_call.get()
        if self.sock is None:
            self.connect()
        assert self.sock is not None
        # Still the connect timeout here; sendall() takes it as the limit of a whole piece.
        self.sock.settimeout(call.read_timeout)
        call.stage, call.socket = Stage.REQUEST, self.sock
        if call.body is None:
            call.sent, call.stage = True, Stage.SENT
        super().endheaders(*args, **kwargs)

    def _work_for(self, call: Call) -> Call:
        with self._owner_lock:
            self._owner, call.connection = call, self
        return call

    def abort(self, call: Call) -> None:
        """Ends the call's exchange from another thread, unless its socket works for another call by now.

        An answer that lasts until the end of the connection has taken the socket along: `sock` is None then.
        """
        with self._owner_lock:
            mine = self._owner is call or call.socket is not self.sock
            if mine and isinstance(call.socket, socket.socket):
                try:
                    socket.socket.shutdown(call.socket, socket.SHUT_RDWR)
                except OSError:
                    return  # closed from the other side already


class TracedTlsConnection(TracedConnection, HTTPSConnection):
    """The same over TLS, with a context that is read from the CA file once and not at every connection."""

    def connect(self) -> None:
        """Connects and shakes hands."""
        call = current_call.get()
        if call.contexts is not None and (self.ca_certs or self.ca_cert_dir):
            self.ssl_context = call.contexts.get(self.ca_certs, self.ca_cert_dir)
            if self.proxy_config is not None:  # for TLS with the proxy itself
                self.proxy_config = self.proxy_config._replace(ssl_context=self.ssl_context)
            self.ca_certs = self.ca_cert_dir = None
        super().connect()


class TlsContexts:
    """TLS contexts by CA file or folder; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, float], ssl.SSLContext] = {}

    def get(self, ca_file: str | None, ca_folder: str | None) -> ssl.SSLContext:
        """A verifying context; read again when the file changed. Raises ssl.SSLError, OSError for a bad file.

        An authority that somebody chose is trusted as it is. Python 3.13 would refuse many a company's, because the
        certificate lacks what RFC 5280 wants in it (key usage, identifiers); no earlier Python and no browser asks.
        """
        path = ca_file or ca_folder or ""
        key = (path, os.stat(path).st_mtime)
        with self._lock:
            if key not in self._made:
                context = create_urllib3_context()
                if path != certifi.where():
                    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
                context.load_verify_locations(cafile=ca_file, capath=ca_folder)
                self._made[key] = context
            return self._made[key]


class _TracedPool(HTTPConnectionPool):
    ConnectionCls = TracedConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn: Any = super()._get_conn(timeout)
        call = current_call.get()
        if conn.sock is not None and time.monotonic() - conn.idle_since > call.max_idle:
            conn.close()
        call.reused = conn.sock is not None
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class _TracedTlsPool(_TracedPool, HTTPSConnectionPool):
    ConnectionCls = TracedTlsConnection


class TracedAdapter(HTTPAdapter):
    """requests' adapter over traced connections; never sends anything twice."""

    def __init__(self) -> None:
        super().__init__(pool_connections=_HOSTS, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by requests when the adapter is built."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Called by requests for every exchange through a proxy."""
        manager: Any = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


_POOLS = {"http": _TracedPool, "https": _TracedTlsPool}


def dial(call: Call, host: str, port: int, options: Any) -> socket.socket:
    """Resolves and connects, only to addresses that the guard allows; raises OSError, UnsafeAddressError.

    The address that was checked is the one connected to, so that a second answer of the DNS changes nothing.
    Resolving itself has no deadline but the system's.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    call.stage = Stage.DIAL
    guard = call.guard
    problem: OSError | None = None
    refusal: UnsafeAddressError | None = None
    ends = time.monotonic() + call.connect_timeout
    for index, (family, kind, protocol, _, where) in enumerate(found):
        if guard is not None:
            try:
                if not call.proxy:
                    guard.check(host, port, str(where[0]))
                elif not call.is_download:
                    guard.check_proxy(host, str(where[0]))
            except UnsafeAddressError as closed:
                refusal = refusal or closed
                continue
        # A dead address (IPv6 without a route, often) must leave time for the next.
        share = max(0.1, (ends - time.monotonic()) / (len(found) - index))
        try:
            sock = _connect(family, kind, protocol, where, share, options)
        except OSError as failed:
            problem = failed
        else:
            to_tls_proxy = call.proxy.lower().startswith("https:")
            call.stage = Stage.PROXY_HANDSHAKE if to_tls_proxy else Stage.HANDSHAKE
            sock.settimeout(call.connect_timeout)
            return sock
    raise problem or refusal or OSError(f"no address for {host}")  # a closed one beside others is no reason


def _connect(family: int, kind: int, protocol: int, where: Any, timeout: float, options: Any) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(timeout)
        sock.connect(where)
    except BaseException:
        sock.close()
        raise
    return sock
