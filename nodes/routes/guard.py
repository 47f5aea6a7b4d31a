"""Who may call our routes: the page that this server itself serves, and programs on purpose.

ComfyUI's own origin check guards loopback hosts only and is gone with --enable-cors-header. So what changes something
takes POST with a JSON body and a header of our own (a foreign page would need a preflight that ComfyUI never grants),
from the page's own origin. A public name over plain http is refused everywhere: that is what a rebound DNS name looks
like. Who opens ComfyUI by one, or through a proxy that rewrites the Host, names the address in allowed_origins.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ...hunyuan.sentences import Sentence, say, together
from ..comfyui.users import EVERYBODY, Viewer, are_several, user_of, viewer_of
from .own_addresses import NOTHING, Trusted

HEADER = "X-Hunyuan"
MAX_BODY_BYTES = 65_536
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[\w\-]+(\.[\w\-]+)*")
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
        self.status, self.code, self.message, self.field = status, code, message, field


def check_page(headers: Mapping[str, str], trusted: Trusted = NOTHING) -> None:
    """Raises Refused when a browser may be asking for a page of another site.

    What a browser says in Sec-Fetch-Site is believed: no script can set it, and it is sent over https and to localhost
    only, where no foreign name can be made to point here. Programs send neither it nor an Origin.
    """
    origin = headers.get("Origin")
    if origin is not None and origin.lower() in trusted.origins:
        return
    site = headers.get("Sec-Fetch-Site", "").lower()
    if site in ("same-origin", "none"):
        return
    if site:
        raise Refused(403, "origin", together(say("Pages of other sites may not use this route."), _advice(origin)))
    host = headers.get("Host", "")
    if origin is not None:
        _check_origin(origin, host)
    if origin is None or not origin.lower().startswith("https:"):
        _check_host(host, origin, trusted)


def _check_origin(origin: str, host: str) -> None:
    try:
        page, own = urlsplit(origin.lower()), urlsplit(f"//{host.lower()}")
        same = page.scheme in _PORTS and page.hostname is not None and page.hostname == own.hostname
        same = same and _port(page, page.scheme) == _port(own, page.scheme)
    except ValueError:  # a port that is no number
        same = False
    if not same:
        told = say("The page's origin {origin!r} is not this server ({host!r}).", origin=origin[:100], host=host[:100])
        raise Refused(403, "origin", together(told, _advice(origin)))


def _check_host(host: str, origin: str | None, trusted: Trusted) -> None:
    """A name that anybody can have made point here, over plain http: that is what DNS rebinding looks like."""
    try:
        name = urlsplit(f"//{host.lower()}").hostname or ""
    except ValueError:
        name = ""
    if not _is_local(name.rstrip("."), trusted):
        told = say("{host!r} is not known as a name of this server, and might be another site's.", host=host[:100])
        raise Refused(403, "host", together(told, _advice(origin or f"http://{host.lower()}")))


def _advice(origin: str | None) -> Sentence:
    """What to do for a user whose own page it is."""
    usable = origin is not None and re.fullmatch(r"https?://[^\s/\\\"]{1,200}", origin, re.IGNORECASE)
    named = say('"{origin}"', origin=origin) if usable else say("its address")
    return say(
        "If this is how you open ComfyUI, add {named} to allowed_origins in the settings (or to "
        "HUNYUAN_ALLOWED_ORIGINS); a reverse proxy should pass the Host header with its port on.",
        named=named,
    )


def check_change(headers: Mapping[str, str], content_type: str, length: int | None, trusted: Trusted = NOTHING) -> None:
    """Raises Refused for a request that may not change anything."""
    if headers.get(HEADER) != "1":
        raise Refused(403, "header", say('The header "{header}: 1" is missing.', header=HEADER))
    check_page(headers, trusted)
    if content_type != "application/json":
        raise Refused(
            415, "content_type", say("The body must be application/json, got {got!r}.", got=content_type[:60])
        )
    if length is None or length > MAX_BODY_BYTES:
        raise Refused(
            413, "too_large", say("The body must say its length and hold at most {most} bytes.", most=MAX_BODY_BYTES)
        )


def check_user(server: Any, request: Any, administrators: Collection[str]) -> Viewer:
    """Who asks; raises Refused unless ComfyUI knows the user (with --multi-user: the header Comfy-User names one)."""
    try:
        user = user_of(server, request)
    except KeyError:
        raise Refused(403, "user", say("ComfyUI does not know this user.")) from None
    return viewer_of(server, user, administrators) if are_several(server) else EVERYBODY


def check_administrator(viewer: Viewer) -> None:
    """Raises Refused for who may not see or change the settings of all."""
    if not viewer.administers:
        raise Refused(
            403,
            "administrator",
            say(
                "The settings are the administrator's: ComfyUI's first user, or those named in the "
                "setting administrators."
            ),
        )


async def body_of(request: Any) -> dict[str, Any]:
    """The JSON object of a request that was let through; raises Refused for anything else."""
    charset = request.charset or "utf-8"
    if charset.lower() not in ("utf-8", "utf8"):  # RFC 8259, 8.1; others would have to be known here
        raise Refused(
            400, "charset", say("JSON travels as utf-8, got {got!r}.", got=charset[:60]), field="Content-Type"
        )
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or nested deeper than any reader goes
        raise Refused(400, "json", say("The body is not JSON that can be read."), field="body") from None
    if not isinstance(body, dict):
        raise Refused(
            400,
            "json",
            say("The body must be a JSON object, got {got}.", got=type(body).__name__),
            field="body",
        )
    return body


def text_of(values: Mapping[str, Any], name: str, default: str = "") -> str:
    """A text that a page sent under this name; raises Refused for what is none, or cannot be stored as one."""
    text = values.get(name, default)
    if not isinstance(text, str):
        raise Refused(
            400,
            "value",
            say("{name} must be a text, got {got}.", name=name, got=type(text).__name__),
            field=name,
        )
    if any(character == "\0" or 0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise Refused(
            400, "value", say("{name} holds a character that no database and no file can hold.", name=name), field=name
        )
    return text


def _port(parts: SplitResult, scheme: str) -> int:
    return parts.port or _PORTS[scheme]


def _is_local(host: str, trusted: Trusted) -> bool:
    """Whether no stranger's DNS can make this name point here."""
    if host in trusted.names:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_NAME.fullmatch(host)) and ("." not in host or host.endswith(_LOCAL_ENDINGS))
    return True
