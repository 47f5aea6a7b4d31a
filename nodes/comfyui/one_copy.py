"""Two installed copies of the pack (from the registry and by git): the first that ComfyUI loads serves, alone.

Both would register the same nodes and routes, and ComfyUI would take the nodes of one and the routes of the other, each
with a journal and a credit count of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2]  # as ComfyUI names it; a link is not followed


def serving_copy() -> Path | None:
    """The folder of another copy that this ComfyUI has loaded already. None: this one serves.

    It is asked while ComfyUI loads the pack. A tool that reads the pack without ComfyUI has no server.
    """
    server: Any = getattr(sys.modules.get("server"), "PromptServer", None)
    holder = getattr(getattr(server, "instance", None), "hunyuan", None)
    if holder is None:
        return None
    file = getattr(sys.modules.get(type(holder).__module__), "__file__", None)
    folder = Path(file).parent.parent if file else None  # <folder>/nodes/runtime.py, of older versions too
    return None if folder == FOLDER else folder  # the same folder: a tool that loads packs anew while ComfyUI runs
