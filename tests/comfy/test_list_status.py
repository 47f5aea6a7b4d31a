"""A node that runs once for each item of a list tells of all of them in one line, and one stop ends them all."""

from __future__ import annotations

from benchmarks.graphs import listed
from tests.kit.comfy_fixtures import PaidServer

ITEMS = 24


def test_one_status_line_and_one_stop_for_a_list(comfy: PaidServer) -> None:
    server = comfy
    server.succeeded(server.run(listed("a lighthouse", ITEMS)))
    lines = [message.data["text"] for message in server.messages("progress_text") if message.data["node"] == "0"]
    assert lines[-1].startswith(f"{ITEMS} of {ITEMS} done")
    assert f"{25 * ITEMS} credits" in lines[-1]
    together = next(number for number, line in enumerate(lines) if " of " in line)
    assert all(" of " in line for line in lines[together:]), "no item speaks for itself alone once there are several"

    server.sandbox.tasks(seconds=None)
    stopped = server.queue(listed("a lighthouse that nobody finishes", ITEMS))
    server.sandbox.wait("create", ITEMS + 8)
    server.interrupt()
    messages = [kind for kind, _ in server.wait(stopped)["status"]["messages"]]
    assert "execution_interrupted" in messages
    server.sandbox.finish()
    server.sandbox.wait("delivered", ITEMS + 8, timeout=120)  # what was sent is collected, and its slots are free
    assert server.sandbox.billed == ITEMS + 8, "what was not sent is dropped"
