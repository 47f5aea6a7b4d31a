"""When a server wants to be asked again: the `Retry-After` header (RFC 9110, 10.2.3)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `Retry-After` asks to wait, from seconds or an HTTP date; None without a usable one.

    now: unix seconds, used for a date where the answer has no Date of its own.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    text = given.get("retry-after", "")
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        now = parsedate_to_datetime(given.get("date", "")).timestamp()  # the gateway's clock, not ours
    return max(0.0, until - now)
