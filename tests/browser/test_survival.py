"""The browser or ComfyUI goes away in the middle: the paid image is found again, from the page."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import TabFactory
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.faces import Face
from tests.kit.routes import get
from tests.kit.tasks_page import expect_thumbnail, generate, open_tasks, picture, put, row, unheard, wait_for_output


def test_the_page_is_reloaded_in_the_middle_of_a_task(open_tab: TabFactory) -> None:
    tab = open_tab(Face(frontend="new"))
    sandbox = tab.server.sandbox
    sandbox.tasks(seconds=None)
    prompt = unheard("a kite")
    put(tab, generate(prompt))
    tab.queue()
    sandbox.wait("billed")
    tab.reload()
    open_tasks(tab)
    expect(row(tab, prompt)).to_have_count(1)
    sandbox.finish()
    expect(row(tab, prompt).get_by_text("Done")).to_be_visible()
    expect_thumbnail(row(tab, prompt))
    assert sandbox.billed == 1
    assert tab.errors() == []


def test_comfyui_dies_in_the_middle_and_the_image_is_collected_from_the_sidebar(
    open_tab: TabFactory, face_server: Callable[[str], PaidServer]
) -> None:
    server = face_server("pinned")
    nothing_waits(server)  # before the page hears of it
    tab = open_tab()
    sandbox = server.sandbox
    sandbox.tasks(seconds=None)
    put(tab, generate("a bridge in fog"))
    open_tasks(tab)
    tab.queue()
    sandbox.wait("poll", number=1)  # its id is in the journal
    expect(row(tab, "a bridge in fog")).to_have_count(1)
    server.kill()
    sandbox.finish()
    server.start(port=server.port)

    toast = tab.page.get_by_text("Paid images waiting for you: 1")
    expect(toast).to_be_visible()  # the page found the new server, the sweeper the image
    tab.forget_the_unreachable()  # what was on its way when the server died
    badge = tab.page.locator(".hunyuan-tab-button .p-badge, .hunyuan-tab-button .sidebar-icon-badge")
    expect(badge).to_have_text("1")
    panel = open_tasks(tab)
    expect(row(tab, "a bridge in fog").get_by_text("not used", exact=True)).to_be_visible()
    picture(tab, "after-a-crash-en")
    tab.reload()
    expect(badge).to_have_text("1")
    open_tasks(tab)
    expect_thumbnail(row(tab, "a bridge in fog"))
    assert toast.count() == 0  # it is told once after a start; a toast would stay for 15 s
    panel.get_by_role("button", name="Put all on the canvas").click()
    tab.page.wait_for_function("() => window.app.graph.nodes.some(node => node.type === 'HunyuanTaskWait')")
    preview = tab.page.evaluate(
        "() => String(window.app.graph.nodes.filter(node => node.type === 'PreviewImage').at(-1).id)"
    )
    tab.queue()
    wait_for_output(tab, preview)
    expect(badge).to_have_count(0)
    expect(panel.get_by_text("Paid images that no workflow has used yet")).to_have_count(0)
    assert sandbox.billed == 1
    assert tab.errors() == []


def nothing_waits(server: PaidServer) -> None:
    """What earlier tests left unused counts as used."""
    get(server, "summary").raise_for_status()  # which makes the journal, if no test was here yet
    with contextlib.closing(sqlite3.connect(server.state_directory / "journal.sqlite3")) as journal, journal:
        journal.execute("UPDATE tasks SET delivered_at = ? WHERE delivered_at IS NULL", (time.time(),))
