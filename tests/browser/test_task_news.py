"""News of tasks come whenever they come: between a list and its answer, in the middle of a click. Nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.kit.browser import Tab
from tests.kit.tasks_page import drag_steps, follow_drag, generate, open_tasks, put, row, tell, totals, unheard
from tests.kit.told_tasks import reload, task


def test_news_that_overtake_the_list_are_not_undone_by_it(tab: Tab) -> None:
    open_tasks(tab)
    tab.has_read("tasks")  # its own first list is there
    before = [task("a fetched one", 30), task("a forgotten one", 20), task("an open one", 10)]
    fetched = task("a fetched one", 30, state="collected", seconds=3.0)
    forgotten = task("a forgotten one", 20, hidden=True)
    reload(tab, before, [fetched, forgotten, task("a new one", 40)])

    expect(row(tab, "a fetched one").get_by_text("not used", exact=True)).to_be_visible()
    expect(row(tab, "an open one").get_by_text("Running")).to_be_visible()
    assert tab.page.locator(".hunyuan-row").evaluate_all("rows => rows.map(row => row.dataset.task)") == [
        "a-new-one",
        "a-fetched-one",
        "an-open-one",
    ]
    reload(tab, before)  # what came once does not stay for ever
    expect(row(tab, "a forgotten one")).to_have_count(1)
    expect(row(tab, "a new one")).to_have_count(0)
    assert tab.errors() == []


@contextmanager
def pressed(tab: Tab, found: Locator, by: str) -> Iterator[None]:
    """A button, held down by mouse or key."""
    if by == "mouse":
        found.hover()
        tab.page.mouse.down()
    else:
        found.focus()
        tab.page.keyboard.down("Space")
    yield
    if by == "mouse":
        tab.page.mouse.up()
    else:
        tab.page.keyboard.up("Space")


def press(tab: Tab, found: Locator, by: str, news: list[tuple[str, dict[str, Any]]]) -> None:
    """Presses a button by mouse or key; between down and up come the news."""
    with pressed(tab, found, by):
        tell(tab, news)


BY = pytest.mark.parametrize("by", ["mouse", "key"])


@BY
def test_a_rows_button_acts_though_news_come_while_it_is_pressed(tab: Tab, by: str) -> None:
    open_tasks(tab)
    prompt = f"a pressed one by {by}"
    reload(tab, [task(prompt, 10)])
    tell(tab, [("hunyuan.credits", totals(prompt, 1, undelivered=0))])
    fetched, newer = task(prompt, 10, state="collected", seconds=3.0), task(f"a newer one by {by}", 20)
    news = [("hunyuan.task", fetched), ("hunyuan.task", newer), ("hunyuan.credits", totals(prompt, 2, undelivered=1))]
    press(tab, row(tab, prompt).locator('[data-action="more"]'), by, news)

    menu = tab.page.get_by_role("menu")
    expect(menu).to_be_visible()
    expect(row(tab, prompt).get_by_text("not used", exact=True)).to_be_visible()  # the news are not lost either
    expect(row(tab, "a newer one")).to_have_count(1)
    tab.page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(row(tab, prompt).locator('[data-action="more"]')).to_be_focused()
    assert tab.errors() == []


@BY
@pytest.mark.parametrize("name", ["Show them", "Put all on the canvas"])
def test_a_notes_button_acts_though_news_come_while_it_is_pressed(tab: Tab, name: str, by: str) -> None:
    panel = open_tasks(tab)
    tab.settle()
    session = f"{name} by {by}"
    tell(tab, [("hunyuan.credits", totals(session, 1, undelivered=2))])
    with tab.page.expect_request(lambda request: "state=undelivered" in request.url):
        news = [("hunyuan.credits", totals(session, 2, undelivered=3))]
        press(tab, panel.get_by_role("button", name=name), by, news)
    expect(panel.get_by_text("no workflow has used yet: 3")).to_be_visible()
    panel.get_by_label("Which tasks").select_option("all")
    assert tab.errors() == []


@BY
def test_a_rows_button_acts_though_the_canvas_is_priced_while_it_is_pressed(tab: Tab, by: str) -> None:
    """The line of the price comes, above the list."""
    open_tasks(tab)
    prompt = f"a pressed one beside a priced canvas by {by}"
    reload(tab, [task(prompt, 10)])
    price = tab.page.locator(".hunyuan-run-cost")
    expect(price).to_be_hidden()
    button = row(tab, prompt).locator('[data-action="more"]')
    with pressed(tab, button, by):
        at = button.bounding_box()
        with tab.page.expect_response(lambda answer: answer.url.endswith("/hunyuan/cost")):
            put(tab, generate(unheard("priced")))
        tab.settle()
        assert button.bounding_box() == at
    expect(tab.page.get_by_role("menu")).to_be_visible()
    expect(price).to_be_visible()  # it was not lost either
    tab.page.keyboard.press("Escape")
    assert tab.errors() == []


@BY
def test_a_button_beside_the_picture_acts_though_news_come_while_it_is_pressed(tab: Tab, by: str) -> None:
    open_tasks(tab)
    prompt = f"a picture looked at by {by}"
    looked_at = task(prompt, 20, state="collected", seconds=3.0)
    reload(tab, [looked_at, task("the next one", 10)])
    row(tab, prompt).locator(".hunyuan-look").click()
    lightbox = tab.page.locator("dialog.hunyuan-lightbox")
    press(tab, lightbox.locator('[data-action="next"]'), by, [("hunyuan.task", {**looked_at, "seconds": 77.0})])
    expect(lightbox.locator(".hunyuan-count")).to_have_text("2 of 2")
    lightbox.locator('[data-action="previous"]').click()
    expect(lightbox.locator('[data-fact="took"]')).to_contain_text("77")  # the news are not lost either
    with pressed(tab, lightbox.locator('[data-action="copy-seed"]'), by):
        tell(tab, [("hunyuan.task", {**looked_at, "seconds": 88.0})])
        expect(lightbox.locator('[data-fact="took"]')).to_contain_text("77")
    expect(lightbox.locator('[data-fact="took"]')).to_contain_text("88")  # as soon as the button is up
    tab.page.keyboard.press("Escape")


def test_a_picture_that_is_dragged_stays_in_its_place_though_news_come(tab: Tab) -> None:
    """Whoever lets go of it over the canvas, or gives up, is told so by an event of the element it was taken from."""
    open_tasks(tab)
    prompt = "a dragged picture"
    dragged = task(prompt, 10, state="collected", seconds=3.0, images=1)
    thumbnails = "**/hunyuan/tasks/a-dragged-picture/thumbnail*"
    drawn = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    tab.page.route(thumbnails, lambda route: route.fulfill(content_type="image/svg+xml", body=drawn))
    reload(tab, [dragged])
    look = row(tab, prompt).locator(".hunyuan-look")
    box = look.bounding_box()
    assert box is not None
    with pressed(tab, look, "mouse"):
        follow_drag(tab)
        tab.page.mouse.move(box["x"] + 60, box["y"] + 90)
        tell(tab, [("hunyuan.task", {**dragged, "seconds": 77.0}), ("hunyuan.task", task("one that came above", 20))])
        assert look.bounding_box() == box
        tab.page.mouse.move(box["x"] + 70, box["y"] + 90)
    assert [step.split()[0] for step in drag_steps(tab)] == ["dragstart", "dragend"]
    expect(row(tab, prompt)).to_contain_text("77")  # the news are not lost either
    expect(row(tab, "one that came above")).to_have_count(1)
    tab.page.unroute(thumbnails)
    assert tab.errors() == []


def test_news_that_tell_nothing_new_draw_nothing(tab: Tab) -> None:
    open_tasks(tab)
    prompt = "a row that is told of twice"
    known = task(prompt, 10)
    reload(tab, [known])
    row(tab, prompt).evaluate("element => { element.mark = 'the same element'; }")
    tell(tab, [("hunyuan.task", known)])
    assert row(tab, prompt).evaluate("element => element.mark") == "the same element"
    tell(tab, [("hunyuan.task", {**known, "state": "collected"})])
    assert row(tab, prompt).evaluate("element => element.mark") is None
    assert tab.errors() == []


def test_older_news_do_not_bring_back_what_was_taken_off_the_list(tab: Tab) -> None:
    open_tasks(tab)
    taken, kept = task("a row taken off", 20), task("a row that stays", 10)
    reload(tab, [taken, kept])
    expect(row(tab, "a row taken off")).to_have_count(1)
    news = [{**taken, "hidden": True}, {**taken, "delivered": True}, {**kept, "state": "collected"}]
    tell(tab, [("hunyuan.task", each) for each in news])
    expect(row(tab, "a row that stays").get_by_text("Done")).to_be_visible()
    assert row(tab, "a row taken off").count() == 0
    tell(tab, [("hunyuan.task", {**taken, "restored": True})])  # unless the server says so itself
    expect(row(tab, "a row taken off")).to_have_count(1)
