"""What was wrong with a prompt that ComfyUI did not queue, as its nodes of ours said when they were asked.

ComfyUI answers 400 and tells the page in words of its own. The checks of our nodes run within that request: what they
say is kept here until its answer is known.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from .prompt_origin import NODE_IDS

Report = Callable[[str, str, Mapping[str, str]], None]  # client id, workflow id, node id → sentence

_faults: ContextVar[list[str] | None] = ContextVar("hunyuan_faults", default=None)


def install(server: Any, report: Report) -> None:
    """Called while ComfyUI loads the pack."""
    from aiohttp import web

    @web.middleware
    async def watch(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        if request.method != "POST" or not request.path.endswith("/prompt"):
            return await handler(request)
        said: list[str] = []
        _faults.set(said)
        answer = await handler(request)
        if said and answer.status == 400:
            body = await request.json()  # aiohttp keeps what the handler has read
            client = body.get("client_id")
            if found := faults_of(_json(answer), said):
                report(client if isinstance(client, str) else "", _workflow(body), found)
        return answer

    server.app.middlewares.append(watch)


def note_fault(sentence: str) -> None:
    """A check of ours refuses what stands in a node."""
    said = _faults.get()
    if said is not None:
        said.append(sentence)


def faults_of(answer: Any, said: list[str]) -> dict[str, str]:
    """Our sentence for each node of ours that the answer names; nodes whose fault is none of our sentences are left to
    ComfyUI's own words."""
    nodes = answer.get("node_errors") if isinstance(answer, dict) else None
    found = {}
    for node, about in nodes.items() if isinstance(nodes, dict) else ():
        if about.get("class_type") not in NODE_IDS:
            continue
        details = [str(each.get("details", "")) for each in about.get("errors", ())]
        sentence = next((each for each in said if any(each in detail for detail in details)), None)
        if sentence is not None:
            found[str(node)] = sentence
    return found


def _json(answer: Any) -> Any:
    try:
        return json.loads(answer.text or "")
    except (AttributeError, ValueError):  # another pack's answer
        return None


def _workflow(body: Mapping[str, Any]) -> str:
    pnginfo = (body.get("extra_data") or {}).get("extra_pnginfo") or {}
    workflow = pnginfo.get("workflow") if isinstance(pnginfo, dict) else None
    found = workflow.get("id") if isinstance(workflow, dict) else None
    return found if isinstance(found, str) else ""
