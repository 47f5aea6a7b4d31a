"""Requests that fail once, a websocket that is replaced, a server that could not start: the page gets it right."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TabFactory
from tests.kit.browser import Tab
from tests.kit.comfy_fixtures import ServerFactory
from tests.kit.faces import Face
from tests.kit.routes import save
from tests.kit.tasks_page import generate, open_tasks, put, row, tell, totals, unheard

# The first request that begins so fails, and the page has drawn what it makes of that.
_FAIL_ONCE = """async ([route, how]) => {
  const {api} = window.app;
  const {fetchApi} = api;
  const failed = new Promise(resolve => {
    api.fetchApi = async (asked, ...more) => {
      if (!asked.startsWith(route)) return fetchApi.call(api, asked, ...more);
      api.fetchApi = fetchApi;
      resolve();
      if (how === 'aborted') throw new TypeError('Failed to fetch');
      return Response.json({error: {code: 'journal', message: 'for a moment'}}, {status: 503});
    };
  });
  api.dispatchEvent(new CustomEvent('reconnected', {detail: null}));
  await failed;
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""
_BADGES = """() => window.app.graph.nodes
  .flatMap(node => node.badges.map(badge => (typeof badge === 'function' ? badge() : badge).text)).join()"""
_LETS_IN_VUE = """() => [...document.querySelectorAll('script[type=importmap]')]
  .some(map => map.textContent.includes('"vue"'))"""
HOW = pytest.mark.parametrize("how", ["aborted", "503"])


@HOW
def test_totals_that_could_not_be_had_are_asked_for_again(tab: Tab, how: str) -> None:
    panel = open_tasks(tab)
    tab.settle()
    tell(tab, [("hunyuan.credits", totals("stale", 1, undelivered=77))])
    stale = panel.get_by_text("no workflow has used yet: 77")
    expect(stale).to_be_visible()
    tab.page.evaluate(_FAIL_ONCE, ["/hunyuan/summary", how])
    expect(stale).to_have_count(0)
    assert tab.errors() == []


@HOW
def test_a_list_that_could_not_be_had_is_asked_for_again(tab: Tab, how: str) -> None:
    panel = open_tasks(tab)
    prompt = unheard("a lighthouse")
    tab.server.run(generate(prompt))
    expect(row(tab, prompt)).to_have_count(1)
    tab.page.evaluate(_FAIL_ONCE, ["/hunyuan/tasks", how])
    expect(row(tab, prompt)).to_have_count(1)
    expect(panel.locator(".hunyuan-empty")).to_be_hidden()
    assert tab.errors() == []


def test_news_go_on_over_a_websocket_that_was_replaced_in_silence(tab: Tab) -> None:
    open_tasks(tab)
    tab.settle()
    with tab.page.expect_response(lambda answer: "/hunyuan/tasks" in answer.url):  # after the totals
        tab.page.evaluate("() => { window.app.api.socket = null; void window.app.api.createSocket(); }")
    prompt = unheard("a lighthouse")
    tab.server.run(generate(prompt))
    expect(row(tab, prompt).get_by_text("Done")).to_be_visible()
    assert tab.errors() == []


def test_what_was_saved_is_asked_for_anew(tab: Tab) -> None:
    tab.command("Hunyuan.SetKey")
    dialog = tab.page.locator("dialog.hunyuan-dialog")
    dialog.locator("[data-section=limits] summary").click()
    dialog.get_by_label("Credits a day").fill("5000")
    try:
        with tab.page.expect_response(
            lambda answer: "/hunyuan/summary" in answer.url and answer.request.method == "POST"
        ):
            dialog.get_by_role("button", name="Save").click()
    finally:
        save(tab.server, credit_limit_per_day=None).raise_for_status()
    assert tab.errors() == []


def test_a_setting_that_kept_everything_from_starting_is_mended_in_the_dialog(
    open_tab: TabFactory, comfy_server: ServerFactory
) -> None:
    server = comfy_server(start=False)
    server.state_directory.mkdir(parents=True, exist_ok=True)
    (server.state_directory / "settings.json").write_text(json.dumps({"max_in_flight": 999}))
    server.start()
    tab = open_tab(server=server)
    panel = open_tasks(tab)
    said = panel.locator(".hunyuan-empty")
    expect(said).to_contain_text("max_in_flight")
    other = open_tab(server=server)  # nobody saves in this one
    expect(open_tasks(other).locator(".hunyuan-empty")).to_contain_text("max_in_flight")

    tab.command("Hunyuan.SetKey")
    dialog = tab.page.locator("dialog.hunyuan-dialog")
    dialog.get_by_label("Tasks at the same time").fill("3")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    for each in (tab, other):
        page = each.page.locator(".hunyuan-panel")
        expect(page.locator(".hunyuan-empty")).to_contain_text("No tasks yet.")
        expect(page.locator(".hunyuan-credits")).to_be_visible()
        assert [text for text in each.errors() if "503" not in text] == []


def test_the_badge_of_a_run_whose_end_nobody_heard_goes(open_tab: TabFactory) -> None:
    tab = open_tab(Face("en", vue_nodes=True))
    put(tab, generate("a lighthouse"))
    tab.page.evaluate(
        """() => window.app.api.dispatchEvent(new CustomEvent('progress_text', {detail: {
          nodeId: '1', text: 'running · 12 s · task x · 25 credits'}}))"""
    )
    has_badge = tab.page.evaluate(_LETS_IN_VUE)  # newer front-ends show the text itself, and ComfyUI clears that
    assert ("running · 12 s" in tab.page.evaluate(_BADGES)) is has_badge
    tab.page.evaluate("() => window.app.api.dispatchEvent(new CustomEvent('reconnected', {detail: null}))")
    assert "running" not in tab.page.evaluate(_BADGES)


def test_of_two_tests_the_later_one_speaks(tab: Tab) -> None:
    tab.page.evaluate(
        """() => {
          const {api} = window.app;
          const {fetchApi} = api;
          window.answers = [];
          api.fetchApi = (route, ...more) => route !== '/hunyuan/test' ? fetchApi.call(api, route, ...more)
            : new Promise(resolve => {
              window.answers.push(ok => resolve(Response.json({ok, fault: 'key', message: '', said: '', place: ''})));
              if (window.answers.length === 2) api.fetchApi = fetchApi;
            });
        }"""
    )
    tab.command("Hunyuan.SetKey")
    section = tab.page.locator("dialog.hunyuan-dialog [data-section=key]")
    test = section.get_by_role("button", name="Test the key")
    test.click()
    test.click()
    answer = "async ([which, ok]) => { window.answers[which](ok); await new Promise(done => setTimeout(done)); }"
    tab.page.evaluate(answer, [0, False])
    expect(section.locator(".hunyuan-result")).to_have_text("Testing …")
    expect(test).to_have_attribute("aria-busy", "true")
    tab.page.evaluate(answer, [1, True])
    expect(section.locator(".hunyuan-result")).to_contain_text("Works.")
    expect(test).not_to_have_attribute("aria-busy", "true")
    tab.page.keyboard.press("Escape")
    assert tab.errors() == []
