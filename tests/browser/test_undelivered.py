"""Paid images that wait are told of once after a start, in whatever order the page hears of them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.kit.browser import Tab
from tests.kit.tasks_page import open_tasks, tell, totals

# The server was started anew. The page asks it for the totals, and meanwhile the sweeper fetches an image of before.
_RESTART = """async ({name, steps, answer, totals}) => {
  const {api, extensionManager} = window.app;
  const send = (event, detail) => api.dispatchEvent(new CustomEvent(event, {detail}));
  const known = {
    counts: {}, total: 0, undelivered: 0, left_behind: 0, key_set: true, limits: {},
    credits: {today: {spent: 0, maybe: 0}, session: {spent: 0, maybe: 0}},
  };
  const before = `before ${name}`, session = `after ${name}`;
  const told = [];
  const {fetchApi} = api, {add} = extensionManager.toast;
  extensionManager.toast.add = message => told.push(message.summary);
  let arrive;
  api.fetchApi = (route, ...more) => route.startsWith('/hunyuan/summary')
    ? new Promise(resolve => { arrive = resolve; })
    : fetchApi.call(api, route, ...more);
  const turn = () => new Promise(resolve => setTimeout(resolve));
  const does = {
    // Without a body that is parsed: it is read before the next step comes, however slow the machine is.
    answer: () => arrive({ok: true, json: async () => ({...known, session, ...answer})}),
    totals: () => send('hunyuan.credits', {...known, session, ...totals}),
    task: () => send('hunyuan.task', {
      id: name, session: before, state: 'collected', delivered: false, hidden: false, prompt: '', created_at: 1,
    }),
  };
  try {
    send('hunyuan.credits', {...known, session: before, as_of: 900});
    send('reconnected', null);
    for (let waited = 0; !arrive && waited < 100; waited++) await turn();
    for (const step of steps) {
      does[step]();
      await turn();
    }
  } finally {
    api.fetchApi = fetchApi;
    extensionManager.toast.add = add;
  }
  return told;
}"""
NOTHING_YET = {"as_of": 10, "undelivered": 0, "left_behind": 0}
ONE = {"as_of": 11, "undelivered": 1, "left_behind": 1}
ALREADY_ONE = {"as_of": 12, "undelivered": 1, "left_behind": 1}


def restart(tab: Tab, name: str, steps: tuple[str, ...], answer: dict[str, Any], totals: dict[str, Any]) -> list[str]:
    """What toasts the page made of it."""
    scene = {"name": name, "steps": steps, "answer": answer, "totals": totals}
    return list(tab.page.evaluate(_RESTART, scene))


@pytest.mark.parametrize("answer", [NOTHING_YET, ALREADY_ONE], ids=["asked before it", "asked after it"])
def test_it_is_told_once_in_every_order_of_the_news(tab: Tab, answer: dict[str, Any]) -> None:
    badge = tab.page.locator(".hunyuan-tab-button .p-badge, .hunyuan-tab-button .sidebar-icon-badge")
    for steps in itertools.permutations(("answer", "totals", "task")):
        told = restart(tab, f"{answer['as_of']} {'-'.join(steps)}", steps, answer, ONE)
        assert told == ["Paid images waiting for you: 1"], steps
        expect(badge).to_have_text("1")  # no older answer took it away again
    assert tab.errors() == []


def test_what_this_start_leaves_behind_while_the_page_is_there_is_counted_but_not_told(tab: Tab) -> None:
    stopped = {"as_of": 11, "undelivered": 1, "left_behind": 0}
    assert restart(tab, "own", ("answer", "task", "totals"), NOTHING_YET, stopped) == []
    later = {**ONE, "as_of": 12}
    assert restart(tab, "then", ("answer", "totals", "totals"), NOTHING_YET, later) == [
        "Paid images waiting for you: 1"
    ]
    assert tab.errors() == []


def test_the_keyboard_stays_where_it_is_while_the_numbers_change(tab: Tab) -> None:
    panel = open_tasks(tab)
    tell(tab, [("hunyuan.credits", totals("one", 1, undelivered=2))])
    use_all = panel.get_by_role("button", name="Put all on the canvas")
    use_all.focus()
    for number, said in enumerate(({"undelivered": 2}, {"undelivered": 3}, {"undelivered": 3, "key_set": False})):
        tell(tab, [("hunyuan.credits", totals("one", 2 + number, **said))])
        expect(panel.get_by_text(f"no workflow has used yet: {said['undelivered']}")).to_be_visible()
        expect(use_all).to_be_focused()
    tell(tab, [("hunyuan.credits", totals("one", 9, undelivered=0, key_set=False))])
    expect(panel.get_by_role("button", name="API key and settings")).to_be_focused()  # nothing of it is left

    panel.get_by_role("button", name="Set the API key").press("Enter")
    dialog = tab.page.locator("dialog.hunyuan-dialog")
    expect(dialog).to_be_visible()
    # As after saving: the note that opened it is gone.
    tell(tab, [("hunyuan.credits", totals("one", 10, undelivered=0))])
    expect(panel.get_by_role("button", name="Set the API key")).to_have_count(0)
    tab.page.keyboard.press("Escape")
    expect(panel.get_by_role("button", name="API key and settings")).to_be_focused()
    assert tab.errors() == []
