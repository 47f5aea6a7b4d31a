"""Pack processes for the studio's tests: a ComfyUI, and a plain process, with the same few calls."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import websocket

from devtools.comfy_server import ComfyServer
from devtools.paths import ROOT
from devtools.process import clean_environment
from hunyuan.settings.store import SettingsStore
from tests.kit.comfy_stories import SMALL, generate, show
from tests.kit.studio_worker import PROMPT


class Died(Exception):
    """The process was killed."""


class Pack(ABC):
    """One process with the pack in it. kill may be called from another thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.guard = threading.Lock()

    @abstractmethod
    def start(self) -> None:
        """Start it, the first time or again."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL."""

    @abstractmethod
    def run(self, seeds: Sequence[int]) -> dict[int, str]:
        """Ask for these seeds and wait; by seed "" where the image came, else a word why not. Raises Died."""

    @property
    @abstractmethod
    def state_directory(self) -> Path:
        """Where its settings.json lies."""

    def save(self, **settings: Any) -> None:
        """Change its settings while it runs."""
        SettingsStore(self.state_directory / "settings.json", {}).save(settings)


class PlainPack(Pack):
    """tests/kit/studio_worker.py."""

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__(name)
        self._directory = directory
        self._environment = {**clean_environment(), **environment}
        self._log = directory.with_suffix(".log")
        self._process: subprocess.Popen[str] | None = None
        directory.mkdir()

    @property
    def state_directory(self) -> Path:
        return self._directory

    def start(self) -> None:
        with self.guard, self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kit.studio_worker", str(self._directory)],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def kill(self) -> None:
        with self.guard:
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def run(self, seeds: Sequence[int]) -> dict[int, str]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        told: dict[int, str] = {}
        try:
            process.stdin.write(json.dumps(list(seeds)) + "\n")
            process.stdin.flush()
            while len(told) < len(seeds):
                line = process.stdout.readline()
                if not line:
                    raise Died
                answer = json.loads(line)
                told[answer["seed"]] = answer["code"]
        except BrokenPipeError:
            raise Died from None
        return told

    def log(self) -> str:
        return self._log.read_text()


class ComfyPack(Pack):
    """A real ComfyUI; all seeds go as nodes of one prompt."""

    def __init__(self, name: str, server: ComfyServer) -> None:
        super().__init__(name)
        self.server = server

    @property
    def state_directory(self) -> Path:
        return self.server.state_directory

    def start(self) -> None:
        with self.guard:
            self.server.start()

    def kill(self) -> None:
        with self.guard:
            self.server.kill()

    def run(self, seeds: Sequence[int]) -> dict[int, str]:
        workflow: dict[str, Any] = {}
        for seed in seeds:
            workflow[f"1{seed}"] = generate(PROMPT, seed=seed, on_failure="block", **SMALL)
            workflow[f"2{seed}"] = show([f"1{seed}", 3])
        try:
            outputs = self.server.run(workflow, timeout=200)["outputs"]
        except (OSError, websocket.WebSocketException):  # requests' failures are OSErrors
            raise Died from None
        except AssertionError:
            with self.guard:  # a kill under way is finished first
                if self.server.running:
                    raise
            raise Died from None
        return {seed: "" if f"2{seed}" in outputs else "blocked" for seed in seeds}
