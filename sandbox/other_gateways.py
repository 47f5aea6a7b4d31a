"""Finished answers of the gateway's relatives: sites with its envelope and model names, and others of its kind.

That this gateway answers like one of them is an inference; each shape is told from the create on.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable
from typing import Any

WORDS = {"pending": "IN_PROGRESS", "running": "IN_PROGRESS", "completed": "SUCCESS", "failed": "FAILED"}
STATE_WORDS = {"pending": "waiting", "running": "generating", "completed": "success", "failed": "fail"}
LIST_WORDS = {"pending": "QUEUED", "running": "PREPARING", "completed": "COMPLETED", "failed": "FAILURE"}
TASK_STATUS = {"pending": 1, "running": 2, "completed": 3, "failed": 4}
SUCCESS_FLAG = {"pending": 0, "running": 0, "completed": 1, "failed": 3}


@dataclasses.dataclass(frozen=True)
class Moment:
    """A task at one moment. state: pending, running, completed or failed. urls: of its pictures, empty before the end.

    words: the script's own status words. request: the echo of the request. message, code: why it failed. charged: what
    it cost, in credits.
    """

    task_id: str
    state: str
    words: dict[str, str]
    urls: list[str]
    request: dict[str, Any]
    created_at: float
    message: str | None
    code: int | str | None
    charged: int | None

    def word(self, own: dict[str, str]) -> str:
        return {**own, **self.words}[self.state]

    @property
    def cost(self) -> dict[str, int]:
        return {} if self.charged is None else {"consumed_credits": self.charged}


def _sites(task: Moment) -> dict[str, Any]:
    made = datetime.datetime.fromtimestamp(task.created_at, datetime.timezone.utc)
    inside = {
        "status": task.word(WORDS),
        "task_id": task.task_id,
        "request": {**task.request, "seed": str(task.request.get("seed", -1))},
        "response": task.urls or None,
        **task.cost,
        "created_at": made.strftime("%Y-%m-%d %H:%M:%S"),
        "error_message": task.message,
    }
    return {"code": 200, "message": "success", "data": inside}


def _sites_json(task: Moment) -> dict[str, Any]:
    told = _sites(task)
    told["data"]["response"] = json.dumps(task.urls) if task.urls else ""
    return told


def _music(task: Moment) -> dict[str, Any]:
    inside = {
        "task_id": task.task_id,
        "type": task.word(WORDS),
        "request_body": json.dumps(task.request),
        "response_data": [{"id": f"r{k}", "image_url": url, "duration": 0} for k, url in enumerate(task.urls)],
        **task.cost,
        "fail_msg": task.message or "",
    }
    return {"code": 200, "message": "success", "data": inside}


def _state(task: Moment) -> dict[str, Any]:
    inside = {
        "taskId": task.task_id,
        "state": task.word(STATE_WORDS),
        "param": json.dumps({"input": task.request}),
        "resultJson": json.dumps({"resultUrls": task.urls}) if task.urls else "",
        "failCode": "" if task.code is None else str(task.code),
        "failMsg": task.message or "",
        **({} if task.charged is None else {"creditsConsumed": task.charged}),
    }
    return {"code": 200, "msg": "success", "data": inside}


def _numbers(task: Moment) -> dict[str, Any]:
    inside = {
        "task_id": task.task_id,
        "task_status": TASK_STATUS[task.state],
        "task_status_msg": task.message or "",
        "task_result": {"images": [{"index": k, "url": url} for k, url in enumerate(task.urls)]},
        **task.cost,
    }
    return {"code": 0, "message": "SUCCEED", "request_id": "r-1", "data": inside}


def _flags(task: Moment) -> dict[str, Any]:
    origin = next(iter(task.request.get("images", [])), "https://files.example/origin.png")
    answer = {"originImageUrl": origin, "resultImageUrl": task.urls[0] if task.urls else None}
    inside = {
        "taskId": task.task_id,
        "paramJson": json.dumps(task.request),
        "response": answer if task.state in ("completed", "running") else None,
        "successFlag": SUCCESS_FLAG[task.state],
        "errorCode": task.code,
        "errorMessage": task.message or "",
        **task.cost,
    }
    return {"code": 200, "msg": "success", "data": inside}


def _url_list(task: Moment) -> dict[str, Any]:
    result = {"images": [{"url": [url], "expires_at": 1} for url in task.urls]}
    inside = {"task_id": task.task_id, "status": task.word(LIST_WORDS), "progress": 0, "result": result, **task.cost}
    if task.message is not None:
        inside["error"] = {"message": task.message, "code": task.code or 500}
    return {"code": 200, "data": inside}


def _fail_reason(task: Moment) -> dict[str, Any]:
    words = {**WORDS, "pending": "NOT_START", "failed": "FAILURE"}
    inside = {
        "task_id": task.task_id,
        "action": "generate",
        "status": task.word(words),
        "fail_reason": task.message or (task.urls[0] if task.urls else ""),
        "progress": "100%" if task.state in ("completed", "failed") else "30%",
        "data": {"request": task.request},
        **task.cost,
    }
    return {"code": "success", "message": "", "data": inside}


RELATIVES: dict[str, Callable[[Moment], dict[str, Any]]] = {
    "sites": _sites,
    "sites_json": _sites_json,
    "music": _music,
    "state": _state,
    "numbers": _numbers,
    "flags": _flags,
    "url_list": _url_list,
    "fail_reason": _fail_reason,
}
