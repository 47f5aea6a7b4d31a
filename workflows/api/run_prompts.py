#!/usr/bin/env python3
"""Run a Hunyuan workflow with every prompt of a text file over ComfyUI's API, and collect the images.

    python run_prompts.py prompts.txt
    python run_prompts.py prompts.txt --workflow edit_image.json --server http://127.0.0.1:8188 --out images

One prompt a line. Needs aiohttp, which ComfyUI's own Python has. After a failure of any kind give the same
command again: what is on disk is skipped, and what was already paid for is not paid for again.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

Answer = TypeVar("Answer")
Graph = dict[str, dict[str, Any]]
TASK_NODES = ("HunyuanGenerate", "HunyuanEdit")
AT_ONCE = 16  # prompts in one graph: its Hunyuan nodes run at the same time, as many as the settings allow
PATIENCE_S = 300  # how long ComfyUI may be away before this gives up
PAUSE_S = 2  # between two tries to reach it
# It is the user who runs a request again: one whose answer was lost in a crash may have been billed already.
FORGOTTEN = """ComfyUI was started again and does not know this run any more. Its tasks go on in the background.
Give the same command again: what was paid for is not paid again. Where the sidebar says "Answer lost",
the gateway may have billed a task whose image nobody has seen; that one is then sent anew."""


def combine(workflow: Graph, prompts: dict[int, str], seed: int) -> Graph:
    """One graph with a copy of the workflow for every prompt; ids get the line's number in front.

    The first Hunyuan node takes the prompt. A failure blocks its own line only, and every seed is a fixed one:
    that is what lets a second run find the image of the first.
    """
    first = next((key for key, node in workflow.items() if node["class_type"] in TASK_NODES), None)
    if first is None:
        raise SystemExit(f"The workflow has none of {', '.join(TASK_NODES)}.")
    graph: Graph = {}
    for line, prompt in prompts.items():
        for key, node in workflow.items():
            inputs = {name: _moved(value, line, workflow) for name, value in node["inputs"].items()}
            if key == first:
                inputs["prompt"] = prompt
            if node["class_type"] in TASK_NODES:
                inputs["on_failure"] = "block"
                if inputs.get("seed", -1) == -1:
                    inputs["seed"] = seed
                graph[f"{line}_{key}_info"] = {
                    "class_type": "PreviewAny",
                    "inputs": {"source": [f"{line}_{key}", 3]},
                }
            graph[f"{line}_{key}"] = {"class_type": node["class_type"], "inputs": inputs}
    return graph


def _moved(value: Any, line: int, workflow: Graph) -> Any:
    """An input's value; a link leads to the copy of the same line."""
    is_link = isinstance(value, list) and len(value) == 2 and value[0] in workflow
    return [f"{line}_{value[0]}", value[1]] if is_link else value


class Comfy:
    """One ComfyUI server, and one websocket that is opened again whenever it breaks."""

    def __init__(
        self, session: aiohttp.ClientSession, server: str, patience_s: float = PATIENCE_S, pause_s: float = PAUSE_S
    ) -> None:
        self.session, self.server, self.client = session, server.rstrip("/"), uuid.uuid4().hex
        self.patience_s, self.pause_s = patience_s, pause_s
        self.away_since: float | None = None  # on the loop's clock
        self.errors: dict[str, str] = {}  # node id → what failed before it

    async def run(self, graph: Graph) -> dict[str, Any]:
        """The outputs by node. A broken connection is opened again; the graph is queued once only."""
        prompt_id, sent = str(uuid.uuid4()), False

        async def attempt() -> dict[str, Any]:
            nonlocal sent
            if not await self._knows(prompt_id):
                if sent:
                    raise SystemExit(FORGOTTEN)
                sent = True
                await self._queue(graph, prompt_id)
            await self._until_done(prompt_id)
            return dict((await self._get(f"/history/{prompt_id}"))[prompt_id]["outputs"])

        return await self._patiently(attempt)

    async def picture(self, file: dict[str, str]) -> bytes | None:
        """A saved file's bytes; None where ComfyUI has it no more."""

        async def attempt() -> bytes | None:
            async with self.session.get(f"{self.server}/view", params=file) as answer:
                if 400 <= answer.status < 500:
                    return None
                answer.raise_for_status()
                return await answer.read()

        return await self._patiently(attempt)

    async def _patiently(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Until it comes through, or ComfyUI has been away for `patience_s`."""
        while True:
            try:
                answer = await attempt()
                self.away_since = None
                return answer
            except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as problem:
                now = asyncio.get_running_loop().time()
                self.away_since = now if self.away_since is None else self.away_since
                if now - self.away_since > self.patience_s:
                    raise SystemExit(f"ComfyUI does not answer: {problem!r}. Give the same command later.") from None
                print("No connection to ComfyUI; trying again …", flush=True)
                await asyncio.sleep(self.pause_s)

    async def _queue(self, graph: Graph, prompt_id: str) -> None:
        body = {"prompt": graph, "client_id": self.client, "prompt_id": prompt_id}
        async with self.session.post(f"{self.server}/prompt", json=body) as answer:
            if 400 <= answer.status < 500:  # nothing was queued
                told = (await answer.text(errors="replace"))[:2000]
                raise SystemExit(f"ComfyUI refuses the workflow ({answer.status}): {told}")
            answer.raise_for_status()

    async def _knows(self, prompt_id: str) -> bool:
        queue = await self._get("/queue")
        waiting = [entry[1] for part in ("queue_running", "queue_pending") for entry in queue[part]]
        return prompt_id in waiting or prompt_id in await self._get(f"/history/{prompt_id}")

    async def _until_done(self, prompt_id: str) -> None:
        """Listens until the prompt has ended; a broken connection raises."""
        async with self.session.ws_connect(f"{self.server}/ws", params={"clientId": self.client}, heartbeat=20) as ws:
            self.away_since = None
            if prompt_id in await self._get(f"/history/{prompt_id}"):
                return  # it ended before the socket was open
            async for message in ws:
                if message.type != aiohttp.WSMsgType.TEXT:
                    continue  # previews and status texts come as binary messages
                event = json.loads(message.data)
                data = event.get("data") or {}
                if data.get("prompt_id") != prompt_id:
                    continue
                if event["type"] == "execution_error":
                    self.errors[str(data["node_id"])] = str(data["exception_message"])
                if event["type"] == "executing" and data.get("node") is None:
                    return
        raise ConnectionError("the websocket was closed")

    async def _get(self, path: str) -> dict[str, Any]:
        async with self.session.get(self.server + path) as answer:
            answer.raise_for_status()
            return dict(await answer.json())


async def run(arguments: argparse.Namespace) -> int:
    workflow = _workflow(arguments.workflow)
    lines = _text(arguments.prompts).splitlines()
    wanted = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    missing = [number for number in wanted if not (arguments.out / _name(number, 1)).exists()]
    print(f"{len(wanted)} prompts, {len(wanted) - len(missing)} of them on disk already", flush=True)
    spent, failed = 0, 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10)) as session:
        comfy = Comfy(session, arguments.server)
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            outputs = await comfy.run(combine(workflow, {line: wanted[line] for line in part}, arguments.seed))
            infos = ("".join(each["text"]) for key, each in outputs.items() if key.endswith("_info"))
            spent += sum(json.loads(info)["credits"] for info in infos if info.startswith("{"))
            for line in part:
                mine = {key: each for key, each in outputs.items() if key.startswith(f"{line}_")}
                if not await _collect(comfy, line, mine, arguments.out):
                    failed += 1
                    why = next((text for key, text in comfy.errors.items() if key.startswith(f"{line}_")), "no image")
                    print(f"line {line} failed: {why}", file=sys.stderr, flush=True)
    print(f"Done: {len(wanted) - failed} of {len(wanted)} in {arguments.out}, {spent} credits spent by this run")
    return 1 if failed else 0


async def _collect(comfy: Comfy, line: int, outputs: dict[str, Any], folder: Path) -> int:
    """Fetches the images that a line's nodes saved; how many. The first comes last: it says that all are here."""
    files = [file for each in outputs.values() for file in each.get("images", ()) if file["type"] == "output"]
    for number, file in reversed(list(enumerate(files, 1))):
        target = folder / _name(line, number)
        scratch = target.with_suffix(".part")
        picture = await comfy.picture(file)
        if picture is None:
            comfy.errors[f"{line}_"] = f"ComfyUI has {file['filename']} no more"
            return 0
        scratch.write_bytes(picture)
        os.replace(scratch, target)
        print(f"line {line}: {target}", flush=True)
    return len(files)


def _text(file: Path) -> str:
    """A text file's content; Windows' editors put a mark in front of it."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise SystemExit(f"{file} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise SystemExit(f"{file} is not in UTF-8: save it in that encoding.") from None


def _workflow(file: Path) -> Graph:
    try:
        workflow = json.loads(_text(file))
    except ValueError as problem:
        raise SystemExit(f"{file} is no JSON: {problem}.") from None
    nodes = workflow.values() if isinstance(workflow, dict) else ()
    if not nodes or not all(isinstance(node, dict) and {"class_type", "inputs"} <= set(node) for node in nodes):
        raise SystemExit(f"{file} is no workflow in API format: make one with File → Export (API).")
    return dict(workflow)


def _name(line: int, number: int) -> str:
    return f"{line:04}.png" if number == 1 else f"{line:04}_{number}.png"


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a Windows code page may lack the letters of a path or a reason
    parser = argparse.ArgumentParser(description="Run a Hunyuan workflow with every prompt of a text file.")
    parser.add_argument("prompts", type=Path, help="a text file, one prompt a line")
    here = Path(__file__).resolve().parent
    parser.add_argument("--workflow", type=Path, default=here / "text_to_image.json", help="in API format")
    parser.add_argument("--server", default="http://127.0.0.1:8188", help="ComfyUI's address")
    parser.add_argument("--out", type=Path, default=Path("images"), help="the folder for the images")
    parser.add_argument("--seed", type=int, default=1, help="for nodes that have none, or -1")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
