"""Starts of ComfyUI that cost seconds less: one process has imported what ComfyUI imports from others, and forks.

torch, torchvision, transformers and the like are most of what a start takes, and a suite starts ComfyUI dozens of
times. Nothing of ComfyUI itself and nothing of the pack is imported before the fork: each start reads its own command
line, environment and files. Where there is no fork (Windows), ComfyUI is started as ever.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .paths import LAUNCHER, comfyui_path, comfyui_python


class ForkedComfyUI:
    """A ComfyUI of the fork server, which waits for it, so that its pid stays its own till it ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self.has_ended = threading.Event()

    def poll(self) -> int | None:
        return self.code

    def wait(self, timeout: float | None = None) -> int:
        if not self.has_ended.wait(timeout):
            assert timeout is not None
            raise subprocess.TimeoutExpired("ComfyUI", timeout)
        assert self.code is not None
        return self.code

    def send_signal(self, sig: int) -> None:
        if self.code is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that forks. Ends with this one, and its children with it."""

    def __init__(self) -> None:
        command = [str(comfyui_python()), str(LAUNCHER), "--fork-server", str(comfyui_path() / "main.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._asking = threading.Lock()
        self._has_started = threading.Condition()
        self._started: list[ForkedComfyUI] = []
        self._children: dict[int, ForkedComfyUI] = {}
        atexit.register(self.close)
        threading.Thread(target=self._listen, name="fork-server", daemon=True).start()

    def start(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path) -> ForkedComfyUI:
        """Fork a ComfyUI; command: what follows the launcher. Its output is added to `log`."""
        told = {"argv": list(command), "env": dict(environment), "cwd": str(cwd), "log": str(log)}
        with self._asking, self._has_started:
            _pipe(self._process.stdin).write(json.dumps(told) + "\n")
            _pipe(self._process.stdin).flush()
            if not self._has_started.wait_for(lambda: self._started, timeout=120):
                raise RuntimeError("The process that starts ComfyUIs does not answer.")
            return self._started.pop()

    def close(self) -> None:
        """End it; whatever it started ends too."""
        _pipe(self._process.stdin).close()
        self._process.wait(20)

    def _listen(self) -> None:
        for line in _pipe(self._process.stdout):
            told: dict[str, Any] = json.loads(line)
            with self._has_started:
                if "started" in told:
                    child = self._children[told["started"]] = ForkedComfyUI(told["started"])
                    self._started.append(child)
                    self._has_started.notify_all()
                    continue
                child = self._children.pop(told["ended"])
            child.code = told["code"]
            child.has_ended.set()


_only: list[ForkServer] = []  # one for all servers of this process


def fork_server() -> ForkServer | None:
    """The fork server, made at its first use; None where processes cannot fork."""
    if not hasattr(os, "fork"):
        return None
    if not _only:
        _only.append(ForkServer())
    return _only[0]


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
