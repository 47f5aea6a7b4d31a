"""Who queued a prompt: the language that its messages are to have, and room for what its pictures are told.

ComfyUI tells its nodes nothing of that. A middleware keeps the HTTP request for whatever runs within it, and the
handler that sees each queued prompt writes the language into the prompt's `extra_data`, where the nodes find it when
the prompt runs (with --multi-user each user has one).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .users import NOBODY, are_several, user_of

# In a prompt's extra_data, which the history shows: nothing private. ComfyUI tells everybody its users' ids.
KEY = "hunyuan"
LANGUAGES = ("en", "zh")
NODE_IDS = (
    *("HunyuanGenerate", "HunyuanEdit", "HunyuanTaskWait"),
    *("HunyuanImageToURL", "HunyuanImageFromURL", "HunyuanPromptList"),
)

_request: ContextVar[Any] = ContextVar("hunyuan_request", default=None)


def install(server: Any, model_nodes: Iterable[str] = ()) -> None:
    """Called while ComfyUI loads the pack. model_nodes: ids of the nodes that the catalogue of models gives."""
    from aiohttp import web

    ours = {*NODE_IDS, *model_nodes}

    @web.middleware
    async def keep_request(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        _request.set(request)
        return await handler(request)

    server.app.middlewares.append(keep_request)
    server.add_on_prompt_handler(lambda json_data: _mark(json_data, ours))


def language() -> str:
    """`zh` or `en`: of the user whose request is answered or whose prompt runs, else of ComfyUI's default user."""
    if _request.get() is not None:
        return language_of_asker()()
    said = running_extra_data().get(KEY)
    found = said.get("language") if isinstance(said, dict) else None
    return str(found) if found in LANGUAGES else _setting("default")


def language_of_asker() -> Callable[[], str]:
    """`language()` of whoever asks now, for later: the setting may change while the page stays open."""
    user = _asking_user() or "default"
    return lambda: _setting(user)


def running_extra_data() -> dict[str, Any]:
    """The `extra_data` of the prompt whose node runs, as the queue keeps it (a copy); empty outside of any."""
    from comfy_execution.utils import get_executing_context
    from server import PromptServer

    context = get_executing_context()
    if context is None:
        return {}
    running = list(PromptServer.instance.prompt_queue.currently_running.values())
    # (number, prompt id, prompt, extra_data, …) in ComfyUI 0.3.75 to 0.33.0
    return next((item[3] for item in running if item[1] == context.prompt_id), {})


def _mark(json_data: dict[str, Any], ours: Collection[str]) -> dict[str, Any]:
    """Called by ComfyUI with the body of each POST to /prompt, within its request."""
    if has_our_nodes(json_data.get("prompt"), ours):
        extra = json_data["extra_data"] = json_data.get("extra_data") or {}
        extra[KEY] = {"language": language(), "user": _asking_user()}
        extra["extra_pnginfo"] = extra.get("extra_pnginfo") or {}  # also of clients that send none (see png_info)
    return json_data


def has_our_nodes(prompt: object, ours: Collection[str] = NODE_IDS) -> bool:
    """Whether a graph in API format holds nodes of this pack (ComfyUI has some of its own that begin with Hunyuan)."""
    nodes = prompt.values() if isinstance(prompt, dict) else ()
    return any(isinstance(node, dict) and node.get("class_type") in ours for node in nodes)


def running_user() -> str | None:
    """Who queued the prompt that runs: "" where nobody knows; None where ComfyUI has one user."""
    from server import PromptServer

    if not are_several(PromptServer.instance):
        return None
    said = running_extra_data().get(KEY)
    found = said.get("user") if isinstance(said, dict) else None
    return found if isinstance(found, str) else NOBODY


def _asking_user() -> str:
    from server import PromptServer

    try:
        return user_of(PromptServer.instance, _request.get())
    except KeyError:
        return NOBODY  # a name that ComfyUI does not know, or none where there are several: it takes the prompt anyway


def _setting(user: str) -> str:
    """The language set in ComfyUI (`Comfy.Locale`), English where none is set."""
    import folder_paths

    path = Path(folder_paths.get_user_directory()) / user / "comfy.settings.json"
    try:
        locale = json.loads(path.read_text(encoding="utf-8")).get("Comfy.Locale", "en")
    except (OSError, ValueError, AttributeError):
        return "en"  # no such file before the first setting is changed
    return "zh" if str(locale).startswith("zh") else "en"
