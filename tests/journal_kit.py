"""What the journal's tests share: a clock set by hand, requests by number, journals on one directory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hunyuan.database import Database
from hunyuan.journal import Journal
from hunyuan.models import GenerationRequest, ImageSize, StoredImage, TaskType
from hunyuan.rows import Attached, Begun, Busy, Limits, RunContext, TaskRow

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = "https://gateway.test"
ACCOUNT = "0123456789abcdef"
NOON = 1_780_000_000.0


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def time(self) -> float:
        return self.now


def open_journal(directory: Path, worker: str = "worker-1", clock: Any = None, **options: Any) -> Journal:
    """A journal of its own on a directory; what it announces goes to `options["announce"]` (default: an error)."""
    clock = clock or HandClock()
    names = ("url", "announce", "busy_seconds")
    below = {name: options.pop(name) for name in names if name in options}
    database = options.pop("database", None) or open_database(directory, clock, **below)
    return Journal(database, worker_id=worker, clock=clock, **options)


def open_database(directory: Path, clock: Any = None, **options: Any) -> Database:
    """The database under a journal."""
    return Database(directory, **{"clock": clock or HandClock(), "announce": _unexpected, **options})


def _unexpected(text: str) -> None:
    raise AssertionError(f"announced: {text}")


def request(number: int, prompt: str = "a lighthouse") -> GenerationRequest:
    """Requests with different numbers differ."""
    return GenerationRequest(TaskType.TEXT_TO_IMAGE, prompt, ImageSize(1024, 1024), number, "hunyuan-image-3")


def begin(journal: Journal, number: int = 1, **changes: Any) -> Begun | Attached | Busy:
    """`begin` with everything that a test does not care about."""
    options: dict[str, Any] = {
        "base_url": GATEWAY,
        "account": ACCOUNT,
        "context": RunContext(prompt_id="p", node_id="7", session="s1"),
        "limits": Limits(),
        "reuse": True,
    }
    return journal.begin(changes.pop("request", None) or request(number), **{**options, **changes})


def begun(journal: Journal, number: int = 1, **changes: Any) -> TaskRow:
    """The row of a task that certainly began."""
    outcome = begin(journal, number, **changes)
    assert isinstance(outcome, Begun), outcome
    return outcome.row


def fresh(journal: Journal, row: TaskRow) -> TaskRow:
    """The row as it stands now."""
    found = journal.get(row.id)
    assert found is not None
    return found


def stored(name: str = "n1_0.png", digest: str = "d" * 64) -> StoredImage:
    """A file of 100 bytes."""
    return StoredImage(path=name, mime="image/png", bytes=100, digest=digest)


def collect(journal: Journal, row: TaskRow, task_id: str) -> None:
    """The rest of a task's life after `begin`, without a hitch."""
    journal.submitted(row.id, task_id)
    journal.succeeded(row.id, ["https://cdn.test/a.png"], 6.5)
    journal.collected(row.id, [stored(f"{task_id}_0.png")])


_PRELUDE = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.journal_kit import *
directory, worker = Path(sys.argv[2]), sys.argv[3]
journal = open_journal(directory, worker, clock=time, announce=lambda text: None)
def say(text):
    print(text, flush=True)
"""


class Worker:
    """A process of its own with a journal on the directory; runs `script`, talks by lines."""

    def __init__(self, directory: Path, worker: str, script: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + script, str(ROOT), str(directory), worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        """The next line it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the process ended with {self.process.wait()}"
        return line.rstrip("\n")

    def tell(self, text: str) -> None:
        """A line for its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL: no farewell of any kind."""
        self.process.kill()
        self.process.wait()
        self._close()

    def end(self) -> int:
        """Wait for its own end."""
        code = self.process.wait(60)
        self._close()
        return code

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


Announce = Callable[[str], None]
