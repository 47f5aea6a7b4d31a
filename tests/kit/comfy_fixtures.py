"""Fixtures that tests/comfy and tests/browser share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.servers import add_baseline
from devtools.comfy_server import ComfyServer
from devtools.paths import ROOT
from sandbox.client import Sandbox, start_process
from tests.kit.known_durations import remember_quick_tasks
from tests.kit.waiting import until

STORY_NODES = Path(__file__).parent / "story_nodes"  # beside the pack: nodes that the core has not


class PaidServer(ComfyServer):
    """A ComfyUI together with the sandbox gateway it pays: `sandbox` counts, and misbehaves on demand."""

    sandbox: Sandbox

    def start_over(self) -> None:
        """Nothing queued or running any more, and the sandbox as at the start: it would not know what still runs, which
        the pack goes on asking for, and the next prompt waits for that."""
        self.http.post(f"{self.url}/queue", json={"clear": True}, timeout=30).raise_for_status()
        until("nothing runs", self._interrupted)
        self.sandbox.reset()

    def _interrupted(self) -> bool:
        running = bool(self.get_json("/queue")["queue_running"])
        if running:
            self.interrupt()
        return not running


ServerFactory = Callable[..., PaidServer]


class _Servers:
    """Starts servers and ends all of them, whatever became of the test."""

    def __init__(self, directory: Callable[[str], Path]) -> None:
        self._directory = directory
        self._servers: list[PaidServer] = []
        self._sandboxes: list[Sandbox] = []

    def __call__(
        self,
        *,
        environment: Mapping[str, str | None] | None = None,
        arguments: Sequence[str] = ("--disable-api-nodes",),
        sandbox_arguments: Sequence[str] = ("--seconds", "0.3"),
        sandbox: Sandbox | None = None,
        base: Path | None = None,
        frontend_root: Path | None = None,
        pack: Path = ROOT,
        start: bool = True,
    ) -> PaidServer:
        """A ComfyUI on a fresh `base` (or the given one: another process on the same directories), paying a
        sandbox of its own (or the given one). `environment` is added last; None takes a variable away.
        `pack` is another folder for custom_nodes than the checkout."""
        base = base or self._directory("comfy")
        if sandbox is None:
            sandbox = start_process(arguments=sandbox_arguments)
            self._sandboxes.append(sandbox)
        surroundings = {"HUNYUAN_API_KEY": sandbox.key, "HUNYUAN_BASE_URL": sandbox.url, **(environment or {})}
        server = PaidServer(base, surroundings, arguments, frontend_root, pack)
        server.sandbox = sandbox
        shutil.copytree(STORY_NODES, base / "custom_nodes" / STORY_NODES.name, dirs_exist_ok=True)
        self._servers.append(server)
        if start:
            server.start()
        return server

    def stop(self) -> None:
        for server in self._servers:
            server.kill()  # nobody looks at them any more: what an orderly end does has tests of its own
        for sandbox in self._sandboxes:
            sandbox.close()


@pytest.fixture(scope="session")
def session_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerFactory]:
    """The factory for servers that last the whole session."""
    servers = _Servers(tmp_path_factory.mktemp)
    yield servers
    servers.stop()


@pytest.fixture
def comfy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerFactory]:
    """The factory for servers of one test: to kill, to restart, to start otherwise."""
    servers = _Servers(tmp_path_factory.mktemp)
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def shared_comfy(session_servers: ServerFactory) -> PaidServer:
    server: PaidServer = session_servers(start=False)
    remember_quick_tasks(server.state_directory)
    add_baseline(server.base)
    server.start()
    return server


@pytest.fixture
def comfy(shared_comfy: PaidServer) -> PaidServer:
    """The session's ComfyUI, its sandbox with rules, counts and settings as at the start.

    The journal outlives the tests: give prompts of your own, or `reuse: False`, where a task must be new.
    """
    if not shared_comfy.running:  # a test that kills it failed before it started it again
        shared_comfy.start()
    shared_comfy.start_over()
    return shared_comfy
