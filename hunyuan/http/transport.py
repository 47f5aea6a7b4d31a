"""One HTTP exchange over a pool of kept connections; the only room that knows requests' exceptions.

wire.py performs an exchange, connections.py is what requests does not offer, route.py chooses proxy and CA,
network_errors.py words the failures. They are imported at the first exchange: requests costs more to import
than the whole pack may.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..settings.store import Settings
from .addresses import Address, AddressGuard, parse

if TYPE_CHECKING:
    from .requests_transport import Resolve, Wire

CONNECT_TIMEOUT = 10.0  # seconds
REUSE_IDLE_SECONDS = 50.0  # many servers drop what idled for a minute
USER_AGENT = "hunyuan-image-3 (ComfyUI)"


@dataclass(frozen=True)
class Exchange:
    """A whole answer. headers: names in lower case. body: unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """The seam for tests: everything above it knows neither sockets nor requests."""

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
        """One exchange, never redirected; raises TransportError with `sent` exact.

        read_timeout: seconds for the answer; all in all an exchange ends after both timeouts and the time a slow line
        needs for the body, however the answer drips.
        reuse_idle_seconds: a kept connection that idled longer is not used.
        """
        ...

    def fetch(
        self,
        address: Address,
        *,
        headers: Mapping[str, str],
        deadline_seconds: float,
        max_bytes: int,
        guard: AddressGuard,
    ) -> Exchange:
        """One hop of a download; raises TransportError, UnsafeAddressError, TooLargeError.

        deadline_seconds: for everything, however slowly the bytes drip. The body of an answer that is not 200 may
        be cut short; a redirect is given back, not followed.
        """
        ...


class RequestsTransport:
    """Transport over requests: thread-safe, one pool for all threads, proxy and CA as the settings say now.

    resolve: another way than the system's to look names up, for the check of a download through a proxy. guard: where
    `send` may go; None: anywhere, for its addresses are the user's own settings.
    """

    def __init__(
        self,
        settings_supplier: Callable[[], Settings],
        resolve: Resolve | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._settings, self._resolve, self._guard = settings_supplier, resolve, guard
        self._lock = threading.Lock()
        self._made: Wire | None = None

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
        wire, settings = self._wire(), self._settings()
        call = wire.call(
            method,
            parse(url),
            headers={"User-Agent": USER_AGENT, **headers},
            body=body,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
            max_idle=reuse_idle_seconds,
            guard=self._guard,
        )
        return wire.run(call, settings)

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
        wire, settings = self._wire(), self._settings()
        call = wire.call(
            "GET",
            address,
            headers={"User-Agent": USER_AGENT, **headers},
            body=None,
            connect_timeout=min(CONNECT_TIMEOUT, deadline_seconds),
            read_timeout=deadline_seconds,
            max_bytes=max_bytes,
            max_idle=REUSE_IDLE_SECONDS,
            total_seconds=deadline_seconds,
            guard=guard,
            is_download=True,
        )
        return wire.run(call, settings)

    def close(self) -> None:
        """Closes the kept connections; the next exchange opens new ones."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    def _wire(self) -> Wire:
        with self._lock:
            if self._made is None:
                from .requests_transport import Wire

                self._made = Wire(self._resolve)
            return self._made
