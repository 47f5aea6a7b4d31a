"""The key is in the file that its owner alone reads, and nowhere else: no route, no message, no log, no file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devtools.comfy_server import PromptRejected
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.routes import generate, get, post, save

# What of ComfyUI's lists or tells something, besides our own.
COMFYUIS = (
    "/history", "/queue", "/prompt", "/settings", "/object_info", "/system_stats", "/extensions", "/i18n", "/users",
    "/userdata?dir=.&recurse=true", "/v2/userdata?path=", "/workflow_templates", "/global_subgraphs", "/features",
    "/internal/logs", "/internal/logs/raw", "/internal/files/output", "/internal/files/temp", "/internal/folder_paths",
    "/embeddings", "/models",
)  # fmt: skip
OURS = ("summary", "tasks", "settings")


@pytest.fixture
def used(comfy_server: ServerFactory) -> PaidServer:
    """A ComfyUI whose key came from the page and has been used, well and badly, in every way there is."""
    server = comfy_server(environment={"HUNYUAN_API_KEY": None})
    key = server.sandbox.key
    server.socket()
    post(server, "summary", {"client": "test"})
    assert save(server, api_key=key).status_code == 200
    server.succeeded(server.run(_saved("well")))
    server.sandbox.script(on="create", prompt="echo", status=401, message=f"Bearer {key} is not allowed")
    server.sandbox.script(on="create", prompt="html", status=502, body=f"<html>{key}</html>")
    server.sandbox.script(on="create", prompt="odd", status=200, body={"debug": {"authorization": key}})
    server.sandbox.script(on="create", prompt="gone", drop="before_answer")
    server.sandbox.script(on="create", prompt="words", task={"fail": f"refused for {key}", "seconds": 0})
    for prompt in ("echo", "html", "odd", "gone", "words"):
        assert server.error(server.run(_saved(prompt))) is not None, prompt
    post(server, "test", {"what": "gateway", "changes": {}})
    post(server, "test", {"what": "gateway", "changes": {"base_url": "http://127.0.0.1:9"}})
    post(server, "settings", {"changes": {"api_key": key, "max_in_flight": 999}})
    post(server, "settings", {"changes": {key: "as a name"}})
    with pytest.raises(PromptRejected):
        server.run({"1": {"class_type": "HunyuanGenerate", "inputs": {}}})
    return server


def _saved(prompt: str) -> dict[str, dict[str, object]]:
    """With SaveImage: the workflow goes into the PNG."""
    workflow = generate(prompt, reuse=False)
    workflow["2"] = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "key"}}
    return workflow


def test_the_key_is_nowhere_but_in_its_file(used: PaidServer) -> None:
    key = used.sandbox.key.encode()
    row = get(used, "tasks").json()["tasks"][0]
    ours = [f"/hunyuan/{path}" for path in (*OURS, f"tasks/{row['id']}", f"tasks/{row['id']}/image")]
    answered = 0
    for path in (*COMFYUIS, *ours):
        for prefix in ("", "/api"):
            answer = used.http.get(used.url + prefix + path, timeout=60)
            answered += answer.ok
            assert key not in answer.content, path
            assert key not in str(answer.headers).encode(), path
    assert answered > 20  # these routes exist
    for name in ("settings.json", "__hunyuan/settings.json", "..%2f__hunyuan%2fsettings.json"):
        for path in (f"/userdata/{name}", f"/userdata/__hunyuan%2F{name}", f"/view?filename={name}&type=input"):
            answer = used.http.get(used.url + path, headers={"Comfy-User": "__hunyuan"}, timeout=60)
            assert key not in answer.content, path

    told = [json.dumps(message.data, default=str) for message in used.messages()]
    assert used.messages("hunyuan.task")
    assert used.messages("hunyuan.credits")
    assert not [text for text in told if key.decode() in text]
    assert used.log()
    used.stop()  # what is written at the end counts too
    assert [path.name for path in files_with(key, used.base)] == ["settings.json"]
    assert used.sandbox.state()["key_leaks"] == []  # beyond the bearer, to the gateway itself


def files_with(key: bytes, folder: Path) -> list[Path]:
    """The files under a folder that hold the key; the pack itself is a link, and left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and "custom_nodes" not in path.parts]
    assert any(path.suffix == ".png" for path in files)
    assert any("journal" in path.name for path in files)
    return [path for path in files if key in content(path)]


def content(path: Path) -> bytes:
    """Nothing if it has gone since it was listed: what a database keeps beside its file comes and goes."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
