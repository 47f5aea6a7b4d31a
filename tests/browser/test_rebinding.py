"""A name of somebody else's that was made to point at this machine: for the browser, page and server are one origin."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser, Page

from devtools import browser as browsers
from tests.kit.comfy_fixtures import PaidServer

NAME = "rebound.example"
_ASK = """async ([path, options]) => {
  const answer = await fetch(path, options);
  return [answer.status, (await answer.json()).error?.code ?? ""];
}"""
_OURS = {"Content-Type": "application/json", "X-Hunyuan": "1"}
_CHANGE = {"method": "POST", "headers": _OURS, "body": '{"changes": {}}'}


def ask(page: Page, path: str, options: dict[str, object] | None = None) -> tuple[int, str]:
    status, code = page.evaluate(_ASK, [path, options or {}])
    return int(status), str(code)


def test_a_rebound_name_reads_and_changes_nothing(chromium: Browser, face_server: Callable[[str], PaidServer]) -> None:
    server = face_server("pinned")
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        f"--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost",
    ]
    other = chromium.browser_type.launch(executable_path=browsers.find(), args=flags)
    page = other.new_page()
    page.goto(f"http://{NAME}:{server.port}/system_stats")  # ComfyUI itself serves everybody
    for path in ("summary", "tasks", "settings", "tasks/0/thumbnail", "tasks/0/image"):
        assert ask(page, f"/hunyuan/{path}") == (403, "host"), path
    for path in ("settings", "summary", "test", "tasks/0/forget"):
        assert ask(page, f"/hunyuan/{path}", dict(_CHANGE)) == (403, "host"), path
    page.goto(f"http://localhost:{server.port}/system_stats")
    assert ask(page, "/hunyuan/settings") == (200, "")
    assert ask(page, "/hunyuan/settings", dict(_CHANGE)) == (200, "")
    other.close()
