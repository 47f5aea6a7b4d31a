"""The secrets inside an address: its password, and those that a database's driver takes in the query."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

# Up to the first "@" and up to the last: which of them ends a password with an "@" in it, the address does not tell.
_IN_FRONT = (re.compile(r"//[^:/@]*:([^@]*)@"), re.compile(r"//[^:/@]*:(.*)@"))
_IN_QUERY = re.compile(r"[?&](?:ssl)?password=([^&]*)", re.IGNORECASE)


def url_secrets(url: str) -> list[str]:
    """Each secret as it stands in the address and decoded, the longest first (one may hold another)."""
    found = [text for pattern in (*_IN_FRONT, _IN_QUERY) for text in pattern.findall(url)]
    forms = {form for text in found for form in (text, unquote_plus(text)) if form}
    return sorted(forms, key=len, reverse=True)
