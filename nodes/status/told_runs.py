"""The event `hunyuan.run`: how a node's run ended, for the page that queued it; and the last word on each node, for a
page that was away.

`{"prompt_id", "node", "workflow", "at", "text", "outcome", "tasks", "done", "reused", "credits", "maybe", "seconds",
"seed", "task_ids", "failures": [{"code", "money", "task_id"}], "failure"}`. seed: the first task's. text: the line on
the node, in the language of who queued it. failure: null, or what stopped the node: `{"code", "money", "headline",
"task_id", "stops"}`; stops: whether the whole prompt. Codes are those of hunyuan/errors.py. No prompt and no key in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...hunyuan.errors import HunyuanError, InvalidRequestError
from ..comfyui.prompt_origin import language, running_extra_data, running_user
from ..comfyui.submitter import is_page, submitter
from .run_end import RunEnd, refusal_line
from .run_memory import ToldRuns
from .texts import headline, translate

EVENT = "hunyuan.run"


def tell_end(prompt_id: str, node: str, end: RunEnd, lang: str, sid: str | None) -> None:
    """A node's run has ended, well or not."""
    _send(prompt_id, node, {**end.values(), "text": end.line(lang), "failure": None}, sid)


def tell_failure(error: HunyuanError, *, stops: bool) -> None:
    """A failure of the node that runs now; called where it leaves the node."""
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    if context is None:
        return
    failure = _failure(error, headline(error, language()), stops)
    known = _told().line_of(context.prompt_id, context.node_id, _workflow(), running_user() or "")
    content = {"failure": failure} if known else _refusal(error, failure)
    _send(context.prompt_id, context.node_id, content, submitter())


def tell_refusal(client: str, workflow: str, faults: Mapping[str, str]) -> None:
    """A prompt was not queued, because of what stands in these nodes of ours: node id → sentence."""
    from server import PromptServer

    if not is_page(client):
        return
    for node, sentence in faults.items():
        error = InvalidRequestError(sentence)
        told = {"prompt_id": "", "node": node, "workflow": workflow, "at": time.time()}
        told.update(_refusal(error, _failure(error, sentence, True)))
        PromptServer.instance.send_sync(EVENT, told, client)


def _failure(error: HunyuanError, sentence: str, stops: bool) -> dict[str, Any]:
    about = {"code": error.code, "money": error.money.value, "task_id": error.task_id}
    return {**about, "headline": sentence, "stops": stops}


def _refusal(error: HunyuanError, failure: dict[str, Any]) -> dict[str, Any]:
    """The end of a run that never had a task."""
    end = RunEnd(())
    failures = [{name: failure[name] for name in ("code", "money", "task_id")}]
    line = refusal_line(error, language())
    return {**end.values(), "outcome": "failed", "failures": failures, "text": line, "failure": failure}


@contextmanager
def in_the_users_language() -> Iterator[None]:
    """A failure inside is told to the page, and gets a sentence in the language of who queued the prompt."""
    try:
        yield
    except HunyuanError as error:
        tell_failure(error, stops=True)
        raise error.but(translation=translate(error)) from error.__cause__


def _send(prompt_id: str, node: str, content: dict[str, Any], sid: str | None) -> None:
    from server import PromptServer

    if not node or not is_page(sid):
        return
    about = {"prompt_id": prompt_id, "node": node, "workflow": _workflow(), "at": time.time()}
    whole = _told().add({**about, **content}, running_user() or "")
    PromptServer.instance.send_sync(EVENT, whole, sid)


def _told() -> ToldRuns:
    from server import PromptServer

    told: ToldRuns = PromptServer.instance.hunyuan.told_runs
    return told


def _workflow() -> str:
    """The id of the workflow that the running prompt was made from, empty where the client told none."""
    pnginfo = running_extra_data().get("extra_pnginfo")
    workflow = pnginfo.get("workflow") if isinstance(pnginfo, dict) else None
    found = workflow.get("id") if isinstance(workflow, dict) else None
    return found if isinstance(found, str) else ""
