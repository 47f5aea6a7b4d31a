"""Calling our routes as the page does, and as it must not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from tests.kit.comfy_fixtures import PaidServer

Headers = Mapping[str, str]
OURS = {"X-Hunyuan": "1"}


def post(server: PaidServer, path: str, body: Any = None, headers: Headers | None = None) -> requests.Response:
    """POST /hunyuan/<path> with JSON; the page's own header unless `headers` are given."""
    return server.http.post(
        f"{server.url}/hunyuan/{path}", json=body if body is not None else {}, headers=dict(headers or OURS), timeout=60
    )


def get(server: PaidServer, path: str, headers: Headers | None = None, **query: Any) -> requests.Response:
    return server.http.get(f"{server.url}/hunyuan/{path}", params=query, headers=dict(headers or {}), timeout=60)


def listed(server: PaidServer, **query: Any) -> list[dict[str, Any]]:
    """The first page of the task list, or what the query asks for."""
    answer = get(server, "tasks", **query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["tasks"])


def save(server: PaidServer, **changes: Any) -> requests.Response:
    return post(server, "settings", {"changes": changes})


def try_(server: PaidServer, what: str, **changes: Any) -> dict[str, Any]:
    """The answer of "test" with settings that are not saved."""
    answer = post(server, "test", {"what": what, "changes": changes})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def error(answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and field of a refusal."""
    told = answer.json()["error"]
    return answer.status_code, told["code"], told["field"]


def generate(prompt: str, **inputs: Any) -> dict[str, dict[str, Any]]:
    return {
        "1": {"class_type": "HunyuanGenerate", "inputs": {"prompt": prompt, "seed": 5, **inputs}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
