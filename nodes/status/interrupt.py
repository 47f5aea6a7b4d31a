"""ComfyUI's interrupt, seen by nodes that only wait.

While only async nodes are pending nobody in ComfyUI looks at it, so the node must. Reading it must not clear it, or the
other nodes of the prompt never see it (seen in ComfyUI 0.3.75 to 0.33.0).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.1  # between looks at the flag


def check() -> None:
    """Raises ComfyUI's InterruptProcessingException where the user pressed stop; leaves the flag as it is."""
    from comfy import model_management

    if model_management.processing_interrupted():
        raise model_management.InterruptProcessingException


async def interruptible(work: Awaitable[T]) -> T:
    """Waits for `work`, which is cancelled when the user interrupts."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            check()
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
        return task.result()
    finally:
        task.cancel()
