"""Failures in a ComfyUI that is set to Chinese: all of each is in Chinese, but for the words of others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import rows, save, saved, task_wait
from tests.kit.routes import post

WORDS = "The prompt is not allowed here"
ENGLISH = re.compile(r"[A-Za-z']+(?:,? [A-Za-z']+){2,}")  # three words in a row are a sentence


@pytest.fixture(scope="module")
def chinese(session_servers: ServerFactory) -> PaidServer:
    server: PaidServer = session_servers()
    set_language(server, "zh")
    return server


def set_language(server: PaidServer, locale: str) -> None:
    file = server.base / "user" / "default" / "comfy.settings.json"
    before = json.loads(file.read_text()) if file.exists() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**before, "Comfy.Locale": locale}))


@contextmanager
def in_english(server: PaidServer) -> Iterator[None]:
    set_language(server, "en")
    try:
        yield
    finally:
        set_language(server, "zh")


def told(server: PaidServer, workflow: dict[str, Any]) -> str:
    error = server.error(server.run(workflow))
    assert error is not None
    return str(error["exception_message"]).strip()


def assert_chinese(text: str, *others: str) -> None:
    """others: words of somebody else in it."""
    for words in others:
        assert words in text
        text = text.replace(words, "")
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert ENGLISH.findall(text) == [], text


def test_what_the_gateway_refuses_is_told_in_chinese_with_its_own_words(chinese: PaidServer) -> None:
    chinese.sandbox.script(on="create", prompt="bad", status=400, code=1200, message=WORDS)
    text = told(chinese, saved("it is bad"))
    assert_chinese(text, WORDS)
    assert text.startswith("内容审核未通过（代码 1200）。")
    for part in (f"网关的说明：“{WORDS}”。", "请修改提示词或输入图像。", "未消耗积分。"):
        assert part in text
    assert text.count("内容审核") == 1


def test_in_english_it_reads_as_ever(chinese: PaidServer) -> None:
    chinese.sandbox.script(on="create", prompt="bad", status=400, code=1200, message=WORDS)
    with in_english(chinese):
        assert told(chinese, saved("another bad one")) == (
            f'Content moderation refused the request (code 1200). The gateway says: "{WORDS}". '
            "Change the prompt or the input image. No credits were spent."
        )


def test_a_timeout_names_the_task_and_the_seed_in_chinese(chinese: PaidServer) -> None:
    chinese.sandbox.tasks(seconds=60)
    chinese.succeeded(chinese.run(saved("a slow one", wait=False)))  # so that its id is known within the second
    text = told(chinese, saved("a slow one", timeout_s=1))
    assert_chinese(text)
    assert re.search(r"等待超时，1 秒（timeout_s）内没有完成：.*任务 ID：.*积分", text)


def test_values_and_ids_that_are_refused_here_are_told_in_chinese(chinese: PaidServer) -> None:
    text = told(chinese, {"1": task_wait("hunyuan-no-such-task"), "2": save(["1", 0])})
    assert_chinese(text, "Task not found")
    assert "网关不认识这个任务（404）。" in text
    many = {**saved("linked", count=["9", 0]), "9": {"class_type": "PrimitiveInt", "inputs": {"value": 99}}}
    text = told(chinese, many)
    assert_chinese(text)
    assert "count 必须是 1 到 " in text
    assert "收到的是：99。请检查连到 count 的内容。未消耗积分。" in text


def test_a_lost_answer_is_told_in_chinese_with_all_that_is_known(chinese: PaidServer) -> None:
    chinese.sandbox.script(on="create", prompt="gone", drop="before_answer")
    text = told(chinese, saved("it is gone"))
    assert_chinese(text)
    assert text.startswith("提交请求已发出，但应答丢失：收到完整的应答之前，与 ")
    assert text.endswith("该任务可能已计费，不会自动重发。")


def news_of(server: PaidServer, prompt: str) -> dict[str, Any]:
    """What the page heard of the task's end, which may come after the prompt's."""

    def heard(message: Any) -> bool:
        return message.type == "hunyuan.task" and message.data["prompt"] == prompt and message.data["error_code"]

    return dict(server.wait_for(heard, 60, f"the end of {prompt}").data)


def test_what_the_list_tells_of_a_task_is_chinese_too(chinese: PaidServer) -> None:
    chinese.socket()
    post(chinese, "summary", {"client": "test"}).raise_for_status()
    chinese.sandbox.script(on="create", prompt="cut", drop="before_answer")
    told(chinese, saved("cut in the list"))
    (row,) = rows(chinese, "cut in the list")
    for text in (row["error_text"], news_of(chinese, "cut in the list")["error_text"]):
        assert_chinese(text)
        assert text.startswith("收到完整的应答之前，与 ")
    with in_english(chinese):
        (row,) = rows(chinese, "cut in the list")
        chinese.sandbox.script(on="create", prompt="cut", drop="before_answer")
        told(chinese, saved("cut while the page is open"))
    assert row["error_text"].startswith("The connection to ")
    assert news_of(chinese, "cut while the page is open")["error_text"].startswith("The connection to ")


def test_the_dialog_and_its_tests_are_answered_in_chinese_and_english(chinese: PaidServer) -> None:
    wrong = {"changes": {"max_in_flight": "many"}}
    answer = post(chinese, "settings", wrong).json()["error"]
    assert answer["message"] == "应为 1 到 64 的整数，收到的是 'many'。"
    tried = {"what": "http", "changes": {"http_upload_url": "http://upload.invalid/"}}
    assert_chinese(post(chinese, "test", tried).json()["message"])
    with in_english(chinese):
        answer = post(chinese, "settings", wrong).json()["error"]
        assert answer["message"] == "expected a whole number from 1 to 64, got 'many'."


def test_how_a_run_ended_is_told_in_the_language_of_who_looks(chinese: PaidServer) -> None:
    chinese.sandbox.script(on="create", prompt="bad", status=400, code=1200, message=WORDS)
    told(chinese, saved("bad for two readers"))
    last = chinese.get_json("/hunyuan/runs")["runs"][-1]
    assert last["text"].startswith("内容审核未通过")
    assert last["failure"]["headline"] == "内容审核未通过（代码 1200）。"
    with in_english(chinese):
        last = chinese.get_json("/hunyuan/runs")["runs"][-1]
    assert last["text"] == "Refused by moderation · not billed"
    assert last["failure"]["headline"] == "Content moderation refused the request (code 1200)."


def test_what_keeps_the_pack_from_working_is_told_in_chinese_by_every_node(comfy_server: ServerFactory) -> None:
    server: PaidServer = comfy_server(start=False)
    set_language(server, "zh")
    server.state_directory.parent.mkdir(parents=True, exist_ok=True)
    server.state_directory.write_text("a file where the folder belongs")
    server.start()
    url = {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": "https://a.example/x.png"}}
    picture = {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}
    link = {"class_type": "HunyuanImageToURL", "inputs": {"image": ["1", 0]}}
    show = {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}}
    for workflow in (saved("no folder"), {"2": url, "3": show}, {"1": picture, "2": link, "3": show}):
        assert_chinese(told(server, workflow), str(server.state_directory), "File exists")
