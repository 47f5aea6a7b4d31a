"""From a result's link to its bytes: redirects by hand, each hop checked, the key to nobody but the gateway."""

from __future__ import annotations

import base64
import binascii
import re
import time
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from ..addresses import Address, parse
from ..errors import (
    DownloadError,
    HunyuanError,
    LinkDeadError,
    Money,
    NotAnImageError,
    RateLimitedError,
    ServerError,
    TooLargeError,
    UnsafeAddressError,
)
from ..sentences import say
from ..settings.store import Settings
from .address_guard import AddressGuard
from .retry_after import retry_after
from .transport import Exchange, Transport

MAX_BYTES = 64 * 2**20
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_TRY_LATER = say("Try again later.")


def download(transport: Transport, settings: Settings, url: str, deadline_seconds: float) -> bytes:
    """The body behind a link; see Client.download for what it raises. deadline_seconds: for all hops together."""
    ends = time.monotonic() + deadline_seconds
    gateway = parse(settings.base_url)
    guard = AddressGuard(settings.base_url, settings.allowed_hosts)
    address = parse(url)
    for _ in range(_MAX_REDIRECTS + 1):
        headers = {"Accept": "image/*,*/*;q=0.5"}
        if address.origin == gateway.origin and settings.api_key:
            headers["Authorization"] = f"Bearer {settings.api_key}"
        exchange = transport.fetch(
            address,
            headers=headers,
            deadline_seconds=max(0.001, ends - time.monotonic()),
            max_bytes=MAX_BYTES,
            guard=guard,
        )
        if exchange.status not in _REDIRECTS:
            return _image_body(address, exchange)
        address = _next_hop(address, exchange)
    raise UnsafeAddressError(
        say("The image's link redirects more than {most} times.", most=_MAX_REDIRECTS),
        do=say("Try again; report it if it stays so."),
    )


def _next_hop(address: Address, exchange: Exchange) -> Address:
    location = exchange.headers.get("location", "")
    if not location:
        raise DownloadError(
            say("{place} redirects ({status}), but not to anywhere.", place=address.place, status=exchange.status),
            do=_TRY_LATER,
        )
    # A header is read as Latin-1 (RFC 9110, 5.5), but what stands in it outside ASCII is UTF-8, as browsers take it.
    with suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")
    following = address.join(location)
    if address.scheme == "https" and following.scheme == "http":
        raise UnsafeAddressError(
            say("The image's link redirects from https to http at {place}.", place=following.place),
            why=say("What comes unencrypted may come from anybody."),
            do=say("Report it to whoever gave the link."),
        )
    return following


def _image_body(address: Address, exchange: Exchange) -> bytes:
    """The body of an answer that is one; whether it is an image is seen when it is decoded."""
    status = exchange.status
    if status != 200:
        raise _refusal(address, exchange)
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = exchange.body[:512].lstrip().lower()
    if not exchange.body:
        raise NotAnImageError(
            say("{place} sent an empty file instead of an image.", place=address.place), do=_TRY_LATER
        )
    if start.startswith((b"<!doctype html", b"<html")) or (kind == "text/html" and start.startswith(b"<")):
        page = NotAnImageError(
            say("{place} sent a web page (HTML) instead of an image.", place=address.place),
            why=say("A login page, a firewall or a proxy stands before the file."),
            do=_TRY_LATER,
        )
        page.body = exchange.body
        raise page
    return exchange.body


def _refusal(address: Address, exchange: Exchange) -> HunyuanError:
    status, wait = exchange.status, retry_after(exchange.headers, time.time())
    if status in (401, 403, 404, 410):
        return LinkDeadError(
            say("The image's link is dead: {place} answered {status}.", place=address.place, status=status),
            why=say("Links expire, those of results after seven days at the latest."),
        )
    if status == 429:
        what = say("{place} takes no more downloads at the moment (429).", place=address.place)
        return RateLimitedError(what, status=429, retry_after=wait, do=_TRY_LATER, money=Money.SPENT)
    if status >= 500 or status == 408:
        what = say("{place} failed to give the image ({status}).", place=address.place, status=status)
        return ServerError(what, status=status, retry_after=wait, do=_TRY_LATER, money=Money.SPENT)
    return DownloadError(
        say("{place} answered {status} instead of the image.", place=address.place, status=status), do=_TRY_LATER
    )


def decode_inline(text: str, max_bytes: int) -> bytes:
    """The bytes of a `data:` URI or of bare base64; raises NotAnImageError, TooLargeError."""
    head, comma, payload = text.partition(",")
    is_uri = head[:5].lower() == "data:" and bool(comma)
    if not is_uri:
        payload = text
    if len(payload) > max_bytes * 4 // 3 + 4096:
        raise TooLargeError(
            say("The inline image is larger than {size:.0f} MiB.", size=max_bytes / 2**20),
            do=say("Report it to whoever gave it."),
        )
    if is_uri and not head.lower().rstrip().endswith(";base64"):
        data = unquote_to_bytes(payload)
    else:
        data = _from_base64(unquote_to_bytes(payload) if "%" in payload else payload.encode("utf-8", "replace"))
    if not data:
        raise NotAnImageError(say("The inline image is empty."), do=_TRY_LATER)
    return data


def _from_base64(payload: bytes) -> bytes:
    compact = re.sub(rb"\s+", b"", payload).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except binascii.Error:
        broken = NotAnImageError(say("The inline image is not whole base64."), do=_TRY_LATER)
        broken.body = payload
        raise broken from None
