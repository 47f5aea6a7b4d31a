"""The end of a real ComfyUI while it buys, with a journal that takes half a second for each write."""

from __future__ import annotations

import signal
import sqlite3
import sys
import time
from collections.abc import Callable

import pytest
import requests

from hunyuan.models import TaskState
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import saved, state_is
from tests.kit.known_durations import remember_quick_tasks
from tests.kit.stops import SLOW, all_written, buying, hold, left
from tests.kit.terminal import Terminal, in_terminal
from tests.kit.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

# Python itself takes seconds to end a process with torch in it, which Ctrl+C has always waited for. The others end it
# after nine seconds at the latest (tests/unit/test_process_end.py); here a busy machine has time to notice it.
END_WITHIN = {signal.SIGINT: 60.0, signal.SIGTERM: 25.0, signal.SIGHUP: 25.0}
SIGNALS = list(END_WITHIN)


@pytest.fixture(scope="module")
def slow(session_servers: ServerFactory) -> PaidServer:
    server: PaidServer = session_servers(start=False, environment=SLOW)
    remember_quick_tasks(server.state_directory)
    return server


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("moment", ["under way", "answered"])
def test_stopped_while_creates_are_under_way(slow: PaidServer, number: signal.Signals, moment: str) -> None:
    prompt = f"stopped by {number.name}, {moment}"
    buying(slow, prompt)
    if moment == "answered":
        slow.sandbox.release()
        slow.sandbox.wait("answered", 4)
        slow.signal(number)
    else:
        slow.signal(number)
        slow.sandbox.release()
    slow.wait_for_end(END_WITHIN[number])
    assert slow.sandbox.billed == 4
    assert all_written(slow, prompt)


def test_stopped_orderly_while_a_create_is_under_way(slow: PaidServer) -> None:
    """Ctrl+C waits the seconds that the answer takes: its id is written down."""
    slow.kill()
    slow.sandbox.reset()
    slow.sandbox.tasks(seconds=None)
    slow.start()
    slow.sandbox.script(on="create", prompt="stopped orderly", delay_s=4)  # Ctrl+C comes within, and waits up to 20 s
    slow.queue(saved("stopped orderly"))
    slow.sandbox.wait("create")
    slow.stop(timeout=30)
    assert slow.sandbox.billed == 1
    assert all_written(slow, "stopped orderly")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_from_the_signal_on_nothing_is_bought(slow: PaidServer, number: signal.Signals) -> None:
    """64 images asked for, eight slots."""
    prompt = f"64 asked, {number.name}"
    buying(slow, prompt, nodes=8, count=8)
    slow.signal(number)
    slow.sandbox.release()
    slow.sandbox.clear()
    slow.wait_for_end(END_WITHIN[number])
    assert len(slow.sandbox.requests("create")) == slow.sandbox.billed == 8
    assert all_written(slow, prompt)


def test_stopped_when_images_have_come_inside_the_creates_answers(comfy_server: ServerFactory) -> None:
    """No task id could fetch them again. On a journal without the open tasks that the other tests leave."""
    server: PaidServer = comfy_server(environment=SLOW)
    for shape, number in zip(["direct_b64", "direct_url", "direct_b64"], SIGNALS, strict=True):
        prompt = f"stopped by {number.name} after {shape}"
        _answered(server, prompt, shape)
        server.signal(number)
        server.wait_for_end(END_WITHIN[number])
        rows = left(server, prompt)
        assert len(rows) == server.sandbox.billed == 4, prompt
        assert {row.state for row in rows} <= {TaskState.SUCCEEDED, TaskState.COLLECTED}, prompt
        _all_come(server, prompt)

    prompt = "the journal is locked for longer than the end may take"
    with sqlite3.connect(server.state_directory / "journal.sqlite3", timeout=60) as lock:
        _answered(server, prompt, "direct_b64", before=lambda: lock.execute("BEGIN IMMEDIATE"))
        server.signal(signal.SIGTERM)
        server.wait_for_end(END_WITHIN[signal.SIGTERM])
        lock.rollback()
    lock.close()
    _all_come(server, prompt)


def _answered(server: PaidServer, prompt: str, shape: str, before: Callable[[], object] = lambda: None) -> None:
    """Four creates of that prompt are answered with images; before: called when they are under way."""
    server.sandbox.reset()
    server.sandbox.tasks(shape=shape, seconds=0)
    hold(server, prompt)
    before()
    server.sandbox.release()
    server.sandbox.wait("answered", 4)


def _all_come(server: PaidServer, prompt: str) -> None:
    """After the start, for nothing."""
    server.sandbox.clear()
    server.start()
    until(f"all are here: {prompt}", state_is(server, prompt, *["collected"] * 4))
    assert server.sandbox.billed == 4, prompt


def test_a_closed_terminal_is_one_sign_of_the_end(comfy_server: ServerFactory) -> None:
    """The shell and the kernel send SIGHUP each, within milliseconds."""
    server: PaidServer = comfy_server(start=False, environment=SLOW)
    opened: list[Terminal] = []
    server._spawn = lambda: opened.append(in_terminal(server)) or opened[0]  # type: ignore[method-assign,func-returns-value]
    buying(server, "the terminal closes")
    opened[0].close()
    time.sleep(1.0)  # the second signal is there
    server.sandbox.release()
    server.wait_for_end(END_WITHIN[signal.SIGHUP])
    assert server.sandbox.billed == 4
    assert all_written(server, "the terminal closes")


def test_ctrl_c_again_and_again_cuts_off_nothing_that_is_being_written(slow: PaidServer) -> None:
    buying(slow, "impatient", nodes=8)
    slow.sandbox.release()
    slow.sandbox.wait("answered", 8)
    slow.signal(signal.SIGINT)
    time.sleep(1.5)  # later than what counts as the same sign; the eight ids take four seconds
    for _ in range(6):
        slow.signal(signal.SIGINT)
        time.sleep(0.3)
    slow.wait_for_end(END_WITHIN[signal.SIGINT])
    assert slow.sandbox.billed == 8
    assert all_written(slow, "impatient")


def test_a_second_signal_ends_it_sooner(slow: PaidServer) -> None:
    buying(slow, "twice", nodes=1)
    before = len(slow.log())
    slow.signal(signal.SIGTERM)
    until("the first is noticed", lambda: "waiting up to 8 s" in slow.log()[before:])
    time.sleep(1.2)  # one that comes sooner is the same sign
    slow.signal(signal.SIGTERM)
    slow.wait_for_end(6)  # instead of nine
    slow.sandbox.release()


def test_replaced_by_another_process(slow: PaidServer) -> None:
    """As ComfyUI-Manager restarts: `os.execv`, from a route."""
    buying(slow, "replaced", nodes=2)
    with pytest.raises(requests.exceptions.ReadTimeout):  # the route never answers
        slow.http.post(f"{slow.url}/story/replace", timeout=0.5)
    slow.sandbox.release()
    assert slow.wait_for_end(40) == 0
    assert "replaced" in slow.log()
    assert all_written(slow, "replaced")


def test_stopped_for_a_while_and_continued(slow: PaidServer) -> None:
    """SIGSTOP: the answers come while nobody reads them, and the nodes' time is up before they are awake."""
    timeout = 20.0  # seconds; till all three creates are out, on a busy machine
    buying(slow, "stopped and continued", nodes=3, timeout_s=timeout)
    up = time.monotonic() + timeout
    slow.signal(signal.SIGSTOP)
    slow.sandbox.release()
    slow.sandbox.wait("answered", 3)
    slow.sandbox.clear()
    slow.sandbox.finish()
    time.sleep(max(0.0, up - time.monotonic()))
    slow.signal(signal.SIGCONT)
    until("all are here", state_is(slow, "stopped and continued", *["collected"] * 3))
    assert slow.sandbox.billed == 3
    entry = slow.run(saved("stopped and continued", seed=100))
    slow.succeeded(entry)
    assert slow.sandbox.billed == 3
