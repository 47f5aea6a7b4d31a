"""`dev.py demo`: a workflow in a real ComfyUI, from prompt to saved PNGs.

Runs in `.venv`'s Python, started by dev.py. Pays the sandbox, or the real gateway if HUNYUAN_API_KEY is set.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import sys
import urllib.error
import urllib.request
import uuid
import webbrowser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.client import start_process

from .console import Steps, Stop, lenient_output, stop
from .listener import Message, PromptSocket
from .paths import DEMO, ROOT
from .process import DIRECT, ComfyProcess, ServerFailed

WORKFLOW = ROOT / "workflows" / "api" / "generate_local_edit.json"
TEMPLATE = ROOT / "workflows" / "06 Generate then edit.json"  # the same for the page
OPENED = "demo"  # its pack and its name in the page's address, which takes no blanks
TIMEOUT = 900.0  # seconds: two images, and the real gateway may be slow
COMFYUI_PORT = 8188  # ComfyUI's own, for --serve where it is free

Workflow = dict[str, dict[str, Any]]


def main() -> int:
    lenient_output()
    parser = argparse.ArgumentParser(prog="dev.py demo")
    parser.add_argument("--serve", action="store_true")
    serve = parser.parse_args().serve
    try:
        with _gateway() as (environment, base):
            _run(environment, base, serve)
    except (Stop, ServerFailed) as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0 if serve else 130
    return 0


@contextlib.contextmanager
def _gateway() -> Iterator[tuple[dict[str, str | None], Path]]:
    """Whom ComfyUI pays: its environment, and the base directory for it."""
    own: dict[str, str | None] = {name: value for name, value in os.environ.items() if name.startswith("HUNYUAN_")}
    if own.get("HUNYUAN_API_KEY"):
        address = own.get("HUNYUAN_BASE_URL") or "https://apiin.one"
        print(
            f"HUNYUAN_API_KEY is set: this runs on the REAL gateway, {address}, and costs up to 50 credits.", flush=True
        )
        yield own, DEMO / "gateway"
        return
    base = DEMO / "sandbox"
    # The tasks of an earlier run were known to a sandbox that is gone.
    shutil.rmtree(base / "user" / "__hunyuan", ignore_errors=True)
    with start_process() as sandbox:
        print("Gateway: the sandbox (its pictures are drawn here, its credits are play money).", flush=True)
        yield {"HUNYUAN_API_KEY": sandbox.key, "HUNYUAN_BASE_URL": sandbox.url}, base


def _run(environment: Mapping[str, str | None], base: Path, serve: bool) -> None:
    steps = Steps(3)
    server = ComfyProcess(base, environment, port=_port(serve))
    _skip_first_run_tour(server.user_directory)
    _offer_template(base)
    try:
        steps.begin("ComfyUI starts with this pack in it")
        server.start(timeout=300, tick=lambda seconds: steps.counter(f"{seconds:.0f} s"))
        steps.clear()
        steps.begin(f"The workflow runs: {WORKFLOW.relative_to(ROOT)}")
        workflow = _load()
        outputs = _execute(server, workflow, steps)
        steps.begin("Done")
        _tell(server, workflow, outputs)
        if serve:
            _serve(server)
    finally:
        server.stop()


def _port(serve: bool) -> int:
    """ComfyUI's usual port if it is to stay open and nobody has it, else 0: any free one."""
    if serve:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", COMFYUI_PORT)) != 0:
                return COMFYUI_PORT
    return 0


def _load() -> Workflow:
    return dict(json.loads(WORKFLOW.read_text(encoding="utf-8")))


def _skip_first_run_tour(user: Path) -> None:
    """A new ComfyUI opens its template browser over the workflow; this one is not the user's first."""
    settings = user / "default" / "comfy.settings.json"
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")


def _offer_template(base: Path) -> None:
    """The template as a pack of its own, under a name that an address may hold."""
    pack = base / "custom_nodes" / OPENED
    (pack / "workflows").mkdir(parents=True, exist_ok=True)
    (pack / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n", encoding="utf-8")
    shutil.copyfile(TEMPLATE, pack / "workflows" / f"{OPENED}.json")


def _execute(server: ComfyProcess, workflow: Workflow, steps: Steps) -> dict[str, Any]:
    """Queue it and show what happens until it has ended; its outputs by node."""
    client = uuid.uuid4().hex
    listener = PromptSocket(server.port, client)
    try:
        prompt_id = str(_post(server, "/prompt", {"prompt": workflow, "client_id": client})["prompt_id"])
        progress = _Progress(workflow, steps)

        def ended(message: Message) -> bool:
            progress.show(message)
            data = message.data
            return message.type == "executing" and data.get("prompt_id") == prompt_id and data.get("node") is None

        listener.wait_for(ended, TIMEOUT, "the end of the workflow")
    except AssertionError as failure:
        raise ServerFailed(f"{failure}\n{server.log_tail()}") from None
    finally:
        listener.close()
        steps.clear()
    entry = _get(server, f"/history/{prompt_id}")[prompt_id]
    for kind, data in entry["status"]["messages"]:
        if kind == "execution_error":
            stop(f"{_title(workflow, str(data['node_id']))} failed: {data['exception_message']}")
    return dict(entry["outputs"])


class _Progress:
    """Turns ComfyUI's messages into one line a node and a counter under it."""

    def __init__(self, workflow: Workflow, steps: Steps) -> None:
        self._workflow = workflow
        self._steps = steps
        self._finished: set[str] = set()

    def show(self, message: Message) -> None:
        if message.type == "progress_text":
            node = message.data["node"]
            self._steps.counter(f"{_title(self._workflow, node)}: {' · '.join(message.data['text'].splitlines())}")
        elif message.type == "progress_state":
            for node, state in message.data["nodes"].items():
                if state["state"] == "finished" and node not in self._finished:
                    self._finished.add(node)
                    self._steps.line(
                        f"{len(self._finished)} of {len(self._workflow)} nodes: {_title(self._workflow, node)}"
                    )


def _title(workflow: Workflow, node: str) -> str:
    told = workflow.get(node, {})
    return str(told.get("_meta", {}).get("title") or told.get("class_type") or f"node {node}")


def _tell(server: ComfyProcess, workflow: Workflow, outputs: Mapping[str, Any]) -> None:
    """Where the images are, and what they cost by the nodes' own account."""
    credits_spent = 0
    for node, output in sorted(outputs.items(), key=lambda item: list(workflow).index(item[0])):
        for picture in output.get("images", ()):
            if picture["type"] == "output":
                path = server.output_directory / picture["subfolder"] / picture["filename"]
                print(f"      {_title(workflow, node)}: {path}")
        if workflow[node]["class_type"] == "PreviewAny":
            info = json.loads("".join(output["text"]))
            credits_spent += int(info["credits"])
            seconds = ", ".join(f"{took:.1f} s" for took in info["seconds"])
            print(f"      {_title(workflow, node)}: {info['credits']} credits, {seconds}")
    print(f"      Spent in all: {credits_spent} credits", flush=True)


def _serve(server: ComfyProcess) -> None:
    address = f"{server.url}/?template={OPENED}&source={OPENED}"
    opened = webbrowser.open(address)
    print(f"ComfyUI is open at {address}")
    print(
        f"{'' if opened else 'No browser could be opened here: open that address yourself. '}Ctrl+C ends it.",
        flush=True,
    )
    server.join()
    stop(f"ComfyUI ended by itself.\n{server.log_tail()}")


def _post(server: ComfyProcess, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        server.url + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with DIRECT.open(request, timeout=60) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as refused:
        with refused:
            told = refused.read().decode(errors="replace")
        stop(f"ComfyUI refused the workflow ({refused.code}): {told[:2000]}\n{server.log_tail()}")


def _get(server: ComfyProcess, path: str) -> dict[str, Any]:
    with DIRECT.open(server.url + path, timeout=60) as answer:
        return dict(json.load(answer))


if __name__ == "__main__":
    sys.exit(main())
