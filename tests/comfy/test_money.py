"""Money in a real ComfyUI: killed, restarted, doubled, abandoned, and the gateway's count of what was billed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from sandbox.client import Sandbox
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import (
    asked,
    assert_drawn,
    generate,
    info_of,
    rows,
    save,
    saved,
    settings,
    show,
    state_is,
    task_wait,
    text_of,
    value,
)
from tests.kit.known_durations import remember_quick_tasks
from tests.kit.waiting import until


@dataclass
class Pair:
    """Two ComfyUI on one user directory and one sandbox; neither runs yet."""

    one: PaidServer
    two: PaidServer

    def running(self, *servers: PaidServer) -> Sandbox:
        """These run and no other, their sandbox as at the start."""
        for server in (self.one, self.two):
            if server not in servers:
                server.kill()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.start(), [server for server in servers if not server.running]))
        self.one.sandbox.reset()
        return self.one.sandbox


@pytest.fixture(scope="module")
def pair(session_servers: ServerFactory) -> Pair:
    one = session_servers(start=False)
    remember_quick_tasks(one.state_directory)
    return Pair(one, session_servers(start=False, base=one.base, sandbox=one.sandbox))


def test_killed_at_every_step_and_started_again(pair: Pair) -> None:
    """Four nodes at four steps of their tasks when SIGKILL comes: create, running, downloading, on disk."""
    server, sandbox = pair.one, pair.running(pair.one)
    sandbox.script(on="create", prompt="killed in the create", hang=True, name="create")
    sandbox.script(on="create", prompt="killed while it runs", task={"seconds": None}, times="always")
    sandbox.script(on="download", prompt="killed in the download", hang=True, name="download", times=9)
    prompts = ["killed in the create", "killed while it runs", "killed in the download", "killed when all was there"]
    workflow: dict[str, object] = {}
    for number, prompt in enumerate(prompts):
        workflow |= {f"{number}0": generate(prompt), f"{number}1": save([f"{number}0", 0])}
    server.queue(workflow)  # type: ignore[arg-type]
    sandbox.wait("held", 2)
    until("the one that ends", state_is(server, prompts[3], "collected"))
    until("the one that runs", state_is(server, prompts[1], "running"))
    server.kill()
    assert sandbox.billed == 4
    sandbox.release()
    sandbox.clear()
    server.start()
    until("the download without anybody asking", state_is(server, prompts[2], "collected"))
    until("the lost answer is known as such", state_is(server, prompts[0], "unknown"))
    sandbox.finish()
    until("the one that ran", state_is(server, prompts[1], "collected"))
    assert len(sandbox.requests("create")) == 4, "the sweeper sends nothing that costs"
    for prompt in prompts[1:]:
        entry = server.run(saved(prompt))
        server.succeeded(entry)
        assert_drawn(server.images(entry, "2")[0], prompt, 7, (256, 256))
        assert info_of(entry)["credits"] == 0
    assert sandbox.billed == 4
    entry = server.run(saved(prompts[0]))  # the user's own next run, and only that, sends it anew
    server.succeeded(entry)
    assert sandbox.billed == 5
    assert sorted(row["state"] for row in rows(server, prompts[0])) == ["collected", "unknown"]

    sandbox.script(drop="before_read", times="always")  # the gateway is gone for good
    fresh = pair.two
    fresh.start()
    ids = "\n".join(row["task_id"] for prompt in prompts[1:] for row in rows(fresh, prompt))
    entry = fresh.run({"1": task_wait(ids), "2": save(["1", 0])})
    fresh.succeeded(entry)
    for picture, prompt in zip(fresh.images(entry, "2"), prompts[1:], strict=True):
        assert_drawn(picture, prompt, 7, (256, 256))


def test_two_processes_on_one_user_directory(pair: Pair) -> None:
    """The same prompt at both at once is one task; when the one that drives it is killed, the other goes on."""
    one, two, sandbox = pair.one, pair.two, pair.running(pair.one, pair.two)
    sandbox.tasks(seconds=None)
    first, second = one.queue(saved("at both at once")), two.queue(saved("at both at once"))
    sandbox.wait("poll", number=1)
    sandbox.finish()
    for server, prompt_id in ((one, first), (two, second)):
        entry = server.wait(prompt_id)
        server.succeeded(entry)
        assert_drawn(server.images(entry, "2")[0], "at both at once", 7, (256, 256))
    assert sandbox.billed == 1

    one.queue(saved("its driver is killed"))
    sandbox.wait("answered", 2)
    until("the id is written down", state_is(two, "its driver is killed", "running"))
    second = two.queue(saved("its driver is killed"))
    two.wait_for(
        lambda message: message.type == "progress_text" and "running elsewhere" in message.data["text"],
        60,
        "that the other process is followed",
    )
    one.kill()
    sandbox.finish()
    entry = two.wait(second, timeout=120)  # as long as a killed process counts as alive, and the poll after it
    two.succeeded(entry)
    assert_drawn(two.images(entry, "2")[0], "its driver is killed", 7, (256, 256))
    assert sandbox.billed == 2


def test_the_same_prompt_queued_twice_at_once(comfy: PaidServer) -> None:
    first, second = comfy.queue(saved("twice at once")), comfy.queue(saved("twice at once"))
    assert comfy.wait(first)["status"]["status_str"] == "success"
    assert comfy.wait(second)["status"]["status_str"] == "success"
    assert comfy.sandbox.billed == 1


def test_the_same_request_in_two_nodes_is_one_task(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": generate("one task, two nodes"),
            "2": save(["1", 0]),
            "3": show(["1", 3]),
            "4": generate("one task, two nodes"),
            "5": save(["4", 0]),
            "6": show(["4", 3]),
        }
    )
    comfy.succeeded(entry)
    for node in ("2", "5"):
        assert_drawn(comfy.images(entry, node)[0], "one task, two nodes", 7, (256, 256))
    assert sorted(info_of(entry, node)["credits"] for node in ("3", "6")) == [0, 25]
    assert comfy.sandbox.billed == 1


def test_the_browser_goes_away(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)
    prompt_id = comfy.queue(saved("a closed tab"), client_id="closing")
    comfy.sandbox.wait("answered")
    comfy.socket("closing").close()
    comfy.sandbox.finish()
    until("the image", state_is(comfy, "a closed tab", "collected"))
    until("the prompt's end", lambda: prompt_id in comfy.get_json(f"/history/{prompt_id}"))
    entry = comfy.history(prompt_id)
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "a closed tab", 7, (256, 256))
    comfy.succeeded(comfy.run(saved("a closed tab")))
    assert comfy.sandbox.billed == 1


def test_a_dead_link_of_a_collected_task_is_no_matter(comfy: PaidServer) -> None:
    comfy.succeeded(comfy.run(saved("its link dies")))
    comfy.sandbox.script(on="download", status=403, times="always")
    comfy.sandbox.script(on="poll", status=404, times="always")
    entry = comfy.run({"1": task_wait(comfy.sandbox.task()["task_id"]), "2": save(["1", 0])})
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "its link dies", 7, (256, 256))


def test_partial_success_gives_the_good_ones_and_the_next_run_only_the_rest(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", seed=51, task={"fail": "a blot"})
    workflow = saved("three, one fails", seed=50, count=3)
    entry = comfy.run(workflow)
    comfy.succeeded(entry)
    pictures = comfy.images(entry, "2")
    for picture, seed in zip(pictures, (50, 52), strict=True):
        assert_drawn(picture, "three, one fails", seed, (256, 256))
    info = info_of(entry)
    (failure,) = info["failures"]
    assert (failure["seed"], failure["code"]) == (51, "task_failed")
    assert "a blot" in failure["error"]
    assert failure["task_id"] == info["task_ids"][1]
    assert info["credits"] == 50, "what failed is refunded"
    assert (comfy.sandbox.billed, comfy.sandbox.refunded) == (3, 1)
    again = comfy.run(workflow)
    comfy.succeeded(again)
    assert len(comfy.images(again, "2")) == 3
    assert comfy.sandbox.billed == 4
    assert info_of(again)["credits"] == 25


def test_all_failed_is_a_failure(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(fail="a blot")
    told = comfy.error(comfy.run(saved("all fail", count=3)))
    assert told is not None
    assert "a blot" in told["exception_message"]
    assert "2 more failed" in told["exception_message"]
    assert (comfy.sandbox.billed, comfy.sandbox.refunded) == (3, 3)


def test_a_blocked_failure_is_tried_again_at_the_next_run(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", task={"fail": "not today"})
    workflow = saved("blocked, then well", on_failure="block")
    first = comfy.run(workflow)
    assert "2" not in comfy.succeeded(first)
    second = comfy.run(workflow)
    comfy.succeeded(second)
    assert_drawn(comfy.images(second, "2")[0], "blocked, then well", 7, (256, 256))
    assert (comfy.sandbox.billed, comfy.sandbox.refunded) == (2, 1)
    comfy.succeeded(comfy.run(workflow))
    assert comfy.sandbox.billed == 2


def test_what_ran_before_all_was_loaded_comes_out_of_the_cache_as_well(comfy_server: ServerFactory) -> None:
    server: PaidServer = comfy_server(environment={"STORY_IMPORT_SECONDS": "3"})
    workflow = saved("the first of the day")
    server.succeeded(server.run(workflow))
    again = server.run(workflow)
    server.succeeded(again)
    assert "2" in next(data["nodes"] for kind, data in again["status"]["messages"] if kind == "execution_cached")


def test_a_blocked_task_wait_is_tried_again_at_the_next_run(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)
    ids = text_of(comfy.run({"1": generate("waited too briefly", wait=False), "2": show(["1", 2])}), "2")
    workflow = {"1": task_wait(ids, timeout_s=3, on_failure="block"), "2": save(["1", 0])}
    assert "2" not in comfy.succeeded(comfy.run(workflow))
    comfy.sandbox.finish()
    until("the image", state_is(comfy, "waited too briefly", "collected"))  # or it may be too brief again
    entry = comfy.run(workflow)
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "waited too briefly", 7, (256, 256))
    assert comfy.sandbox.billed == 1


def test_reuse_off_is_a_new_image(comfy: PaidServer) -> None:
    comfy.succeeded(comfy.run(saved("once more")))
    entry = comfy.run(saved("once more", reuse=False))
    comfy.succeeded(entry)
    assert info_of(entry)["credits"] == 25
    assert comfy.sandbox.billed == 2


def test_a_timeout_names_the_id_and_the_image_comes_all_the_same(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)
    told = comfy.error(comfy.run(saved("too slow for its node", timeout_s=5)))  # enough to get an id
    assert told is not None
    task_id = comfy.sandbox.task()["task_id"]
    assert f"Task id: {task_id}" in told["exception_message"]
    assert "timeout_s = 5 s" in told["exception_message"]
    comfy.sandbox.finish()
    until("the image", state_is(comfy, "too slow for its node", "collected"))
    comfy.succeeded(comfy.run({"1": task_wait(task_id), "2": save(["1", 0])}))
    assert comfy.sandbox.billed == 1


def test_the_cap_evicts_what_was_delivered_and_it_comes_back_for_nothing(comfy: PaidServer) -> None:
    results = comfy.state_directory / "results"

    def files(row: dict[str, object]) -> list[str]:
        return [path.name for path in results.glob(f"{row['task_id']}*")]

    comfy.succeeded(comfy.run(saved("delivered and evicted")))
    (first,) = rows(comfy, "delivered and evicted")
    until("delivered", lambda: rows(comfy, "delivered and evicted")[0]["delivered"])
    with settings(comfy, results_max_bytes=1):
        comfy.sandbox.tasks(seconds=None)
        comfy.queue(saved("nobody fetched it"))
        comfy.sandbox.wait("answered", 2)
        comfy.interrupt()
        comfy.sandbox.finish()
        until("collected", state_is(comfy, "nobody fetched it", "collected"))
        (second,) = rows(comfy, "nobody fetched it")
        until("evicted", lambda: not files(first))
        assert files(second), "what no graph has had is never evicted"
    entry = comfy.run({"1": task_wait(str(first["task_id"])), "2": save(["1", 0])})
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "delivered and evicted", 7, (256, 256))
    assert comfy.sandbox.billed == 2


@pytest.mark.parametrize(
    "task_id", ["../x", "https://apiin.one/x", "two words", "x" * 10_000], ids=["path", "url", "words", "long"]
)
def test_a_malformed_id_forms_no_request(comfy: PaidServer, task_id: str) -> None:
    told = comfy.error(comfy.run({"1": task_wait(["v", 0]), "2": save(["1", 0]), "v": value(task_id)}))
    assert told is not None
    assert "is not a task id" in told["exception_message"]
    assert len(told["exception_message"]) < 500
    assert asked(comfy) == []


def test_an_id_nobody_knows_is_said_at_once_beside_good_ones(comfy: PaidServer) -> None:
    good = info_of(comfy.run(saved("the good one of three")))["task_ids"][0]
    before = asked(comfy, "poll")
    ids = {"v": value(f"{good}\nn68nobody_hunyuan3\n../x\n")}
    entry = comfy.run({"1": task_wait(["v", 0]), "2": save(["1", 0]), "3": show(["1", 3]), **ids})
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "the good one of three", 7, (256, 256))
    assert [each["code"] for each in info_of(entry)["failures"]] == ["unknown_task", "invalid_task_id"]
    (more,) = asked(comfy, "poll")[len(before) :]
    assert more["path"].endswith("n68nobody_hunyuan3")
