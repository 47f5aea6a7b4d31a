"""The end of a real ComfyUI while it buys, with a journal that takes half a second for each write."""

from __future__ import annotations

import signal
import sys
from typing import Any

import pytest
import requests

from hunyuan.jobs.background_loop import SystemClock
from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import TaskRow
from hunyuan.models import TaskState
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import generate, save, saved, state_is, until
from tests.kit.known_durations import remember_quick_tasks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

SLOW = {"STORY_JOURNAL_SECONDS": "0.5"}
# Python itself takes seconds to end a process with torch in it, which Ctrl+C has always waited for.
END_WITHIN = {signal.SIGINT: 30.0, signal.SIGTERM: 10.0, signal.SIGHUP: 10.0}
SIGNALS = list(END_WITHIN)
WRITTEN = {TaskState.SUBMITTED, TaskState.RUNNING, TaskState.SUCCEEDED, TaskState.COLLECTED}


@pytest.fixture(scope="module")
def slow(session_servers: ServerFactory) -> PaidServer:
    server: PaidServer = session_servers(start=False, environment=SLOW)
    remember_quick_tasks(server.state_directory)
    return server


def buying(server: PaidServer, prompt: str, nodes: int = 8, **inputs: Any) -> None:
    """Started anew, and all slots full of creates that hang at the gateway."""
    server.kill()
    server.sandbox.reset()
    server.sandbox.tasks(seconds=None)
    hold(server, prompt, nodes, **inputs)


def hold(server: PaidServer, prompt: str, nodes: int = 8, **inputs: Any) -> None:
    """Creates of that prompt that hang."""
    server.sandbox.script(on="create", hang=True, times="always")
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
    """What the ended process has written down."""
    clock = SystemClock()
    journal = Journal(Database(server.state_directory, clock=clock, announce=print), worker_id="a look")
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


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("moment", ["under way", "answered"])
def test_stopped_while_creates_are_under_way(slow: PaidServer, number: signal.Signals, moment: str) -> None:
    prompt = f"stopped by {number.name}, {moment}"
    buying(slow, prompt)
    if moment == "answered":
        slow.sandbox.release()
        slow.sandbox.wait("answered", 8)
        slow.signal(number)
    else:
        slow.signal(number)
        slow.sandbox.release()
    slow.wait_for_end(END_WITHIN[number])
    assert slow.sandbox.billed == 8
    assert all_written(slow, prompt)


def test_stopped_orderly_while_a_create_is_under_way(slow: PaidServer) -> None:
    """Ctrl+C waits the seconds that the answer takes: its id is written down."""
    slow.kill()
    slow.sandbox.reset()
    slow.sandbox.tasks(seconds=None)
    slow.start()
    slow.sandbox.script(on="create", prompt="stopped orderly", delay_s=4)  # Ctrl+C comes within, and waits up to 8 s
    slow.queue(saved("stopped orderly"))
    slow.sandbox.wait("create")
    slow.stop(timeout=30)
    assert slow.sandbox.billed == 1
    assert all_written(slow, "stopped orderly")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_from_the_signal_on_nothing_is_bought(slow: PaidServer, number: signal.Signals) -> None:
    """64 images asked for, eight slots."""
    prompt = f"64 asked, {number.name}"
    buying(slow, prompt, count=8)
    slow.signal(number)
    slow.sandbox.release()
    slow.sandbox.clear()
    slow.wait_for_end(END_WITHIN[number])
    assert len(slow.sandbox.requests("create")) == slow.sandbox.billed == 8
    assert all_written(slow, prompt)


@pytest.mark.parametrize("shape", ["direct_b64", "direct_url"])
def test_stopped_when_images_have_come_inside_the_creates_answers(slow: PaidServer, shape: str) -> None:
    """No task id could fetch them again."""
    prompt = f"stopped after {shape}"
    slow.kill()
    slow.sandbox.reset()
    slow.sandbox.tasks(shape=shape, seconds=0)
    hold(slow, prompt)
    slow.sandbox.release()
    slow.sandbox.wait("answered", 8)
    slow.signal(signal.SIGINT)
    slow.wait_for_end(END_WITHIN[signal.SIGINT])
    rows = left(slow, prompt)
    assert len(rows) == slow.sandbox.billed == 8
    assert {row.state for row in rows} <= {TaskState.SUCCEEDED, TaskState.COLLECTED}
    slow.sandbox.clear()
    slow.start()
    until("all are here", state_is(slow, prompt, *["collected"] * 8))
    assert slow.sandbox.billed == 8


@pytest.mark.parametrize("kind", ["before", "after", "loop", "dawdles", "thread"])
def test_sigterm_ends_it_whoever_else_listens(comfy_server: ServerFactory, kind: str) -> None:
    server: PaidServer = comfy_server(start=False, environment={**SLOW, "STORY_END_LISTENER": kind})
    buying(server, "somebody else listens", nodes=2)
    if kind == "after":
        until("it was noticed", lambda: server.http.get(f"{server.url}/story/taken", timeout=5).json())
    server.signal(signal.SIGTERM)
    server.sandbox.release()
    server.wait_for_end(10)
    assert "the other listener was called" in server.log()
    assert all_written(server, "somebody else listens")


def test_a_second_signal_ends_it_sooner(slow: PaidServer) -> None:
    buying(slow, "twice", nodes=1)
    before = len(slow.log())
    slow.signal(signal.SIGTERM)
    until("the first is noticed", lambda: "waiting up to 8 s" in slow.log()[before:])
    slow.signal(signal.SIGTERM)
    slow.wait_for_end(5)
    slow.sandbox.release()


def test_replaced_by_another_process(slow: PaidServer) -> None:
    """As ComfyUI-Manager restarts: `os.execv`, from a route."""
    buying(slow, "replaced", nodes=2)
    with pytest.raises(requests.exceptions.ReadTimeout):  # the route never answers
        slow.http.post(f"{slow.url}/story/replace", timeout=0.5)
    slow.sandbox.release()
    assert slow.wait_for_end(10) == 0
    assert "replaced" in slow.log()
    assert all_written(slow, "replaced")


def test_stopped_for_a_while_and_continued(slow: PaidServer) -> None:
    """SIGSTOP: the answers come while nobody reads them."""
    buying(slow, "stopped and continued", nodes=3)
    slow.signal(signal.SIGSTOP)
    slow.sandbox.release()
    slow.sandbox.wait("answered", 3)
    slow.sandbox.clear()
    slow.sandbox.finish()
    slow.signal(signal.SIGCONT)
    until("all are here", state_is(slow, "stopped and continued", *["collected"] * 3))
    assert slow.sandbox.billed == 3
    entry = slow.run(saved("stopped and continued", seed=100))
    slow.succeeded(entry)
    assert slow.sandbox.billed == 3
