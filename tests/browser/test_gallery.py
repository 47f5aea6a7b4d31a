"""The gallery in the sidebar: what stands where, whole and legible, as a list and as a grid, by pointer and by keys."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.test_task_list import wear
from tests.kit.browser import Tab
from tests.kit.tasks_page import close_tasks, hard_to_read, made, open_tasks, picture, row, tell, unheard
from tests.kit.told_tasks import reload, task

STATES = ("intended", "submitted", "running", "succeeded", "collected", "failed", "unknown")
# Where a row's buttons stand, from the row's own corner.
_PLACES = """rows => rows.map(row => {
  const box = row.getBoundingClientRect();
  return [...row.querySelectorAll('.hunyuan-actions button')].map(button => {
    const at = button.getBoundingClientRect();
    return [at.x - box.x, at.y - box.y, at.width, at.height].map(Math.round).join();
  }).join(' ');
})"""
# Whether a picture is seen whole: inside its frame, fitted, its sides in proportion.
_WHOLE = """frame => {
  const image = frame.querySelector('img'), [box, at] = [frame, image].map(each => each.getBoundingClientRect());
  const inside = at.x >= box.x - 1 && at.y >= box.y - 1 && at.right <= box.right + 1 && at.bottom <= box.bottom + 1;
  return inside && getComputedStyle(image).objectFit === 'contain' && image.naturalWidth / image.naturalHeight;
}"""
_LOOKS_LIKE_AN_INPUT = """field => {
  const brush = document.createElement('canvas').getContext('2d');
  const paint = colour => {
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(field);
  let parent = field.parentElement;
  while (getComputedStyle(parent).backgroundColor === 'rgba(0, 0, 0, 0)') parent = parent.parentElement;
  const around = light(paint(getComputedStyle(parent).backgroundColor));
  const edge = light(paint(style.borderTopColor));  // over what is around it
  paint(getComputedStyle(parent).backgroundColor);
  const inside = light(paint(style.backgroundColor));
  const [dark, bright] = [around, edge].sort((a, b) => a - b);
  return {edge: (bright + 0.05) / (dark + 0.05), inside, around};
}"""


def view(tab: Tab, name: str) -> None:
    tab.page.locator(f'.hunyuan-panel [data-action="view-{name}"]').click()


def each_state(now: float) -> list[dict[str, Any]]:
    """A task in each state, and two of one run."""
    told = [
        task(f"a row that is {state} and has a prompt of several words", now - number, state=state, id=state,
             task_id=f"n{number}_x", size="1024*1024", seed=2_147_483_647, seconds=None if number < 4 else 128.0,
             error_code={"failed": "moderation", "unknown": "answer_lost"}.get(state, ""),
             money={"failed": "refunded", "unknown": "maybe", "intended": "maybe"}.get(state, "spent"))
        for number, state in enumerate(STATES)
    ]  # fmt: skip
    run = [task(f"one of a run {n}", now - 20 - n, state="collected", run="r", size="1408*640") for n in range(2)]
    return [*told, *run]


def test_a_row_tells_when_how_large_and_with_which_seed(tab: Tab) -> None:
    prompt = unheard("a compass")
    found = made(tab, prompt, size="custom", width=1408, height=640, seed=4711)
    year_less = tab.page.evaluate(
        """() => new Intl.DateTimeFormat('en', {month: 'short', day: 'numeric'}).format(new Date())"""
    )
    for fact in ("1408×640", "seed 4711", year_less, "25 credits"):
        expect(found).to_contain_text(fact)
    assert prompt in str(found.get_attribute("aria-label"))


@pytest.mark.parametrize("size", [(1408, 640), (640, 1408), (1024, 1024)], ids=str)
def test_pictures_are_seen_whole_in_both_views(tab: Tab, size: tuple[int, int]) -> None:
    width, height = size
    prompt = unheard("a compass")
    found = made(tab, prompt, size="custom", width=width, height=height)
    proportion = pytest.approx(width / height, rel=0.02)
    assert found.locator(".hunyuan-thumbnail").evaluate(_WHOLE) == proportion
    view(tab, "grid")
    cell = tab.page.locator(".hunyuan-cell").first
    expect(cell.locator("img")).to_be_visible()
    assert cell.locator(".hunyuan-thumbnail").evaluate(_WHOLE) == proportion
    assert cell.locator("img").evaluate("image => image.naturalWidth") > 200  # a larger one than the list's
    view(tab, "list")
    assert tab.errors() == []


def test_the_view_is_remembered(tab: Tab) -> None:
    open_tasks(tab)
    reload(tab, each_state(time.time()))
    view(tab, "grid")
    tab.command("Hunyuan.ShowTasks")
    close_tasks(tab)
    open_tasks(tab)
    expect(tab.page.locator(".hunyuan-cell").first).to_be_visible()
    view(tab, "list")
    expect(tab.page.locator(".hunyuan-row").first).to_be_visible()


def heads(tab: Tab) -> list[str]:
    return [text.replace("\n", " ") for text in tab.page.locator(".hunyuan-head").all_inner_texts()]


def test_a_runs_tasks_stand_together_under_their_day_with_what_they_cost(tab: Tab) -> None:
    open_tasks(tab)
    noon = time.mktime((*time.localtime()[:3], 12, 0, 0, 0, 0, -1))
    told = [
        task("a single one", noon + 50, state="collected"),
        task("of a run 1", noon + 40, state="collected", run="run-1", images=0),
        task("of another", noon + 30, state="collected", run="run-2"),  # began between those of the run
        task("of a run 2", noon + 20, state="failed", money="refunded", run="run-1"),
        task("of a run 3", noon + 10, state="unknown", money="maybe", run="run-1"),
        task("of the day before", noon - 86400, state="collected"),
    ]
    reload(tab, told)
    clock = time.strftime("%H:%M", time.localtime(noon + 40))
    expect(tab.page.locator(".hunyuan-head")).to_have_count(3)
    assert heads(tab) == [
        "Today 5 tasks · 75 credits, 25 maybe",
        f"Run at {clock} 3 tasks · 25 credits, 25 maybe",
        "Yesterday 1 task · 25 credits",
    ]
    in_order = ["a-single-one", "of-a-run-1", "of-a-run-2", "of-a-run-3", "of-another", "of-the-day-before"]
    assert tab.page.locator("[data-task]").evaluate_all("all => all.map(each => each.dataset.task)") == in_order
    marked = tab.page.locator(".hunyuan-in-run").evaluate_all("all => all.map(each => each.dataset.task)")
    assert marked == in_order[1:4]
    view(tab, "grid")
    expect(tab.page.locator(".hunyuan-cell")).to_have_count(6)
    assert heads(tab)[1].startswith("Run at")
    view(tab, "list")


def test_a_day_that_is_not_wholly_loaded_does_not_tell_a_wrong_sum(tab: Tab) -> None:
    open_tasks(tab)
    now = time.time()
    reload(tab, [task(f"number {n}", now - n / 100, state="collected") for n in range(200)], more=True)
    expect(tab.page.locator(".hunyuan-head-day").first).to_contain_text("200+ tasks · 5000+ credits")


def test_each_state_offers_what_it_wants_and_the_places_do_not_move(tab: Tab) -> None:
    open_tasks(tab)
    now = time.time()
    reload(tab, each_state(now))
    expect(tab.page.locator("[data-task]").first).to_be_visible()
    places = tab.page.locator("[data-task]").evaluate_all(_PLACES)
    assert len(set(places)) == 1, places
    offered = {state: tab.page.locator(f'[data-task="{state}"] .hunyuan-small').all_inner_texts() for state in STATES}
    assert offered["running"] == offered["submitted"] == ["Collect", "Variation"]
    assert offered["failed"] == offered["unknown"] == ["Retry", "Variation"]
    expect(tab.page.locator('[data-task="intended"] [data-action="collect"]')).to_be_disabled()
    for code, words in (("given_up", "No readable image came"), ("ended_process", "ComfyUI ended while it read")):
        succeeded = next(each for each in each_state(now) if each["id"] == "succeeded")
        tell(tab, [("hunyuan.task", {**succeeded, "error_code": code, "error_text": "No image."})])
        row = tab.page.locator('[data-task="succeeded"]')
        expect(row).to_contain_text(words)
        expect(row.locator(".hunyuan-state")).to_have_text("Not fetched")
        expect(row.locator(".hunyuan-small").first).to_have_text("Collect")
    running = next(each for each in each_state(now) if each["id"] == "running")
    tab.page.route("**/hunyuan/tasks/running/thumbnail*", lambda route: route.fulfill(status=200, body=b""))
    tell(tab, [("hunyuan.task", {**running, "state": "collected", "images": 1})])
    expect(tab.page.locator('[data-task="running"] .hunyuan-small').first).to_have_text("Use")
    assert set(tab.page.locator("[data-task]").evaluate_all(_PLACES)) == set(places)
    for name in ("running", "failed"):
        tab.page.locator(f'[data-task="{name}"] [data-action="more"]').click()
        entries = tab.page.get_by_role("menu").locator("[role=menuitem]")
        names = entries.evaluate_all("all => all.map(each => each.dataset.action)")
        assert names == [
            "open", "use", "wait", "again", "download", "tab", "picture", "prompt", "id", "link", "workflow", "forget",
        ]  # fmt: skip
        tab.page.keyboard.press("Escape")
    tab.page.unroute("**/hunyuan/tasks/running/thumbnail*")


def test_nothing_is_cut_off_at_the_default_width_and_on_a_phone(face_tab: Tab) -> None:
    tab = face_tab
    try:
        panel = open_tasks(tab)
        reload(tab, each_state(time.time()))
        for width in (1280, 390):  # as narrow as the sidebar gets by itself; a phone
            tab.page.set_viewport_size({"width": width, "height": 900})
            for theme in ("light", "dark"):
                wear(tab.page, theme)
                for name in ("list", "grid"):
                    view(tab, name)
                    expect(tab.page.locator(".hunyuan-row, .hunyuan-cell").first).to_be_visible()
                    picture(tab, f"gallery-{name}-{theme}-{width}-{tab.face}")
                    assert hard_to_read(panel) == [], (width, theme, name)
                    assert beyond(panel) == [], (width, theme, name)
                    assert panel.evaluate(_CUT_LABELS) == [], (width, theme, name)
    finally:
        view(tab, "list")
        wear(tab.page, "dark")
        tab.page.set_viewport_size({"width": 1440, "height": 900})


_CUT_LABELS = """panel => [...panel.querySelectorAll('button')]
  .filter(button => button.checkVisibility() && button.scrollWidth > button.clientWidth + 1)
  .map(button => button.textContent)"""


def beyond(panel: Locator) -> list[str]:
    """Elements of the panel that reach out of it, and rows whose contents reach out of them."""
    return list(
        panel.evaluate(
            """panel => {
              const box = panel.getBoundingClientRect();
              const out = [...panel.querySelectorAll('*')].filter(each => each.checkVisibility()).filter(each => {
                const at = each.getBoundingClientRect();
                const row = each.closest('.hunyuan-row')?.getBoundingClientRect();
                return at.left < box.left - 1 || at.right > box.right + 1 || (row && at.bottom > row.bottom + 1);
              });
              return out.map(each => each.outerHTML.slice(0, 120));
            }"""
        )
    )


def test_a_new_day_has_new_sums(tab: Tab) -> None:
    tab.page.evaluate(_MIDNIGHT_IS_NOW)
    with tab.page.expect_response("**/hunyuan/summary"):  # the panel asks for the list alone when it is opened
        open_tasks(tab)


# The first timer that runs for longer than a minute ends at once.
_MIDNIGHT_IS_NOW = """() => {
  const real = window.setTimeout;
  window.setTimeout = (call, wait, ...more) => {
    if (!(wait > 60_000)) return real(call, wait, ...more);
    window.setTimeout = real;
    return real(call, 0, ...more);
  };
}"""


def test_fields_look_like_fields_in_a_light_theme(face_tab: Tab) -> None:
    panel = open_tasks(face_tab)
    for theme in ("light", "dark"):
        wear(face_tab.page, theme)
        for field in (panel.locator("select"), panel.locator("input[type=search]")):
            seen = field.evaluate(_LOOKS_LIKE_AN_INPUT)
            assert seen["edge"] >= 3, (theme, seen)  # WCAG 1.4.11
            assert (seen["inside"] >= seen["around"]) is (theme == "light") or seen["inside"] == seen["around"], seen


def test_a_filter_that_found_nothing_leads_back(tab: Tab) -> None:
    panel = open_tasks(tab)
    made(tab, unheard("a compass"))
    panel.locator("input[type=search]").fill("nothing has this prompt")
    back = panel.get_by_role("button", name="Show all tasks")
    back.click()
    expect(panel.locator("input[type=search]")).to_have_value("")
    expect(panel.locator("select")).to_have_value("all")
    expect(tab.page.locator(".hunyuan-row").first).to_be_visible()
    expect(back).to_have_count(0)


def stops(tab: Tab) -> list[str]:
    """What Tab leads to inside the list."""
    return list(
        tab.page.locator(".hunyuan-list").evaluate(
            "list => [...list.querySelectorAll('*')].filter(each => each.tabIndex >= 0).map(each => each.dataset.task)"
        )
    )


def test_the_list_is_one_stop_and_the_arrows_go_inside(tab: Tab) -> None:
    page = tab.page
    open_tasks(tab)
    reload(tab, [task(f"step {n}", 100 - n, state="collected") for n in range(7)])
    expect(row(tab, "step 0")).to_be_visible()
    assert stops(tab) == ["step-0"]
    page.locator("input[type=search]").focus()
    page.keyboard.press("Tab")
    expect(row(tab, "step 0")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(row(tab, "step 2")).to_be_focused()
    assert stops(tab) == ["step-2"]
    page.keyboard.press("Tab")  # out of it
    assert page.evaluate("() => document.activeElement.closest('.hunyuan-list')") is None
    page.keyboard.press("Shift+Tab")
    expect(row(tab, "step 2")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_text("1 chosen")).to_be_visible()
    page.keyboard.press("Control+a")
    expect(page.get_by_text("7 chosen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("7 chosen")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("dialog.hunyuan-lightbox")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(row(tab, "step 3")).to_be_focused()  # the one that was looked at last

    view(tab, "grid")  # two columns
    expect(page.locator(".hunyuan-cell")).to_have_count(7)
    page.locator(".hunyuan-cell").nth(1).focus()
    for key, goal in (("ArrowDown", 3), ("ArrowLeft", 2), ("ArrowDown", 4), ("ArrowUp", 2), ("End", 6), ("Home", 0)):
        page.keyboard.press(key)
        expect(page.locator(".hunyuan-cell").nth(goal)).to_be_focused()
    assert stops(tab) == ["step-0"]
    view(tab, "list")


def test_the_labels_say_which_image(tab: Tab) -> None:
    open_tasks(tab)
    reload(tab, each_state(time.time()))
    unnamed = tab.page.locator(".hunyuan-row button, .hunyuan-row input").evaluate_all(
        """all => all.filter(each => {
          const prompt = each.closest('[data-task]').querySelector('.hunyuan-prompt').textContent;
          return !each.ariaLabel?.includes(prompt.slice(0, 30));
        }).map(each => each.outerHTML)"""
    )
    assert unnamed == []


def test_escape_asks_before_what_was_entered_is_lost(tab: Tab) -> None:
    page = tab.page
    tab.command("Hunyuan.SetKey")
    dialog = page.locator("dialog.hunyuan-dialog").first
    dialog.locator("[data-section=limits] summary").click()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)  # nothing was entered

    tab.command("Hunyuan.SetKey")
    dialog.locator("[data-section=limits] summary").click()
    dialog.get_by_label("Credits a day").fill("123")
    page.keyboard.press("Escape")
    question = page.locator("dialog.hunyuan-dialog", has_text="has not been saved")
    question.get_by_role("button", name="Cancel").click()
    expect(dialog.get_by_label("Credits a day")).to_have_value("123")
    dialog.get_by_role("button", name="Close").click()  # the cross asks too
    question.get_by_role("button", name="Discard").click()
    expect(page.locator("dialog.hunyuan-dialog")).to_have_count(0)
    assert tab.errors() == []


def test_the_tab_has_a_sign_of_its_own(face_tab: Tab) -> None:
    tab = face_tab
    sign = tab.page.locator(".hunyuan-icon").first
    expect(sign).to_be_visible()
    mask, width = sign.evaluate("icon => [getComputedStyle(icon).maskImage, icon.getBoundingClientRect().width]")
    assert "icon.svg" in mask
    assert width > 10
    assert tab.page.evaluate("async url => (await fetch(url)).ok", mask.split('"')[1])
