"""The task list's routes: rows, totals, pictures, forgetting, and what "run again" needs.

A picture is asked for by the row's local id and a number; no path ever comes from the page.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...hunyuan.errors import NotAnImageError
from .guard import Refused, text_of
from .views import FILTERS, public_row

if TYPE_CHECKING:
    from ...hunyuan.journal.records import TaskRow
    from ...hunyuan.models import StoredImage
    from ..runtime import Runtime

MAX_PAGE = 1000  # rows of one answer
MAX_SEARCH = 200  # characters
SIDES = (192, 512)  # pixels of a thumbnail: double what the list and the grid show, for dense screens
KEPT_THUMBNAILS = 500  # 5 to 30 KB each
SHOWN_MIMES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")


def listed(runtime: Runtime, query: Mapping[str, str]) -> dict[str, Any]:
    """One page of the list, newest first: `{"tasks": […], "more": bool}`. Blocking.

    query: state (see FILTERS), before (id of the last row of the page before), limit, search.
    """
    wanted = query.get("state", "all")
    if wanted not in FILTERS:
        raise Refused(400, "state", f"state must be one of {', '.join(FILTERS)}.", field="state")
    limit = _limit(query.get("limit", "200"))
    search = text_of(query, "search")[:MAX_SEARCH]
    rows: list[TaskRow] = []
    before = text_of(query, "before") or None
    while len(rows) <= limit:
        page = runtime.journal.overview.list_tasks(FILTERS[wanted], before, limit + 1, search)
        rows += [row for row in page if wanted != "undelivered" or row.delivered_at is None]
        if len(page) <= limit:
            break
        before = page[-1].id
    return {"tasks": [public_row(row) for row in rows[:limit]], "more": len(rows) > limit}


def details(runtime: Runtime, row_id: str) -> dict[str, Any]:
    """A task whole: `task`, `prompt`, `urls` of its results, `inputs` (a URL each, null where not known).

    Of another model than Hunyuan Image 3 also its `parameters`, each input's field and its `variation`. Blocking.
    """
    row = row_of(runtime, row_id)
    return {
        "task": public_row(row),
        "prompt": None if row.prompt.startswith("sha256:") else row.prompt,
        "urls": [url for url in row.urls if not url.startswith("data:")],
        "inputs": [_input_url(runtime, identity) for identity in row.images],
        "parameters": dict(row.parameters),
        "image_fields": list(row.image_fields),
        "variation": row.variation,
    }


def forget(runtime: Runtime, row_id: str) -> TaskRow:
    """Takes a task off the list; its money stays counted. Blocking."""
    row = row_of(runtime, row_id)
    return runtime.journal.mark_hidden(row.id) or row


def restore(runtime: Runtime, row_id: str) -> TaskRow:
    """Puts a task back on the list. Blocking."""
    row = row_of(runtime, row_id)
    return runtime.journal.mark_hidden(row.id, hidden=False) or row


def used(runtime: Runtime, row_id: str) -> TaskRow:
    """The page gave an image of the task to ComfyUI: it counts as delivered. Blocking."""
    row = row_of(runtime, row_id)
    return runtime.journal.mark_delivered(row.id) or row


def original(runtime: Runtime, row_id: str, number: int) -> tuple[bytes, str, str]:
    """An original's bytes, mime type and file name. Blocking."""
    row = row_of(runtime, row_id)
    stored = _stored(runtime, row, number)
    data = runtime.results.read(stored)
    if data is None:
        raise Refused(404, "gone", "The file is no longer on this machine.")
    return data, stored.mime if stored.mime in SHOWN_MIMES else "application/octet-stream", stored.path


class Thumbnails:
    """Small pictures of results, the last ones kept in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, int], bytes] = OrderedDict()  # the original's digest and side → WebP

    def get(self, runtime: Runtime, row_id: str, number: int, side: int) -> bytes:
        """WebP bytes, at most `side` pixels wide and high. Raises Refused where there is no picture. Blocking."""
        from ..images.thumbnail import thumbnail

        stored = _stored(runtime, row_of(runtime, row_id), number)
        with self._lock:
            known = self._made.get((stored.digest, side))
        if known is not None:
            return known
        data = runtime.results.read(stored)
        if data is None:
            raise Refused(404, "gone", "The file is no longer on this machine.")
        try:
            small = thumbnail(data, side)
        except NotAnImageError as error:
            raise Refused(404, error.code, str(error)) from None
        with self._lock:
            self._made[stored.digest, side] = small
            while len(self._made) > KEPT_THUMBNAILS:
                self._made.popitem(last=False)
        return small


def row_of(runtime: Runtime, row_id: str) -> TaskRow:
    """The row of a local id; raises Refused (404)."""
    row = runtime.journal.get(row_id) if row_id.isprintable() else None
    if row is None:
        raise Refused(404, "unknown_row", "There is no such task in the journal.")
    return row


def number_of(text: Any) -> int:
    """Which image of a task, from 0; raises Refused."""
    digits = str(text) if isinstance(text, (str, int)) and not isinstance(text, bool) else ""
    if not digits.isdecimal() or len(digits) > 3:
        raise Refused(400, "number", "n must be a small whole number.", field="n")
    return int(digits)


def side_of(text: str) -> int:
    """How large a thumbnail is wanted; raises Refused."""
    if text not in ("", *map(str, SIDES)):
        raise Refused(400, "side", f"side must be one of {', '.join(map(str, SIDES))}.")
    return int(text) if text else SIDES[0]


def _stored(runtime: Runtime, row: TaskRow, number: int) -> StoredImage:
    if number >= len(row.files) or not runtime.results.bring(row.files[number]):
        raise Refused(404, "gone", "There is no such image on this machine.")
    return row.files[number]


def _input_url(runtime: Runtime, identity: str) -> str | None:
    """A URL under which the gateway can fetch an input again: the user's own, or the result's that it was."""
    from ...hunyuan.sources.remembered import remembered_key  # here, for it brings the uploads with it

    if identity.startswith("url:"):
        return identity.removeprefix("url:")
    link = runtime.journal.links.find(remembered_key(identity))
    return link.url if link else None


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_PAGE:
        raise Refused(400, "limit", f"limit must be 1 to {MAX_PAGE}.", field="limit")
    return int(text[:9])
