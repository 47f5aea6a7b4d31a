"""The secrets inside an address or a header: passwords, what a query carries, a token, a Basic header's user."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_plus, urlsplit

# Up to the first "@" and up to the last: which of them ends a password with an "@" in it, the address does not tell.
_IN_FRONT = (re.compile(r"//[^:/@]*:([^@]*)@"), re.compile(r"//[^:/@]*:(.*)@"))
_IN_QUERY = re.compile(r"[?&](?:ssl)?password=([^&]*)", re.IGNORECASE)


def url_secrets(url: str) -> list[str]:
    """Each secret as it stands in the address and decoded, the longest first (one may hold another)."""
    found = [text for pattern in (*_IN_FRONT, _IN_QUERY) for text in pattern.findall(url)]
    forms = {form for text in found for form in (text, unquote_plus(text)) if form}
    return sorted(forms, key=len, reverse=True)


_LIKE_A_SECRET = 12  # characters of a query's value, whatever its name; a place or a format is shorter
_NAMES = re.compile(r"key|token|secret|pass|pwd|sig|auth|cred", re.IGNORECASE)


def query_secrets(url: str) -> list[str]:
    """What an address carries in its query that lets somebody in: by its name, or since it is long."""
    found = []
    for part in urlsplit(url).query.split("&"):
        name, _, value = part.partition("=")
        plain = unquote_plus(value)
        if (_NAMES.search(name) or len(plain) >= _LIKE_A_SECRET) and "{name}" not in value:
            found += [value, plain]
    return [*found, *url_secrets(url)]


def header_secrets(value: str) -> list[str]:
    """The token behind a header's scheme; of a Basic one (RFC 7617) also what it holds, and the password alone."""
    scheme, _, token = value.strip().rpartition(" ")
    found = [token]
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(token + "=" * (-len(token) % 4)).decode("utf-8", "replace")
        except binascii.Error:
            return found
        found += [pair, pair.partition(":")[2]]
    return found
