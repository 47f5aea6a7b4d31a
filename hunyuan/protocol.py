"""Bodies to and from the gateway: pure functions.

The gateway's finished answers are not documented: every shape it is likely to use is read (answers.py), and what
cannot be read is reported as it came, shortened and redacted, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import answers
from .errors import GatewayError, InvalidTaskIdError
from .models import GenerationRequest, TaskState, TaskStatus, check_task_id
from .refusals import Reply, refused, unreadable
from .settings import Settings

# Words of the vendor's pages, of a third party's client and of the upstream, then what such APIs use elsewhere.
_DONE = frozenset({"completed", "complete", "success", "succeeded", "successful", "finished", "done", "ready", "ok"})
_FAILED = frozenset(
    {"failed", "fail", "failure", "error", "errored", "cancelled", "canceled", "aborted", "expired", "rejected"}
    | {"timeout", "timed_out", "blocked"}
)
_WAITING = frozenset(
    {"created", "pending", "queued", "queue", "in_queue", "waiting", "submitted", "accepted", "scheduled"}
    | {"not_started", "init", "initialized", "initializing"}
)
_WORKING = frozenset(
    {"in_progress", "processing", "running", "generating", "started", "starting", "working", "retrying"}
)
_REFUSALS = ("401", "402", "403", "404", "429")  # of the question, not of the task
_FAILURE_CODES = ("1200", "1402")  # of the task's content: they can only be the end of the task itself

Redact = Callable[[str], str]


def create_body(request: GenerationRequest, image_urls: Sequence[str]) -> dict[str, Any]:
    """The create's JSON. The size is always sent: the upstream's default for an edit is 256."""
    body: dict[str, Any] = {
        "model": request.model,
        "prompt": request.prompt,
        "type": request.type.value,
        "size": request.size.api,
        "seed": request.seed,
    }
    if image_urls:
        body["images"] = list(image_urls)
    return body


def read_create(
    status: int,
    content_type: str,
    body: bytes,
    request_inputs: Collection[str] = (),
    *,
    headers: Mapping[str, str] | None = None,
    redact: Redact | None = None,
) -> TaskStatus:
    """What the answer to a create says; the GatewayError tree for a refusal.

    An id is kept whatever stands beside it, as long as nothing says that the task failed: it is paid for.
    A finished image without an id gives SUCCEEDED with task_id None.
    """
    reply = Reply(status, content_type, body, headers or {}, redact or Settings().redact, is_create=True)
    root = _accepted(reply)
    found = _read(reply, root, request_inputs)
    task_id = answers.task_id(root)
    try:
        task_id = check_task_id(task_id) if task_id else ""
    except InvalidTaskIdError:
        task_id = ""
    if isinstance(found, TaskStatus):
        if task_id or found.state in (TaskState.SUCCEEDED, TaskState.FAILED):
            return _named(found, task_id, reply)
        raise unreadable(reply, "it names no usable task id")
    if not task_id:
        no_word = not answers.status_word(root)
        raise unreadable(reply, "it holds neither a task id nor an image") if no_word else found
    return _named(TaskStatus(TaskState.SUBMITTED), task_id, reply)


def read_task(
    status: int,
    content_type: str,
    body: bytes,
    request_inputs: Collection[str] = (),
    *,
    headers: Mapping[str, str] | None = None,
    redact: Redact | None = None,
) -> TaskStatus:
    """What the answer to a poll says; the GatewayError tree for anything but a task's state.

    task_id is the one the answer names, if any: it may be the upstream's.
    """
    reply = Reply(status, content_type, body, headers or {}, redact or Settings().redact, is_create=False)
    found = _read(reply, root := _accepted(reply), request_inputs)
    if isinstance(found, GatewayError):
        raise found
    return _named(found, answers.task_id(root), reply)


def _accepted(reply: Reply) -> answers.Json:
    """The answer's object, if it is an answer about a task; raises what else it is."""
    root = reply.json
    if root is None or not 200 <= reply.status < 300:
        if root is not None and _tells_more(reply, root):
            return root
        raise refused(reply)
    if not _is_about_task(reply, root) and answers.has_error(root):
        raise refused(reply)
    return root


def _is_about_task(reply: Reply, root: answers.Json) -> bool:
    """Whether an answer with HTTP 200 is about a task, though it may hold an error as well."""
    word, task_id = answers.status_word(root), answers.task_id(root)
    if any(answers.status_word(record) for record in answers.task_records(root)[:-1]):
        return True  # data.status: the task's own
    if reply.code in _REFUSALS:
        return False
    if reply.is_create:
        return bool(task_id) or (word in _FAILED and not reply.code)
    return reply.code in _FAILURE_CODES or (bool(word) and (bool(task_id) or not reply.code))


def _tells_more(reply: Reply, root: answers.Json) -> bool:
    """Whether an answer with an HTTP error tells of a task: of a poll's that it failed, of a create's that it runs."""
    if reply.is_create:
        running = answers.status_word(root) in _WAITING | _WORKING
        return reply.status >= 500 and running and bool(answers.task_id(root))
    if reply.code in _FAILURE_CODES:
        return True
    own = (answers.status_word(record) for record in answers.task_records(root)[:-1])
    return any(word in _FAILED for word in own) and str(reply.status) not in _REFUSALS


def _read(reply: Reply, root: answers.Json, request_inputs: Collection[str]) -> TaskStatus | GatewayError:
    """The task's state without its id, or why it cannot be read."""
    word = answers.status_word(root)
    if word in _FAILED or (not word and not reply.is_create and reply.code in _FAILURE_CODES):
        return TaskStatus(TaskState.FAILED, words=reply.words, gateway_code=reply.task_code)
    if word in _WAITING or word in _WORKING:
        state = TaskState.SUBMITTED if word in _WAITING else TaskState.RUNNING
        return TaskStatus(state, progress=answers.progress(root))
    if word and word not in _DONE:
        return unreadable(reply, f'it has the unknown status "{reply.shown(word, 60)}"')
    images = answers.images(root, request_inputs)
    if images:
        return TaskStatus(TaskState.SUCCEEDED, images=images)
    return unreadable(reply, "it says that the task is done, but holds no image" if word else "it names no status")


def _named(found: TaskStatus, task_id: str, reply: Reply) -> TaskStatus:
    """With the task's id, and when to ask again."""
    return replace(found, task_id=task_id or None, retry_after=reply.retry_after)
