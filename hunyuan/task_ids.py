"""Task ids that a gateway gave: kept whatever they look like, since they are paid for, and sent back as one segment.

What a person types is held to `models.check_task_id`, which is stricter.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from .errors import InvalidTaskIdError
from .sentences import say

LONGEST = 512  # characters


def check_given_id(text: str) -> str:
    """The id, trimmed; raises InvalidTaskIdError for what cannot be sent back or would form another path."""
    task_id = text.strip()
    whole = task_id.isprintable() and "\ufffd" not in task_id
    # Escaped, a slash divides nothing; but a server may undo the escapes before it looks at the path.
    climbs = any(part in (".", "..") for text in (task_id, unquote(task_id)) for part in re.split(r"[/\\]", text))
    if not 1 <= len(task_id) <= LONGEST or not whole or climbs:
        shown = task_id if len(task_id) <= 60 else f"{task_id[:60]}... ({len(task_id)} characters)"
        raise InvalidTaskIdError(
            say(
                "The gateway gave {shown!r} as a task id, which cannot be asked for: expected 1 to "
                "{most} printable characters that form no path upwards.",
                shown=shown,
                most=LONGEST,
            )
        )
    return task_id


def path_segment(task_id: str) -> str:
    """A checked id as one segment of a path: nothing in it divides, ends or leaves the path."""
    return quote(task_id, safe="")
