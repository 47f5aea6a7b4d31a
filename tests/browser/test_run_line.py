"""The line on a node says how its run ended and what it cost: after the run, after Cancel, and after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.kit.browser import Tab
from tests.kit.tasks_page import generate, picture, put, unheard, wait_for_output

WORDS = {
    "en": {
        "done": "Done · ",
        "moderated": "Refused by moderation · not billed",
        "stopped": "Stopped · the image arrives in Hunyuan tasks · 25 credits",
        "handed_in": "Handed in · 2 tasks · 50 credits",
    },
    "zh": {
        "done": "完成 · ",
        "moderated": "内容审核未通过 · 未计费",
        "stopped": "已停止 · 图像稍后出现在混元任务中 · 25 积分",
        "handed_in": "已提交 · 2 个任务 · 50 积分",
    },
}
_LINE = """id => {
  const node = window.app.graph.getNodeById(id);
  const badges = (node?.badges ?? []).map(badge => (typeof badge === 'function' ? badge() : badge).text);
  const text = node?.widgets?.find(widget => widget.name === '$$node-text-preview');
  return [text?.value ?? '', ...badges].join('|');
}"""


def expect_line(tab: Tab, words: str) -> None:
    """Node 1 says so, and where Nodes 2.0 draw it, it can be read."""
    tab.page.wait_for_function(f"words => ({_LINE})(1).includes(words)", arg=words)
    if tab.face.vue_nodes:
        expect(tab.page.locator('[data-node-id="1"]').first.get_by_text(words).first).to_be_visible()


def test_the_line_stays_after_the_run_and_survives_a_reload(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    words = WORDS[face.locale]
    prompt = unheard("a lighthouse")
    put(tab, generate(prompt))
    tab.queue()
    wait_for_output(tab, "2")
    expect_line(tab, words["done"])
    picture(tab, f"line-done-{face}")
    tab.page.wait_for_function("() => localStorage.getItem('Comfy.PreviousWorkflow') || true")
    tab.reload()
    if not tab.page.evaluate("() => window.app.graph.nodes.length"):
        pytest.fail("the front-end brought no workflow back")
    expect_line(tab, words["done"])
    assert tab.errors() == []


def test_a_node_of_another_file_has_no_line_yet(face_tab: Tab) -> None:
    tab = face_tab
    words = WORDS[tab.face.locale]
    tab.load_api(generate(unheard("the first file")), "first")
    tab.queue()
    wait_for_output(tab, "2")
    expect_line(tab, words["done"])
    tab.load_api(generate(unheard("the second file")), "second")
    tab.settle()
    assert words["done"] not in tab.page.evaluate(_LINE, 1)
    tab.server.sandbox.script(on="create", status=200, code=1200, message="flagged")
    tab.queue()
    expect_line(tab, words["moderated"])


def test_the_line_says_why_it_failed_that_it_was_stopped_and_that_it_was_handed_in(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    words, sandbox = WORDS[face.locale], tab.server.sandbox
    sandbox.script(on="create", status=200, code=1200, message="flagged")
    put(tab, generate(unheard("moderated")))
    tab.queue()
    expect_line(tab, words["moderated"])
    picture(tab, f"line-moderated-{face}")

    sandbox.reset()
    sandbox.tasks(seconds=None)
    put(tab, generate(unheard("stopped")))
    tab.queue()
    sandbox.wait("poll")
    tab.server.interrupt()
    expect_line(tab, words["stopped"])
    sandbox.finish()
    sandbox.wait("delivered")

    put(tab, generate(unheard("handed in"), wait=False, count=2))
    tab.queue()
    expect_line(tab, words["handed_in"])


def test_the_prompt_box_keeps_its_height_while_it_runs(face_tab: Tab) -> None:
    tab = face_tab
    tab.server.sandbox.tasks(seconds=None)
    put(tab, generate(unheard("of a height")))
    tab.settle()
    before = box_height(tab)
    tab.queue()
    tab.server.sandbox.wait("poll")
    tab.settle()
    tab.page.wait_for_function(f"before => Math.abs(({_BOX})() - before) < 5", arg=before)
    tab.server.sandbox.finish()
    tab.server.sandbox.wait("delivered")


_BOX = """() => {
  const vue = window.LiteGraph.vueNodesMode && document.querySelector('[data-node-id="1"] textarea');
  const node = window.app.graph.getNodeById(1);
  return (vue || node.widgets.find(widget => widget.name === 'prompt').element).offsetHeight;
}"""


def box_height(tab: Tab) -> int:
    return int(tab.page.evaluate(_BOX))
