""" "Test this way" of the settings dialog: a tiny image goes up and its link is fetched back."""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

from ..errors import HunyuanError, UnsafeAddressError
from ..models import EncodedImage
from ..sentences import say, together
from ..settings.store import Settings
from .ports import SourceDiagnosis, Uploader

Download = Callable[[str, float], bytes]

_DEADLINE = 20.0  # seconds for fetching the test image back
_SIDE = 8  # pixels


def diagnose(way: str, uploader: Uploader | None, settings: Settings, download: Download) -> SourceDiagnosis:
    """One way's state as the user reads it, with nothing of what any server answered but its status.

    uploader: None for the ways that upload nothing. Raises UnsafeAddressError where the upload itself may not go there.
    """
    if way == "remembered":
        text = say("Needs no setup: links of earlier results are used while they live (7 days).")
        return SourceDiagnosis(way, True, text, "remembered")
    if way == "data":
        text = say("Needs no setup: the image travels inside the request. The gateway does not document this way.")
        return SourceDiagnosis(way, True, text, "data")
    if uploader is None:
        return SourceDiagnosis(way, False, say('There is no way named "{way}".', way=way[:40]))
    if not uploader.is_set_up(settings):
        return SourceDiagnosis(way, False, say("Not set up: its address or bucket is empty."), "not_set_up")
    return _diagnose_upload(uploader, settings, download)


def _diagnose_upload(uploader: Uploader, settings: Settings, download: Download) -> SourceDiagnosis:
    picture = _test_picture()
    try:
        made = uploader.upload(picture, f"connection-test-{secrets.token_hex(8)}.png", settings)
    except UnsafeAddressError:
        raise  # the way's own address, not its link's
    except HunyuanError as error:
        told = together(say("The upload failed:"), error.what, error.why, error.do)
        return SourceDiagnosis(uploader.way, False, settings.redact(told), "upload_failed")
    host = urlsplit(made.url).hostname or ""
    try:
        got = download(made.url, _DEADLINE)
    except UnsafeAddressError:
        text = say(
            "The upload worked, but its link leads to {host}, a closed address that the gateway "
            "cannot reach. Use a store or service with a public address.",
            host=host,
        )
        return SourceDiagnosis(uploader.way, False, text, "link_closed", host)
    except HunyuanError as error:
        text = say("The upload worked, but its link at {host} cannot be fetched: {what}", host=host, what=error.what)
        return SourceDiagnosis(uploader.way, False, settings.redact(text), "link_not_fetched", host)
    if got != picture.data:
        text = say("The upload worked, but its link at {host} gives other bytes than were sent.", host=host)
        return SourceDiagnosis(uploader.way, False, text, "link_differs", host)
    text = say("Works: a test image went up and came back from {host}.", host=host)
    return SourceDiagnosis(uploader.way, True, text, "works", host)


def _test_picture() -> EncodedImage:
    """A PNG of one random colour, so that no cache can answer for it (written by hand: Pillow is not for this room)."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = (b"\0" + secrets.token_bytes(3) * _SIDE) * _SIDE
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return EncodedImage(b"\x89PNG\r\n\x1a\n" + chunks, "image/png", _SIDE, _SIDE)
