"""The sidebar's list: what stands in it, what can be done with it, with mouse and keys, in light and dark."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import Locator, Page, expect

from tests.kit.browser import Tab
from tests.kit.routes import post
from tests.kit.tasks_page import (
    act,
    expect_thumbnail,
    generate,
    hard_to_read,
    open_tasks,
    picture,
    put,
    row,
    unheard,
    wait_for_output,
)

_NAMELESS = """panel => [...panel.querySelectorAll('button, input, select, textarea, summary, [tabindex]')]
  .filter(element => element.checkVisibility() && !element.matches('.hunyuan-list'))
  .filter(element => !(element.ariaLabel || element.innerText?.trim() || element.labels?.length
    || element.getAttribute('aria-labelledby')))
  .map(element => element.outerHTML)"""
_NODES = "type => window.app.graph.nodes.filter(node => node.type === type)"


def ran(tab: Tab, prompt: str) -> Locator:
    """The row of a task that the page ran to its end."""
    open_tasks(tab)
    put(tab, generate(prompt))
    tab.queue()
    wait_for_output(tab, "2")
    found = row(tab, prompt)
    expect(found).to_have_count(1)
    expect_thumbnail(found)
    expect(found).to_contain_text("25 credits")
    return found


def test_a_task_is_opened_copied_and_put_on_the_canvas(tab: Tab) -> None:
    page, sandbox = tab.page, tab.server.sandbox
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    found = ran(tab, unheard("a teapot"))
    task_id = sandbox.task()["task_id"]

    act(found, "id")
    expect(page.get_by_text("Task id copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == task_id
    act(found, "link")
    expect(page.get_by_text("Link copied")).to_be_visible()
    assert f"/results/{task_id}" in page.evaluate("() => navigator.clipboard.readText()")

    with tab.context.expect_page() as opened:
        act(found, "tab")
    opened.value.wait_for_load_state()
    size = opened.value.evaluate("() => [document.images[0].naturalWidth, document.images[0].naturalHeight]")
    assert size == [1024, 1024]
    opened.value.close()

    act(found, "wait")
    page.wait_for_function(f"id => ({_NODES})('HunyuanTaskWait')[0]?.widgets[0].value === id", arg=task_id)
    tab.queue()
    wait_for_output(tab, page.evaluate("() => String(window.app.graph.nodes.at(-1).id)"))
    act(found, "use")
    page.wait_for_function(f"() => ({_NODES})('LoadImage').length === 1")
    name = page.evaluate(f"() => ({_NODES})('LoadImage')[0].widgets.find(widget => widget.name === 'image').value")
    assert (tab.server.input_directory / name).stat().st_size > 1000
    assert sandbox.billed == 1
    assert tab.errors() == []


def test_it_is_filtered_searched_and_walked_through_by_keys(tab: Tab) -> None:
    page, sandbox = tab.page, tab.server.sandbox
    mark = uuid.uuid4().hex[:6]
    panel = open_tasks(tab)
    sandbox.script(on="create", prompt="moderated", status=400, code=1200, message="moderated")
    tab.server.run(generate(f"one {mark}"))
    tab.server.run(generate(f"two {mark}"))
    tab.server.run(generate(f"moderated {mark}"))
    expect(row(tab, mark)).to_have_count(3)

    with page.expect_response(lambda answer: f"search={mark}" in answer.url):
        panel.get_by_label("Search prompt or id").fill(mark)
    expect(page.locator(".hunyuan-row")).to_have_count(3)
    panel.get_by_label("Which tasks").select_option("failed")
    expect(page.locator(".hunyuan-row")).to_have_count(1)
    expect(row(tab, f"moderated {mark}").get_by_text("Failed")).to_be_visible()
    expect(row(tab, f"moderated {mark}").locator(".hunyuan-why")).to_have_text("Refused by content moderation")
    panel.get_by_label("Which tasks").select_option("done")
    expect(page.locator(".hunyuan-row")).to_have_count(2)
    panel.get_by_label("Which tasks").select_option("unknown")
    expect(panel.get_by_text("No tasks match.")).to_be_visible()
    panel.get_by_label("Which tasks").select_option("all")
    expect(page.locator(".hunyuan-row")).to_have_count(3)

    page.locator(".hunyuan-row").first.focus()
    page.keyboard.press("End")
    expect(page.locator(".hunyuan-row").nth(2)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".hunyuan-row").nth(1)).to_be_focused()
    page.keyboard.press("ArrowRight")  # into the row's own controls, in their order
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.dataset.action") == "use"
    nodes = page.evaluate("() => window.app.graph.nodes.length")
    page.keyboard.press("Delete")  # the canvas keeps its nodes
    assert page.evaluate("() => window.app.graph.nodes.length") == nodes
    assert panel.evaluate(_NAMELESS) == []
    for width in (None, "242px"):  # the narrow one is what the pinned front-end gives in a window of 1280 pixels
        panel.evaluate("(panel, width) => { panel.style.width = width ?? ''; }", width)
        for theme in ("light", "dark"):
            wear(page, theme)
            assert hard_to_read(panel) == [], theme
    assert tab.errors() == []


def test_the_dialog_is_opened_from_the_settings_and_used_by_keys_alone_in_a_light_theme(tab: Tab) -> None:
    page = tab.page
    wear(page, "light")
    panel = open_tasks(tab)
    assert brightness(page, panel) < 100  # dark text
    tab.command("Comfy.ShowSettingsDialog")
    page.locator(".p-dialog, [role=dialog]").get_by_text("Hunyuan Image 3", exact=True).first.click()
    page.get_by_role("button", name="Set the API key …").click()
    dialog = page.locator("dialog.hunyuan-dialog")
    expect(dialog).to_be_visible()
    assert brightness(page, dialog) < 100
    picture(tab, "key-dialog-light-en")
    assert dialog.evaluate(_NAMELESS) == []
    expect(dialog.get_by_label("API key", exact=True)).to_be_disabled()  # the environment's
    order = []
    for _ in range(5):
        page.keyboard.press("Tab")
        order.append(page.evaluate("() => document.activeElement.textContent.trim()"))
    assert order[:4] == ["API key", "Test the key", "Get a key", "Gateway and network"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")  # opens the section
    expect(dialog.get_by_label("Base URL")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("Escape")  # ComfyUI's own dialog
    wear(page, "dark")
    assert tab.errors() == []


def wear(page: Page, theme: str) -> None:
    """One of ComfyUI's themes, as its setting changes it. Its own text colour says when it is on, in every version."""
    page.evaluate("theme => window.app.extensionManager.setting.set('Comfy.ColorPalette', theme)", theme)
    page.wait_for_function(
        """isLight => {
            const probe = document.body.appendChild(document.createElement("i"));
            probe.style.color = "var(--fg-color)";
            const [red] = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
            probe.remove();
            return isLight === red < 128;
        }""",
        arg=theme == "light",
    )


def brightness(page: Page, element: Locator) -> float:
    """0 to 255, of the element's text."""
    colour = element.evaluate("element => getComputedStyle(element).color.match(/[\\d.]+/g).slice(0, 3).map(Number)")
    return sum(colour) / 3


def limits(tab: Tab, day: int | None, session: int | None) -> None:
    """Saves them, as the settings dialog does."""
    changes = {"credit_limit_per_day": day, "credit_limit_per_session": session}
    post(tab.server, "settings", {"changes": changes}).raise_for_status()


def test_the_credits_and_their_limits_are_shown_and_followed(tab: Tab) -> None:
    panel = open_tasks(tab)
    shown = panel.locator(".hunyuan-credits dd")
    expect(shown).to_have_count(2)
    day, session = (int(text.split()[0]) for text in shown.all_inner_texts())
    tab.server.run(generate(f"a coin {uuid.uuid4()}"))  # by another client: the page is told
    today = rf"^({day + 25}|25|0)"  # the others: a day began meanwhile, before the task or after it
    expect(shown.nth(0)).to_have_text(re.compile(rf"{today} credits"))
    expect(shown.nth(1)).to_have_text(re.compile(rf"^{session + 25} credits"))
    try:
        limits(tab, day + 28, session + 28)
        expect(shown.nth(0)).to_have_text(re.compile(rf"{today} of {day + 28} credits"))
        expect(shown.nth(1)).to_have_text(re.compile(rf"^{session + 25} of {session + 28} credits"))
        expect(shown.nth(1)).to_have_attribute("data-full", "true")
        limits(tab, None, session + 50)
        expect(shown.nth(1)).to_have_text(re.compile(rf"^{session + 25} of {session + 50} credits"))
        expect(shown.nth(1)).to_have_attribute("data-full", "false")  # one more fits
    finally:  # the server is that of all tests
        limits(tab, None, None)
    expect(shown.nth(0)).to_have_text(re.compile(rf"{today} credits"))
    expect(shown.nth(1)).to_have_text(re.compile(rf"^{session + 25} credits"))
