"""http(s) addresses, taken apart without changing a byte."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from .errors import UnsafeAddressError
from .sentences import Sentence, say

_DEFAULT_PORTS = {"http": 80, "https": 443}
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


@dataclass(frozen=True)
class Address:
    """An http(s) address in its parts.

    host: lower case, ASCII, without brackets. target: path and query exactly as they were written, every escape
    kept (a signature covers them); only characters outside ASCII are escaped, which HTTP cannot carry.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """`https://host` with the port where it is not the scheme's own."""
        return f"{self.scheme}://{self.place}"

    @property
    def place(self) -> str:
        """`host` or `host:port`, for a Host header or a message."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def join(self, location: str) -> Address:
        """Where a redirect from here leads; raises UnsafeAddressError if that is no http(s) address."""
        location = location.strip()
        if _SCHEME.match(location):
            return parse(location)  # as it is: joining would rewrite it
        if location.startswith("/"):
            start = f"{self.scheme}:" if location.startswith("//") else self.origin
            return parse(start + location)
        return parse(urljoin(f"{self.origin}{self.target}", location))


def parse(url: str) -> Address:
    """Takes an address apart; raises UnsafeAddressError for anything but a plain http or https address."""
    if _CONTROL.search(url):
        raise _unusable(say("It holds a space, a backslash or a control character."))
    split = _split(url)
    if split is None:
        raise _unusable(say("It is malformed."))
    parts, host, port = split
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise _unusable(say('Only http and https are fetched, got "{scheme}".', scheme=scheme[:20]))
    if "@" in parts.netloc:
        raise _unusable(say("It holds a user name."))
    if not host or port == 0 or "%" in host:
        raise _unusable(say("Its host or port is missing or malformed."))
    rest = url.split("://", 1)[1][len(parts.netloc) :].split("#", 1)[0]
    target = _NOT_ASCII.sub(lambda match: quote(match[0]), rest)
    return Address(scheme, host, port or _DEFAULT_PORTS[scheme], target if target.startswith("/") else f"/{target}")


def compared_host(host: str) -> str:
    """A host as it is compared with another: ASCII, lower case, without the dot that may end a name. Never raises."""
    with suppress(UnicodeError):  # what no DNS can know stays as it is
        host = host if ":" in host else host.encode("idna").decode("ascii")
    return host.lower().removesuffix(".")


def compared_place(place: str) -> str:
    """The same for `host` or `host:port`; an IPv6 address stands in brackets."""
    host, colon, port = ("", "", place) if place.startswith("[") else place.partition(":")
    return f"{compared_host(host)}{colon}{port.lower()}"


def _split(url: str) -> tuple[SplitResult, str, int | None] | None:
    """The parts, the host in ASCII and the port; None for what is malformed."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts, host if ":" in host else host.encode("idna").decode("ascii").lower(), parts.port
    except ValueError:
        return None


def _unusable(why: Sentence) -> UnsafeAddressError:
    return UnsafeAddressError(
        say("The image's link is not an address that can be fetched."),
        why=why,
        do=say("Report it to whoever gave the link."),
    )
