"""What a client without a page is told, and what stands in ComfyUI's history for it: the saved image, once."""

from __future__ import annotations

import pytest

from devtools.listener import Message
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import assert_drawn, generate, save, saved

PLAIN = "plain"


@pytest.fixture
def plain(comfy: PaidServer) -> PaidServer:
    comfy.socket(PLAIN, page=False)
    return comfy


def own(server: PaidServer, prompt_id: str) -> list[Message]:
    """What the plain client was told, without what names another prompt."""
    return [each for each in server.messages(client_id=PLAIN) if each.data.get("prompt_id") in (None, prompt_id)]


def jobs(server: PaidServer, prompt_id: str) -> dict[str, object]:
    return server.get_json(f"/api/jobs/{prompt_id}")


def has_jobs(server: PaidServer) -> bool:
    return server.http.get(f"{server.url}/api/jobs", timeout=30).ok  # newer than 0.3.75


def test_a_plain_client_gets_the_saved_file_and_nothing_beside_it(plain: PaidServer) -> None:
    workflow = {"1": generate("for a plain client"), "2": save(["1", 0])}
    for run in ("anew", "from ComfyUI's cache"):
        entry = plain.run(workflow, client_id=PLAIN)
        assert list(plain.succeeded(entry)) == ["2"], run
        (picture,) = entry["outputs"]["2"]["images"]
        assert picture["type"] == "output"
        assert_drawn(plain.images(entry, "2")[0], "for a plain client", 7, (256, 256))
        if has_jobs(plain):
            assert jobs(plain, entry["prompt"][1])["outputs_count"] == 1
    assert plain.sandbox.billed == 1


def test_a_plain_client_gets_no_binary_message(plain: PaidServer) -> None:
    plain.sandbox.tasks(seconds=3)
    plain.succeeded(plain.run(saved("no text for plain clients"), client_id=PLAIN))
    told = {each.type for each in plain.messages(client_id=PLAIN)}
    assert "progress_state" in told
    assert not [kind for kind in told if kind == "progress_text" or kind.startswith(("binary", "preview"))]


def test_the_old_progress_event_rises_in_whole_steps_to_its_end(plain: PaidServer) -> None:
    plain.sandbox.tasks(seconds=3)
    prompt_id = plain.queue(saved("progress for everybody", count=3), client_id=PLAIN)
    plain.succeeded(plain.wait(prompt_id, client_id=PLAIN))
    bars = [each.data for each in own(plain, prompt_id) if each.type == "progress"]
    assert {bar["node"] for bar in bars} == {"1"}
    assert {bar["max"] for bar in bars} == {100}
    values = [bar["value"] for bar in bars]
    assert all(isinstance(value, int) for value in values)
    assert values == sorted(set(values))
    assert 0 < values[0] < values[-1] == 100


def test_progress_leaves_the_interrupt_to_the_other_nodes(plain: PaidServer) -> None:
    """Both nodes see one press: neither has taken it away from the other."""
    plain.sandbox.tasks(seconds=None)
    prompt_id = plain.queue(
        {"1": generate("first"), "2": save(["1", 0]), "3": generate("second"), "4": save(["3", 0])}, client_id=PLAIN
    )
    plain.sandbox.wait("poll", number=1)
    plain.sandbox.wait("poll", number=2)
    plain.interrupt()
    kinds = [kind for kind, _ in plain.wait(prompt_id, client_id=PLAIN)["status"]["messages"]]
    assert "execution_interrupted" in kinds
    plain.sandbox.finish()
    plain.sandbox.wait("delivered", 2, timeout=60)


def test_a_page_has_its_picture_also_from_the_cache_and_jobs_counts_one(comfy: PaidServer) -> None:
    workflow = {"1": generate("for a page"), "2": save(["1", 0])}
    first = comfy.run(workflow)
    (name,) = comfy.succeeded(first)["1"]["hunyuan_previews"]
    assert_drawn(comfy.image(name, type="temp"), "for a page", 7, (256, 256))
    again = comfy.run(workflow)
    if comfy.object_info()["HunyuanGenerate"].get("has_intermediate_output"):
        assert comfy.succeeded(again)["1"]["hunyuan_previews"] == [name]
        told = [each.data for each in comfy.messages("executed", again["prompt"][1]) if each.data["node"] == "1"]
        assert [each["output"]["hunyuan_previews"] for each in told] == [[name]]
    for entry in (first, again):
        if has_jobs(comfy):
            assert jobs(comfy, entry["prompt"][1])["outputs_count"] == 1
    assert comfy.sandbox.billed == 1
