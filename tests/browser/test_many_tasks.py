"""Ten thousand tasks: only what is seen is drawn and asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from playwright.sync_api import expect

from hunyuan.journal.database import Database
from hunyuan.journal.record_codec import columns_of
from hunyuan.journal.records import TaskRow
from hunyuan.journal.tables import tasks
from hunyuan.models import ImageSize, TaskState, TaskType
from tests.browser.conftest import TabFactory
from tests.kit.browser import Tab
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.routes import get
from tests.kit.tasks_page import open_tasks, row

MANY = 10_000
DAYS = 9 * 86400.0  # seconds
EARLIER = "a long life"
_SCROLL = """async steps => {
  const list = document.querySelector('.hunyuan-list');
  const frame = () => new Promise(requestAnimationFrame);
  let most = 0, blank = 0;
  for (let step = 1; step <= steps; step++) {
    list.scrollTop = (list.scrollHeight - list.clientHeight) * step / steps;
    await frame(); await frame();
    const rows = [...list.querySelectorAll('[role=listitem]')];
    most = Math.max(most, rows.length);
    const box = list.getBoundingClientRect();
    const covered = rows.reduce((sum, row) => {
      const at = row.getBoundingClientRect();
      return sum + Math.max(0, Math.min(at.bottom, box.bottom) - Math.max(at.top, box.top));
    }, 0);
    if (covered < list.clientHeight - 1) blank++;
  }
  return {most, blank};
}"""


@contextmanager
def filled(server: PaidServer) -> Iterator[None]:
    """Rows of a long life, straight into the journal: one is the newest of all, the others the oldest."""
    now = time.time()
    rows = [
        TaskRow(
            id=f"{number:032x}", fingerprint=f"{number:064x}", task_id=f"n{number}_hunyuan3", state=TaskState.COLLECTED,
            type=TaskType.TEXT_TO_IMAGE, prompt=f"picture number {number}.", size=ImageSize(1024, 1024), seed=number,
            model="hunyuan-image-3", base_url=server.sandbox.url, account="", images=(), credits=25, prompt_id="",
            node_id="", session=EARLIER, owner="nobody", created_at=now - DAYS + number, seconds=8.0,
            collected_at=now, delivered_at=now,
        )
        for number in range(MANY)
    ]  # fmt: skip
    rows[-1] = replace(rows[-1], created_at=now + 60)
    database = Database(server.state_directory, clock=time, announce=print)
    database.write(lambda connection: connection.execute(tasks.insert(), [columns_of(each) for each in rows]).close())
    try:
        yield
    finally:
        database.write(lambda connection: connection.execute(tasks.delete().where(tasks.c.session == EARLIER)).close())
        database.close()


def test_ten_thousand_tasks_scroll_with_a_handful_of_elements_and_requests(
    open_tab: TabFactory, face_server: Callable[[str], PaidServer]
) -> None:
    server = face_server("pinned")
    with filled(server):
        tab = open_tab()
        check_the_list(tab, total=int(get(server, "summary").json()["total"]))
    assert tab.errors() == []


def check_the_list(tab: Tab, total: int) -> None:
    assert total >= MANY
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url) if "/hunyuan/tasks?" in request.url else None)
    open_tasks(tab)
    expect(row(tab, f"picture number {MANY - 1}.")).to_be_visible()
    assert len(asked) == 1

    scrolled = tab.page.evaluate(_SCROLL, 200)
    assert scrolled == {"most": scrolled["most"], "blank": 0}
    assert scrolled["most"] < 40
    expect(row(tab, "picture number 0.")).to_be_visible()
    assert len(asked) <= total / 200 + 1
    tab.page.locator(".hunyuan-row").last.focus()
    tab.page.keyboard.press("Home")
    expect(row(tab, f"picture number {MANY - 1}.")).to_be_focused()
    expect(row(tab, f"picture number {MANY - 1}.")).to_have_attribute("aria-setsize", str(total))
