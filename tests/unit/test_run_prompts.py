"""The script of docs/automation.md by itself: the files it reads, how long it waits for ComfyUI, what it says."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from devtools.paths import ROOT

SCRIPT = ROOT / "workflows" / "api" / "run_prompts.py"
GRAPH = {"1": {"class_type": "HunyuanGenerate", "inputs": {"prompt": "A red kite"}}}
SAVED = {"filename": "a.png", "subfolder": "", "type": "output"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_prompts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Comfy:
    """As much of ComfyUI as the script asks for. The graph `ends` with the last of `sockets`; those before it break."""

    def __init__(
        self, sockets: int = 1, refuses: web.Response | None = None, views: tuple[int, ...] = (), ends: bool = True
    ) -> None:
        self.sockets = sockets
        self.ends = ends
        self.refuses = refuses
        self.views = list(views)  # statuses of the first answers of /view
        self.posted: list[str] = []

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/prompt", self._take)
        app.router.add_get("/queue", self._queue)
        app.router.add_get("/history/{id}", self._history)
        app.router.add_get("/view", self._view)
        app.router.add_get("/ws", self._socket)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self.posted.append((await request.json())["prompt_id"])
        return self.refuses or web.json_response({})

    async def _queue(self, _: web.Request) -> web.Response:
        return web.json_response({"queue_running": [[0, each] for each in self.posted], "queue_pending": []})

    async def _history(self, request: web.Request) -> web.Response:
        over = self.ends and not self.sockets
        return web.json_response({request.match_info["id"]: {"outputs": {"1": {}}}} if over else {})

    async def _view(self, _: web.Request) -> web.Response:
        return web.Response(status=self.views.pop(0) if self.views else 200, body=b"picture")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        if not self.sockets:
            raise web.HTTPBadGateway
        self.sockets -= 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket


def drive(
    script: ModuleType, comfy: Comfy, ask: Callable[[Any], Awaitable[Any]], headers: dict[str, str] | None = None
) -> Any:
    """What `ask` makes of the script's client of this ComfyUI, one without patience or pauses."""

    async def run() -> Any:
        runner = web.AppRunner(comfy.application())
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession(headers=headers) as session:
                return await ask(script.Comfy(session, address, patience_s=0, pause_s=0))
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def test_its_patience_begins_when_comfyui_goes_away_not_with_the_graph(script: ModuleType) -> None:
    comfy = Comfy(sockets=3)
    assert drive(script, comfy, lambda client: client.run(GRAPH)) == {"1": {}}
    assert len(comfy.posted) == 1


def test_a_comfyui_that_stays_away_ends_it(script: ModuleType) -> None:
    comfy = Comfy(sockets=0, ends=False)
    with pytest.raises(SystemExit, match="Give the same command later"):
        drive(script, comfy, lambda client: client.run(GRAPH))
    assert len(comfy.posted) == 1


@pytest.mark.parametrize(("status", "words"), [(400, '{"error": "no such node"}'), (413, "<html>too large</html>")])
def test_a_refusal_is_told_as_one(script: ModuleType, status: int, words: str) -> None:
    comfy = Comfy(refuses=web.Response(status=status, text=words))
    with pytest.raises(SystemExit) as told:
        drive(script, comfy, lambda client: client.run(GRAPH))
    assert f"refuses the workflow ({status}): {words}" in str(told.value)
    assert len(comfy.posted) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_behind_a_token_ends_it_with_a_sentence(script: ModuleType, status: int) -> None:
    """Wherever it is said: at the first question already, before anything is queued."""

    class Guarded(Comfy):
        async def _queue(self, request: web.Request) -> web.Response:
            return web.Response(status=status)

    comfy = Guarded()
    with pytest.raises(SystemExit, match=rf"refuses access \({status}\).*Nothing was queued"):
        drive(script, comfy, lambda client: client.run(GRAPH))
    assert comfy.posted == []
    with pytest.raises(SystemExit, match="refuses access"):
        drive(script, Comfy(refuses=web.Response(status=status)), lambda client: client.run(GRAPH))
    with pytest.raises(SystemExit, match="refuses access"):
        drive(script, Comfy(views=(status,)), lambda client: client.picture(SAVED))


def test_headers_go_with_every_request_and_are_split_at_the_first_colon(script: ModuleType) -> None:
    given = ["Authorization: Bearer a:b", "X-Token:c"]
    assert script._headers(given) == {"Authorization": "Bearer a:b", "X-Token": "c"}
    with pytest.raises(SystemExit, match="Name: value"):
        script._headers(["Bearer"])
    seen: list[tuple[str, str | None]] = []

    @web.middleware
    async def watch(request: web.Request, handler: Any) -> web.StreamResponse:
        seen.append((request.path, request.headers.get("X-Token")))
        answer: web.StreamResponse = await handler(request)
        return answer

    class Watched(Comfy):
        def application(self) -> web.Application:
            app = super().application()
            app.middlewares.append(watch)
            return app

    drive(script, Watched(), lambda client: client.run(GRAPH), script._headers(["X-Token: c"]))
    assert {path.split("/")[1] for path, _ in seen} == {"queue", "history", "prompt", "ws"}
    assert {token for _, token in seen} == {"c"}


TABLES = {
    "a.csv": (
        'prompt,seed,wait,size\n"Two\nlines, one cell",7,TRUE,1024*1024\n,,,\n12,,,\n',
        {1: {"prompt": "Two\nlines, one cell", "seed": 7, "wait": True, "size": "1024*1024"}, 3: {"prompt": "12"}},
    ),
    "a.jsonl": (
        '{"prompt": "x\u2028y", "seed": 1}\n\n"z"\n',
        {1: {"prompt": "x\u2028y", "seed": 1}, 3: {"prompt": "z"}},
    ),
    "a.txt": ("one\n\n two \n", {1: {"prompt": "one"}, 3: {"prompt": "two"}}),
}


@pytest.mark.parametrize(("name", "given"), TABLES.items(), ids=TABLES)
def test_rows_of_each_kind_of_file(
    script: ModuleType, tmp_path: Path, name: str, given: tuple[str, dict[int, dict[str, Any]]]
) -> None:
    text, rows = given
    (tmp_path / name).write_bytes(text.encode())
    assert script.read_rows(tmp_path / name) == rows


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "prompt,seed\n,7\n", "row 1 has no prompt"),
        ("a.csv", "prompt\na,b\n", "row 1 has more cells"),
        ("a.csv", 'prompt\n"a\n', "is no CSV"),
        ("a.jsonl", '"a"\n{"prompt"\n', "line 2 is no JSON"),
        ("a.jsonl", "7", "line 1 is neither an object nor a text"),
        ("a.jsonl", '{"seed": 1}', "line 1 has no prompt"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(
    script: ModuleType, tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_bytes(text.encode())
    with pytest.raises(SystemExit, match=says):
        script.read_rows(tmp_path / name)


def test_an_image_is_fetched_again_and_a_lost_one_is_a_lines_failure(script: ModuleType, tmp_path: Path) -> None:
    outputs = {"1_2": {"images": [SAVED]}}

    async def collect(client: Any) -> tuple[int, dict[str, str]]:
        return await script._collect(client, 1, outputs, tmp_path), client.errors

    assert drive(script, Comfy(views=(404,)), collect) == (0, {"1_": "ComfyUI has a.png no more"})
    assert list(tmp_path.iterdir()) == []
    assert drive(script, Comfy(views=(502,)), collect) == (1, {})
    assert (tmp_path / "0001.png").read_bytes() == b"picture"


def test_a_mark_at_the_head_of_a_file_is_no_part_of_the_prompt(script: ModuleType, tmp_path: Path) -> None:
    """Windows' editors write it."""
    (tmp_path / "prompts.txt").write_bytes(b"\xef\xbb\xbfA red kite\r\n")
    assert script._text(tmp_path / "prompts.txt").splitlines() == ["A red kite"]


@pytest.mark.parametrize(
    ("prompts", "workflow", "says"),
    [
        (None, None, "prompts.txt cannot be read"),
        ("一只红风筝".encode("gbk"), None, "prompts.txt is not in UTF-8"),
        (b"A red kite", b"{", "w.json is no JSON"),
        (b"A red kite", b'{"nodes": [], "links": []}', "w.json is no workflow in API format"),
        (b"A red kite", b"[]", "w.json is no workflow in API format"),
    ],
)
def test_what_it_cannot_read_is_said_in_a_line(
    script: ModuleType, tmp_path: Path, prompts: bytes | None, workflow: bytes | None, says: str
) -> None:
    given = argparse.Namespace(
        prompts=tmp_path / "prompts.txt",
        workflow=SCRIPT.with_name("text_to_image.json") if workflow is None else tmp_path / "w.json",
        out=tmp_path / "out",
        server="http://127.0.0.1:1",
        seed=1,
        header=[],
    )
    for file, content in ((given.prompts, prompts), (given.workflow, workflow)):
        if content is not None:
            file.write_bytes(content)
    with pytest.raises(SystemExit, match=says):
        asyncio.run(script.run(given))


def test_a_console_without_the_letters_of_a_path_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("A red kite", encoding="utf-8")
    (tmp_path / "图").mkdir()
    (tmp_path / "图" / "0001.png").write_bytes(b"picture")
    told = subprocess.run(
        [sys.executable, str(SCRIPT), "prompts.txt", "--out", "图"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="cp1252",
        timeout=60,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "Done: 1 of 1 in ?, 0 credits" in told.stdout
