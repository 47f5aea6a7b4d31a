"""Remembered URLs: an image that came from a Hunyuan result is known by its pixels, and its link still works.

So generate → edit uploads nothing, also through PreviewImage, SaveImage with LoadImage, and reroutes.
"""

from __future__ import annotations

UPSTREAM_KEEPS = 7 * 86_400.0  # seconds (gateway.md: upstream keeps results 7 days)
MARGIN = 3600.0  # seconds before the end after which a link is no longer handed out


def remembered_key(identity: str) -> str:
    """Under which a result's link is kept."""
    return f"remembered:{identity}"


def remembered_until(now: float, expires_at: float | None) -> float:
    """Until when (unix seconds) a result's link made now is handed out."""
    return min(now + UPSTREAM_KEEPS, expires_at if expires_at is not None else now + UPSTREAM_KEEPS) - MARGIN
