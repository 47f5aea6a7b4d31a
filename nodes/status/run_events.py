"""The event `hunyuan.run`: how a node's run ended, for the page that queued it; and the last word on each node, for a
page that was away.

`{"prompt_id", "node", "workflow", "at", "text", "outcome", "tasks", "done", "reused", "credits", "maybe", "seconds",
"seed", "task_ids", "failures": [{"code", "money", "task_id"}], "failure"}`. seed: the first task's. text: the line on
the node. failure: null, or what stopped the node: `{"code", "money", "headline", "task_id", "stops"}`; stops: whether
the whole prompt. Codes are those of hunyuan/errors.py. No prompt and no key in it. text and headline are kept in every
language, by its name, and told in that of who looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from ...hunyuan.errors import HunyuanError, InvalidRequestError
from ..comfyui.prompt_origin import LANGUAGES, language, running_extra_data, running_user
from ..comfyui.submitter import is_page, submitter
from .last_runs import LastRuns
from .run_end import RunEnd, refusal_line
from .texts import headline, translate

EVENT = "hunyuan.run"


def tell_end(prompt_id: str, node: str, end: RunEnd, lang: str, sid: str | None) -> None:
    """A node's run has ended, well or not."""
    _send(prompt_id, node, {**end.values(), "text": _in_all(end.line), "failure": None}, lang, sid)


def tell_failure(error: HunyuanError, *, stops: bool) -> None:
    """A failure of the node that runs now; called where it leaves the node."""
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    if context is None:
        return
    failure = _failure(error, stops)
    known = _last_runs().has_line(context.prompt_id, context.node_id, _workflow(), running_user() or "")
    content = {"failure": failure} if known else _refusal(error, failure)
    _send(context.prompt_id, context.node_id, content, language(), submitter())


def tell_refusal(client: str, workflow: str, faults: Mapping[str, str]) -> None:
    """A prompt was not queued, because of what stands in these nodes of ours: node id → sentence."""
    from server import PromptServer

    if not is_page(client):
        return
    for node, sentence in faults.items():
        error = InvalidRequestError(sentence)
        told = {"prompt_id": "", "node": node, "workflow": workflow, "at": time.time()}
        told.update(_refusal(error, {**_failure(error, True), "headline": dict.fromkeys(LANGUAGES, sentence)}))
        PromptServer.instance.send_sync(EVENT, for_page(told, language()), client)


def for_page(told: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """What was kept of a run, in the language of who looks."""
    failure = told["failure"] and {**told["failure"], "headline": told["failure"]["headline"][lang]}
    return {**told, "text": told.get("text", {}).get(lang, ""), "failure": failure}


def _in_all(say_it: Callable[[str], str]) -> dict[str, str]:
    return {lang: say_it(lang) for lang in LANGUAGES}


def _failure(error: HunyuanError, stops: bool) -> dict[str, Any]:
    about = {"code": error.code, "money": error.money.value, "task_id": error.task_id}
    return {**about, "headline": _in_all(partial(headline, error)), "stops": stops}


def _refusal(error: HunyuanError, failure: dict[str, Any]) -> dict[str, Any]:
    """The end of a run that never had a task."""
    end = RunEnd(())
    failures = [{name: failure[name] for name in ("code", "money", "task_id")}]
    line = _in_all(partial(refusal_line, error))
    return {**end.values(), "outcome": "failed", "failures": failures, "text": line, "failure": failure}


@contextmanager
def in_the_users_language() -> Iterator[None]:
    """A failure inside is told to the page, and gets a sentence in the language of who queued the prompt."""
    try:
        yield
    except HunyuanError as error:
        tell_failure(error, stops=True)
        raise error.but(translation=translate(error)) from error.__cause__


def _send(prompt_id: str, node: str, content: dict[str, Any], lang: str, sid: str | None) -> None:
    from server import PromptServer

    if not node or not is_page(sid):
        return
    about = {"prompt_id": prompt_id, "node": node, "workflow": _workflow(), "at": time.time()}
    whole = _last_runs().add({**about, **content}, running_user() or "")
    PromptServer.instance.send_sync(EVENT, for_page(whole, lang), sid)


def _last_runs() -> LastRuns:
    from server import PromptServer

    known: LastRuns = PromptServer.instance.hunyuan.last_runs
    return known


def _workflow() -> str:
    """The id of the workflow that the running prompt was made from, empty where the client told none."""
    pnginfo = running_extra_data().get("extra_pnginfo")
    workflow = pnginfo.get("workflow") if isinstance(pnginfo, dict) else None
    found = workflow.get("id") if isinstance(workflow, dict) else None
    return found if isinstance(found, str) else ""
