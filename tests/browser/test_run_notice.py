"""Why a run failed is seen at once, with the next step as a button; a key that is wrong is asked for."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Locator, expect

from devtools.paths import ROOT
from tests.browser.conftest import TabFactory
from tests.kit.browser import Tab
from tests.kit.faces import Face
from tests.kit.routes import save
from tests.kit.tasks_page import (
    close_tasks,
    generate,
    hard_to_read,
    made,
    open_tasks,
    picture,
    put,
    row,
    unheard,
    wait_for_output,
    wait_until_idle,
)

WORDS = {
    "en": {"retry": "Run again", "show": "Show the node", "limit": "Raise the limit", "task": "Open the task"},
    "zh": {"retry": "再次运行", "show": "定位节点", "limit": "提高上限", "task": "查看任务"},
}


def notice_after(tab: Tab, **rule: Any) -> Locator:
    """The notice that a run gets whose create is answered so."""
    tab.server.sandbox.script(on="create", **rule)
    put(tab, generate(unheard("a run that fails")))
    tab.queue()
    notice = tab.page.locator(".hunyuan-notice")
    expect(notice).to_be_visible()
    return notice


def test_the_reason_is_seen_at_once_and_a_retry_runs(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    words = WORDS[face.locale]
    notice = notice_after(tab, status=200, code=1200, message="flagged")
    expect(notice).to_have_attribute("data-code", "moderation")
    expect(notice.get_by_role("button", name=words["show"])).to_be_visible()
    assert hard_to_read(notice) == []
    box = notice.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1440
    picture(tab, f"notice-{face}")
    notice.get_by_role("button", name=words["show"]).click()
    expect(notice).to_have_count(0)
    assert tab.page.evaluate("() => Object.keys(window.app.canvas.selected_nodes)") == ["1"]

    notice = notice_after(tab, task={"fail": "no"})
    notice.get_by_role("button", name=words["retry"]).click()
    expect(notice).to_have_count(0)
    wait_for_output(tab, "2")
    assert tab.errors() == []


def test_it_lies_over_comfyuis_dialog_also_where_a_tooltip_was_shown(tab: Tab) -> None:
    """What the front-end opens over a tooltip, it lifts by a thousand: its own dialog of the same failure."""
    tab.page.locator(".side-bar-button").first.hover()
    expect(tab.page.locator(".p-tooltip")).to_be_visible()
    notice = notice_after(tab, task={"fail": "no"})
    told = tab.page.get_by_role("status").filter(has_text="Generate failed")  # newer ones open no dialog for it
    expect(tab.page.locator(".p-dialog-mask").or_(told).first).to_be_visible()
    notice.get_by_role("button", name="Run again").click()
    wait_for_output(tab, "2")
    tab.page.keyboard.press("Escape")


def test_a_retry_pays_for_nothing_besides(tab: Tab) -> None:
    """Two branches: one failed, the other drew a seed, was paid for and would draw another one."""
    sandbox = tab.server.sandbox
    sandbox.script(on="create", prompt="fails", task={"fail": "no"})
    fails, paid = generate(unheard("it fails"), on_failure="block"), generate(unheard("paid"), seed=-1)
    put(tab, {**fails, "3": paid["1"], "4": {**paid["2"], "inputs": {"images": ["3", 0]}}})
    tab.queue()
    notice = tab.page.locator(".hunyuan-notice")
    expect(notice).to_be_visible()
    wait_for_output(tab, "4")
    notice.get_by_role("button", name="Run again").click()
    wait_for_output(tab, "2")
    prompts = sorted(task["prompt"].split()[0] for task in sandbox.state()["tasks"])
    assert prompts == ["it", "it", "paid"]
    assert tab.errors() == []


def test_what_would_draw_and_pay_again_is_not_offered_as_a_retry(tab: Tab) -> None:
    sandbox = tab.server.sandbox
    sandbox.script(on="create", prompt="fails", task={"fail": "no"})
    drawn, edit = generate(unheard("drawn anew"), seed=-1), generate(unheard("it fails"))
    edit["1"] = {"class_type": "HunyuanEdit", "inputs": {**edit["1"]["inputs"], "image": ["3", 0]}}
    put(tab, {**edit, "3": drawn["1"]})
    tab.queue()
    notice = tab.page.locator(".hunyuan-notice")
    expect(notice).to_be_visible()
    expect(notice.get_by_role("button", name="Run again")).to_have_count(0)
    tab.load_api(generate(unheard("another workflow")), "another")
    expect(notice).to_have_count(0)


def test_a_limit_leads_to_its_setting_and_a_late_task_to_the_list(tab: Tab) -> None:
    tab.server.sandbox.tasks(seconds=None)
    prompt = unheard("late")
    tab.server.succeeded(tab.server.run(generate(prompt, wait=False)))  # so that its id is known within the second
    put(tab, generate(prompt, timeout_s=1))
    tab.queue()
    notice = tab.page.locator(".hunyuan-notice")
    expect(notice).to_have_attribute("data-code", "task_timeout")
    notice.get_by_role("button", name="Open the task").click()
    expect(row(tab, prompt)).to_have_count(1)
    expect(tab.page.locator(".hunyuan-row")).to_have_count(1)
    tab.server.sandbox.finish()
    tab.server.sandbox.wait("delivered")
    close_tasks(tab)
    expect(open_tasks(tab).get_by_label("Search prompt or id")).to_have_value("")
    tab.server.sandbox.tasks(seconds=0.1)
    made(tab, unheard("a later one"))

    save(tab.server, credit_limit_per_day=1).raise_for_status()
    try:
        put(tab, generate(unheard("over the limit")))
        tab.queue()
        expect(notice).to_have_attribute("data-code", "credit_limit")
        picture(tab, "notice-limit-en")
        notice.get_by_role("button", name="Raise the limit").click()
        expect(tab.page.get_by_label("Credits a day")).to_be_focused()
        tab.page.keyboard.press("Escape")
    finally:
        save(tab.server, credit_limit_per_day=None).raise_for_status()


def test_an_empty_prompt_is_told_as_clearly(open_tab: TabFactory) -> None:
    tab = open_tab(Face("zh"))
    put(tab, generate(" "))
    tab.queue()
    notice = tab.page.locator(".hunyuan-notice")
    expect(notice).to_contain_text("提示词为空")
    assert tab.server.sandbox.requests("create") == []


def test_a_wrong_key_is_asked_for_and_the_run_goes_on_with_the_right_one(tab: Tab) -> None:
    tab.server.sandbox.script(on="create", status=401, code=401, message="Invalid API key")
    put(tab, generate(unheard("with a wrong key")))
    tab.queue()
    dialog = tab.page.locator("dialog.hunyuan-dialog")
    expect(dialog.get_by_text("The gateway refused the key.")).to_be_visible()
    picture(tab, "key-refused-en")
    dialog.get_by_role("button", name="Save and run").click()
    wait_for_output(tab, "2")


def test_enter_pressed_twice_saves_and_runs_once(tab: Tab) -> None:
    tab.server.sandbox.script(on="create", status=401, code=401, message="Invalid API key")
    put(tab, generate(unheard("runs once"), seed=-1))
    tab.queue()
    dialog = tab.page.locator("dialog.hunyuan-dialog")
    expect(dialog.get_by_text("The gateway refused the key.")).to_be_visible()
    dialog.locator("[data-section=limits] summary").click()
    dialog.get_by_label("Credits a day").fill("5000")
    before = len(tab.server.sandbox.requests("create"))
    dialog.locator("form").evaluate("form => { form.requestSubmit(); form.requestSubmit(); }")
    try:
        wait_for_output(tab, "2")
        tab.settle()
        wait_until_idle(tab)
        assert len(tab.server.sandbox.requests("create")) == before + 1
    finally:
        save(tab.server, credit_limit_per_day=None).raise_for_status()


def test_the_next_run_is_priced_before_it_is_sent(tab: Tab) -> None:
    with tab.page.expect_response("**/hunyuan/cost"):  # of the empty canvas
        panel = open_tasks(tab)
    put(tab, generate(unheard("priced"), count=3))
    priced = panel.locator(".hunyuan-run-cost")
    expect(priced).to_contain_text("Run: 75 credits.")
    picture(tab, "run-cost-en")
    tab.queue()
    wait_for_output(tab, "2", count=3)
    expect(priced).to_contain_text("Run: 0 credits, already paid.")
    tab.page.evaluate(
        "() => { window.app.graph.getNodeById(1).widgets.find(each => each.name === 'seed').value = 50; }"
    )
    tab.page.evaluate("() => window.app.api.dispatchEvent(new CustomEvent('graphChanged', {detail: null}))")
    expect(priced).to_contain_text("Run: 75 credits.")
    tab.page.evaluate("() => { window.app.extensionManager.queueSettings.batchCount = 2; }")
    expect(priced).to_contain_text("Run: at least 75 credits.")
    tab.page.evaluate("() => { window.app.extensionManager.queueSettings.batchCount = 1; }")
    tab.page.evaluate("() => { window.app.graph.getNodeById(1).mode = 4; window.app.graph.change(); }")
    tab.page.evaluate("() => window.app.api.dispatchEvent(new CustomEvent('graphChanged', {detail: null}))")
    expect(priced).to_be_hidden()
    assert tab.errors() == []


def test_a_subgraph_shows_what_is_paid_inside_of_it(face_tab: Tab) -> None:
    tab, face = face_tab, face_tab.face
    blueprint = ROOT / "subgraphs" / "Hunyuan generate then edit.json"
    tab.load(json.loads(blueprint.read_text(encoding="utf-8")))
    tab.settle()
    words = {"en": "50 credits", "zh": "50 积分"}[face.locale]
    badges = tab.page.evaluate(
        """() => window.app.graph.nodes[0].badges
          .map(badge => (typeof badge === 'function' ? badge() : badge).text)"""
    )
    assert words in badges
    priced = open_tasks(tab).locator(".hunyuan-run-cost")
    expect(priced).to_contain_text("50")
    tab.page.evaluate(
        """() => {
          window.app.graph.nodes[0].mode = 2;
          window.app.api.dispatchEvent(new CustomEvent('graphChanged', {detail: null}));
        }"""
    )
    expect(priced).to_be_hidden()
    assert tab.errors() == []
