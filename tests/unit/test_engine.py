"""The engine in real time: calls over the network never hold up the journal's."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from hunyuan.jobs.background_loop import ThreadEngine


def on(engine: ThreadEngine, work: asyncio.Future[object] | object) -> Future[object]:
    """Awaits something on the engine's loop."""
    done: Future[object] = Future()

    async def run() -> None:
        try:
            done.set_result(await work)  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - it is the test's
            done.set_exception(error)

    engine.post(lambda: engine.spawn(run()))
    return done


async def nothing() -> None:
    """A farewell with nothing to wait for."""


def test_hanging_calls_over_the_network_do_not_hold_up_short_ones() -> None:
    engine, let_go = ThreadEngine(), threading.Event()
    try:
        hanging = [on(engine, engine.remote(let_go.wait, 30)) for _ in range(300)]
        quick = [on(engine, engine.blocking(lambda: "written down")) for _ in range(20)]
        assert [each.result(5) for each in quick] == ["written down"] * 20
        assert not any(each.done() for each in hanging)
        let_go.set()
        assert all(each.result(10) for each in hanging), "those that waited for a thread ran too"
    finally:
        let_go.set()
        engine.stop(nothing)


def test_what_a_call_raises_reaches_who_waits() -> None:
    engine = ThreadEngine()

    def broken() -> None:
        raise ValueError("no")

    try:
        for call in (engine.blocking, engine.remote):
            with pytest.raises(ValueError, match="no"):
                on(engine, call(broken)).result(5)
    finally:
        engine.stop(nothing)


def test_the_end_waits_for_the_farewell_but_not_for_ever() -> None:
    engine = ThreadEngine()
    said = threading.Event()

    async def farewell() -> None:
        await engine.clock.sleep(0.05)
        said.set()
        await engine.clock.sleep(60)

    engine.stop(farewell, patience=0.5)
    assert said.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "hunyuan-engine" and thread.is_alive()]
