""" "Test" in the settings dialog: the gateway, or one upload way, with settings that need not be saved yet.

Costs nothing: the gateway is asked for a task that cannot exist, an upload way gets a picture of 8 pixels.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ..hunyuan.client import Client
from ..hunyuan.key_check import KeyCheck
from ..hunyuan.setting_rules import UPLOAD_WAYS
from ..hunyuan.settings import Settings, SettingsStore
from ..hunyuan.sources import SourceChain
from ..hunyuan.transport import RequestsTransport
from .routes_guard import Refused
from .routes_settings import candidate_for_test

_NO_KEY = (
    "no-key-was-entered"  # what the gateway is shown instead of a key: all but the key can be told from its answer
)


def test(store: SettingsStore, what: Any, changes: Any) -> dict[str, Any]:
    """`{"ok", "fault", "message", "said", "place"}` for `gateway` or an upload way. fault: empty, or which part is to
    blame: `dns`, `proxy`, `tls`, `connection`, `address`, `key`, `key_not_sent`, `gateway`, `upload`. said: the name of
    the message's sentence, where the page has it in the user's language (with `place` in it). Blocks for seconds.
    """
    if what != "gateway" and what not in UPLOAD_WAYS:
        raise Refused(400, "what", f"what must be gateway or one of {', '.join(UPLOAD_WAYS)}.")
    candidate, withheld = candidate_for_test(store, changes)
    transport = RequestsTransport(lambda: candidate)
    try:
        if what == "gateway":
            return _test_gateway(transport, candidate)
        return _test_way(transport, candidate, what, withheld)
    finally:
        transport.close()


def _test_gateway(transport: RequestsTransport, settings: Settings) -> dict[str, Any]:
    if settings.api_key:
        check = Client(transport, lambda: settings).check_key()
        return _told(check, settings)
    keyless = dataclasses.replace(settings, api_key=_NO_KEY)
    check = Client(transport, lambda: keyless).check_key()
    if check.ok or check.fault == "key":
        message = f"The gateway at {settings.base_url} answers. No key was sent: enter one to test it."
        check = KeyCheck(False, "key_not_sent", message, "no_key_sent")
    return _told(check, settings)


def _told(check: KeyCheck, settings: Settings) -> dict[str, Any]:
    return {**dataclasses.asdict(check), "place": settings.base_url}


def _test_way(transport: RequestsTransport, settings: Settings, way: str, withheld: bool) -> dict[str, Any]:
    client = Client(transport, lambda: settings)
    found = SourceChain(lambda: settings, _NoLinks(), transport, client.download).test_source(way)
    message, said = found.text, found.said
    if withheld and not found.ok:
        message += " The stored headers were not sent to the new address: enter them again to test it."
        said = "headers_withheld"
    fault = "" if found.ok else "upload"
    return {"ok": found.ok, "fault": fault, "message": message, "said": said, "place": found.place}


class _NoLinks:
    """Nothing is remembered of a test."""

    def link_get(self, key: str) -> None:
        return None

    def link_put(self, key: str, url: str, way: str, expires_at: float | None) -> None: ...

    def link_drop(self, key: str) -> None: ...
