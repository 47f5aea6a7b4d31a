"""What the tests of the task list and the dialogs do over and over, and the pictures they leave behind on request."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from tests.kit.browser import Tab
from tests.kit.waiting import until

expect.set_options(timeout=60_000)  # milliseconds; a shared machine may be slow for seconds

# Nodes where a sidebar does not cover them, the canvas at its natural size, no banner over it.
_ARRANGE = """async places => {
  const saved = window.app.graph.serialize();
  for (const node of saved.nodes) {
    [node.pos, node.size] = places[node.id] ?? [node.pos, node.size];
  }
  saved.extra = {...saved.extra, ds: {scale: 1, offset: [0, 0]}};
  await window.app.loadGraphData(saved);
}"""
# Texts of less contrast than WCAG's AA asks of small ones, and figures that are cut off.
_HARD_TO_READ = """root => {
  const brush = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (below, [r, g, b, a]) => below.map((value, part) => value * (1 - a) + [r, g, b][part] * a);
  const light = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.unshift(rgba(getComputedStyle(at).backgroundColor));
      if (layers[0][3] === 1) break;
    }
    return layers.reduce(over, [255, 255, 255]);
  };
  const contrast = element => {
    const below = ground(element);
    const text = over(below, rgba(getComputedStyle(element).color));
    const [dark, bright] = [light(below), light(text)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const written = [...root.querySelectorAll('*')].filter(
    each => each.checkVisibility() && [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  const figures = ['facts', 'more', 'caption', 'head > div', 'small', 'credits'].map(name => `.hunyuan-${name}`).join();
  const cut = [...root.querySelectorAll(figures)].filter(
    each => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1);
  return [...written.filter(each => contrast(each) < 4.5), ...cut].map(each => each.outerHTML.slice(0, 150));
}"""
# Events as the server's websocket brings them.
_TELL = """async news => {
  for (const [event, detail] of news) window.app.api.dispatchEvent(new CustomEvent(event, {detail}));
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""
# What becomes of the next drag: whose picture it takes, and whether it was dropped where it is wanted.
_FOLLOW_DRAG = """() => {
  window.dragged = [];
  const follow = (name, told) => window.addEventListener(
    name, event => window.dragged.push(`${name} ${told(event)}`), {capture: true, once: true});
  follow('dragstart', event => event.target.closest('[data-task]')?.dataset.task);
  follow('dragend', event => event.dataTransfer.dropEffect);
}"""
PLACES = {"1": [[420, 130], [380, 400]], "2": [[860, 130], [360, 400]]}


def unheard(what: str) -> str:
    """A prompt that no other test pays for: the journal outlives the tests of a ComfyUI."""
    return f"{what} {uuid.uuid4().hex[:8]}"


def generate(prompt: str, **inputs: Any) -> dict[str, dict[str, Any]]:
    """An API-format workflow: HunyuanGenerate (node 1) and a preview of it (node 2)."""
    return {
        "1": {"class_type": "HunyuanGenerate", "inputs": {"prompt": prompt, "seed": 7, **inputs}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def put(tab: Tab, workflow: dict[str, dict[str, Any]]) -> None:
    """A workflow on the canvas, beside the sidebar, its seeds kept."""
    tab.load_api(workflow)
    tab.page.evaluate(_ARRANGE, PLACES)
    tab.page.evaluate(
        """() => {
          for (const node of window.app.graph.nodes) {
            const control = node.widgets?.find(widget => widget.name === 'control_after_generate');
            if (control) control.value = 'fixed';
          }
        }"""
    )


def open_tasks(tab: Tab) -> Locator:
    """The sidebar tab, opened; one that is open stays so."""
    tab.command("Hunyuan.ShowTasks")
    panel = tab.page.locator(".hunyuan-panel")
    expect(panel).to_be_visible()
    return panel


def close_tasks(tab: Tab) -> None:
    """The sidebar, closed as by a click on the icon of its tab."""
    tab.page.evaluate("() => { window.app.extensionManager.sidebarTab.activeSidebarTabId = null; }")
    expect(tab.page.locator(".hunyuan-panel")).to_have_count(0)


def row(tab: Tab, prompt: str) -> Locator:
    """The rows of the list with that prompt."""
    return tab.page.locator(".hunyuan-row", has_text=prompt)


def act(found: Locator, name: str) -> None:
    """Does that with the task of a row: by its button, or by its menu."""
    if found.locator(f'button[data-action="{name}"]').count():
        found.locator(f'button[data-action="{name}"]').click()
        return
    found.locator('[data-action="more"]').click()
    found.page.get_by_role("menu").locator(f'[data-action="{name}"][aria-disabled="false"]').click()


def made(tab: Tab, prompt: str, **inputs: Any) -> Locator:
    """The row of a task that another client ran to its end; the page is told of it."""
    open_tasks(tab)
    tab.server.succeeded(tab.server.run(generate(prompt, **inputs)))
    found = row(tab, prompt)
    expect(found).to_have_count(1)
    expect(found).to_have_attribute("data-state", "collected")
    # It is used, or about to be: no news of it are to come, which draw it anew.
    expect(found.locator(".hunyuan-mark")).to_have_count(0)
    expect_thumbnail(found)
    return found


def follow_drag(tab: Tab) -> None:
    """Before a drag, for `drag_steps`."""
    tab.page.evaluate(_FOLLOW_DRAG)


def drag_steps(tab: Tab) -> list[str]:
    """What became of the drag so far: `dragstart <row's id>`, then `dragend <copy or none>`."""
    return list(tab.page.evaluate("() => window.dragged"))


def wait_until_idle(tab: Tab) -> None:
    """Nothing of ComfyUI's queue runs or waits: every prompt is history."""
    until("the queue is empty", lambda: not any(tab.server.get_json("/queue").values()))


def totals(session: str, as_of: int, undelivered: int, **changes: Any) -> dict[str, Any]:
    """The sums as the server gives them."""
    periods = {period: {"spent": 0, "maybe": 0} for period in ("today", "session")}
    return {
        "counts": {}, "total": 1, "undelivered": undelivered, "left_behind": 0, "key_set": True, "limits": {},
        "credits": periods, "session": session, "as_of": as_of, **changes,
    }  # fmt: skip


def tell(tab: Tab, news: list[tuple[str, dict[str, Any]]]) -> None:
    """The page hears these events, names and contents, one after the other, and has drawn what it makes of them."""
    tab.page.evaluate(_TELL, news)


def expect_thumbnail(found: Locator) -> None:
    """The row's picture is there and decoded."""
    picture = found.locator(".hunyuan-thumbnail img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 0


def hard_to_read(found: Locator) -> list[str]:
    """Elements with a text that stands out too little, or with figures that are cut off."""
    return list(found.evaluate(_HARD_TO_READ))


def wait_for_output(tab: Tab, node: str, count: int = 1) -> None:
    """Until a node of the canvas shows so many images."""
    tab.page.wait_for_function(
        "([node, count]) => window.app.nodeOutputs[node]?.images?.length === count", arg=[node, count]
    )


def picture(tab: Tab, name: str) -> None:
    """The page as a PNG in the folder named by SCREENSHOTS, if it is set: what the README and the help pages show."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        passing = ".p-toast, [data-sonner-toaster] { visibility: hidden }"
        tab.page.screenshot(path=Path(folder) / f"{name}.png", style=passing)
