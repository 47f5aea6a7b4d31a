"""Who may call our routes: the page that this server itself serves, and programs on purpose.

ComfyUI's own origin check guards loopback hosts only and is gone with --enable-cors-header. So what changes something
takes POST with a JSON body and a header of our own (a foreign page would need a preflight that ComfyUI never grants),
from the page's own origin. A public name over plain http is refused too: that is what a rebound DNS name looks like.
Who opens ComfyUI by such a name, or through a proxy that rewrites the Host, names the address in allowed_origins.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .routes_trust import NOTHING, Trusted

HEADER = "X-Hunyuan"
MAX_BODY_BYTES = 65_536
_PORTS = {"http": 80, "https": 443}
_LOCAL_ENDINGS = (
    ".localhost",
    ".local",
    ".lan",
    ".internal",
    ".home.arpa",
    ".localdomain",
)  # nobody can register these


class Refused(Exception):
    """A request that is answered with `status` and `{"error": {"code", "message"}}`. field: the setting it is about."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.field = status, code, field


def check_origin(headers: Mapping[str, str], trusted: Trusted = NOTHING) -> None:
    """Raises Refused when a browser says that the request comes from a page of another site.

    Programs send none of these headers and pass. `Sec-Fetch-Site: same-origin` is enough: no script can set it, and a
    browser sends it over https and to localhost only, where no foreign name can be made to point here.
    """
    origin, host = headers.get("Origin"), headers.get("Host", "")
    site = headers.get("Sec-Fetch-Site", "").lower()
    if site == "same-origin" or (origin is not None and origin.lower() in trusted.origins):
        return
    if site not in ("", "none"):
        raise Refused(403, "origin", f"Pages of other sites may not use this route.{_advice(origin)}")
    if origin is None:
        return
    try:
        page, own = urlsplit(origin.lower()), urlsplit(f"//{host.lower()}")
        same = page.scheme in _PORTS and page.hostname is not None and page.hostname == own.hostname
        same = same and _port(page, page.scheme) == _port(own, page.scheme)
    except ValueError:  # a port that is no number
        same = False
    if not same:
        told = f"The page's origin {origin[:100]!r} is not this server ({host[:100]!r})."
        raise Refused(403, "origin", told + _advice(origin))
    if page.scheme == "http" and not _is_local(page.hostname or "", trusted):
        told = f"{page.hostname} is a public name over plain http, which might be another site's."
        raise Refused(403, "host", told + _advice(origin))


def _advice(origin: str | None) -> str:
    """What to do for a user whose own page it is."""
    if origin is None or not re.fullmatch(r"https?://[^\s/\\\"]{1,200}", origin, re.IGNORECASE):
        return ""
    return (
        f' If this is how you open ComfyUI, add "{origin}" to allowed_origins in the settings (or to '
        "HUNYUAN_ALLOWED_ORIGINS); a reverse proxy should pass the Host header with its port on."
    )


def check_change(headers: Mapping[str, str], content_type: str, length: int | None, trusted: Trusted = NOTHING) -> None:
    """Raises Refused for a request that may not change anything."""
    if headers.get(HEADER) != "1":
        raise Refused(403, "header", f'The header "{HEADER}: 1" is missing.')
    check_origin(headers, trusted)
    if content_type != "application/json":
        raise Refused(415, "content_type", f"The body must be application/json, got {content_type[:60]!r}.")
    if length is None or length > MAX_BODY_BYTES:
        raise Refused(413, "too_large", f"The body must say its length and hold at most {MAX_BODY_BYTES} bytes.")


def check_user(server: Any, request: Any) -> None:
    """Raises Refused unless ComfyUI knows the user (with --multi-user: the header Comfy-User names one)."""
    try:
        server.user_manager.get_request_user_id(request)
    except KeyError:
        raise Refused(403, "user", "ComfyUI does not know this user.") from None


async def body_of(request: Any) -> dict[str, Any]:
    """The JSON object of a request that was let through; raises Refused for anything else."""
    try:
        body = await request.json()
    except ValueError:
        raise Refused(400, "json", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "json", f"The body must be a JSON object, got {type(body).__name__}.")
    return body


def _port(parts: SplitResult, scheme: str) -> int:
    return parts.port or _PORTS[scheme]


def _is_local(host: str, trusted: Trusted) -> bool:
    """Whether no stranger's DNS can make this name point here."""
    if host in trusted.names:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_ENDINGS)
    return True
