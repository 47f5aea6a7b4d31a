"""HunyuanPromptList in a real ComfyUI: a list downstream, its count, and what it refuses."""

from __future__ import annotations

import pytest

from devtools.comfy_server import PromptRejected
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import assert_drawn, generate, save, show, text_of, value

CSV = 'name,prompt\na,"a red kite, from a table"\nb,a blue boat from a table\nc,\n'


def test_each_prompt_of_the_list_is_a_task_and_all_run_at_once(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)
    workflow = {
        "1": {"class_type": "HunyuanPromptList", "inputs": {"text": CSV}},
        "2": generate(["1", 0]),
        "3": save(["2", 0]),
        "4": show(["1", 1]),
    }
    prompt = comfy.queue(workflow)
    comfy.sandbox.wait("billed", 2)  # both before one has ended
    comfy.sandbox.finish()
    entry = comfy.wait(prompt)
    comfy.succeeded(entry)
    assert text_of(entry, "4") == "2"
    for picture, words in zip(
        comfy.images(entry, "3"), ["a red kite, from a table", "a blue boat from a table"], strict=True
    ):
        assert_drawn(picture, words, 7, (256, 256))
    assert comfy.sandbox.billed == 2


def test_an_empty_text_is_refused_when_it_is_queued_and_a_linked_one_when_it_runs(comfy: PaidServer) -> None:
    node = {"class_type": "HunyuanPromptList", "inputs": {"text": " \n"}}
    with pytest.raises(PromptRejected, match="text is empty"):
        comfy.queue({"1": node, "2": show(["1", 1])})
    for given, words in ((" ", "text holds no prompt"), ([1], "text must be a text"), ("[1]", "Entry 1 of the JSON")):
        linked = {"class_type": "HunyuanPromptList", "inputs": {"text": ["v", 0]}}
        told = comfy.error(comfy.run({"1": linked, "2": show(["1", 1]), "v": value(given)}))
        assert told is not None
        assert words in told["exception_message"]
