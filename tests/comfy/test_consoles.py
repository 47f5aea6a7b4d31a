"""A console that lacks the letters of a failure: it prints what it can, the page shows all, and the queue goes on."""

from __future__ import annotations

import json

import pytest

from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import assert_drawn, grey, save, saved, settings
from tests.kit.known_durations import remember_quick_tasks

ENCODINGS = ("cp1252", "ascii", "gbk")  # Windows' code pages in the West and in China, and a bare container's
WORDS = "内容违规 → “Bildprüfung” … é 🏮"


@pytest.fixture(params=ENCODINGS)
def narrow(request: pytest.FixtureRequest, comfy_server: ServerFactory) -> PaidServer:
    """A ComfyUI set to Chinese, without a key, whose output is a file in that encoding."""
    environment = {"PYTHONIOENCODING": request.param, "HUNYUAN_API_KEY": None}
    server: PaidServer = comfy_server(environment=environment, start=False)
    server.fork = False  # a fork has the streams of the process it comes from
    remember_quick_tasks(server.state_directory)
    locale = server.user_directory / "default" / "comfy.settings.json"
    locale.parent.mkdir(parents=True)
    locale.write_text(json.dumps({"Comfy.Locale": "zh"}), encoding="utf-8")
    server.start()
    return server


def assert_core_runs(server: PaidServer) -> None:
    """ComfyUI's own nodes, after whatever was before."""
    entry = server.run({"1": grey(64, 64), "2": save(["1", 0])})
    server.succeeded(entry)
    assert server.images(entry, "2")[0].size == (64, 64)


def test_a_failure_in_any_letters_stops_nothing_and_is_shown_whole(narrow: PaidServer) -> None:
    told = narrow.error(narrow.run(saved("no key")))
    assert told is not None
    assert told["exception_type"] == "MissingKeyError"
    assert "未设置 API 密钥" in told["exception_message"]
    assert_core_runs(narrow)

    narrow.sandbox.script(on="create", prompt="refused", status=400, code=1200, message=WORDS)
    narrow.sandbox.script(on="create", prompt="blocked", status=400, code=1200, message=WORDS)
    with settings(narrow, api_key=narrow.sandbox.key):
        told = narrow.error(narrow.run(saved("it is refused")))
        assert told is not None
        assert (told["exception_type"], WORDS in told["exception_message"]) == ("ModerationError", True)
        assert_core_runs(narrow)

        narrow.succeeded(narrow.run(saved("it is blocked", on_failure="block")))
        assert_core_runs(narrow)

        entry = narrow.run(saved("一盏红灯笼 🏮"))
        narrow.succeeded(entry)
        assert_drawn(narrow.images(entry, "2")[0], "一盏红灯笼 🏮", 7, (256, 256))
    assert "Logging error" not in narrow.log()
