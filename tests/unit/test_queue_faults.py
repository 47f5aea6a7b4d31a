"""Which of our sentences goes with which node of a prompt that ComfyUI refused."""

from __future__ import annotations

from typing import Any

from tests.kit.pack import load

faults = load("nodes.comfyui.queue_faults")
EMPTY = "prompt is empty: write what the image should show."


def answer(*details: str, type: str = "HunyuanGenerate") -> dict[str, Any]:
    return {"node_errors": {"7": {"class_type": type, "errors": [{"details": each} for each in details]}}}


def test_our_sentence_is_found_for_its_node() -> None:
    assert faults.faults_of(answer("size - x", f"prompt - {EMPTY}"), [EMPTY]) == {"7": EMPTY}
    assert faults.faults_of(answer("width, 64 is below 256"), [EMPTY]) == {}, "ComfyUI's own words"
    assert faults.faults_of(answer(EMPTY, type="KSampler"), [EMPTY]) == {}
    strange_answers: list[Any] = [None, [], {}, {"node_errors": []}]
    for strange in strange_answers:
        assert faults.faults_of(strange, [EMPTY]) == {}


def test_nothing_is_noted_outside_of_a_request() -> None:
    faults.note_fault(EMPTY)
