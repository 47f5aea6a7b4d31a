"""What the shipped templates say of themselves: cost, both languages, whose they are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from devtools.paths import ROOT
from hunyuan.gateway.models.catalogue import Catalogue
from hunyuan.limits import CREDITS_PER_TASK
from tests.kit.workflow_files import TEMPLATES, note, template, to_api


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_note_tells_the_cost_in_both_languages(name: str) -> None:
    """The cost in the note's two titles is what the nodes of the workflow cost by the catalogue."""
    english, chinese = re.findall(r"^## (.+)$", note(name), re.MULTILINE)
    api = to_api(template(name), unmute=True)
    costs = [cost_of(node["class_type"], node["inputs"]) for node in api.values()]
    credits = CREDITS_PER_TASK if re.search("each|a prompt$", english) else sum(costs)
    assert f"· {credits} credits" in english
    assert re.search(rf"· .*\b{credits} 积分$", chinese)


def cost_of(node: str, inputs: dict[str, Any]) -> int:
    """The credits of one run of a node."""
    if node in ("HunyuanGenerate", "HunyuanEdit"):
        return CREDITS_PER_TASK * int(inputs["count"])
    family = next((each for each in Catalogue().others if each.node == node), None)
    return family.credits(inputs.get("model", family.models[0]), inputs) * int(inputs["count"]) if family else 0


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_note_says_in_chinese_all_that_it_says_in_english(name: str) -> None:
    english, chinese = note(name).split("\n---\n")
    assert english.count("\n- ") == chinese.count("\n- ")
    assert "示例提示词：" in chinese  # the prompts on the nodes are in English
    assert {each for each in re.findall(r"\*\*([^*]+)\*\*", chinese) if each in english} == set()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_nodes_own_title_is_in_both_languages(name: str) -> None:
    titles = [node["title"] for node in template(name)["nodes"] if "title" in node]
    assert [title for title in titles if not re.search(r"[a-z].* · .*[\u4e00-\u9fff]", title)] == []


def test_each_template_is_a_workflow_of_its_own() -> None:
    """The page remembers by this id how a node's last run ended."""
    ids = {template(name)["id"] for name in TEMPLATES}
    assert len(ids) == len(TEMPLATES)
    assert not any(set(each) <= {"0", "-"} for each in ids)


def test_the_template_with_a_subgraph_holds_the_blueprint() -> None:
    blueprint = json.loads((ROOT / "subgraphs" / "Hunyuan edit inside a mask.json").read_text(encoding="utf-8"))
    assert template("04 Edit inside a mask")["definitions"] == blueprint["definitions"]
