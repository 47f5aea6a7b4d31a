"""A page of the list and the news about its tasks come over different connections: no order of them loses anything."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser.harness import Tab
from tests.browser.tasks_page import open_tasks, row

# The list is asked for; before its answer arrives, which the server made earlier, the news come.
_RELOAD = """async ({listed, news}) => {
  const {api} = window.app;
  const {fetchApi} = api;
  let arrive;
  api.fetchApi = (route, ...more) => route.startsWith('/hunyuan/tasks?')
    ? new Promise(resolve => { arrive = () => resolve({ok: true, json: async () => ({tasks: listed, more: false})}); })
    : fetchApi.call(api, route, ...more);
  const turn = () => new Promise(resolve => setTimeout(resolve));
  try {
    api.dispatchEvent(new CustomEvent('reconnected', {detail: null}));
    while (!arrive) await turn();
    for (const detail of news) api.dispatchEvent(new CustomEvent('hunyuan.task', {detail}));
    await turn();
    arrive();
    await turn();
  } finally {
    api.fetchApi = fetchApi;
  }
}"""


def task(prompt: str, created_at: float, **changes: Any) -> dict[str, Any]:
    """A row as the server gives it, under way unless told otherwise."""
    base = {
        "id": prompt.replace(" ", "-"), "task_id": None, "state": "running", "type": "text-to-image", "prompt": prompt,
        "size": None, "seed": 1, "credits": 25, "money": "spent", "created_at": created_at, "seconds": None,
        "delivered": False, "lost": False, "error_code": "", "error_text": "", "images": 0, "links": 0, "version": "",
        "session": "one", "hidden": False,
    }  # fmt: skip
    return {**base, **changes}


def test_news_that_overtake_the_list_are_not_undone_by_it(tab: Tab) -> None:
    open_tasks(tab)
    tab.has_read("tasks")  # its own first list is there
    before = [task("a fetched one", 30), task("a forgotten one", 20), task("an open one", 10)]
    fetched = task("a fetched one", 30, state="collected", seconds=3.0)
    forgotten = task("a forgotten one", 20, hidden=True)
    tab.page.evaluate(_RELOAD, {"listed": before, "news": [fetched, forgotten, task("a new one", 40)]})

    expect(row(tab, "a fetched one").get_by_text("not used", exact=True)).to_be_visible()
    expect(row(tab, "an open one").get_by_text("Running")).to_be_visible()
    assert tab.page.locator(".hunyuan-row").evaluate_all("rows => rows.map(row => row.dataset.task)") == [
        "a-new-one",
        "a-fetched-one",
        "an-open-one",
    ]
    tab.page.evaluate(_RELOAD, {"listed": before, "news": []})  # what came once does not stay for ever
    expect(row(tab, "a forgotten one")).to_have_count(1)
    expect(row(tab, "a new one")).to_have_count(0)
    assert tab.errors() == []
