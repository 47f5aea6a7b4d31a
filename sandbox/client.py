"""A handle on a running sandbox for the tests: script it, wait for it, read what it billed.

sandbox/README.md has the vocabulary. `start_in_process` runs it in a thread of the test, `start_process` as a
process of its own (with any Python that has Pillow), which outlives restarts of whatever talks to it.
"""

from __future__ import annotations

import json
import secrets
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.gateway import Gateway
from sandbox.plan import Plan
from sandbox.server import SandboxServer
from sandbox.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
LISTENING = "sandbox listening on "
END_S = 10.0  # seconds a process has to end by itself


class Sandbox:
    """A running sandbox. `url` is the base URL for the pack, `key` a key it takes. Close it, or use `with`."""

    def __init__(
        self,
        url: str,
        key: str,
        close: Callable[[], None],
        server: SandboxServer | None = None,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.url, self.key, self.server, self.process = url, key, server, process
        self._close = close
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    # -- telling it what to do ---------------------------------------------------------------------

    def script(self, *rules: Mapping[str, Any], **rule: Any) -> None:
        """Add rules, each a mapping, or one by keywords: `script(on="create", status=503)`."""
        self._post("script", [*rules, *([rule] if rule else [])])

    def settings(self, **changes: Any) -> None:
        """Change settings: `settings(max_in_flight=4, unknown_task="200")`."""
        self._post("settings", changes)

    def tasks(self, **plan: Any) -> None:
        """Change the plan of all tasks created from now on: `tasks(seconds=3, shape="general")`."""
        self._post("settings", {"task": plan})

    def finish(self, **which: Any) -> list[str]:
        """End running tasks well, now (all, or by `task_id`, `number`, `prompt`); their ids."""
        return self._ids("finish", which)

    def fail(self, message: str = "The task failed", code: int | str | None = None, **which: Any) -> list[str]:
        """Fail running tasks now; their ids."""
        return self._ids("fail", {"message": message, "code": code, **which})

    def forget(self, **which: Any) -> list[str]:
        """Make task ids unknown to polls; the ids."""
        return self._ids("forget", which)

    def release(self, rule: str | None = None) -> int:
        """Let go what hangs; how many answers that were."""
        released: int = self._post("release", {"rule": rule})["released"]
        return released

    def clear(self) -> None:
        """Take all rules away."""
        self._post("clear", {})

    def reset(self) -> None:
        """Everything as at the start."""
        self._post("reset", {})

    # -- asking it ---------------------------------------------------------------------------------

    def state(self, *, full: bool = False) -> dict[str, Any]:
        """All it saw; with `full`, `data:` URIs in bodies unshortened."""
        return self._call("GET", f"state{'?full=1' if full else ''}")

    def wait(self, event: str, count: int = 1, timeout: float = 60.0, **which: Any) -> int:
        """Block until `event` happened `count` times; how often it has. AssertionError after `timeout` seconds."""
        query = urllib.parse.urlencode({"event": event, "count": count, "timeout": timeout, **which})
        answer = self._call("GET", f"wait?{query}", timeout=timeout + 10)
        if not answer["ok"]:
            seen = [f"{request['event']} {request['path']} → {request['status']}" for request in self.requests()]
            raise AssertionError(
                f"{event} {which or ''} happened {answer['count']} times in {timeout} s, not {count}; seen: {seen}"
            )
        return int(answer["count"])

    def requests(self, event: str | None = None) -> list[dict[str, Any]]:
        """The requests in order (of one event)."""
        return [request for request in self.state()["requests"] if event in (None, request["event"])]

    def task(self, number: int = 1) -> dict[str, Any]:
        """Task `number`, from 1, in the order of creates."""
        found: dict[str, Any] = self.state()["tasks"][number - 1]
        return found

    @property
    def billed(self) -> int:
        """How many tasks were billed, the refunded ones included."""
        return int(self.state()["billed"])

    @property
    def refunded(self) -> int:
        return int(self.state()["refunded"])

    @property
    def credits(self) -> int:
        """Credits spent: 25 a task, less what failed tasks gave back."""
        return int(self.state()["credits"])

    # -- its life ----------------------------------------------------------------------------------

    def close(self) -> None:
        self._close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ids(self, action: str, given: Mapping[str, Any]) -> list[str]:
        return list(self._post(action, given)["tasks"])

    def _post(self, action: str, given: Any) -> dict[str, Any]:
        return self._call("POST", action, json.dumps(given).encode())

    def _call(self, method: str, what: str, body: bytes | None = None, timeout: float = 30.0) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/_sandbox/{what}", data=body, method=method)
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                told = json.load(error)
            if error.code == 408:
                return dict(told)
            raise ValueError(told["error"]) from None


def new_key() -> str:
    """A key that looks like the gateway's, never the same twice."""
    return f"aio_{secrets.token_hex(20)}"


def start_in_process(
    *,
    key: str | None = None,
    seconds: Any = 0.2,
    picture: str = "plain",
    tls: tuple[str, str] | None = None,
    host: str = "127.0.0.1",
    **settings: Any,
) -> Sandbox:
    """A sandbox in a thread of this process. `settings`: see sandbox/README.md (`task`: more of the plan)."""
    good = key or new_key()
    plan = Plan(seconds=seconds, picture=picture).changed(settings.pop("task", {}))
    gateway = Gateway(settings=Settings(keys=(good,), task=plan).changed(settings))
    server = SandboxServer(gateway, host, 0, tls).start()
    return Sandbox(server.url, good, server.close, server=server)


def start_process(
    python: str = sys.executable, arguments: Sequence[str] = (), *, key: str | None = None, port: int = 0
) -> Sandbox:
    """A sandbox as a process of `python`; `arguments` as `python -m sandbox --help` lists them.

    It ends with `close`, and by itself when this process is gone. RuntimeError if it does not start.
    """
    good = key or new_key()
    with tempfile.TemporaryDirectory() as folder:
        key_file = Path(folder) / "key"
        key_file.touch(mode=0o600)
        key_file.write_text(good, "utf-8")
        own = ["-m", "sandbox", "--port", str(port), "--key-file", str(key_file), "--until-stdin-closes"]
        process = subprocess.Popen([python, *own, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = process.stdout.readline().decode().strip()
    if not line.startswith(LISTENING):
        process.kill()
        raise RuntimeError(f"the sandbox did not start (exit code {process.wait()}): {line!r}")
    return Sandbox(line[len(LISTENING) :], good, lambda: _end(process), process=process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
