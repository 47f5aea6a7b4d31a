"""ComfyUI as a subprocess on directories of its own: what the demo, the tests and the benchmarks start."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from .paths import LAUNCHER, ROOT, comfyui_path, comfyui_python
from .ports import HeldPort

PACK = "hunyuan-image-3"
_PACK_FAILED = re.compile(rf"IMPORT FAILED\): .*{PACK}")
# To loopback only, so no proxy of the surroundings may stand between.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


_OFFLINE = "--offline"


def _options() -> set[str]:
    """The long options of the ComfyUI in use, by its own source."""
    source = comfyui_path() / "comfy" / "cli_args.py"
    return set(re.findall(r'"(--[a-z0-9-]+)"', source.read_text(encoding="utf-8")))


def clean_environment() -> dict[str, str]:
    """The surroundings without any of the pack's settings: nobody's key reaches a child by accident.

    And bytecode is kept whatever they say of it: ComfyUI is started dozens of times, and compiling it takes seconds.
    """
    unwanted = ("HUNYUAN_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command in the root to its end; its exit code. Ctrl+C reaches it too: it gets to clean up."""
    with subprocess.Popen(command, cwd=ROOT, env=environment) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return child.wait()


class Process(Protocol):
    """What is needed of a subprocess.Popen."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def kill(self) -> None: ...


class ServerFailed(AssertionError):
    """ComfyUI did not come up, or did not do in time what was waited for. Holds the tail of its log."""


class ComfyProcess:
    """One ComfyUI with this pack in it, its directories under `base`.

    `environment` is added to the surroundings (None takes a variable away); `arguments` to ComfyUI's
    command line; `frontend_root` serves another front-end than the one ComfyUI pins; `pack` is the
    folder that stands in custom_nodes; `port` 0 takes a free one at each start.
    """

    def __init__(
        self,
        base: Path,
        environment: Mapping[str, str | None],
        arguments: Sequence[str] = ("--disable-api-nodes",),
        frontend_root: Path | None = None,
        pack: Path = ROOT,
        port: int = 0,
    ) -> None:
        self.base = base
        self.environment = dict(environment)
        self.arguments = list(arguments)
        self.frontend_root = frontend_root
        self.port = port
        self._wanted_port = port
        self._held = HeldPort()  # also while it does not run: a restart finds it free
        self.log_file = base / f"comfyui-{uuid.uuid4().hex[:8]}.log"  # two processes may share a base
        self._process: Process | None = None
        for name in ("custom_nodes", "input", "output", "temp", "user", "models"):
            (base / name).mkdir(parents=True, exist_ok=True)
        _link(pack, base / "custom_nodes" / PACK)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def user_directory(self) -> Path:
        return self.base / "user"

    @property
    def output_directory(self) -> Path:
        return self.base / "output"

    @property
    def input_directory(self) -> Path:
        return self.base / "input"

    @property
    def state_directory(self) -> Path:
        """Where the pack keeps its key, journal and results (ComfyUI's system-user directory)."""
        return self.user_directory / "__hunyuan"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 300, tick: Callable[[float], None] | None = None, port: int = 0) -> None:
        """Start it and wait until it answers; ServerFailed past `timeout` seconds. `tick` is told the seconds.

        `port`: for this start, where an open page looks for it.
        """
        assert not self.running, "this ComfyUI runs already"
        self.port = self._held.take(port or self._wanted_port)
        began, before = time.monotonic(), len(self.log())
        self._process = self._spawn()
        while (waited := time.monotonic() - began) < timeout:
            if (code := self._process.poll()) is not None:
                raise ServerFailed(f"ComfyUI ended with {code} at its start.\n{self.log_tail()}")
            if self._answers():
                self._check_pack(self.log()[before:])
                return
            if tick:
                tick(waited)
            time.sleep(0.1)  # no event tells of a port that opens
        self.kill()
        raise ServerFailed(f"ComfyUI did not answer within {timeout} s.\n{self.log_tail()}")

    def stop(self, timeout: float = 20) -> None:
        """End it as Ctrl+C does; SIGKILL past `timeout` seconds."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self.ended()

    def kill(self) -> None:
        """End it with SIGKILL: nothing in it gets to say goodbye."""
        if self._process is not None and self.running:
            self._process.kill()
        self.ended()

    def ended(self) -> None:
        """Called when it has been told to end: waits for it."""
        if self._process is not None:
            self._process.wait(20)
            if isinstance(self._process, subprocess.Popen) and self._process.stdin is not None:
                self._process.stdin.close()

    def join(self) -> int:
        """Wait, without a deadline, until it ends by itself or by the user; its exit code."""
        assert self._process is not None, "not started"
        return self._process.wait()

    def child_environment(self) -> dict[str, str]:
        """What ComfyUI is started with: the surroundings, none of the pack's settings but those given."""
        environment = clean_environment()
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "HF_HUB_OFFLINE": "1"}
        for name, value in self.environment.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        return environment

    def log(self) -> str:
        """All it printed since the first start."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def log_tail(self, lines: int = 60) -> str:
        tail = "\n".join(self.log().splitlines()[-lines:])
        return f"--- the last lines of ComfyUI's log ---\n{tail}\n---"

    def _spawn(self) -> Process:
        """Start the process; `_command`, `child_environment`, `base` and `log_file` say what it gets."""
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [str(comfyui_python()), str(LAUNCHER), *self._command()],
                env=self.child_environment(),
                cwd=self.base,
                stdin=subprocess.PIPE,  # open as long as this process lives
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _known(self, argument: str) -> str:
        """`--disable-api-nodes` by its newer name where ComfyUI has that: the older is an alias there."""
        if argument == "--disable-api-nodes" and _OFFLINE in _options():
            return _OFFLINE
        return argument

    def _command(self) -> list[str]:
        command = [str(comfyui_path() / "main.py"), "--cpu", "--port", str(self.port)]
        command += ["--base-directory", str(self.base), "--disable-auto-launch"]
        command += ["--database-url", f"sqlite:///{self.log_file.with_suffix('.db')}"]
        if self.frontend_root is not None:
            command += ["--front-end-root", str(self.frontend_root)]
        return command + [self._known(argument) for argument in self.arguments]

    def _check_pack(self, said: str) -> None:
        if _PACK_FAILED.search(said):
            self.kill()
            raise ServerFailed(f"ComfyUI runs, but could not load this pack.\n{self.log_tail(200)}")

    def _answers(self) -> bool:
        try:
            with DIRECT.open(f"{self.url}/system_stats", timeout=5) as answer:
                return "system" in json.load(answer)
        except (OSError, urllib.error.URLError, ValueError):
            return False


def _link(pack: Path, place: Path) -> None:
    """Put a pack into custom_nodes; a copy where links are not allowed (Windows).

    What an earlier run put there may lead to where the checkout was then, or be a copy of what it was.
    """
    if place.is_symlink():
        if place.resolve() == pack.resolve():
            return
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)
    try:
        place.symlink_to(pack, target_is_directory=True)
    except OSError:
        shutil.copytree(pack, place, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests"))
