"""What other packs' nodes hand over: floats that are whole, values of the wrong kind, lists in one text, odd sizes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from devtools.comfy_server import PromptRejected
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import (
    asked,
    assert_drawn,
    edit,
    generate,
    grey,
    info_of,
    rows,
    save,
    saved,
    show,
    task_wait,
    text_of,
    value,
)
from tests.kit.waiting import until

NOTHING_SPENT = "No credits were spent."


def told(server: PaidServer, workflow: dict[str, Any]) -> str:
    """The message that ends this workflow."""
    error = server.error(server.run(workflow))
    assert error is not None
    return str(error["exception_message"])


def test_whole_floats_are_the_same_request_as_integers(comfy: PaidServer) -> None:
    comfy.succeeded(comfy.run(saved("whole numbers", width=320, count=2, timeout_s=60)))
    linked = {name: [f"v{name}", 0] for name in ("width", "height", "seed", "count", "timeout_s")}
    numbers = {"width": 320.0, "height": 256.0, "seed": 7.0, "count": 2.0, "timeout_s": 60.0}
    nodes = {f"v{name}": value(number) for name, number in numbers.items()}
    entry = comfy.run({**saved("whole numbers", **linked), **nodes})
    comfy.succeeded(entry)
    assert info_of(entry)["reused"] == 2
    assert comfy.sandbox.billed == 2
    assert_drawn(comfy.images(entry, "2")[0], "whole numbers", 7, (320, 256))


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("width", 320.5, "320.5"),
        ("height", None, "nothing (None)"),
        ("seed", "7", "the text '7'"),
        ("seed", 1e400, "inf"),
        ("count", True, "True"),
        ("count", [1, 2], "a list of 2"),
        ("timeout_s", 0.5, "0.5"),
        ("timeout_s", 0, "0"),
        ("wait", "false", "the text 'false'"),
        ("reuse", None, "nothing (None)"),
        ("on_failure", "Block", "the text 'Block'"),
        ("size", 1024, "1024"),
        ("prompt", None, "nothing (None)"),
        ("prompt", {"text": "a cat"}, "a dict"),
    ],
)
def test_any_other_value_is_refused_by_the_inputs_name(comfy: PaidServer, name: str, given: Any, shown: str) -> None:
    node = generate("never sent")
    node["inputs"][name] = ["v", 0]
    message = told(comfy, {"1": node, "2": save(["1", 0]), "v": value(given)})
    assert message.startswith(f"{name} must be "), message
    assert shown in message
    assert NOTHING_SPENT in message
    assert comfy.sandbox.billed == 0


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "nothing (None)"),
        ({"images": [[1, 64, 64, 3], [1, 32, 32, 3]]}, "a list of 2 tensors"),
        ({"latent": [1, 4, 8, 8]}, "a LATENT"),
        ("picture.png", "the text 'picture.png'"),
        (7, "7"),
    ],
    ids=["none", "list", "latent", "text", "number"],
)
@pytest.mark.parametrize("node", ["edit", "url"])
def test_what_is_no_image_is_told_in_one_sentence(comfy: PaidServer, node: str, given: Any, shown: str) -> None:
    of_node = {
        "edit": {"1": edit("never sent", image=["v", 0], image_2=["g", 0]), "2": save(["1", 0]), "g": grey(64, 64)},
        "url": {"1": {"class_type": "HunyuanImageToURL", "inputs": {"image": ["v", 0]}}, "2": show(["1", 0])},
    }
    message = told(comfy, {**of_node[node], "v": value(given)})
    assert message.startswith("image must be an IMAGE, got "), message
    assert shown in message
    assert asked(comfy, "create") == []


def test_a_value_of_the_wrong_kind_obeys_on_failure(comfy: PaidServer) -> None:
    workflow = {
        **saved("never sent", width=["v", 0], on_failure="block"),
        "v": value(0.5),
        "4": generate("beside it"),
        "5": save(["4", 0]),
    }
    entry = comfy.run(workflow)
    assert len(comfy.images(entry, "5")) == 1
    assert "2" not in entry["outputs"]


def test_ids_and_urls_may_stand_in_one_line(comfy: PaidServer) -> None:
    first = comfy.run({**saved("three in a line", count=3), "4": show(["1", 1]), "5": show(["1", 2])})
    comfy.succeeded(first)
    ids, urls = text_of(first, "5").split("\n"), text_of(first, "4").split("\n")
    entry = comfy.run({"1": task_wait(f" {ids[0]}, {ids[1]} {ids[2]},\n"), "2": save(["1", 0]), "3": show(["1", 2])})
    comfy.succeeded(entry)
    assert text_of(entry, "3").split("\n") == ids
    for seed, picture in enumerate(comfy.images(entry, "2"), 7):
        assert_drawn(picture, "three in a line", seed, (256, 256))
    merged = comfy.run({"1": edit("two in a line", image_urls=f"{urls[0]}, {urls[1]}"), "2": save(["1", 0])})
    comfy.succeeded(merged)
    assert comfy.sandbox.state(full=True)["creates"][-1]["body"]["images"] == urls[:2]
    from_url = {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": " ".join(urls)}}
    loaded = comfy.run({"1": from_url, "2": save(["1", 0])})
    comfy.succeeded(loaded)
    assert len(comfy.images(loaded, "2")) == 3


def test_a_cut_image_is_told_and_does_not_count_as_delivered(comfy: PaidServer) -> None:
    ids = []
    for prompt, width in (("the size that counts", 256), ("cut to it", 512), ("of the same size", 256)):
        entry = comfy.run({"1": generate(prompt, width=width, wait=False), "2": show(["1", 2])})
        comfy.succeeded(entry)
        ids.append(text_of(entry, "2"))
    entry = comfy.run({"1": task_wait("\n".join(ids)), "2": save(["1", 0]), "3": show(["1", 3])})
    comfy.succeeded(entry)
    assert [picture.size for picture in comfy.images(entry, "2")] == [(256, 256)] * 3
    (note,) = info_of(entry)["notes"]
    assert f"Image 2 (task {ids[1]}) was scaled and cut from 512" in note
    until("delivered", lambda: rows(comfy, "of the same size")[0]["delivered"])
    assert rows(comfy, "the size that counts")[0]["delivered"]
    assert not rows(comfy, "cut to it")[0]["delivered"], "what the graph has is not what was paid for"
    alone = comfy.run({"1": task_wait(ids[1]), "2": save(["1", 0])})
    comfy.succeeded(alone)
    until("delivered", lambda: rows(comfy, "cut to it")[0]["delivered"])


def from_url(image_urls: str) -> dict[str, Any]:
    return {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": image_urls}}


A_URL = "https://a.example/x.png"
REFUSED_AT_ONCE: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # the node, the field, and what is said of it in English and in Chinese
    "empty prompt": (generate(" \n "), "prompt", "prompt is empty", "提示词为空"),
    "long prompt": (generate("x" * 2001), "prompt", "prompt has 2001 characters", "最多 2000 个"),
    "half a character": (generate("\ud83d in the middle"), "prompt", "half a character", "半个字符"),
    "empty prompt of an edit": (edit("", image=["g", 0]), "prompt", "prompt is empty", "提示词为空"),
    "no image": (edit("of nothing", image_urls=""), "image_urls", "An edit needs an image", "编辑需要一张图像"),
    "no image, no field": (edit("of nothing"), "prompt", "An edit needs an image", "编辑需要一张图像"),
    "too many": (edit("of 3", image=["g", 0], image_urls=f"{A_URL}, {A_URL}"), "image_urls", "got at least 3", "3 张"),
    "no URL of an edit": (edit("of a file", image_urls="x.png"), "image_urls", "'x.png'", "'x.png'"),
    "task id": (task_wait("n68a1_hunyuan3\n../x"), "task_ids", "'../x', which is not a task id", "不是任务 ID"),
    "no task id": (task_wait(" \n"), "task_ids", "task_ids is empty", "任务 ID 为空"),
    "too many ids": (task_wait("\n".join(f"id-{n}" for n in range(201))), "task_ids", "holds 201 ids", "201 个"),
    "no URL": (from_url(""), "image_urls", "image_urls is empty", "图像链接为空"),
    "another URL": (from_url("file:///etc/passwd"), "image_urls", "'file:///etc/passwd'", "file:///etc/passwd"),
    "small size": (generate("x", size="64*64"), "size", "size is '64*64': pick one", "尺寸为 '64*64'"),
    "no size": (edit("x", image=["g", 0], size="big"), "size", "size is 'big'", "尺寸为 'big'"),
    "match without an input": (generate("x", size="match input"), "size", "match input", "match input"),
    "width": (generate("x", width=64), "width", "", ""),
    "count": (generate("x", count=9), "count", "", ""),
}


@dataclass
class Shared:
    """A ComfyUI of several users, by the language each has set."""

    server: PaidServer
    users: dict[str, str] = field(default_factory=dict)

    def log_in(self, locale: str) -> None:
        """What is queued from now on is this user's."""
        if locale not in self.users:
            answer = self.server.http.post(f"{self.server.url}/users", json={"username": locale}, timeout=30)
            self.users[locale] = str(answer.json())
            folder = self.server.base / "user" / self.users[locale]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "comfy.settings.json").write_text(json.dumps({"Comfy.Locale": locale}))
        self.server.http.headers["Comfy-User"] = self.users[locale]


@pytest.fixture(scope="module")
def shared(session_servers: ServerFactory) -> Shared:
    arguments = ("--disable-api-nodes", "--multi-user")
    return Shared(session_servers(arguments=arguments, environment={"HUNYUAN_API_KEY": None}))


@pytest.mark.parametrize("case", REFUSED_AT_ONCE)
def test_what_stands_in_the_graph_is_refused_when_it_is_queued(shared: Shared, case: str) -> None:
    node, name, *said = REFUSED_AT_ONCE[case]
    workflow = {"1": node, "2": save(["1", 0]), "g": grey(64, 64)}
    for locale, words in zip(("en", "zh"), said, strict=True):
        shared.log_in(locale)
        with pytest.raises(PromptRejected) as refused:
            shared.server.queue(workflow)
        faults = refused.value.errors["node_errors"]["1"]["errors"]
        (told,) = [fault for fault in faults if fault["extra_info"]["input_name"] == name]
        assert words in told["details"]
    assert shared.server.sandbox.requests() == []


def test_linked_values_are_looked_at_when_the_node_runs(comfy: PaidServer) -> None:
    for node in (
        generate(["v", 0]),
        edit(["v", 0], image=["g", 0]),
        edit("of nothing", image_urls=["v", 0]),
        task_wait(["v", 0]),
    ):
        message = told(comfy, {"1": node, "2": save(["1", 0]), "g": grey(64, 64), "v": value(" ")})
        assert NOTHING_SPENT in message
    assert asked(comfy, "create") == []


def test_a_refusal_keeps_its_chinese_where_the_console_knows_no_chinese(comfy_server: ServerFactory) -> None:
    server = comfy_server(environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, start=False)
    folder = server.base / "user" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comfy.settings.json").write_text(json.dumps({"Comfy.Locale": "zh"}))
    server.fork = False
    server.start()
    for node in (generate(" "), task_wait("../编号")):
        with pytest.raises(PromptRejected) as refused:
            server.queue({"1": node, "2": save(["1", 0])})
        faults = refused.value.errors["node_errors"]["1"]["errors"]
        assert all(re.search("[\u4e00-\u9fff]{4}", fault["details"]) for fault in faults), faults
    server.succeeded(server.run({"1": grey(64, 64), "2": save(["1", 0])}))


def test_the_language_is_that_of_the_prompts_user(shared: Shared) -> None:
    for locale, words in (("zh", "未设置 API 密钥"), ("en", "No API key is set"), ("zh", "未设置")):
        shared.log_in(locale)
        error = shared.server.error(shared.server.run(saved(f"in {locale}"), client_id=locale))
        assert error is not None
        assert error["exception_message"].startswith(words)
