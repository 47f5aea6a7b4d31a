"""The seam of every HTTP exchange: what a transport does, and what a whole answer is. Light: loads no requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..addresses import Address
from .address_guard import AddressGuard

CONNECT_TIMEOUT = 10.0  # seconds
REUSE_IDLE_SECONDS = 50.0  # many servers drop what idled for a minute


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
