"""Bodies to and from the gateway: pure functions.

The gateway's finished answers are not documented: every shape it is likely to use is read (answers.py), and what
cannot be read is reported as it came, shortened and redacted, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import GatewayError, InvalidTaskIdError
from ..models import GenerationRequest, TaskState, TaskStatus
from ..sentences import say
from ..settings.store import Settings
from ..task_ids import check_given_id
from . import answer_ids, answers
from .answer_images import odd_images
from .credit_words import says_soon_again, says_too_many
from .refusals import (
    Reply,
    failed_question,
    is_out_of_credits,
    is_refusal,
    number_of,
    refused,
    says_missing,
    unreadable,
)
from .status_words import state_of

# Words of envelopes too; another beside an `error` is a task's: so relatives tell of one that failed, without its id.
_FAILURES_OF_ANYTHING = ("error", "fail", "timeout")
_REFUSALS = ("401", "402", "403", "404", "429")  # of the question, not of the task
_FAILURE_CODES = ("1200", "1402")  # of the task's content: they can only be the end of the task itself
_MODERATED = "1200"
_NEVER_BEGUN = ("1200", "1401", "1402", "401", "402", "403", "429")  # codes of a create that no task came of
_UNDER_WAY = (TaskState.SUBMITTED, TaskState.RUNNING)
_ODD_WORD, _ODD_ANSWER = 60, 600  # characters shown of a status word that nobody knows, and of its answer

Redact = Callable[[str], str]


def create_body(request: GenerationRequest, image_urls: Sequence[str]) -> dict[str, Any]:
    """The create's JSON. image_urls: of the request's input images, in order.

    What stands beside model and prompt is what the model's entry made of the choices; of Hunyuan Image 3 it is type,
    size and seed. The size is always sent: the upstream's default for an edit is 256.
    """
    body: dict[str, Any] = {"model": request.model, "prompt": request.prompt}
    if request.type is not None and request.size is not None:
        body.update(type=request.type.value, size=request.size.api, seed=request.seed)
    body.update(request.parameters)
    fields = request.image_fields or ("images",) * len(image_urls)
    for name, url in zip(fields, image_urls, strict=True):
        if name in request.single_fields:
            body[name] = url
        else:
            body.setdefault(name, []).append(url)
    return body


def read_create(
    status: int,
    content_type: str,
    body: bytes,
    request_inputs: Collection[str] = (),
    *,
    headers: Mapping[str, str] | None = None,
    redact: Redact | None = None,
    base_url: str = "",
) -> TaskStatus:
    """What the answer to a create says; the GatewayError tree for a refusal.

    An id is kept whatever stands beside it, as long as nothing says that the task failed: it is paid for.
    A finished image without an id gives SUCCEEDED with task_id None. base_url: what relative links are joined to.
    request_inputs: the URLs and texts that were sent: what repeats them is neither a result nor the new task's id.
    """
    redact = redact or Settings().redact
    reply = Reply(status, content_type, body, headers or {}, redact, is_create=True, request_inputs=request_inputs)
    if kept := _cut_or_older(reply):
        return kept
    root = _of_create(reply)
    if isinstance(root, TaskStatus):
        return root
    found = _read(reply, root, request_inputs, base_url)
    named = answer_ids.task_id(root, request_inputs)
    task_id = _usable(named or answer_ids.id_in_pieces(body, request_inputs))  # wherever it stands
    failed = not isinstance(found, TaskStatus) or found.state is TaskState.FAILED
    if failed and not task_id and is_out_of_credits(reply):
        raise refused(reply)
    if isinstance(found, TaskStatus):
        if found.state is TaskState.FAILED and task_id and state_of(answers.status_word(root)) is not TaskState.FAILED:
            found = TaskStatus(TaskState.SUBMITTED)  # only inferred: the task itself is asked
        if task_id or found.state not in _UNDER_WAY:
            return _named(found, task_id, reply, root)
        if found.odd_word:
            why = say('it has the unknown status "{word}" and names no usable task id', word=found.odd_word)
        else:
            why = say("it names no usable task id")
        raise unreadable(reply, why)
    if not task_id:
        no_word = not answers.status_word(root)
        raise unreadable(reply, say("it holds neither a task id nor an image")) if no_word else found
    return _named(TaskStatus(TaskState.SUBMITTED), task_id, reply, root)


def _cut_or_older(reply: Reply) -> TaskStatus | None:
    """The task that a create's answer names though it is cut, or a conflict; None for any other answer."""
    if reply.json is None and (kept := read_cut_create(reply.status, reply.body, reply.request_inputs)):
        return kept
    return _older_task(reply)


def _of_create(reply: Reply) -> answers.Json | TaskStatus:
    """The answer's object, or of an error's the task that it names all the same; raises the other errors."""
    try:
        return _accepted(reply)
    except GatewayError:
        if kept := _named_beside_an_error(reply):
            return kept
        raise


def _named_beside_an_error(reply: Reply) -> TaskStatus | None:
    """The task that a create's answer names inside an error or beside it, unless it says that none runs."""
    root, may_run = reply.json or {}, reply.status < 300 or _may_have_begun(reply.status)
    if not may_run or reply.code in _NEVER_BEGUN or is_out_of_credits(reply):
        return None
    task_id = _usable(answer_ids.id_in_error(root, reply.request_inputs))
    if not task_id or state_of(answers.status_word(root)) is TaskState.FAILED:
        return None
    return _named(TaskStatus(TaskState.SUBMITTED), task_id, reply, root)


def read_cut_create(status: int, body: bytes, request_inputs: Collection[str] = ()) -> TaskStatus | None:
    """The task that an answer to a create names which is cut, or broken beyond reading; None where it names none."""
    may_run = 200 <= status < 300 or _may_have_begun(status)
    task_id = _usable(answer_ids.id_in_pieces(body, request_inputs)) if may_run else ""
    return TaskStatus(TaskState.SUBMITTED, task_id) if task_id else None


def read_task(
    status: int,
    content_type: str,
    body: bytes,
    request_inputs: Collection[str] = (),
    *,
    headers: Mapping[str, str] | None = None,
    redact: Redact | None = None,
    base_url: str = "",
    asked: str = "",
) -> TaskStatus:
    """What the answer to a poll says; the GatewayError tree for anything but a task's state.

    task_id is the one the answer names, if any: it may be the upstream's. base_url: what relative links are joined to.
    asked: the id that was asked for.
    """
    redact = redact or Settings().redact
    reply = Reply(status, content_type, body, headers or {}, redact, False, request_inputs, asked)
    found = _read(reply, root := _accepted(reply), request_inputs, base_url)
    if isinstance(found, GatewayError):
        raise found
    return _named(found, answer_ids.task_id(root), reply, root)


def _usable(task_id: str) -> str:
    """The id, or an empty text for what cannot be asked for."""
    try:
        return check_given_id(task_id) if task_id else ""
    except InvalidTaskIdError:
        return ""


def _may_have_begun(status: int) -> bool:
    """Whether a create may have begun that HTTP calls failed: somebody lost patience, or a server broke."""
    return status in (408, 499) or status >= 500


def _older_task(reply: Reply) -> TaskStatus | None:
    """The task that a conflict (409) names: the same request runs already."""
    if reply.status != 409 and not (reply.status <= 400 and reply.code == "409"):
        return None
    root, given = reply.json or {}, reply.request_inputs
    runs = state_of(answers.status_word(root)) in _UNDER_WAY  # else a bare `id` of the whole is the refusal's
    of_task = root if runs else {key: value for key, value in root.items() if key.lower() != "id"}
    named = answer_ids.named_in_refusal(root, given) or answer_ids.task_id(of_task, given)
    text = "" if reply.json else reply.body[:2000].decode("utf-8", "replace")
    task_id = _usable(named or answer_ids.id_in_words(text, given))
    if not task_id or state_of(answers.own_status(root)) is TaskState.FAILED:
        return None
    return TaskStatus(TaskState.SUBMITTED, task_id, retry_after=reply.retry_after, is_older=True)


def _accepted(reply: Reply) -> answers.Json:
    """The answer's object, if it is an answer about a task; raises what else it is."""
    root = reply.json
    if root is None or not 200 <= reply.status < 300:
        if root is not None and _tells_more(reply, root):
            return root
        raise refused(reply)
    if _is_about_task(reply, root):
        return root
    if is_refusal(reply) or failed_question(reply, root):
        raise refused(reply)
    return root


def _is_about_task(reply: Reply, root: answers.Json) -> bool:
    """Whether an answer with HTTP 200 is about a task, though it may hold an error as well."""
    state, given = state_of(answers.status_word(root)), reply.request_inputs
    if reply.code in _REFUSALS and not (answers.has_record(root) and answers.own_status(root)):
        return False
    if not reply.is_create and _may_be_the_questions(reply, root):
        return False
    if answers.own_status(root):
        return True  # data.status: the task's own
    if reply.is_create and answers.images(root, given) and state is not TaskState.FAILED:
        return True  # the image itself: paid for, whatever stands beside it
    if reply.is_create and is_refusal(reply) and state in (None, TaskState.FAILED):  # a bare `id` is the request's
        return bool(answer_ids.given_id(root, given)) or (state is TaskState.FAILED and not reply.code)
    named = bool(answer_ids.task_id(root, given))
    if reply.is_create:
        return named or (state is TaskState.FAILED and not reply.code)
    if reply.code in _FAILURE_CODES:
        return True
    if state is TaskState.FAILED:  # on the envelope, it may be that of the question, and a bare `id` the question's
        if _names_what_failed(reply, root):
            return True
        of_any = answers.status_word(root).lower() in _FAILURES_OF_ANYTHING or says_soon_again(reply.words)
        return answers.says_why(root) and not of_any and not reply.code
    return bool(answers.status_word(root)) and (named or not reply.code)


def _names_what_failed(reply: Reply, root: answers.Json) -> bool:
    """Whether a poll's answer names the task itself; a bare `id` may be the question's."""
    named = answer_ids.task_id(root)
    return bool(answer_ids.given_id(root)) or (bool(named) and reply.asked in ("", named))


def _may_be_the_questions(reply: Reply, root: answers.Json) -> bool:
    """Whether a failure that a poll's answer tells of may be that of the question: of a server that is busy or broken,
    lost patience, or does not know the task yet. It is asked again: that costs nothing, and a task that is taken for
    failed is paid for anew."""
    word = answers.status_word(root)
    if state_of(word) is not TaskState.FAILED or reply.code in _FAILURE_CODES:
        return False
    if says_missing(reply.words):
        return True
    if _names_what_failed(reply, root):
        return False
    number = number_of(reply)
    broken = number in (408, 429) or 499 <= number < 600
    return word.lower() in _FAILURES_OF_ANYTHING and (broken or says_too_many(reply.words))


def _tells_more(reply: Reply, root: answers.Json) -> bool:
    """Whether an answer with an HTTP error tells of a task: of a poll's that it failed, of a create's that it runs."""
    if reply.is_create:
        state = state_of(answers.status_word(root))
        given = reply.request_inputs
        named = bool(answer_ids.given_id(root, given)) and state is not TaskState.FAILED
        named = named and reply.code not in _NEVER_BEGUN
        runs = state in _UNDER_WAY and bool(answer_ids.task_id(root, given))
        return _may_have_begun(reply.status) and (named or runs)
    if reply.code in _FAILURE_CODES:
        return True
    if _may_be_the_questions(reply, root):
        return False
    return state_of(answers.own_status(root)) is TaskState.FAILED and str(reply.status) not in _REFUSALS


def _read(
    reply: Reply, root: answers.Json, request_inputs: Collection[str], base_url: str
) -> TaskStatus | GatewayError:
    """The task's state without its id, or why it cannot be read."""
    word = answers.status_word(root)
    state = state_of(word)
    if state is TaskState.FAILED or (not word and not reply.is_create and reply.code in _FAILURE_CODES):
        return TaskStatus(TaskState.FAILED, words=reply.words, gateway_code=reply.task_code)
    if state in _UNDER_WAY:
        return TaskStatus(state, progress=answers.progress(root))
    images = _images(root, request_inputs, base_url)
    if images:
        return TaskStatus(TaskState.SUCCEEDED, images=images)
    if answers.is_flagged(root):
        return TaskStatus(TaskState.FAILED, words=reply.words, gateway_code=reply.task_code or _MODERATED)
    if state is TaskState.SUCCEEDED:
        if answers.has_failure(root):
            return TaskStatus(TaskState.FAILED, words=reply.words, gateway_code=reply.task_code)
        return unreadable(reply, say("it says that the task is done, but holds no image"))
    if word:
        return _unknown(reply, root, word)
    if reply.is_create or not answer_ids.has_task(root):
        return unreadable(reply, say("it names no status"))
    return _unknown(reply, root, answers.odd_status(root))


def _images(root: answers.Json, request_inputs: Collection[str], base_url: str) -> tuple[str, ...]:
    word = answers.status_word(root)
    found = answers.images(root, request_inputs, base_url, has_state=bool(word))
    if found or state_of(word) is not TaskState.SUCCEEDED:
        return found
    odd = (odd_images(record, request_inputs, base_url) for record in answers.task_records(root))
    return next((images for images in odd if images), ())


def _unknown(reply: Reply, root: answers.Json, word: str) -> TaskStatus | GatewayError:
    """A word that nobody knows, or none, ends no paid task: it counts as still running, unless an error stands beside
    it."""
    shown = reply.shown(word, _ODD_WORD)
    if answers.has_failure(root) or re.fullmatch(r"[3-9]\d\d|\d{4,}", reply.code):
        return unreadable(reply, say('it has the unknown status "{word}" beside an error', word=shown))
    text = reply.shown(reply.body[:20_000].decode("utf-8", "replace"), _ODD_ANSWER)
    return TaskStatus(TaskState.RUNNING, progress=answers.progress(root), odd_word=shown, odd_answer=text)


def _named(found: TaskStatus, task_id: str, reply: Reply, root: answers.Json) -> TaskStatus:
    """With the task's id, what it cost, and when to ask again."""
    credits = answers.credits(root)
    if credits == 0 and found.state is not TaskState.SUCCEEDED:
        credits = None  # not charged yet, or given back: the state says that
    return replace(found, task_id=task_id or None, credits=credits, retry_after=reply.retry_after)
