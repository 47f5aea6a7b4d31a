"""The end of a real ComfyUI where other packs have a part in it, and ends that do not come."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import saved, state_is
from tests.kit.stops import SLOW, all_written, buying
from tests.kit.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


@pytest.mark.parametrize("kind", ["before", "after", "loop", "dawdles", "thread"])
def test_sigterm_ends_it_whoever_else_listens(comfy_server: ServerFactory, kind: str) -> None:
    server: PaidServer = comfy_server(start=False, environment={**SLOW, "STORY_END_LISTENER": kind})
    buying(server, "somebody else listens", nodes=2)
    if kind == "after":
        until("it was noticed", lambda: server.http.get(f"{server.url}/story/taken", timeout=60).json())
    server.signal(signal.SIGTERM)
    server.sandbox.release()
    server.wait_for_end(25)  # the system ends it after nine
    assert "the other listener was called" in server.log()
    assert all_written(server, "somebody else listens")


def test_ctrl_c_that_another_pack_keeps_for_itself_stops_nothing_for_long(comfy_server: ServerFactory) -> None:
    """ComfyUI runs on: after some seconds it takes prompts again, and goes on with what it had."""
    server: PaidServer = comfy_server(environment={"STORY_END_LISTENER": "keeps"})
    server.sandbox.tasks(seconds=None)
    server.queue(saved("before it"))
    server.sandbox.wait("create")
    server.signal(signal.SIGINT)
    until("it was noticed that nothing ended", lambda: "ComfyUI did not end" in server.log())
    server.sandbox.finish()
    server.sandbox.tasks(seconds=0)
    server.succeeded(server.run(saved("after it")))
    until("what it had is here", state_is(server, "before it", "collected"))
    assert server.sandbox.billed == 2


def test_a_replacement_that_turns_out_to_be_no_program_stops_nothing_for_long(
    comfy_server: ServerFactory, tmp_path: Path
) -> None:
    """ComfyUI runs on: it takes prompts again, counts them to the same session, and goes on with what it had."""
    no_program = tmp_path / "no program"
    no_program.write_text("the system finds out only when it is to run it\n")
    no_program.chmod(0o755)
    server: PaidServer = comfy_server()
    server.sandbox.tasks(seconds=None)
    server.queue(saved("before it"))
    server.sandbox.wait("create")
    session = server.get_json("/hunyuan/summary")["session"]
    answer = server.http.post(f"{server.url}/story/replace", params={"by": str(no_program)}, timeout=60)
    assert answer.status_code == 500
    server.sandbox.finish()
    server.sandbox.tasks(seconds=0)
    server.succeeded(server.run(saved("after it")))
    until("what it had is here", state_is(server, "before it", "collected"))
    summary = server.get_json("/hunyuan/summary")
    assert (summary["session"], summary["credits"]["session"]["spent"]) == (session, 50)
    assert server.sandbox.billed == 2
    server.stop(timeout=60)
