"""The task list's routes: rows, totals, pictures, forgetting, and what "run again" needs.

A picture is asked for by the row's local id and a number; no path ever comes from the page.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...hunyuan.errors import DownloadError, NotAnImageError
from ...hunyuan.limits import HUNYUAN_MODEL
from ...hunyuan.sentences import say
from .guard import Refused, text_of
from .models import node_of
from .views import FILTERS, public_row

if TYPE_CHECKING:
    from ...hunyuan.gateway.models.catalogue import Catalogue
    from ...hunyuan.journal.records import TaskRow
    from ...hunyuan.models import StoredImage
    from ..comfyui.users import Viewer
    from ..runtime import Runtime

MAX_PAGE = 1000  # rows of one answer
MAX_SEARCH = 200  # characters
SIDES = (192, 512)  # pixels of a thumbnail: double what the list and the grid show, for dense screens
KEPT_THUMBNAILS = 500  # 5 to 30 KB each
SHOWN_MIMES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")


def listed(runtime: Runtime, catalogue: Catalogue, query: Mapping[str, str], viewer: Viewer) -> dict[str, Any]:
    """One page of the list, newest first: `{"tasks": […], "more": bool}`. Blocking.

    query: state (see FILTERS), model (a family's key), before (id of the last row of the page before), limit, search.
    """
    wanted = query.get("state", "all")
    if wanted not in FILTERS:
        raise Refused(400, "state", say("state must be one of {choices}.", choices=", ".join(FILTERS)), field="state")
    model = query.get("model", "")
    models = _models(catalogue, model)
    limit = _limit(query.get("limit", "200"))
    search = text_of(query, "search")[:MAX_SEARCH]
    before = text_of(query, "before") or None
    awaited = runtime.runner.deliveries.awaited()
    rows = runtime.journal.overview.list_tasks(
        FILTERS[wanted],
        before,
        limit + 1,
        search,
        models,
        typed=model == HUNYUAN_MODEL,
        undelivered=wanted == "undelivered",
        awaited=awaited,
        users=viewer.users,
    )
    return {"tasks": [public_row(row, awaited) for row in rows[:limit]], "more": len(rows) > limit}


def details(runtime: Runtime, catalogue: Catalogue, row_id: str, viewer: Viewer) -> dict[str, Any]:
    """A task whole: `task`, `prompt`, `urls` of its results, `inputs` (a URL each, null where not known), and the
    `node` that makes it again (see models.py). Blocking.
    """
    row = row_of(runtime, row_id, viewer)
    inputs = [_input_url(runtime, identity) for identity in row.images]
    return {
        "task": public_row(row, runtime.runner.deliveries.awaited()),
        "prompt": None if row.prompt.startswith("sha256:") else row.prompt,
        "urls": [url for url in row.urls if not url.startswith("data:")],
        "inputs": inputs,
        "node": node_of(catalogue, row, inputs),
    }


def forget(runtime: Runtime, row_id: str, viewer: Viewer) -> TaskRow:
    """Takes a task off the list; its money stays counted. Blocking."""
    row = row_of(runtime, row_id, viewer)
    return runtime.journal.mark_hidden(row.id) or row


def restore(runtime: Runtime, row_id: str, viewer: Viewer) -> TaskRow:
    """Puts a task back on the list. Blocking."""
    row = row_of(runtime, row_id, viewer)
    return runtime.journal.mark_hidden(row.id, hidden=False) or row


def used(runtime: Runtime, row_id: str, viewer: Viewer) -> TaskRow:
    """The page gave an image of the task to ComfyUI: it counts as delivered. Blocking."""
    row = row_of(runtime, row_id, viewer)
    return runtime.journal.mark_delivered(row.id) or row


def original(runtime: Runtime, row_id: str, number: int, viewer: Viewer) -> tuple[bytes, str, str]:
    """An original's bytes, mime type and file name. Blocking."""
    row = row_of(runtime, row_id, viewer)
    stored = _stored(runtime, row, number)
    data = _read(runtime, stored)
    return data, stored.mime if stored.mime in SHOWN_MIMES else "application/octet-stream", stored.path


def _read(runtime: Runtime, stored: StoredImage) -> bytes:
    try:
        return runtime.results.read(stored)
    except DownloadError:
        raise Refused(404, "gone", say("The file is no longer on this machine.")) from None


class Thumbnails:
    """Small pictures of results, the last ones kept in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, int], bytes] = OrderedDict()  # the original's digest and side → WebP

    def get(self, runtime: Runtime, row_id: str, number: int, side: int, viewer: Viewer) -> bytes:
        """WebP bytes, at most `side` pixels wide and high. Raises Refused where there is no picture. Blocking."""
        from ..images.thumbnail import thumbnail

        stored = _stored(runtime, row_of(runtime, row_id, viewer), number)
        with self._lock:
            known = self._made.get((stored.digest, side))
        if known is not None:
            return known
        data = _read(runtime, stored)
        try:
            small = thumbnail(data, side)
        except NotAnImageError as error:
            raise Refused(404, error.code, error.message) from None
        with self._lock:
            self._made[stored.digest, side] = small
            while len(self._made) > KEPT_THUMBNAILS:
                self._made.popitem(last=False)
        return small


def row_of(runtime: Runtime, row_id: str, viewer: Viewer) -> TaskRow:
    """The row of a local id; raises Refused (404), also where it is another user's."""
    row = runtime.journal.get(row_id) if row_id.isprintable() else None
    if row is None or not viewer.owns(row.user_id):
        raise Refused(404, "unknown_row", say("There is no such task in the journal."))
    return row


def number_of(text: Any) -> int:
    """Which image of a task, from 0; raises Refused."""
    digits = str(text) if isinstance(text, (str, int)) and not isinstance(text, bool) else ""
    if not digits.isdecimal() or len(digits) > 3:
        raise Refused(400, "number", say("n must be a small whole number."), field="n")
    return int(digits)


def side_of(text: str) -> int:
    """How large a thumbnail is wanted; raises Refused."""
    if text not in ("", *map(str, SIDES)):
        raise Refused(400, "side", say("side must be one of {choices}.", choices=", ".join(map(str, SIDES))))
    return int(text) if text else SIDES[0]


def _stored(runtime: Runtime, row: TaskRow, number: int) -> StoredImage:
    if number >= len(row.files) or not runtime.results.bring(row.files[number]):
        raise Refused(404, "gone", say("There is no such image on this machine."))
    return row.files[number]


def _input_url(runtime: Runtime, identity: str) -> str | None:
    """A URL under which the gateway can fetch an input again: the user's own, or the result's that it was."""
    from ...hunyuan.sources.remembered import remembered_key  # here, for it brings the uploads with it

    if identity.startswith("url:"):
        return identity.removeprefix("url:")
    link = runtime.journal.links.find(remembered_key(identity))
    return link.url if link else None


def _models(catalogue: Catalogue, key: str) -> tuple[str, ...]:
    """The values of `model` that a family's tasks have; none for no key."""
    if not key:
        return ()
    family = catalogue.get(key)
    if family is None:
        raise Refused(400, "model", say("model must be the key of a family in the catalogue."), field="model")
    return family.all_models


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_PAGE:
        raise Refused(400, "limit", say("limit must be 1 to {most}.", most=MAX_PAGE), field="limit")
    return int(text[:9])
