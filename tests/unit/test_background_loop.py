"""The background in real time: calls over the network never hold up the journal's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from hunyuan.errors import ConnectTimeoutError
from hunyuan.jobs.background_loop import WORKERS, Pool, ThreadLoop, Workers

pytestmark = pytest.mark.every_python

ROOT = Path(__file__).resolve().parents[2]


def on(background: ThreadLoop, work: asyncio.Future[object] | object) -> Future[object]:
    """Awaits something on the background's loop."""
    done: Future[object] = Future()

    async def run() -> None:
        try:
            done.set_result(await work)  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - it is the test's
            done.set_exception(error)

    background.post(lambda: background.spawn(run()))
    return done


async def nothing() -> None:
    """A farewell with nothing to wait for."""


@pytest.mark.parametrize("hung", Pool)
def test_hanging_calls_over_the_network_hold_up_their_own_kind_only(hung: Pool) -> None:
    before = threading.active_count()
    background, let_go = ThreadLoop(), threading.Event()
    try:
        hanging = [on(background, background.remote(hung, let_go.wait, 30)) for _ in range(300)]
        quick = [on(background, background.blocking(lambda: "written down")) for _ in range(20)]
        quick += [background.call(pool, lambda: "written down") for pool in Pool if pool is not hung for _ in range(5)]
        assert {each.result(5) for each in quick} == {"written down"}
        others = sum(min(pool.threads, 5) for pool in Pool if pool is not hung)
        assert threading.active_count() - before <= hung.threads + others + WORKERS + 1, "each pool has its bound"
        assert not any(each.done() for each in hanging)
        let_go.set()
        assert all(each.result(10) for each in hanging), "those that waited for a thread ran too"
    finally:
        let_go.set()
        background.stop(nothing)


def test_what_a_call_raises_reaches_who_waits() -> None:
    background = ThreadLoop()

    def broken() -> None:
        raise ValueError("no")

    try:
        for call in (background.blocking(broken), *(background.remote(pool, broken) for pool in Pool)):
            with pytest.raises(ValueError, match="no"):
                on(background, call).result(5)
    finally:
        background.stop(nothing)


def test_who_waits_for_a_thread_in_vain_is_told_and_its_call_is_never_made() -> None:
    workers, let_go, made = Workers(1), threading.Event(), list[str]()
    hanging, _ = workers.submit(let_go.wait, 30)
    late, waiting = workers.submit(made.append, "late")
    waiting.give_up("no thread was free in time")
    with pytest.raises(ConnectTimeoutError, match="no thread was free") as told:
        late.result(0)
    assert not told.value.sent
    let_go.set()
    assert hanging.result(5)
    assert workers.submit(lambda: "next")[0].result(5) == "next"
    assert not made


def test_a_thread_that_cannot_be_started_does_not_count_as_there() -> None:
    """The system refuses threads (their stacks do not fit into memory), and gives them again."""
    script = """
import resource, threading
from pathlib import Path
from hunyuan.errors import ConnectTimeoutError
from hunyuan.jobs.background_loop import Workers
there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
workers = Workers(2)
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (there + 2**28, hard))
threading.stack_size(2**30)
for _ in range(3):
    try:
        workers.submit(int)[0].result(5)
    except ConnectTimeoutError as error:
        print(error.what)
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
threading.stack_size(2**20)
print(workers.submit(lambda: "made")[0].result(5))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["Nothing was sent: the system gives this process no thread."] * 3 + ["made"], (
        done.stderr
    )


def test_the_end_waits_for_the_farewell_but_not_for_ever() -> None:
    background = ThreadLoop()
    said = threading.Event()

    async def farewell() -> None:
        await background.clock.sleep(0.05)
        said.set()
        await background.clock.sleep(60)

    background.stop(farewell, patience=0.5)
    assert said.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "hunyuan-background" and thread.is_alive()]
