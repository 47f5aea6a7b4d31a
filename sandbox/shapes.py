"""The shapes of answers: each way the gateway is known, or must be expected, to tell of a task."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from .contract import Create
from .other_gateways import RELATIVES, Moment
from .tasks import SandboxTask

WORDS: dict[str, dict[str, str]] = {
    "documented": {"pending": "IN_PROGRESS", "running": "IN_PROGRESS", "completed": "COMPLETED", "failed": "FAILED"},
    "general": {"pending": "pending", "running": "processing", "completed": "completed", "failed": "failed"},
    "upstream": {"pending": "created", "running": "processing", "completed": "completed", "failed": "failed"},
}


class Told:
    """A task as it is told of at one moment. `urls`: its links; `encoded`: draws its pictures, when needed."""

    def __init__(
        self,
        task: SandboxTask,
        now: float,
        urls: list[str],
        encoded: Callable[[], list[bytes]],
        poll_url: str,
    ) -> None:
        self._task, self._now, self._urls, self._encoded, self._poll_url = task, now, urls, encoded, poll_url
        self._plan = task.plan
        self._shape = task.plan.shape if task.plan.shape in (*WORDS, *RELATIVES) else "documented"

    def created(self) -> dict[str, Any]:
        """The answer to an accepted create that does not carry the picture."""
        return self._told("pending", result=False)

    def direct(self) -> dict[str, Any]:
        """The answer to a create that carries the finished picture."""
        plan, task = self._plan, self._task
        key = plan.result_key or ("data" if plan.shape == "direct_b64" else "images")
        if task.plan.fail:
            return self._told("failed", result=False)
        value = self._b64() if plan.shape == "direct_b64" else self._result()
        named = {"task_id": task.task_id} if plan.direct_task_id else {}
        if key == "data":
            return {"created": int(task.created_at), **named, "data": value}
        return {"code": 200, "message": "success", "data": {**named, "status": "completed", key: value}}

    def ended(self) -> dict[str, Any]:
        """The answer to a create that is answered when the task has ended, in the shape of a poll's."""
        failed = self._plan.fail or self._plan.flagged
        return self._told("failed" if failed else "completed", result=not failed)

    def polled(self) -> dict[str, Any]:
        """The answer to a poll."""
        state = self._task.state(self._now)
        return self._told(state, result=state == "completed")

    def said(self) -> str:
        """The status word of the poll's answer."""
        return self._word(self._task.state(self._now))

    def _word(self, state: str) -> str:
        if self._plan.flagged or (self._plan.fail and self._plan.error_form == "completed"):
            state = "completed" if state == "failed" else state
        return {**WORDS.get(self._shape, WORDS["documented"]), **(self._plan.words or {})}[state]

    def _told(self, state: str, *, result: bool) -> dict[str, Any]:
        if self._shape in RELATIVES:
            return RELATIVES[self._shape](self._moment(state, result))
        inside: dict[str, Any] = {}
        if self._plan.echo == "nested":
            inside["input"] = request_of(self._task.create)
        elif self._plan.echo == "flat":
            inside.update(request_of(self._task.create))
        inside.update(self._identity(state))
        if self._plan.progress and state in ("pending", "running"):
            share = self._task.progress(self._now)
            inside["progress"] = round(share, 3) if self._plan.progress == "fraction" else round(100 * share)
        if self._plan.charged is not None and state == "completed":
            inside["consumed_credits"] = self._plan.charged
        if self._plan.flagged and state == "failed":
            inside["has_nsfw_contents"] = [True]
        if result:
            inside[self._plan.result_key or ("outputs" if self._shape == "upstream" else "images")] = self._result()
        answer = inside if self._shape == "general" else {"code": 200, "message": "success", "data": inside}
        if state == "failed":
            self._add_error(answer, inside)
        return answer

    def _moment(self, state: str, result: bool) -> Moment:
        plan, task = self._plan, self._task
        fail = plan.fail if state == "failed" else None
        return Moment(
            task_id=task.task_id,
            state=state,
            words=dict(plan.words or {}),
            urls=self._urls if result else [],
            request=request_of(task.create),
            created_at=task.created_at,
            message=fail.message if fail else None,
            code=fail.code if fail else None,
            charged=plan.charged if state == "completed" else None,
        )

    def _identity(self, state: str) -> dict[str, Any]:
        task, word = self._task, self._word(state)
        if self._shape == "general":
            created = int(task.created_at)
            return {"id": task.task_id, "status": word, "model": task.create.model, "created_at": created}
        if self._shape == "upstream":
            moment = datetime.datetime.fromtimestamp(task.created_at, datetime.timezone.utc)
            return {
                "id": task.task_id,
                "model": task.create.model,
                "outputs": [],
                "urls": {"get": self._poll_url},
                "has_nsfw_contents": [],
                "status": word,
                "created_at": moment.isoformat(),
                "error": "",
            }
        return {"task_id": task.task_id, "status": word}

    def _result(self) -> Any:
        urls, form = self._urls, self._plan.result_form
        if form == "b64":
            return self._b64()
        if form in ("b64_string", "data_uri"):
            lead = f"data:image/{self._plan.format};base64," if form == "data_uri" else ""
            texts = [lead + base64.b64encode(content).decode() for content in self._encoded()]
            return texts[0] if len(texts) == 1 else texts
        forms: Mapping[str, Any] = {
            "list": urls,
            "string": urls[0] if len(urls) == 1 else urls,
            "object": {"url": urls[0]} if len(urls) == 1 else {"images": urls},
            "objects": [{"url": url} for url in urls],
            "json": json.dumps({"images": [{"url": url} for url in urls]}),
            "json_list": json.dumps(urls),
        }
        return forms[form]

    def _b64(self) -> list[dict[str, str]]:
        return [{"b64_json": base64.b64encode(content).decode()} for content in self._encoded()]

    def _add_error(self, answer: dict[str, Any], inside: dict[str, Any]) -> None:
        fail = self._plan.fail
        if fail is None:
            return
        form = self._plan.error_form
        detail = {"message": fail.message} if fail.code is None else {"code": fail.code, "message": fail.message}
        if form in ("data.error", "completed"):
            inside["error"] = fail.message
            if fail.code is not None:
                inside["code"] = fail.code
        elif form == "data.error.message":
            inside["error"] = detail
        elif form == "error.message":
            answer["error"] = detail
        else:
            inside["message"] = fail.message


def request_of(create: Create) -> dict[str, Any]:
    """The echo of a request, as gateways repeat it in their answers."""
    if create.asked is not None:
        return {"model": create.model, "prompt": create.prompt, **dict(create.asked)}
    echo: dict[str, Any] = {
        "model": create.model,
        "prompt": create.prompt,
        "type": create.type,
        "size": "{}*{}".format(*create.size),
        "seed": create.seed,
    }
    return {**echo, "images": list(create.images)} if create.images else echo
