"""Who queued the prompt that runs, and what that client can make of what it is told.

A page announces what it understands as the first message of its websocket. Plain clients announce nothing, and take
every binary message for an image (PyPI's comfy-api-simplified 1.6.0) and every picture of a node for a result.
"""

from __future__ import annotations

from typing import Any

# Either of them: it tells the binary messages apart by their kind.
_TELLS_APART = ("supports_preview_metadata", "supports_progress_text_metadata")


def submitter() -> str | None:
    """The client id of whoever queued the prompt that runs now; None where the request named none."""
    from server import PromptServer

    client: str | None = PromptServer.instance.client_id
    return client


def is_page(client: str | None) -> bool:
    """Whether this client has a websocket now over which it announced what a page announces."""
    from server import PromptServer

    known: dict[str, dict[str, Any]] = PromptServer.instance.sockets_metadata
    flags = known.get(client, {}).get("feature_flags", {}) if client else {}
    return isinstance(flags, dict) and any(flags.get(name) is True for name in _TELLS_APART)
