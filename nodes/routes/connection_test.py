""" "Test" in the settings dialog: the gateway, or one upload way, with settings that need not be saved yet.

Costs nothing: the gateway is asked for a task that cannot exist, an upload way gets a picture of 8 pixels.

Whoever may call the routes may try any address here. So what is not saved yet obeys the rules of downloads (no private,
loopback, link-local or metadata address), nothing of what a server answers is told but its status, and no redirect is
followed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ...hunyuan.addresses import parse
from ...hunyuan.errors import DownloadError, UnsafeAddressError
from ...hunyuan.gateway.client import Client
from ...hunyuan.gateway.key_check import KeyCheck, closed
from ...hunyuan.http.address_guard import AddressGuard
from ...hunyuan.http.requests_transport import RequestsTransport
from ...hunyuan.sentences import say, together
from ...hunyuan.settings.rules import UPLOAD_WAYS
from ...hunyuan.settings.store import Settings, SettingsStore
from ...hunyuan.sources import SourceChain
from .guard import Refused
from .settings import candidate_for_test, in_use

_PICTURE_BYTES = 65_536  # the test's picture has some hundred
_NO_KEY = (
    "no-key-was-entered"  # what the gateway is shown instead of a key: all but the key can be told from its answer
)


def test(store: SettingsStore, what: Any, changes: Any) -> dict[str, Any]:
    """`{"ok", "fault", "message", "said", "place"}` for `gateway` or an upload way. Blocks for seconds.

    fault: empty, or which part is to blame: `dns`, `proxy`, `tls`, `connection`, `address`, `key`, `key_not_sent`,
    `gateway`, `upload`, `closed`. said: the name of the sentence, where the page has it in its language
    (with `place` in it).
    """
    if what != "gateway" and what not in UPLOAD_WAYS:
        raise Refused(
            400, "what", say("what must be gateway or one of {choices}.", choices=", ".join(UPLOAD_WAYS)), field="what"
        )
    candidate, withheld = candidate_for_test(store, changes)
    saved = in_use(store)
    transport = RequestsTransport(lambda: candidate, guard=AddressGuard(saved.base_url, _reachable(saved)))
    try:
        if what == "gateway":
            return _test_gateway(transport, candidate)
        return _test_way(transport, candidate, saved, what, withheld)
    finally:
        transport.close()


def _reachable(saved: Settings) -> list[str]:
    """The hosts that may be asked though they are closed: those allowed, and those already set up."""
    hosts = list(saved.allowed_hosts)
    for url in (saved.http_upload_url, saved.s3_endpoint):
        if url:
            address = parse(url)
            hosts.append(f"{_bracketed(address.host)}:{address.port}")
    if saved.s3_endpoint and saved.s3_bucket:
        hosts.append(f"{saved.s3_bucket}.{hosts[-1]}")  # virtual addressing
    return hosts


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _test_gateway(transport: RequestsTransport, settings: Settings) -> dict[str, Any]:
    if settings.api_key:
        check = Client(transport, lambda: settings).check_key()
        return _told(check, settings)
    keyless = dataclasses.replace(settings, api_key=_NO_KEY)
    check = Client(transport, lambda: keyless).check_key()
    if check.ok or check.fault == "key":
        message = say(
            "The gateway at {base_url} answers. No key was sent: enter one to test it.", base_url=settings.base_url
        )
        check = KeyCheck(False, "key_not_sent", message, "no_key_sent")
    return _told(check, settings)


def _told(check: KeyCheck, settings: Settings) -> dict[str, Any]:
    return {**dataclasses.asdict(check), "place": settings.base_url}


def _test_way(
    transport: RequestsTransport, settings: Settings, saved: Settings, way: str, withheld: bool
) -> dict[str, Any]:
    guard = AddressGuard(saved.base_url, saved.allowed_hosts)  # of the link that comes back: of no upload address

    def fetch(url: str, seconds: float) -> bytes:
        return _fetch(transport, guard, url, seconds)

    chain = SourceChain(lambda: settings, _NoLinks(), transport, fetch, s3_over_transport=True)
    try:
        found = chain.test_source(way)
    except UnsafeAddressError:
        return {"ok": False, "fault": "closed", "message": closed(), "said": "closed", "place": ""}
    message, said = found.text, found.said
    if withheld and not found.ok:
        again = say("The stored headers were not sent to the new address: enter them again to test it.")
        message = together(message, again)
        said = "headers_withheld"
    fault = "" if found.ok else "upload"
    return {"ok": found.ok, "fault": fault, "message": message, "said": said, "place": found.place}


def _fetch(transport: RequestsTransport, guard: AddressGuard, url: str, seconds: float) -> bytes:
    address = parse(url)
    answer = transport.fetch(address, headers={}, deadline_seconds=seconds, max_bytes=_PICTURE_BYTES, guard=guard)
    if answer.status != 200:
        raise DownloadError(
            say("{place} answered {status} instead of the image.", place=address.place, status=answer.status)
        )
    return answer.body


class _NoLinks:
    """Nothing is remembered of a test."""

    def find(self, key: str) -> None:
        return None

    def save(self, key: str, url: str, way: str, expires_at: float | None) -> None: ...

    def drop(self, key: str) -> None: ...
