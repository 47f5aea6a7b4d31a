"""The server's side of the page: every route of ours, all under /hunyuan/.

| | |
| --- | --- |
| GET summary | counts, credits, limits, undelivered images, whether a key is set |
| POST summary | the same, and the page with that websocket (`client`) gets the news from now on |
| GET tasks, tasks/{id} | the list, a page at a time; one task with its links and inputs |
| GET tasks/{id}/thumbnail, …/image | pictures, by local id and `n`; a thumbnail also by `side` |
| POST tasks/{id}/forget, …/restore, …/used | off the list; back on it; an image counts as used |
| GET models | the models: their nodes, choices and prices |
| GET runs | how each node's last run ended, as the event `hunyuan.run` said it |
| GET settings | what is set; of a secret only that, its end and where it is from |
| POST settings, test | saves; tries |
| POST cost | what the nodes of a canvas would cost; keeps nothing |

POST takes JSON and the header `X-Hunyuan: 1` (guard.py). Failures are `{"error": {"code", "message", "field"}}`, in
the language of who asks.
Nothing here returns a secret. Reading this module does no work and reads no file.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ...hunyuan.gateway.models.catalogue import Catalogue
    from ...hunyuan.settings.store import SettingsStore
    from ..comfyui.users import Viewer
    from ..runtime import Runtime
    from .feed import Feed
    from .own_addresses import Trust, Trusted
    from .tasks import Thumbnails

T = TypeVar("T")
Handler = Callable[[Any], Awaitable[Any]]

DAY = 86_400  # seconds
_VIEWER = "hunyuan_viewer"  # who asks, as a request keeps it


def register(server: Any, get_runtime: Callable[[], Runtime], catalogue: Catalogue) -> None:
    """Adds the routes to ComfyUI's; called once, while it loads the pack."""
    from .feed import Feed
    from .own_addresses import Trust, own_names

    trust = Trust(_open_store, own_names)
    face = _Face(server, get_runtime, catalogue, Feed(server, get_runtime))
    for path, handler in {
        "summary": face.summary,
        "tasks": face.tasks,
        "tasks/{id}": face.task,
        "models": face.models,
        "runs": face.runs,
        "settings": face.settings,
    }.items():
        server.routes.get(f"/hunyuan/{path}")(_reading(server, trust, handler))
    for path, handler in {"thumbnail": face.thumbnail, "image": face.image}.items():
        # An <img> cannot name a user; like ComfyUI's own /view these ask for none, but for an id nobody can guess.
        server.routes.get(f"/hunyuan/tasks/{{id}}/{path}")(_reading(server, trust, handler, by_id=True))
    for path, handler in {
        "tasks/{id}/forget": face.forget,
        "tasks/{id}/restore": face.restore,
        "tasks/{id}/used": face.used,
        "settings": face.save_settings,
        "summary": face.subscribe,
        "test": face.test,
        "cost": face.cost,
    }.items():
        server.routes.post(f"/hunyuan/{path}")(_changing(server, trust, handler))


def _open_store() -> SettingsStore:
    from .settings import open_store  # only here: it costs more to read than the rest of the routes

    return open_store()


class _Face:
    """The handlers. Blocking work goes to the runtime's workers."""

    def __init__(self, server: Any, get_runtime: Callable[[], Runtime], catalogue: Catalogue, feed: Feed) -> None:
        self._server, self._get_runtime, self._catalogue, self._feed = server, get_runtime, catalogue, feed

    @functools.cached_property
    def _thumbnails(self) -> Thumbnails:
        from .tasks import Thumbnails  # at first use: reading it would cost ComfyUI's start milliseconds

        return Thumbnails()

    async def summary(self, request: Any) -> Any:
        from .views import summary

        return _json(await self._run(summary, _viewer(request).users))

    async def subscribe(self, request: Any) -> Any:
        from ..comfyui.prompt_origin import language_of_asker
        from .guard import body_of, text_of

        self._feed.add_page(text_of(await body_of(request), "client"), _viewer(request), language_of_asker())
        return await self.summary(request)

    async def tasks(self, request: Any) -> Any:
        from .tasks import listed

        return _worded(await self._run(listed, self._catalogue, dict(request.query), _viewer(request)))

    async def task(self, request: Any) -> Any:
        from .tasks import details

        return _worded(await self._run(details, self._catalogue, request.match_info["id"], _viewer(request)))

    async def models(self, _: Any) -> Any:
        from .models import families

        return _json(families(self._catalogue))

    async def runs(self, request: Any) -> Any:
        from ..comfyui.prompt_origin import language
        from ..status.run_events import for_page

        kept, lang = self._server.hunyuan.last_runs.all(_viewer(request).owns), language()
        return _json({"runs": [for_page(each, lang) for each in kept]})

    async def thumbnail(self, request: Any) -> Any:
        from .tasks import number_of, side_of

        number, side = number_of(request.query.get("n", "0")), side_of(request.query.get("side", ""))
        small = await self._run(self._thumbnails.get, request.match_info["id"], number, side, _viewer(request))
        return _picture(small, "image/webp", cache=DAY)

    async def image(self, request: Any) -> Any:
        from .tasks import number_of, original

        number = number_of(request.query.get("n", "0"))
        data, mime, name = await self._run(original, request.match_info["id"], number, _viewer(request))
        return _picture(data, mime, name=name)

    async def forget(self, request: Any) -> Any:
        from .tasks import forget

        self._feed(await self._run(forget, request.match_info["id"], _viewer(request)))
        return _json({"forgotten": True})

    async def restore(self, request: Any) -> Any:
        from .tasks import restore

        self._feed.tell_restored(await self._run(restore, request.match_info["id"], _viewer(request)))
        return _json({"restored": True})

    async def used(self, request: Any) -> Any:
        from .tasks import used

        self._feed(await self._run(used, request.match_info["id"], _viewer(request)))
        return _json({"used": True})

    async def settings(self, request: Any) -> Any:
        from .guard import check_administrator
        from .settings import open_store, shown

        check_administrator(_viewer(request))
        return _worded(await asyncio.to_thread(lambda: shown(open_store())))

    async def save_settings(self, request: Any) -> Any:
        from .guard import body_of, check_administrator
        from .settings import open_store, save

        check_administrator(_viewer(request))
        changes = (await body_of(request)).get("changes")
        answer = await asyncio.to_thread(lambda: save(open_store(), changes))
        self._feed.tell_totals()
        return _worded(answer)

    async def test(self, request: Any) -> Any:
        from .connection_test import test
        from .guard import body_of, check_administrator
        from .settings import open_store

        check_administrator(_viewer(request))
        body = await body_of(request)
        return _worded(await asyncio.to_thread(lambda: test(open_store(), body.get("what"), body.get("changes", {}))))

    async def cost(self, request: Any) -> Any:
        from .cost import cost
        from .guard import body_of

        nodes = (await body_of(request)).get("nodes")
        return _json(await self._run(cost, self._catalogue, nodes, _viewer(request).user))

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        """A blocking call with the runtime as its first argument, on one of the runtime's workers."""
        runtime = await asyncio.to_thread(self._get_runtime)
        self._feed.follow(runtime)
        return await asyncio.wrap_future(runtime.call(work, runtime, *arguments))


def _answering(handler: Handler) -> Handler:
    """Failures become their answer."""

    @functools.wraps(handler)
    async def answer(request: Any) -> Any:
        from ...hunyuan.errors import HunyuanError
        from .guard import Refused

        try:
            return await handler(request)
        except Refused as refused:
            error = {"code": refused.code, "message": refused.message, "field": refused.field}
            return _worded({"error": error}, refused.status)
        except HunyuanError as failure:
            return _worded({"error": {"code": failure.code, "message": failure.message, "field": ""}}, 503)

    return answer


def _viewer(request: Any) -> Viewer:
    """Who asks, of a request that was let in."""
    viewer: Viewer = request[_VIEWER]
    return viewer


async def _let_user_in(server: Any, request: Any, *, by_id: bool = False) -> None:
    """by_id: who names no user is known by the id they ask for."""
    from ..comfyui.users import EVERYBODY, HEADER, are_several
    from .guard import check_user
    from .settings import administrators

    if by_id and HEADER not in request.headers:
        request[_VIEWER] = EVERYBODY
    else:
        named = await asyncio.to_thread(lambda: administrators(_open_store())) if are_several(server) else ()
        request[_VIEWER] = check_user(server, request, named)


def _reading(server: Any, trust: Trust, handler: Handler, *, by_id: bool = False) -> Handler:
    @functools.wraps(handler)
    async def read(request: Any) -> Any:
        from .guard import check_page

        await _let_in(trust, lambda trusted: check_page(request.headers, trusted))
        await _let_user_in(server, request, by_id=by_id)
        return await handler(request)

    return _answering(read)


def _changing(server: Any, trust: Trust, handler: Handler) -> Handler:
    @functools.wraps(handler)
    async def change(request: Any) -> Any:
        from .guard import check_change

        about = (request.headers, request.content_type, request.content_length)
        await _let_in(trust, lambda trusted: check_change(*about, trusted))
        await _let_user_in(server, request)
        return await handler(request)

    return _answering(change)


async def _let_in(trust: Trust, check: Callable[[Trusted], None]) -> None:
    """Checks by the request alone, and only where that refuses by what the settings and the resolver know."""
    from .guard import Refused
    from .own_addresses import NOTHING

    try:
        check(NOTHING)
    except Refused as refused:
        if refused.code not in ("origin", "host"):
            raise
    else:
        return
    check(await asyncio.to_thread(trust))


def _worded(content: dict[str, Any], status: int = 200) -> Any:
    """As _json, with our sentences in the language of who asks."""
    from ..comfyui.prompt_origin import language
    from ..status.chinese import worded

    return _json(worded(content, language()), status)


def _json(content: dict[str, Any], status: int = 200) -> Any:
    from aiohttp import web

    return web.json_response(content, status=status, headers={"Cache-Control": "no-store"})


def _picture(data: bytes, mime: str, *, name: str = "", cache: int = 0) -> Any:
    from aiohttp import web

    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": f"private, max-age={cache}" if cache else "no-store",
    }
    if name:
        headers["Content-Disposition"] = f'inline; filename="{name}"'
    return web.Response(body=data, content_type=mime, headers=headers)
