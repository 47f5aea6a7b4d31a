"""What keeps the pack from working, whatever is set, is told in the settings dialog."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TabFactory
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.faces import Face


@pytest.fixture(scope="module")
def barred(session_servers: ServerFactory) -> PaidServer:
    """A ComfyUI in whose user folder the pack cannot make its own."""
    server: PaidServer = session_servers(start=False)
    server.state_directory.parent.mkdir(parents=True, exist_ok=True)
    server.state_directory.write_text("a file")
    server.start()
    return server


@pytest.mark.parametrize(("locale", "words"), [("en", "cannot be used"), ("zh", "用户文件夹")])
def test_the_dialog_shows_why_nothing_works(open_tab: TabFactory, barred: PaidServer, locale: str, words: str) -> None:
    tab = open_tab(Face(locale=locale), server=barred)
    tab.command("Hunyuan.SetKey")
    reason = tab.page.locator("dialog.hunyuan-dialog .hunyuan-trouble")
    expect(reason).to_contain_text(words)
    expect(reason).to_contain_text("__hunyuan")
