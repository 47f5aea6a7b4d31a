"""From an installation without a key to the first image, without leaving the page."""

from __future__ import annotations

import json
import stat

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TabFactory
from tests.kit.browser import Tab
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.faces import Face
from tests.kit.tasks_page import expect_thumbnail, generate, open_tasks, picture, put, row, wait_for_output


@pytest.fixture(scope="module")
def unset(session_servers: ServerFactory) -> PaidServer:
    """A ComfyUI without key and address in its environment."""
    return session_servers(environment={"HUNYUAN_API_KEY": None, "HUNYUAN_BASE_URL": None})


@pytest.fixture
def server(unset: PaidServer) -> PaidServer:
    """The same, nothing saved yet."""
    unset.sandbox.reset()
    (unset.state_directory / "settings.json").unlink(missing_ok=True)
    return unset


def test_first_run_without_a_key_to_the_first_image(open_tab: TabFactory, server: PaidServer) -> None:
    file = server.state_directory / "settings.json"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(json.dumps({"base_url": server.sandbox.url}))
    key = server.sandbox.key
    tab = open_tab(server=server)
    page = tab.page
    panel = open_tasks(tab)
    expect(panel.get_by_text("No API key is set yet.")).to_be_visible()
    expect(panel.get_by_role("status")).to_contain_text("No tasks yet.")
    put(tab, generate("a lighthouse at dawn"))
    tab.queue()

    dialog = page.locator("dialog.hunyuan-dialog")  # by itself: the node said that it has no key
    expect(dialog.get_by_text("A node needs an API key.")).to_be_visible()
    field = dialog.get_by_label("API key", exact=True)
    expect(field).to_be_focused()
    expect(dialog.get_by_text("Not set.").first).to_be_visible()
    assert server.sandbox.billed == 0

    test = dialog.get_by_role("button", name="Test the key")
    field.fill("aio_not_the_right_one_at_all")
    test.click()
    expect(dialog.get_by_text("The key is at fault.")).to_be_visible()
    field.fill(key)
    test.click()
    expect(dialog.get_by_text("Works.")).to_be_visible()
    picture(tab, "key-dialog-en")
    assert "api_key" not in json.loads(file.read_text())  # a test saves nothing
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(panel.get_by_text("No API key is set yet.")).to_have_count(0)

    report = page.locator(".p-dialog, [role=dialog]").get_by_role("button", name="Close")
    if report.count():  # ComfyUI's own, of the failed run; newer front-ends have it in a panel
        report.first.click()
    tab.queue()
    wait_for_output(tab, "2")
    expect(row(tab, "a lighthouse at dawn").get_by_text("Done")).to_be_visible()
    expect_thumbnail(row(tab, "a lighthouse at dawn"))
    assert server.sandbox.billed == 1

    check_the_key_is_kept_close(tab, key)
    assert tab.errors() == []


def check_the_key_is_kept_close(tab: Tab, key: str) -> None:
    """In the file that its owner alone reads, and nowhere in the page."""
    file = tab.server.state_directory / "settings.json"
    assert json.loads(file.read_text())["api_key"] == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    dialog = tab.page.locator("dialog.hunyuan-dialog")
    tab.command("Hunyuan.SetKey")
    expect(dialog.get_by_text(f"Set, ends in …{key[-4:]}, from the file.")).to_be_visible()
    assert dialog.get_by_label("API key", exact=True).input_value() == ""
    tab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    held = tab.page.evaluate(
        "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.documentElement.outerHTML,"
        " window.app.graph.serialize()])"
    )
    assert key not in held


def test_the_dialog_says_which_setting_is_wrong_and_binds_the_key_to_its_address(
    open_tab: TabFactory, server: PaidServer
) -> None:
    tab = open_tab(Face("zh"), server=server)
    page = tab.page
    tab.command("Hunyuan.SetKey")
    dialog = page.locator("dialog.hunyuan-dialog")
    dialog.get_by_label("API 密钥", exact=True).fill(server.sandbox.key)
    dialog.locator("[data-section=gateway] summary").click()
    address = dialog.get_by_label("网关地址")
    address.fill(server.sandbox.url)
    dialog.locator("[data-section=limits] summary").click()
    dialog.get_by_label("同时进行的任务数").fill("999")
    save = dialog.get_by_role("button", name="保存")
    save.click()
    wrong = dialog.get_by_label("同时进行的任务数")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_focused()
    expect(dialog.get_by_text("应为 1 到 64 的整数")).to_be_visible()
    wrong.fill("3")
    limit = dialog.get_by_label("每日积分")
    limit.press("Control+a")
    limit.press_sequentially("1e")  # which is no number yet, and which the browser would give as empty: no limit
    save.click()
    expect(dialog.get_by_text("请填写数字。")).to_be_visible()
    expect(limit).to_be_focused()
    limit.fill("0")
    save.click()
    expect(dialog).to_have_count(0)
    assert json.loads((server.state_directory / "settings.json").read_text()) == {
        "api_key": server.sandbox.key,
        "base_url": server.sandbox.url,
        "max_in_flight": 3,
    }

    tab.command("Hunyuan.SetKey")
    dialog.locator("[data-section=gateway] summary").click()
    address.fill("http://127.0.0.1:9")
    dialog.locator("[data-section=gateway]").get_by_role("button", name="测试").click()
    expect(dialog.get_by_text("没有访问。")).to_be_visible()  # an address inside, which nobody has saved or allowed yet
    picture(tab, "key-dialog-zh")
    save.click()
    expect(dialog.get_by_text("地址、代理或证书有变化：请重新填写密钥")).to_be_visible()
    expect(dialog.get_by_label("API 密钥", exact=True)).to_be_focused()
    dialog.get_by_role("button", name="取消").click()
    assert json.loads((server.state_directory / "settings.json").read_text())["base_url"] == server.sandbox.url
    refusals = ("400", "409")  # what the two wrong values were answered with
    assert [error for error in tab.errors() if not any(status in error for status in refusals)] == []


def test_the_dialog_sets_what_a_network_of_ones_own_needs(open_tab: TabFactory, server: PaidServer) -> None:
    tab = open_tab(server=server)
    tab.command("Hunyuan.SetKey")
    dialog = tab.page.locator("dialog.hunyuan-dialog")
    dialog.locator("[data-section=network] summary").click()
    dialog.get_by_label("Hosts that downloads may reach").fill("store.internal, 10.0.0.5:9000")
    dialog.get_by_label("CA certificates").fill("/etc/company.pem")
    dialog.get_by_label("Addresses of this ComfyUI").fill("comfy.example")
    save = dialog.get_by_role("button", name="Save")
    save.click()
    expect(dialog.get_by_text("expected origins such as")).to_be_visible()
    dialog.get_by_label("Addresses of this ComfyUI").fill("https://comfy.example:8443/")
    save.click()
    expect(dialog).to_have_count(0)
    assert json.loads((server.state_directory / "settings.json").read_text()) == {
        "allowed_hosts": ["store.internal", "10.0.0.5:9000"],
        "allowed_origins": ["https://comfy.example:8443"],
        "ca_file": "/etc/company.pem",
    }
    tab.command("Hunyuan.SetKey")
    expect(dialog.get_by_label("Hosts that downloads may reach")).to_have_value("store.internal, 10.0.0.5:9000")
    assert [error for error in tab.errors() if "400" not in error] == []
