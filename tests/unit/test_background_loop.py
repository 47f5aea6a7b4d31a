"""The background loop in real time: calls over the network never hold up the journal's."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from hunyuan.jobs.background_loop import ThreadLoop


def on(background: ThreadLoop, work: asyncio.Future[object] | object) -> Future[object]:
    """Awaits something on the background loop."""
    done: Future[object] = Future()

    async def run() -> None:
        try:
            done.set_result(await work)  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - it is the test's
            done.set_exception(error)

    background.post(lambda: background.spawn(run()))
    return done


async def nothing() -> None:
    """A wait for what is unwritten with nothing to wait for."""


def test_hanging_calls_over_the_network_do_not_hold_up_short_ones() -> None:
    background, let_go = ThreadLoop(), threading.Event()
    try:
        hanging = [on(background, background.remote(let_go.wait, 30)) for _ in range(300)]
        quick = [on(background, background.blocking(lambda: "written down")) for _ in range(20)]
        assert [each.result(5) for each in quick] == ["written down"] * 20
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
        for call in (background.blocking, background.remote):
            with pytest.raises(ValueError, match="no"):
                on(background, call(broken)).result(5)
    finally:
        background.stop(nothing)


def test_the_end_waits_for_what_is_unwritten_but_not_for_ever() -> None:
    background = ThreadLoop()
    said = threading.Event()

    async def wait_for_unwritten() -> None:
        await background.clock.sleep(0.05)
        said.set()
        await background.clock.sleep(60)

    background.stop(wait_for_unwritten, patience=0.5)
    assert said.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "hunyuan-background" and thread.is_alive()]
