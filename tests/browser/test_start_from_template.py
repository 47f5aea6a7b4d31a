"""From the template browser, and as an app, to a finished image, by clicks."""

from __future__ import annotations

import random

from playwright.sync_api import TimeoutError, expect

from tests.browser.conftest import TabFactory
from tests.kit.browser import Tab
from tests.kit.faces import Face
from tests.kit.tasks_page import open_tasks
from tests.kit.waiting import until
from tests.kit.workflow_files import template

# The templates that are apps too, and what each asks for: the label, and how often.
APPS = {
    "01 Text to image": {"prompt": 1, "size": 1, "seed": 1, "count": 1},
    "02 Edit an image": {"image": 1, "prompt": 1, "seed": 1},
    "05 Merge two images": {"image": 2, "prompt": 1},
}


_CHOSEN = "() => window.app.graph.nodes.some(node => node.type === 'HunyuanGenerate')"
_NEW_SEED = """seed => {
  const node = window.app.graph.nodes.find(one => one.type === 'HunyuanGenerate');
  node.widgets.find(widget => widget.name === 'seed').value = seed;
}"""


def test_a_template_is_chosen_and_run(tab: Tab) -> None:
    page = tab.page
    dialog = page.locator(".p-dialog")
    category = dialog.get_by_text("hunyuan-image-3", exact=True).first  # what is chosen is named once more
    ours = dialog.get_by_test_id("template-workflow-01 Text to image")  # not its picture: ComfyUI may drop that

    late: list[str] = []

    def chosen() -> bool:
        """The dialog is drawn anew when its lists have come, which swallows clicks and texts: then once more."""
        if not dialog.count():
            tab.command("Comfy.BrowseTemplates")
        try:
            category.click(timeout=5_000)
            dialog.locator("input[type=text]").first.fill("Text to image", timeout=5_000)  # of twelve cards
            ours.click(timeout=5_000)
            page.wait_for_function(_CHOSEN, timeout=5_000)
        except TimeoutError as error:
            late.append(str(error))
        if not page.evaluate(_CHOSEN):
            page.keyboard.press("Escape")
        return bool(page.evaluate(_CHOSEN))

    try:
        until("the pack's own template is chosen", chosen, seconds=240)
    except AssertionError as never:
        raise AssertionError(f"{late[-3:]}, in dialogs that say {dialog.all_inner_texts()}") from never
    expect(dialog).to_have_count(0)
    # Another test of this ComfyUI may have paid for the template's own seed.
    page.evaluate(_NEW_SEED, random.randrange(2**31))
    panel = open_tasks(tab)
    page.get_by_role("button", name="Run", exact=True).first.click()
    tab.page.wait_for_function(
        "() => window.app.graph.nodes.some(node => node.type === 'SaveImage'"
        " && window.app.nodeOutputs[node.id]?.images?.length)"
    )
    expect(panel.locator(".hunyuan-row").first.get_by_text("Done")).to_be_visible()
    assert list(tab.server.output_directory.rglob("*.png"))
    assert tab.server.sandbox.billed == 1
    assert tab.errors() == []


def test_three_templates_are_apps(open_tab: TabFactory) -> None:
    """App mode has only the newer front-end; its tour of apps is over."""
    tab = open_tab(Face(frontend="new"), settings={"Comfy.OnboardingCoachmarks.Seen": ["appMode"]})
    page = tab.page
    for billed, (name, asks) in enumerate(APPS.items(), 1):
        tab.load(template(name))
        tab.command("Comfy.ToggleLinear")
        fields = page.get_by_test_id("linear-widgets").get_by_test_id("app-mode-widget-item")
        expect(fields).to_have_count(sum(asks.values()))
        for label, times in asks.items():
            expect(page.get_by_test_id("linear-widgets").get_by_text(label, exact=True)).to_have_count(times)
        fields.get_by_role("textbox").first.fill(f"An app, {name}")
        page.get_by_test_id("linear-run-button").get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_test_id("linear-image-output").first).to_be_visible()
        assert tab.server.sandbox.billed == billed
        assert tab.server.sandbox.task(billed)["prompt"] == f"An app, {name}"
        tab.command("Comfy.ToggleLinear")
    assert tab.errors() == []
