"""When a server wants to be asked again: the `Retry-After` header (RFC 9110, 10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime

_LONGEST = 86400.0  # seconds that a Date makes believable; a longer wait is a wrong Date


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `Retry-After` asks to wait, from seconds or an HTTP date; None without a usable one.

    now: unix seconds, used for a date where the answer has no usable Date of its own.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    text = given.get("retry-after", "")
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    until = _unix_seconds(text)
    if until is None:
        return None
    theirs = _unix_seconds(given.get("date", ""))  # the gateway's clock, not ours, which may be a year off
    wait = until - now if theirs is None or until - theirs > _LONGEST else until - theirs
    return max(0.0, wait)


def _unix_seconds(text: str) -> float | None:
    """The moment of an HTTP date, in any of its three forms; None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # C's asctime names no zone; HTTP's dates are all in UTC
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
