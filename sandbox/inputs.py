"""How the sandbox gets the input images of an edit: data: URIs and loopback addresses, nothing else."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import io
import ipaddress
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from PIL import Image, ImageOps

MAX_BYTES = 64 * 1024 * 1024
TIMEOUT_S = 10.0

Fetch = Callable[[str], bytes]
"""The bytes behind an http(s) URL; Unreachable if they cannot be had."""


class Unreachable(Exception):
    """An input image that cannot be had, with the reason."""


@dataclasses.dataclass(frozen=True)
class Input:
    """An input image as it arrived."""

    way: str  # "data", "own" (a result link of this sandbox) or "http"
    url: str
    content: bytes
    size: tuple[int, int]  # pixels, as seen (after EXIF rotation)
    format: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        return {
            "way": self.way,
            "url": shortened(self.url),
            "bytes": len(self.content),
            "sha256": self.sha256,
            "size": list(self.size),
            "format": self.format,
        }


def read_input(way: str, url: str, content: bytes) -> Input:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            size = ImageOps.exif_transpose(image).size
            return Input(way, url, content, size, str(image.format))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreachable(f"not an image: {error}") from error


def data_uri(url: str) -> bytes:
    """The bytes of a `data:` URI; Unreachable if it is malformed."""
    head, comma, payload = url.partition(",")
    if not comma:
        raise Unreachable("data: URI without a comma")
    try:
        raw = unquote_to_bytes(payload)
        return base64.b64decode(raw, validate=True) if head.lower().endswith(";base64") else raw
    except binascii.Error as error:
        raise Unreachable(f"data: URI: {error}") from error


def fetch_loopback(url: str) -> bytes:
    """The bytes behind an http(s) URL on loopback: no proxy, no redirect, certificates unchecked."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not _is_loopback(host):
        raise Unreachable(f"{parts.scheme}://{host} is not on loopback")
    address, headers = url, {"User-Agent": "sandbox-gateway"}
    if host.endswith(".localhost"):  # RFC 6761; not every resolver knows it
        address = _with_host(parts, "127.0.0.1")
        headers["Host"] = parts.netloc
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
    )
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from error
    if len(content) > MAX_BYTES:
        raise Unreachable(f"more than {MAX_BYTES} bytes")
    return content


def shortened(text: str) -> str:
    """A `data:` URI with its payload replaced by its length and hash; any other text as it is."""
    if not text.startswith("data:") or len(text) < 200:
        return text
    head, _, payload = text.partition(",")
    return f"{head},({len(payload)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()})"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _with_host(parts: SplitResult, host: str) -> str:
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    return parts._replace(netloc=netloc).geturl()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None
