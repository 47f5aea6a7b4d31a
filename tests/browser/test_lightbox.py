"""The lightbox: a picture as large as the window, what is known of it, arrow keys, two side by side."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, expect

from tests.browser.test_task_list import wear
from tests.kit.browser import Tab
from tests.kit.tasks_page import act, generate, hard_to_read, made, open_tasks, picture, row, unheard

_INSIDE = """box => [...box.querySelectorAll('img, button, dd, figcaption')].filter(each => each.checkVisibility())
  .filter(each => {
    const at = each.getBoundingClientRect();
    const below = each.tagName === 'IMG' && at.bottom > window.innerHeight;
    return at.left < -1 || at.right > window.innerWidth + 1 || below;
  }).map(each => each.outerHTML.slice(0, 120))"""


def opened(tab: Tab) -> Locator:
    return tab.page.locator("dialog.hunyuan-lightbox")


def fact(tab: Tab, name: str) -> Locator:
    return opened(tab).locator(f'[data-fact="{name}"] dd')


@contextmanager
def found(tab: Tab, *sizes: tuple[int, int]) -> Iterator[str]:
    """Tasks of these sizes, oldest first, with a mark in their prompts by which the list is searched."""
    mark = uuid.uuid4().hex[:6]
    search = open_tasks(tab).locator("input[type=search]")
    for number, (width, height) in enumerate(sizes):
        made(tab, f"number {number} {mark}", size="custom", width=width, height=height, seed=100 + number)
    with tab.page.expect_response(lambda answer: f"search={mark}" in answer.url):
        search.fill(mark)
    expect(tab.page.locator(".hunyuan-row")).to_have_count(len(sizes))
    try:
        yield mark
    finally:
        tab.page.evaluate("() => document.querySelectorAll('dialog[open]').forEach(each => each.close())")
        with tab.page.expect_response(lambda answer: "search=&" in answer.url):
            search.fill("")


def test_a_click_shows_the_picture_with_all_that_is_known_and_the_arrows_go_on(tab: Tab) -> None:
    page = tab.page
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with found(tab, (1024, 1024), (1408, 640), (640, 1408)) as mark:
        task_id = str(tab.server.sandbox.state()["tasks"][-1]["task_id"])
        row(tab, f"number 2 {mark}").locator(".hunyuan-look").click()
        image = opened(tab).locator(".hunyuan-frame img")
        expect(image).to_be_visible()
        page.wait_for_function("() => document.querySelector('.hunyuan-frame img').naturalWidth === 640")
        assert opened(tab).evaluate(_INSIDE) == []
        expect(opened(tab).locator(".hunyuan-count")).to_have_text("1 of 3")
        for name, text in (
            ("seed", "102"), ("size", "640×1408"), ("credits", "25 credits"), ("task_id", task_id), ("state", "Done"),
        ):  # fmt: skip
            expect(fact(tab, name)).to_contain_text(text)
        expect(fact(tab, "date")).to_contain_text("20")
        expect(opened(tab).locator(".hunyuan-sheet-prompt p")).to_have_text(f"number 2 {mark}")
        picture(tab, "lightbox-en")
        for name, text in (("prompt", f"number 2 {mark}"), ("seed", "102"), ("task_id", task_id)):
            opened(tab).locator(f'[data-action="copy-{name}"]').click()
            expect(opened(tab).locator(".hunyuan-toasts")).to_contain_text("Copied")  # seen, though a dialog is open
            assert page.evaluate("() => navigator.clipboard.readText()") == text
        opened(tab).get_by_role("button", name="Copy image").click()
        expect(opened(tab).locator(".hunyuan-toasts")).to_contain_text("Image copied")
        kinds = page.evaluate("async () => (await navigator.clipboard.read()).flatMap(each => each.types)")
        assert kinds == ["image/png"]

        page.keyboard.press("ArrowRight")
        expect(fact(tab, "seed")).to_contain_text("101")
        page.keyboard.press("End")
        expect(fact(tab, "seed")).to_contain_text("100")
        page.keyboard.press("ArrowRight")  # the last one
        expect(opened(tab).locator(".hunyuan-count")).to_have_text("3 of 3")
        page.keyboard.press("ArrowLeft")
        expect(fact(tab, "seed")).to_contain_text("101")
        page.keyboard.press("Escape")
        expect(opened(tab)).to_have_count(0)
        expect(row(tab, f"number 1 {mark}")).to_be_focused()
    assert tab.errors() == []


def test_download_downloads_the_original(tab: Tab) -> None:
    prompt = unheard("a sextant")
    found = made(tab, prompt)
    with tab.page.expect_download() as from_the_menu:
        act(found, "download")
    found.locator(".hunyuan-look").click()
    with tab.page.expect_download() as from_the_lightbox:
        opened(tab).get_by_role("button", name="Download").click()
    task_id = tab.server.sandbox.task()["task_id"]
    for download in (from_the_menu.value, from_the_lightbox.value):
        assert download.suggested_filename.startswith(str(task_id))
        assert download.path().read_bytes().startswith(b"\x89PNG")
    tab.page.keyboard.press("Escape")


def test_two_are_compared_side_by_side(tab: Tab) -> None:
    page = tab.page
    with found(tab, (1024, 1024), (1024, 1024), (1408, 640)) as mark:
        row(tab, f"number 2 {mark}").locator(".hunyuan-look").click(modifiers=["Control"])
        row(tab, f"number 0 {mark}").locator(".hunyuan-check").click()
        expect(page.get_by_text("2 chosen")).to_be_visible()
        page.get_by_role("button", name="Compare").click()
        figures = opened(tab).locator("figure")
        expect(figures).to_have_count(2)
        expect(figures.nth(0)).to_contain_text("seed 102")
        expect(figures.nth(1)).to_contain_text("seed 100")
        one, other = (figures.nth(side).bounding_box() for side in (0, 1))
        assert one is not None
        assert other is not None
        assert one["x"] + one["width"] <= other["x"] + 1
        assert abs(one["y"] - other["y"]) < 2
        assert abs(one["width"] - other["width"]) < 2
        assert opened(tab).evaluate(_INSIDE) == []
        picture(tab, "compare-en")
        page.keyboard.press("ArrowLeft")  # the one that is active
        expect(figures.nth(1)).to_contain_text("seed 101")
        figures.nth(0).click()
        page.keyboard.press("ArrowRight")
        expect(figures.nth(0)).to_contain_text("seed 101")
        opened(tab).get_by_role("button", name="One image").click()
        expect(figures).to_have_count(1)
        expect(fact(tab, "seed")).to_contain_text("101")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Choose none").click()
    assert tab.errors() == []


def test_it_fits_a_phone_and_can_be_read_in_both_themes(tab: Tab) -> None:
    page = tab.page
    with found(tab, (640, 1408), (1408, 640)) as mark:
        row(tab, f"number 1 {mark}").locator(".hunyuan-look").click()
        try:
            for width, height in ((390, 780), (780, 390), (1440, 900)):
                page.set_viewport_size({"width": width, "height": height})
                for theme in ("light", "dark"):
                    wear(page, theme)
                    assert opened(tab).evaluate(_INSIDE) == [], (width, theme)
                    assert hard_to_read(opened(tab)) == [], (width, theme)
                opened(tab).locator('[data-action="compare"]').click()
                assert opened(tab).evaluate(_INSIDE) == [], width
                opened(tab).locator('[data-action="compare"]').click()
        finally:
            page.set_viewport_size({"width": 1440, "height": 900})
        page.keyboard.press("Escape")


def test_a_task_without_a_picture_says_why_it_has_none(tab: Tab) -> None:
    tab.server.sandbox.script(on="create", prompt="moderated", status=400, code=1200, message="moderated")
    prompt = unheard("moderated")
    open_tasks(tab)
    tab.server.run(generate(prompt))
    row(tab, prompt).focus()
    tab.page.keyboard.press("Enter")
    expect(opened(tab).locator(".hunyuan-nothing")).to_contain_text("Refused by content moderation")
    expect(opened(tab).locator('[data-action="retry"]')).to_be_enabled()
    expect(opened(tab).locator('[data-action="download"]')).to_be_disabled()
    tab.page.keyboard.press("Escape")
    assert tab.errors() == []
