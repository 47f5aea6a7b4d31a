"""A ComfyUI that buys, with a journal that takes half a second for each write, and what it has written at its end."""

from __future__ import annotations

from typing import Any

from hunyuan.jobs.background_loop import SystemClock
from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import TaskRow
from hunyuan.models import TaskState
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import generate, save

SLOW = {"STORY_JOURNAL_SECONDS": "0.5"}
WRITTEN = {TaskState.SUBMITTED, TaskState.RUNNING, TaskState.SUCCEEDED, TaskState.COLLECTED}


def buying(server: PaidServer, prompt: str, nodes: int = 4, **inputs: Any) -> None:
    """Started anew, with creates that hang at the gateway: as many as there are nodes or slots."""
    server.kill()
    server.sandbox.reset()
    server.sandbox.tasks(seconds=None)
    hold(server, prompt, nodes, **inputs)


def hold(server: PaidServer, prompt: str, nodes: int = 4, **inputs: Any) -> None:
    """Creates of that prompt that hang."""
    server.sandbox.script(on="create", hang=True, times="always")
    if not server.running:
        server.start()
    workflow: dict[str, Any] = {}
    for number in range(nodes):
        workflow |= {
            f"{number}0": generate(prompt, seed=100 + 10 * number, **inputs),
            f"{number}1": save([f"{number}0", 0]),
        }
    server.queue(workflow)
    server.sandbox.wait("held", min(8, nodes))


def left(server: PaidServer, prompt: str) -> list[TaskRow]:
    """What the ended process has written down, in the journal or beside it, as the next start finds it."""
    clock = SystemClock()
    journal = Journal(Database(server.state_directory, clock=clock, announce=print), worker_id="a look")
    journal.recover()
    rows = [row for row in journal.overview.list_tasks(limit=1000) if row.prompt == prompt]
    journal.close()
    return rows


def all_written(server: PaidServer, prompt: str) -> bool:
    """Whether the journal knows every task that was billed, and nothing else."""
    rows = left(server, prompt)
    assert {row.state for row in rows} <= WRITTEN, rows
    return sorted(str(row.task_id) for row in rows) == sorted(
        each["task_id"] for each in server.sandbox.state()["tasks"]
    )
