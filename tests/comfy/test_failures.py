"""Each failure says its own sentence, with what it means for the money, and never the key."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import assert_drawn, rows, saved, settings
from tests.kit.known_durations import remember_quick_tasks

NOT_SPENT, MAYBE = "No credits were spent.", "This task may have been billed, not sent again."
# (rule for the create, what the sentence must hold, the row's state, billed)
CREATES: dict[str, tuple[dict[str, Any], tuple[str, ...], str, int]] = {
    "401": ({"status": 401, "code": 401, "message": "Invalid API key"}, ("API key (401)", NOT_SPENT), "failed", 0),
    "402": ({"status": 402, "message": "No credits"}, ("no credits left (402)", "Top up", NOT_SPENT), "failed", 0),
    "404": ({"status": 404, "message": "No such model"}, ("no such address or model (404)", NOT_SPENT), "failed", 0),
    "moderation": (
        {"status": 200, "code": 1200, "message": "flagged"},
        ("moderation", "flagged", NOT_SPENT),
        "failed",
        0,
    ),
    "input": ({"status": 400, "code": 1402, "message": "Unable"}, ("could not fetch an input", NOT_SPENT), "failed", 0),
    "500": ({"status": 500, "message": "oops", "billed": True}, ("failed (500)", MAYBE), "unknown", 1),
    "502 page": ({"status": 502, "body": "html", "billed": True}, ("failed (502)", MAYBE), "unknown", 1),
    "503": ({"status": 503, "message": "down"}, ("failed (503)", MAYBE), "unknown", 0),
    "html": ({"status": 200, "body": "html", "billed": True}, ("web page (HTML)", MAYBE), "unknown", 1),
    "dropped": ({"drop": "before_answer"}, ("broke before the whole answer", MAYBE), "unknown", 1),
}


@pytest.mark.parametrize(("rule", "words", "state", "billed"), CREATES.values(), ids=CREATES)
def test_a_create_that_fails(
    comfy: PaidServer, rule: dict[str, Any], words: tuple[str, ...], state: str, billed: int
) -> None:
    prompt = f"a create that fails: {json.dumps(rule)}"
    comfy.sandbox.script(on="create", **rule)
    told = comfy.error(comfy.run(saved(prompt)))
    assert told is not None
    for each in words:
        assert each in told["exception_message"]
    assert [row["state"] for row in rows(comfy, prompt)] == [state]
    assert len(comfy.sandbox.requests("create")) == 1, "sent once"
    assert comfy.sandbox.billed == billed
    assert_no_dialog(told["exception_message"])


def test_429_waits_and_goes_on(comfy: PaidServer) -> None:
    busy = "The farm is at capacity"
    comfy.sandbox.script(on="create", status=429, retry_after=3, message=busy)  # long enough to be told of
    entry = comfy.run(saved("too many requests"))
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "too many requests", 7, (256, 256))
    assert comfy.sandbox.billed == 1
    texts = [message.data["text"] for message in comfy.messages("progress_text")]
    assert any("gateway busy" in text and busy in text and "nothing spent" in text for text in texts)


def test_what_three_tasks_fail_with_is_said_once(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", status=400, message="Insufficient credits. Please top up.", times="always")
    told = comfy.error(comfy.run(saved("out of credits", count=3)))
    assert told is not None
    said = told["exception_message"]
    assert said.count("no credits left") == 1
    assert said.count("Insufficient credits") == 1
    assert "2 more failed." in said
    assert "No credits were spent." in said
    assert (comfy.sandbox.billed, len(comfy.sandbox.state()["creates"])) == (0, 3)


POLLS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "401": ([{"status": 401, "message": "Invalid API key", "times": "always"}], "API key (401)"),
    "402": ([{"status": 402, "message": "No credits", "times": "always"}], "no credits left (402)"),
}


@pytest.mark.parametrize(("rules", "words"), POLLS.values(), ids=POLLS)
def test_a_poll_that_fails_is_told_and_the_task_stays(
    comfy: PaidServer, rules: list[dict[str, Any]], words: str
) -> None:
    prompt = f"a poll that fails: {words}"
    comfy.sandbox.script(*({"on": "poll", "prompt": prompt, **rule} for rule in rules))
    told = comfy.error(comfy.run(saved(prompt)))
    assert told is not None
    assert words in told["exception_message"]
    assert comfy.sandbox.task()["task_id"] in told["exception_message"]
    comfy.sandbox.clear()
    comfy.succeeded(comfy.run(saved(prompt)))
    assert comfy.sandbox.billed == 1


def test_polls_and_downloads_that_flap_are_outlived(comfy: PaidServer) -> None:
    comfy.sandbox.script(
        {"on": "poll", "prompt": "flapping", "status": 503},
        {"on": "poll", "prompt": "flapping", "status": 200, "body": "html"},
        {"on": "poll", "prompt": "flapping", "drop": "mid_body"},
        {"on": "download", "prompt": "flapping", "status": 404},
        {"on": "download", "prompt": "flapping", "image": "truncated"},
    )
    entry = comfy.run(saved("flapping"))
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "flapping", 7, (256, 256))
    assert comfy.sandbox.billed == 1


@pytest.mark.parametrize("shape", ["general", "upstream", "direct_url", "direct_b64"])
def test_every_answer_shape_gives_its_pixels(comfy: PaidServer, shape: str) -> None:
    comfy.sandbox.tasks(shape=shape, echo="nested")
    entry = comfy.run(saved(f"an answer in shape {shape}"))
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], f"an answer in shape {shape}", 7, (256, 256))
    assert comfy.sandbox.billed == 1


@pytest.fixture(scope="module")
def bare(session_servers: ServerFactory) -> PaidServer:
    """A ComfyUI without key and address in its environment, with a credit limit there, and with a proxy: the sandbox,
    for all but this machine and the names that nobody can resolve."""
    environment = {"HUNYUAN_API_KEY": None, "HUNYUAN_BASE_URL": None, "HUNYUAN_CREDIT_LIMIT_PER_DAY": "100"}
    server: PaidServer = session_servers(environment=environment, start=False)
    server.environment |= {"http_proxy": server.sandbox.url, "no_proxy": "127.0.0.1,.invalid"}
    remember_quick_tasks(server.state_directory)
    server.start()
    return server


def test_no_key_is_said_before_anything_is_sent(bare: PaidServer) -> None:
    with settings(bare, base_url=bare.sandbox.url):
        told = bare.error(bare.run(saved("no key")))
        assert told is not None
        for words in ("No API key", "HUNYUAN_API_KEY", "Settings", NOT_SPENT):
            assert words in told["exception_message"]
    assert bare.sandbox.requests() == []
    assert rows(bare, "no key") == []


def test_a_key_in_the_file_works_without_a_restart(bare: PaidServer) -> None:
    with settings(bare, base_url=bare.sandbox.url, api_key=bare.sandbox.key):
        entry = bare.run(saved("the key is in the file"))
    bare.succeeded(entry)
    assert_drawn(bare.images(entry, "2")[0], "the key is in the file", 7, (256, 256))


def test_a_proxy_from_the_environment_is_used(bare: PaidServer) -> None:
    behind = {"base_url": "http://gateway.example", "allowed_hosts": ["127.0.0.1"]}
    before = len(bare.sandbox.requests())
    with settings(bare, api_key=bare.sandbox.key, **behind):
        entry = bare.run(saved("through the proxy"))
    bare.succeeded(entry)
    assert_drawn(bare.images(entry, "2")[0], "through the proxy", 7, (256, 256))
    sent = [request for request in bare.sandbox.requests()[before:] if request["event"] in ("create", "poll")]
    assert {request["proxied"] for request in sent} == {True}


def test_a_credit_limit_in_the_environment_refuses_a_count_of_eight_naming_the_figures(bare: PaidServer) -> None:
    before = len(bare.sandbox.requests("create"))
    with settings(bare, base_url=bare.sandbox.url, api_key=bare.sandbox.key):
        told = bare.error(bare.run(saved("eight at once", count=8)))
    assert told is not None
    for words in ("200 credits more", "limit of 100 credits", "credit_limit_per_day", NOT_SPENT):
        assert words in told["exception_message"]
    assert len(bare.sandbox.requests("create")) == before
    assert rows(bare, "eight at once") == []


UNREACHED: dict[str, tuple[dict[str, str], str]] = {
    "dns": ({"base_url": "http://no-such-host.invalid"}, "no-such-host.invalid could not be resolved"),
    "refused": ({"base_url": "http://127.0.0.1:1"}, "127.0.0.1:1 refused the connection"),
    "tls": ({"base_url": "https://SANDBOX"}, "does not speak TLS"),
    "proxy": (
        {"base_url": "http://gateway.example", "proxy": "http://someone:hush-hush@127.0.0.1:1"},
        "The proxy 127.0.0.1:1",
    ),
}


@pytest.mark.parametrize(("values", "words"), UNREACHED.values(), ids=UNREACHED)
def test_a_gateway_that_cannot_be_reached(bare: PaidServer, values: dict[str, str], words: str) -> None:
    place = bare.sandbox.url.removeprefix("http://")
    real = {name: value.replace("SANDBOX", place) for name, value in values.items()}
    prompt = f"never arrives: {words}"
    with settings(bare, api_key=bare.sandbox.key, **real):
        told = bare.error(bare.run(saved(prompt)))
    assert told is not None
    assert words in told["exception_message"]
    assert NOT_SPENT in told["exception_message"]
    assert "hush-hush" not in json.dumps(told)
    assert "hush-hush" not in bare.log()


def test_no_key_anywhere_after_all_of_it(comfy: PaidServer, bare: PaidServer) -> None:
    for server in (comfy, bare):
        key = server.sandbox.key
        assert server.sandbox.state()["key_leaks"] == []
        assert key not in server.log()
        assert key not in json.dumps(server.get_json("/history"))
        assert key not in json.dumps(server.get_json("/hunyuan/tasks?limit=1000"))
        assert key not in json.dumps([message.data for message in server.messages()])
        for path in server.base.rglob("*"):
            if path.is_file() and not path.is_symlink() and "custom_nodes" not in path.parts:
                with contextlib.suppress(FileNotFoundError):  # a server that runs takes its files away when it likes
                    assert key.encode() not in path.read_bytes(), path


def assert_no_dialog(text: str) -> None:
    """Words at which ComfyUI's page opens comfy.org's login or shop."""
    assert "Please login first to use this node" not in text
    assert "Please add credits" not in text
