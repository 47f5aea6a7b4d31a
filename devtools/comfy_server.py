"""A real ComfyUI as a subprocess, driven as its page drives it: over HTTP and websocket.

Everything has a deadline, and what fails says so with the tail of the server's log.
The ComfyUI is the one of COMFYUI_PATH and COMFYUI_PYTHON, else dev.py's.
"""

from __future__ import annotations

import io
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from PIL import Image

from devtools.fork_server import fork_server
from devtools.listener import Message, PromptSocket
from devtools.paths import ROOT
from devtools.process import ComfyProcess, Process

Workflow = Mapping[str, Mapping[str, Any]]


class PromptRejected(Exception):
    """ComfyUI refused a workflow. `errors` is its answer: `{"error": {…}, "node_errors": {…}}`."""

    def __init__(self, errors: dict[str, Any]) -> None:
        super().__init__(str(errors)[:4000])
        self.errors = errors


class ComfyServer(ComfyProcess):
    """One ComfyUI with this pack in it, on directories of its own under `base`.

    fork: off where the start itself is looked at; else it is forked from a process that has imported torch already.
    """

    fork = True

    def __init__(
        self,
        base: Path,
        environment: Mapping[str, str | None],
        arguments: Sequence[str] = ("--disable-api-nodes",),
        frontend_root: Path | None = None,
        pack: Path = ROOT,
    ) -> None:
        super().__init__(base, environment, arguments, frontend_root, pack)
        self.http = requests.Session()
        self.http.trust_env = False
        self._sockets: dict[str, PromptSocket] = {}

    def restart(self, *, kill: bool = False) -> None:
        """End it and start it again on the same directories and another port."""
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None, "not started"
        self._process.send_signal(number)

    def wait_for_end(self, within: float = 10) -> int:
        """Wait until it ends by itself; its exit code. AssertionError past `within` seconds."""
        assert self._process is not None, "not started"
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"ComfyUI did not end within {within} s.\n{self.log_tail()}") from None
        self.ended()
        return code

    def _spawn(self) -> Process:
        forking = fork_server() if self.fork else None
        if forking is None:
            return super()._spawn()
        return forking.start(self._command(), self.child_environment(), self.base, self.log_file)

    def ended(self) -> None:
        for opened in self._sockets.values():
            opened.close()
        self._sockets.clear()
        super().ended()

    # -- prompts ------------------------------------------------------------------------------

    def socket(self, client_id: str = "test", *, page: bool = True) -> PromptSocket:
        """The websocket of that client, opened if it is not open yet: as a page opens it, or as a plain client does."""
        known = self._sockets.get(client_id)
        if known is None or not known.open:
            known = self._sockets[client_id] = PromptSocket(self.port, client_id, page=page)
        return known

    def queue(self, workflow: Workflow, client_id: str = "test", extra: Mapping[str, Any] | None = None) -> str:
        """Queue an API-format workflow; its prompt id. PromptRejected if ComfyUI finds fault with it."""
        self.socket(client_id)  # before the prompt, so that no message of it is missed
        body = {"prompt": workflow, "client_id": client_id, "prompt_id": str(uuid.uuid4()), **(extra or {})}
        answer = self.http.post(f"{self.url}/prompt", json=body, timeout=30)
        if answer.status_code == 400:
            raise PromptRejected(answer.json())
        assert answer.ok, f"/prompt answered {answer.status_code}: {answer.text[:2000]}\n{self.log_tail()}"
        told = answer.json()
        if told.get("node_errors"):
            raise PromptRejected(told)
        return str(told["prompt_id"])

    def wait(self, prompt_id: str, timeout: float = 60, client_id: str = "test") -> dict[str, Any]:
        """The history entry of a prompt once it has ended, well or badly; AssertionError past `timeout` seconds."""

        def ended(message: Message) -> bool:
            data = message.data
            return message.type == "executing" and data.get("prompt_id") == prompt_id and data.get("node") is None

        self.wait_for(ended, timeout, f"the end of prompt {prompt_id}", client_id)
        return self.history(prompt_id)

    def wait_for(
        self,
        wanted: Callable[[Message], bool],
        timeout: float = 60,
        what: str = "a message",
        client_id: str = "test",
    ) -> Message:
        """The first websocket message that `wanted` accepts, with the log in the failure."""
        try:
            return self.socket(client_id).wait_for(wanted, timeout, what)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.log_tail()}") from None

    def run(self, workflow: Workflow, timeout: float = 60, client_id: str = "test") -> dict[str, Any]:
        """Queue a workflow and wait for its end; the history entry."""
        return self.wait(self.queue(workflow, client_id), timeout, client_id)

    def messages(
        self, type_: str | None = None, prompt_id: str | None = None, client_id: str = "test"
    ) -> list[Message]:
        """What the websocket of that client was told so far."""
        return self.socket(client_id).messages(type_, prompt_id)

    def interrupt(self, prompt_id: str | None = None) -> None:
        """ComfyUI's stop button."""
        body = {"prompt_id": prompt_id} if prompt_id else {}
        self.http.post(f"{self.url}/interrupt", json=body, timeout=30).raise_for_status()

    # -- looking ------------------------------------------------------------------------------

    def history(self, prompt_id: str) -> dict[str, Any]:
        """The history entry: prompt, outputs (by node), status (status_str, completed, messages)."""
        entry = self.get_json(f"/history/{prompt_id}").get(prompt_id)
        assert entry is not None, f"prompt {prompt_id} is not in the history\n{self.log_tail()}"
        return dict(entry)

    def error(self, entry: Mapping[str, Any]) -> dict[str, Any] | None:
        """What `execution_error` told: `node_id`, `exception_type`, `exception_message`, …; None if all went well."""
        return next((dict(data) for kind, data in entry["status"]["messages"] if kind == "execution_error"), None)

    def succeeded(self, entry: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The outputs by node of a prompt that must have ended well."""
        assert entry["status"]["status_str"] == "success", f"{self.error(entry) or entry['status']}\n{self.log_tail()}"
        return dict(entry["outputs"])

    def images(self, entry: Mapping[str, Any], node_id: str) -> list[Image.Image]:
        """The pictures that one output node (SaveImage, PreviewImage) gave in a prompt."""
        return [self.image(**picture) for picture in entry["outputs"][node_id]["images"]]

    def image(self, filename: str, subfolder: str = "", type: str = "output") -> Image.Image:
        """One picture from /view, decoded."""
        told = {"filename": filename, "subfolder": subfolder, "type": type}
        answer = self.http.get(f"{self.url}/view", params=told, timeout=30)
        assert answer.ok, f"/view answered {answer.status_code} for {told}"
        picture = Image.open(io.BytesIO(answer.content))
        picture.load()
        return picture

    def upload(self, picture: Image.Image, name: str = "input.png") -> str:
        """Put a picture where LoadImage finds it; the name to give it."""
        picture.save(self.input_directory / name)
        return name

    def object_info(self) -> dict[str, Any]:
        return self.get_json("/object_info")

    def get_json(self, path: str) -> dict[str, Any]:
        answer = self.http.get(self.url + path, timeout=60)
        assert answer.ok, f"{path} answered {answer.status_code}: {answer.text[:500]}\n{self.log_tail()}"
        return dict(answer.json())
