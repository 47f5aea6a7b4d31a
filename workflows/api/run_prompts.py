#!/usr/bin/env python3
"""Run a Hunyuan workflow with every prompt of a file over ComfyUI's API, and collect the images.

    python run_prompts.py prompts.txt
    python run_prompts.py prompts.csv --workflow edit_image.json --server http://127.0.0.1:8188 --out images
    python run_prompts.py prompts.jsonl --server https://comfy.example --header "Authorization: Bearer TOKEN"

One prompt a line; in CSV (with a head line) and in JSON Lines the columns are inputs of the workflow's first Hunyuan
node, and of another node with its id in front: `3.filename_prefix`. Needs aiohttp, which ComfyUI's own Python has.
After a failure of any kind give the same command again: what is on disk is skipped, what is under way is waited for,
and what was already paid for is not paid for again.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import io
import json
import os
import re
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

Answer = TypeVar("Answer")
Graph = dict[str, dict[str, Any]]
Row = dict[str, Any]  # inputs by name: the first Hunyuan node's, or `node.input`
TASK_NODES = ("HunyuanGenerate", "HunyuanEdit")
AT_ONCE = 16  # prompts in one graph: its Hunyuan nodes run at the same time, as many as the settings allow
PATIENCE_S = 300  # how long ComfyUI may be away before this gives up
PAUSE_S = 2  # between two tries to reach it
# It is the user who runs a request again: one whose answer was lost in a crash may have been billed already.
FORGOTTEN = """ComfyUI was started again and does not know this run any more. Its tasks go on in the background.
Give the same command again: what was paid for is not paid again. Where the sidebar says "Answer lost",
the gateway may have billed a task whose image nobody has seen; that one is then sent anew."""


ACCESS = """{server} refuses access ({status}). Nothing was queued by this request. If ComfyUI is behind a token,
give it with --header "Authorization: Bearer TOKEN" (or the header that its proxy asks for)."""
STATE = "run_prompts.json"  # in the folder for the images: what is done, and what ComfyUI is at work on


def first_task_node(workflow: Graph) -> str:
    """The id of the node that takes the prompts."""
    first = next((key for key, node in workflow.items() if node["class_type"] in TASK_NODES), None)
    if first is None:
        raise SystemExit(f"The workflow has none of {', '.join(TASK_NODES)}.")
    return first


def combine(workflow: Graph, rows: dict[int, Row], seed: int) -> Graph:
    """One graph with a copy of the workflow for every row; ids get the line's number in front.

    A failure blocks its own line only, and every seed is a fixed one: that is what lets a second run find the image
    of the first.
    """
    first = first_task_node(workflow)
    graph: Graph = {}
    for line, row in rows.items():
        for key, node in workflow.items():
            inputs = {name: _moved(value, line, workflow) for name, value in node["inputs"].items()}
            inputs |= {name: value for (owner, name), value in _addressed(row, first).items() if owner == key}
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


def _addressed(row: Row, first: str) -> dict[tuple[str, str], Any]:
    """Node id and input of each column."""
    split = {column: column.rpartition(".") for column in row}
    return {(owner or first, name): row[column] for column, (owner, _, name) in split.items()}


def _moved(value: Any, line: int, workflow: Graph) -> Any:
    """An input's value; a link leads to the copy of the same line."""
    is_link = isinstance(value, list) and len(value) == 2 and value[0] in workflow
    return [f"{line}_{value[0]}", value[1]] if is_link else value


class Comfy:
    """One ComfyUI server, and one websocket that is opened again whenever it breaks."""

    def __init__(
        self, session: aiohttp.ClientSession, server: str, patience_s: float = PATIENCE_S, pause_s: float = PAUSE_S
    ) -> None:
        self.session, self.server = session, server.rstrip("/")
        self.patience_s, self.pause_s = patience_s, pause_s
        self.away_since: float | None = None  # on the loop's clock
        self.errors: dict[str, str] = {}  # node id → what failed before it

    async def run(self, graph: Graph, state: State | None = None) -> dict[str, Any]:
        """The outputs by node. A broken connection is opened again; the graph is queued once only.

        state: remembers what was queued, so that the same command again waits for it instead of queueing it anew."""
        sent = False
        prompt_id = state.queued(graph) if state else ""
        if not prompt_id or not await self._patiently(lambda: self._knows(prompt_id)):
            prompt_id = str(uuid.uuid4())

        async def attempt() -> dict[str, Any]:
            nonlocal sent
            if not await self._knows(prompt_id):
                if sent:
                    raise SystemExit(FORGOTTEN)
                sent = True
                if state:
                    state.queue(graph, prompt_id)
                await self._queue(graph, prompt_id)
            await self._until_done(prompt_id)
            return dict((await self._get(f"/history/{prompt_id}"))[prompt_id]["outputs"])

        return await self._patiently(attempt)

    async def picture(self, file: dict[str, str]) -> bytes | None:
        """A saved file's bytes; None where ComfyUI has it no more."""

        async def attempt() -> bytes | None:
            async with self.session.get(f"{self.server}/view", params=file) as answer:
                self._check_access(answer.status)
                if 400 <= answer.status < 500:
                    return None
                answer.raise_for_status()
                return await answer.read()

        return await self._patiently(attempt)

    async def inputs_of(self, class_type: str) -> set[str]:
        """The names of a node's inputs."""
        told = await self._patiently(lambda: self._get(f"/object_info/{class_type}"))
        groups = told.get(class_type, {}).get("input", {})
        return {name for group in groups.values() for name in group}

    def _check_access(self, status: int) -> None:
        if status in (401, 403):
            raise SystemExit(ACCESS.format(server=self.server, status=status))

    async def _patiently(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Until it comes through, or ComfyUI has been away for `patience_s`."""
        while True:
            try:
                answer = await attempt()
                self.away_since = None
                return answer
            except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as problem:
                self._check_access(getattr(problem, "status", 0))
                now = asyncio.get_running_loop().time()
                self.away_since = now if self.away_since is None else self.away_since
                if now - self.away_since > self.patience_s:
                    raise SystemExit(f"ComfyUI does not answer: {problem!r}. Give the same command later.") from None
                print("No connection to ComfyUI; trying again …", flush=True)
                await asyncio.sleep(self.pause_s)

    async def _queue(self, graph: Graph, prompt_id: str) -> None:
        # ComfyUI tells only this client of the prompt: the name is one that a later command knows as well.
        body = {"prompt": graph, "client_id": prompt_id, "prompt_id": prompt_id}
        async with self.session.post(f"{self.server}/prompt", json=body) as answer:
            self._check_access(answer.status)
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
        async with self.session.ws_connect(f"{self.server}/ws", params={"clientId": prompt_id}, heartbeat=20) as ws:
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


class State:
    """What earlier commands did for this folder; in a file of its own beside the images."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / STATE
        try:
            known = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}  # none yet, or one that was cut: what is on disk counts all the same
        self.done: dict[str, dict[str, Any]] = known.get("done", {})
        self.at_work: dict[str, str] = known.get("at_work", {})

    @property
    def credits(self) -> int:
        """Of all commands."""
        return sum(int(each["credits"]) for each in self.done.values())

    def has(self, line: int, row: Row, folder: Path) -> bool:
        """Whether this row's image is there: of a row that was changed since, the old one does not count."""
        known = self.done.get(str(line), {}).get("row")
        return (folder / _name(line, 1)).exists() and known in (None, _digest(row))

    def finish(self, line: int, row: Row, credits: int) -> None:
        """The images of a line are on disk. A line whose image was made once more has cost both."""
        before = self.done.get(str(line), {}).get("credits", 0)
        self.done[str(line)] = {"row": _digest(row), "credits": int(before) + credits}
        self._write()

    def queued(self, graph: Graph) -> str:
        """The prompt id under which this very graph was queued last; empty where another one was."""
        return self.at_work.get("id", "") if self.at_work.get("graph") == _digest(graph) else ""

    def queue(self, graph: Graph, prompt_id: str) -> None:
        self.at_work = {"id": prompt_id, "graph": _digest(graph)}
        self._write()

    def _write(self) -> None:
        scratch = self.file.with_suffix(".part")
        scratch.write_text(json.dumps({"at_work": self.at_work, "done": self.done}, indent=1), encoding="utf-8")
        os.replace(scratch, self.file)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Tally:
    """What this command did. free: images that were paid for before."""

    def __init__(self) -> None:
        self.spent = self.free = 0  # credits, images
        self.failed: list[int] = []

    def add(self, line: int, outputs: dict[str, Any]) -> int:
        """Takes in the infos of a line's nodes; its credits."""
        texts = ("".join(each["text"]) for key, each in outputs.items() if key.endswith("_info"))
        infos = [json.loads(text) for text in texts if text.startswith("{")]
        credits = sum(info["credits"] for info in infos)
        self.spent += credits
        self.free += sum(info["reused"] for info in infos)
        return credits


async def run(arguments: argparse.Namespace) -> int:
    workflow = _workflow(arguments.workflow)
    wanted = read_rows(arguments.prompts)
    arguments.out.mkdir(parents=True, exist_ok=True)
    state, tally = State(arguments.out), Tally()
    missing = [line for line, row in wanted.items() if not state.has(line, row, arguments.out)]
    print(f"{len(wanted)} prompts, {len(wanted) - len(missing)} of them on disk already", flush=True)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(timeout=timeout, headers=_headers(arguments.header)) as session:
        comfy = Comfy(session, arguments.server)
        if missing:
            await _check_columns(comfy, workflow, {column for row in wanted.values() for column in row})
        for start in range(0, len(missing), AT_ONCE):
            rows = {line: wanted[line] for line in missing[start : start + AT_ONCE]}
            outputs = await comfy.run(combine(workflow, rows, arguments.seed), state)
            for line, row in rows.items():
                mine = {key: each for key, each in outputs.items() if key.startswith(f"{line}_")}
                credits = tally.add(line, mine)
                if await _collect(comfy, line, mine, arguments.out):
                    state.finish(line, row, credits)
                else:
                    tally.failed.append(line)
                    why = next((text for key, text in comfy.errors.items() if key.startswith(f"{line}_")), "no image")
                    print(f"line {line} failed: {why}", file=sys.stderr, flush=True)
    _sum_up(tally, state, len(wanted), arguments.out)
    return 1 if tally.failed else 0


def _sum_up(tally: Tally, state: State, wanted: int, folder: Path) -> None:
    print(f"Done: {wanted - len(tally.failed)} of {wanted} in {folder}, {tally.spent} credits spent by this run")
    if tally.free:
        print(f"      {tally.free} images were paid for before and cost nothing")
    if state.credits != tally.spent:
        print(f"      {state.credits} credits for all that is in the folder")
    if tally.failed:
        lines = ", ".join(str(line) for line in tally.failed)
        print(f"      Failed: line {lines}. The same command again tries only these.")


async def _check_columns(comfy: Comfy, workflow: Graph, columns: set[str]) -> None:
    """ComfyUI passes over an input that it does not know: a misspelt column would cost credits for nothing."""
    first = first_task_node(workflow)
    for column in sorted(columns - {"prompt"}):
        ((owner, name),) = _addressed({column: None}, first)
        if owner not in workflow:
            raise SystemExit(f"The column {column!r} is for node {owner}, which the workflow has not.")
        class_type = workflow[owner]["class_type"]
        known = await comfy.inputs_of(class_type)
        if name not in known:
            has = ", ".join(sorted(known))
            raise SystemExit(f"{class_type} has no input {name!r} (column {column!r}). It has: {has}.")


def read_rows(file: Path) -> dict[int, Row]:
    """The rows by their number: lines of a text or of JSON Lines, records of a CSV below its head; no empty ones."""
    text = _text(file)
    if file.suffix.lower() == ".csv":
        return _csv_rows(text, file)
    if file.suffix.lower() in (".jsonl", ".ndjson"):
        lines = text.split("\n")
        return {number: _json_row(line, number, file) for number, line in enumerate(lines, 1) if line.strip()}
    return {number: {"prompt": line.strip()} for number, line in enumerate(text.splitlines(), 1) if line.strip()}


def _csv_rows(text: str, file: Path) -> dict[int, Row]:
    """An empty cell leaves the workflow's own value. Whole numbers and true or false are what they look like."""
    table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows: dict[int, Row] = {}
    try:
        for number, record in enumerate(table, 1):
            if None in record:
                raise SystemExit(f"{file}: row {number} has more cells than the head line has columns.")
            cells = {column.strip(): cell for column, cell in record.items() if cell is not None and cell.strip()}
            if cells:
                rows[number] = {column: _cell(column, cell) for column, cell in cells.items()}
                _check_prompt(rows[number], f"{file}: row {number}")
    except csv.Error as problem:
        raise SystemExit(f"{file} is no CSV: {problem} (line {table.line_num}).") from None
    return rows


def _cell(column: str, cell: str) -> Any:
    plain = cell.strip()
    if column == "prompt":
        return plain
    if plain.lower() in ("true", "false"):
        return plain.lower() == "true"
    return int(plain) if re.fullmatch(r"-?[0-9]+", plain) else plain


def _json_row(line: str, number: int, file: Path) -> Row:
    try:
        told = json.loads(line)
    except ValueError as problem:
        raise SystemExit(f"{file}: line {number} is no JSON: {problem}.") from None
    row = {"prompt": told} if isinstance(told, str) else told
    if not isinstance(row, dict):
        raise SystemExit(f"{file}: line {number} is neither an object nor a text.")
    _check_prompt(row, f"{file}: line {number}")
    return row


def _check_prompt(row: Row, where: str) -> None:
    if not isinstance(row.get("prompt"), str) or not row["prompt"].strip():
        raise SystemExit(f"{where} has no prompt. It has: {', '.join(row)}.")


def _headers(given: list[str]) -> dict[str, str]:
    """`Name: value` each. Nothing here is ever printed."""
    parts = [text.partition(":") for text in given]
    if any(not colon or not name.strip() for name, colon, _ in parts):
        raise SystemExit('--header takes "Name: value".')
    return {name.strip(): value.strip() for name, _, value in parts}


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
    parser = argparse.ArgumentParser(description="Run a Hunyuan workflow with every prompt of a file.")
    parser.add_argument("prompts", type=Path, help="one prompt a line; or .csv or .jsonl, whose columns are inputs")
    here = Path(__file__).resolve().parent
    parser.add_argument("--workflow", type=Path, default=here / "text_to_image.json", help="in API format")
    parser.add_argument("--server", default="http://127.0.0.1:8188", help="ComfyUI's address")
    parser.add_argument("--out", type=Path, default=Path("images"), help="the folder for the images")
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="for a server behind a token (repeatable)",
    )
    parser.add_argument("--seed", type=int, default=1, help="for nodes that have none, or -1")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
