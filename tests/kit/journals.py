"""What the journal's tests share: a clock set by hand, requests by number, journals on one directory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import Attached, Begun, Busy, Limits, RunContext, TaskRow
from hunyuan.models import GenerationRequest, ImageSize, StoredImage, TaskType

ROOT = Path(__file__).resolve().parents[2]
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
    return Journal(database, worker_id=worker, **options)


def open_database(directory: Path, clock: Any = None, **options: Any) -> Database:
    """The database under a journal."""
    return Database(directory, **{"clock": clock or HandClock(), "announce": _unexpected, **options})


def lay_blank_journal(directory: Path) -> None:
    """An empty journal, for tests of what is done with one: to open a new one waits a tenth of a second for the disk.

    A copy of what the library itself made at its first use in this run.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / "journal.sqlite3"
    if not file.exists():
        file.write_bytes(_blank())
        file.chmod(0o600)


@cache
def _blank() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        database = open_database(Path(directory))
        database.read(lambda connection: None)
        database.close()
        return (Path(directory) / "journal.sqlite3").read_bytes()


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
    journal.mark_submitted(row.id, task_id)
    journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 6.5)
    journal.mark_collected(row.id, [stored(f"{task_id}_0.png")])


# The tables as version 1 of the schema had them, for SQLite and PostgreSQL.
VERSION_1 = """
CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY, fingerprint TEXT DEFAULT '' NOT NULL, task_id TEXT, state TEXT NOT NULL,
    type TEXT DEFAULT '' NOT NULL, prompt TEXT DEFAULT '' NOT NULL, size TEXT DEFAULT '' NOT NULL, seed INTEGER,
    model TEXT DEFAULT '' NOT NULL, base_url TEXT DEFAULT '' NOT NULL, account TEXT DEFAULT '' NOT NULL,
    images TEXT DEFAULT '' NOT NULL, credits INTEGER DEFAULT '0' NOT NULL, prompt_id TEXT DEFAULT '' NOT NULL,
    node_id TEXT DEFAULT '' NOT NULL, session TEXT DEFAULT '' NOT NULL, owner TEXT DEFAULT '' NOT NULL,
    created_at FLOAT NOT NULL, submitted_at FLOAT, polled_at FLOAT, finished_at FLOAT, seconds FLOAT,
    collected_at FLOAT, delivered_at FLOAT, error_code TEXT DEFAULT '' NOT NULL, error_text TEXT DEFAULT '' NOT NULL,
    urls TEXT DEFAULT '' NOT NULL, files TEXT DEFAULT '' NOT NULL, hidden BOOLEAN DEFAULT false NOT NULL
);
CREATE TABLE workers (worker_id TEXT NOT NULL PRIMARY KEY, heartbeat_at FLOAT NOT NULL,
    account TEXT DEFAULT '' NOT NULL);
CREATE TABLE links (key TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL, way TEXT DEFAULT '' NOT NULL, expires_at FLOAT,
    created_at FLOAT NOT NULL);
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('version', '1');
CREATE INDEX tasks_by_fingerprint ON tasks (fingerprint, created_at);
CREATE INDEX tasks_by_task_id ON tasks (task_id);
CREATE INDEX tasks_by_state ON tasks (state, created_at);
CREATE INDEX tasks_by_time ON tasks (created_at);
CREATE INDEX tasks_by_account ON tasks (account, created_at, state, credits);
CREATE INDEX tasks_by_session ON tasks (session, state, credits);
CREATE INDEX tasks_by_duration ON tasks (type, size, finished_at) WHERE seconds IS NOT NULL;
"""

_PRELUDE = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.kit.journals import *
directory, worker = Path(sys.argv[2]), sys.argv[3]
journal = open_journal(directory, worker, clock=time, announce=lambda text: None, url=sys.argv[4])
def say(text):
    print(text, flush=True)
"""


class Worker:
    """A process of its own with a journal on the directory; runs `script`, talks by lines."""

    def __init__(self, directory: Path, worker: str, script: str, url: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + script, str(ROOT), str(directory), worker, url],
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
