"""From the template browser to a finished image, by clicks."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.kit.browser import Tab
from tests.kit.tasks_page import open_tasks


def test_a_template_is_chosen_and_run(tab: Tab) -> None:
    page = tab.page
    tab.command("Comfy.BrowseTemplates")
    page.get_by_text("hunyuan-image-3", exact=True).click()
    page.get_by_test_id("template-workflow-01 Text to image").locator("img").click()
    page.wait_for_function("() => window.app.graph.nodes.some(node => node.type === 'HunyuanGenerate')")
    expect(page.locator(".p-dialog")).to_have_count(0)
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
