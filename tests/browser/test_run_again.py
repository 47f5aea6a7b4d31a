"""From the gallery for credits: "Run again" runs what it said or nothing; the way back to a task's own workflow."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.kit.browser import Tab
from tests.kit.tasks_page import act, generate, made, open_tasks, put, row, tell, unheard, wait_until_idle

# What other packs put around ComfyUI's queue.
_DROPS = {
    "the choice of nodes": """const {queuePrompt} = app;
      app.queuePrompt = async function (number, batch) { return queuePrompt.call(this, number, batch); };
      return () => { app.queuePrompt = queuePrompt; };""",
    "the choice of nodes, later": """const {queuePrompt} = app.api;
      app.api.queuePrompt = async function (number, prompt) { return queuePrompt.call(this, number, prompt); };
      return () => { app.api.queuePrompt = queuePrompt; };""",
    "everything": """const {queuePrompt} = app;
      app.queuePrompt = async function () { return queuePrompt.call(this, 0, 3); };
      return () => { app.queuePrompt = queuePrompt; };""",
}
_AGAIN = """() => window.app.graph.nodes.filter(node => node.type === 'HunyuanGenerate').map(node => {
  const value = name => node.widgets.find(widget => widget.name === name).value;
  return Object.fromEntries(['seed', 'count', 'reuse', 'control_after_generate'].map(name => [name, value(name)]));
})"""


def question(tab: Tab) -> Locator:
    return tab.page.locator("dialog.hunyuan-dialog")


def run(tab: Tab, prompt: str, billed: int = 2) -> None:
    """Agrees to the question, and waits until the second image of that prompt is there."""
    question(tab).locator("footer .hunyuan-primary").click()
    tab.server.sandbox.wait("billed", count=billed)
    expect(row(tab, prompt)).to_have_count(2)
    for number in range(2):
        expect(row(tab, prompt).nth(number)).to_have_attribute("data-state", "collected")
    expect(row(tab, prompt).locator(".hunyuan-mark")).to_have_count(0)


@pytest.fixture
def found(face_tab: Tab) -> Locator:
    """A task that was made with the seed 7."""
    return made(face_tab, unheard("a kettle"))


def test_a_new_seed_is_offered_first_and_only_that_node_runs(face_tab: Tab, found: Locator) -> None:
    tab, sandbox = face_tab, face_tab.server.sandbox
    put(tab, generate(unheard("another on the canvas"), count=4))
    act(found, "again")
    seeds = question(tab).locator("input[type=radio]")
    expect(seeds).to_have_count(2)
    expect(seeds.first).to_be_checked()
    expect(question(tab)).to_contain_text("25")
    offered = int(str(seeds.first.get_attribute("value")))
    assert offered != 7
    assert 0 <= offered < 2**31
    question(tab).locator("footer button").first.click()  # not wanted
    expect(question(tab)).to_have_count(0)
    assert sandbox.billed == 1

    act(found, "variation")
    chosen = int(str(seeds.first.get_attribute("value")))
    run(tab, str(sandbox.task()["prompt"]))
    first, second = sandbox.state()["tasks"]
    assert (first["prompt"], first["size"]) == (second["prompt"], second["size"])
    assert second["seed"] == chosen
    node = tab.page.evaluate(_AGAIN)[-1]
    assert node == {"seed": chosen, "count": 1, "reuse": False, "control_after_generate": "fixed"}
    assert sandbox.billed == 2
    assert tab.errors() == []


_COST = """() => window.app.graph.nodes.flatMap(node => node.badges ?? [])
  .map(badge => (typeof badge === 'function' ? badge() : badge).text).join()"""


def test_a_task_of_another_model_is_found_by_it_and_run_again_on_its_own_node(face_tab: Tab) -> None:
    tab, sandbox = face_tab, face_tab.server.sandbox
    prompt = unheard("a kettle")
    inputs = {"prompt": prompt, "type": "flex", "resolution": "2K", "image_urls": ["1", 1]}
    flux = {"class_type": "HunyuanFlux2", "inputs": inputs}
    seen = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}
    panel = open_tasks(tab)
    tab.server.succeeded(tab.server.run({**generate(f"{prompt} of Hunyuan"), "3": flux, "4": seen}))
    expect(row(tab, prompt)).to_have_count(2)
    panel.locator("select").select_option("model:flux-2")
    expect(row(tab, prompt)).to_have_count(1)
    act(row(tab, prompt), "variation")
    expect(question(tab).locator("input")).to_have_count(0)  # it has no seed
    expect(question(tab)).to_contain_text("24")
    run(tab, prompt, 3)
    panel.locator("select").select_option("all")
    _, first, last = sandbox.state()["creates"]
    assert first["body"] == last["body"]
    assert "24" in tab.page.evaluate(_COST)
    assert tab.errors() == []


def test_pressed_twice_it_asks_once(tab: Tab) -> None:
    """A second dialog under the first would be a second image for a double click."""
    found = made(tab, unheard("a kettle"))
    found.locator('button[data-action="variation"]').evaluate("button => { button.click(); button.click(); }")
    expect(tab.page.locator("dialog.hunyuan-dialog")).to_have_count(1)
    tab.settle()
    expect(tab.page.locator("dialog.hunyuan-dialog")).to_have_count(1)
    tab.page.keyboard.press("Escape")


def test_a_menu_stays_while_news_draw_its_row_anew(tab: Tab) -> None:
    found = made(tab, unheard("a kettle"))
    told = tab.server.get_json(f"/hunyuan/tasks/{found.get_attribute('data-task')}")["task"]
    found.locator('[data-action="more"]').click()
    menu = tab.page.get_by_role("menu")
    expect(menu).to_be_visible()
    tell(tab, [("hunyuan.task", {**told, "seconds": 77.0})])
    expect(found).to_contain_text("77")
    expect(menu).to_be_visible()
    expect(menu.locator('[data-action="workflow"]')).to_have_attribute("aria-disabled", "false")
    tab.page.keyboard.press("Escape")


def test_an_image_without_a_task_id_is_collected_by_our_own(tab: Tab) -> None:
    """It came inside the create's answer."""
    tab.server.sandbox.tasks(shape="direct_b64", seconds=0)
    found = made(tab, unheard("a kettle"))
    act(found, "wait")
    ids = "() => window.app.graph.nodes.find(node => node.type === 'HunyuanTaskWait')?.widgets[0].value"
    tab.page.wait_for_function(ids)
    assert tab.page.evaluate(ids) == found.get_attribute("data-task")


def test_the_same_seed_can_be_taken(face_tab: Tab, found: Locator) -> None:
    tab, sandbox = face_tab, face_tab.server.sandbox
    act(found, "again")
    question(tab).locator("input[value='7']").check()
    run(tab, str(sandbox.task()["prompt"]))
    assert [each["seed"] for each in sandbox.state()["tasks"]] == [7, 7]


def test_a_failed_one_is_tried_again_with_its_own_seed(tab: Tab) -> None:
    sandbox = tab.server.sandbox
    prompt = unheard("a kettle")
    sandbox.script(on="create", prompt=prompt, status=400, code=1200, message="moderated", times=1)
    open_tasks(tab)
    tab.server.run(generate(prompt))
    expect(row(tab, prompt)).to_have_attribute("data-state", "failed")
    act(row(tab, prompt), "retry")
    expect(question(tab).locator("input[value='7']")).to_be_checked()
    question(tab).locator("footer .hunyuan-primary").click()
    sandbox.wait("billed", count=1)
    expect(row(tab, prompt).first).to_have_attribute("data-state", "collected")
    assert sandbox.task()["seed"] == 7


@pytest.mark.parametrize("drops", list(_DROPS))
def test_nothing_is_sent_where_another_pack_drops_the_choice(face_tab: Tab, found: Locator, drops: str) -> None:
    tab, sandbox = face_tab, face_tab.server.sandbox
    put(tab, generate(unheard("another on the canvas"), count=4))
    tab.page.evaluate(f"() => {{ const {{app}} = window; window.restore = (() => {{ {_DROPS[drops]} }})(); }}")
    sent: list[str] = []
    tab.page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/prompt") else None)
    try:
        act(found, "variation")
        question(tab).locator("footer .hunyuan-primary").click()
        said = "没有发送任何请求" if tab.face.locale == "zh" else "Nothing was sent and no credits were spent"
        expect(tab.page.get_by_text(said).first).to_be_visible()
    finally:
        tab.page.evaluate("() => window.restore()")
    assert sent == []
    assert sandbox.billed == 1
    assert tab.page.evaluate("() => window.app.graph.nodes.length") == 4  # the node stands there, to be run by hand
    tab.page.keyboard.press("Escape")  # what ComfyUI itself says of it, and to the console
    assert [told for told in tab.errors() if "PromptExecutionError" not in told] == []


def test_the_users_own_run_goes_on_as_ever(face_tab: Tab) -> None:
    """What holds back the wrong requests is gone when ours is through."""
    tab = face_tab
    tab.page.evaluate("() => { window.known = window.app.api.fetchApi; }")
    prompt = unheard("a kettle")
    act(made(tab, prompt), "again")
    run(tab, prompt)
    tab.page.wait_for_function("() => window.app.api.fetchApi === window.known")


def test_a_tasks_own_workflow_is_opened_where_comfyui_has_it(face_tab: Tab) -> None:
    tab = face_tab
    prompt = unheard("a kettle")
    put(tab, generate(prompt))
    open_tasks(tab)
    tab.queue()
    expect(row(tab, prompt)).to_have_attribute("data-state", "collected")
    wait_until_idle(tab)  # then the run is history
    expect(row(tab, prompt).locator(".hunyuan-mark")).to_have_count(0)  # it was used: no news of it are to come
    tab.page.evaluate("() => window.app.graph.clear()")
    act(row(tab, prompt), "workflow")
    tab.page.wait_for_function(
        "prompt => window.app.graph.nodes.some(node => node.widgets?.some(one => one.value === prompt))", arg=prompt
    )
    assert {node["type"] for node in tab.graph()["nodes"]} == {"HunyuanGenerate", "PreviewImage"}

    tab.server.http.post(f"{tab.server.url}/history", json={"clear": True}, timeout=30).raise_for_status()
    row(tab, prompt).locator('[data-action="more"]').click()
    tab.settle()
    entry = tab.page.get_by_role("menu").locator('[data-action="workflow"]')
    expect(entry).to_have_attribute("aria-disabled", "true")
    tab.page.keyboard.press("Escape")
    assert tab.errors() == []
