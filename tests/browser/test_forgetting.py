"""Taking tasks off the list: what the dialog says of the files, several at once, and the way back."""

from __future__ import annotations

import uuid

from playwright.sync_api import expect

from tests.browser.conftest import TabFactory
from tests.kit.browser import Tab
from tests.kit.tasks_page import act, made, open_tasks, row, unheard


def test_one_is_taken_off_and_put_back(tab: Tab) -> None:
    prompt = unheard("a bell")
    found = made(tab, prompt)
    question = tab.page.locator("dialog.hunyuan-dialog")
    act(found, "forget")
    expect(question).to_contain_text("The image files stay on the server")
    question.get_by_role("button", name="Cancel").click()
    expect(found).to_have_count(1)
    found.focus()
    tab.page.keyboard.press("Delete")
    question.get_by_role("button", name="Remove").click()
    expect(found).to_have_count(0)
    expect(tab.page.locator(".hunyuan-row:focus, .hunyuan-panel :focus")).to_have_count(1)  # not lost with the row
    tab.page.get_by_role("button", name="Undo").click()
    expect(found).to_have_count(1)
    expect(tab.page.get_by_role("button", name="Undo")).to_be_hidden()
    assert tab.server.sandbox.billed == 1
    assert tab.errors() == []


def test_those_that_went_can_be_put_back_where_one_did_not_go(tab: Tab) -> None:
    mark = uuid.uuid4().hex[:6]
    for number in range(3):
        made(tab, f"bell {number} {mark}")
    stays = row(tab, f"bell 1 {mark}").get_attribute("data-task")
    tab.page.route(f"**/hunyuan/tasks/{stays}/forget", lambda route: route.fulfill(status=503, json={}))
    row(tab, f"bell 0 {mark}").locator(".hunyuan-check").click()
    row(tab, f"bell 2 {mark}").locator(".hunyuan-look").click(modifiers=["Shift"])
    tab.page.locator('[data-action="chosen-forget"]').click()
    tab.page.locator("dialog.hunyuan-dialog").get_by_role("button", name="Remove").click()
    expect(row(tab, mark)).to_have_count(1)
    tab.page.unroute(f"**/hunyuan/tasks/{stays}/forget")
    tab.page.locator('[data-action="chosen-none"]').click()
    tab.page.get_by_role("button", name="Undo").click()
    expect(row(tab, mark)).to_have_count(3)


def test_several_are_taken_off_and_put_back_on_every_page(tab: Tab, open_tab: TabFactory) -> None:
    mark = uuid.uuid4().hex[:6]
    open_tasks(tab)
    for number in range(3):
        made(tab, f"bell {number} {mark}")
    other = open_tab(server=tab.server)
    open_tasks(other)
    expect(row(other, mark)).to_have_count(3)
    row(tab, f"bell 0 {mark}").locator(".hunyuan-check").click()
    row(tab, f"bell 2 {mark}").locator(".hunyuan-look").click(modifiers=["Shift"])
    expect(tab.page.get_by_text("3 chosen")).to_be_visible()
    tab.page.locator('[data-action="chosen-forget"]').click()
    question = tab.page.locator("dialog.hunyuan-dialog")
    expect(question).to_contain_text("Remove 3 tasks from the list?")
    expect(question).to_contain_text("Nothing is deleted, and you can undo this.")
    question.get_by_role("button", name="Remove").click()
    for each in (tab, other):
        expect(row(each, mark)).to_have_count(0)
    tab.page.get_by_role("button", name="Undo").click()
    for each in (tab, other):
        expect(row(each, mark)).to_have_count(3)
        assert each.errors() == []
