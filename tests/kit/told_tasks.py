"""Tasks that the page is told of without a server that has them: states and numbers that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.kit.browser import Tab

# The list is asked for; before its answer arrives, which the server made earlier, the news come.
_RELOAD = """async ({listed, news, more}) => {
  const {api} = window.app;
  const {fetchApi} = api;
  let arrive;
  api.fetchApi = (route, ...rest) => route.startsWith('/hunyuan/tasks?')
    ? new Promise(resolve => { arrive = () => resolve({ok: true, json: async () => ({tasks: listed, more})}); })
    : fetchApi.call(api, route, ...rest);
  const turn = () => new Promise(resolve => setTimeout(resolve));
  try {
    api.dispatchEvent(new CustomEvent('reconnected', {detail: null}));
    while (!arrive) await turn();
    for (const detail of news) api.dispatchEvent(new CustomEvent('hunyuan.task', {detail}));
    await turn();
    arrive();
    await turn();
  } finally {
    api.fetchApi = fetchApi;
  }
}"""


def task(prompt: str, created_at: float, **changes: Any) -> dict[str, Any]:
    """A row as the server gives it, under way unless told otherwise."""
    base = {
        "id": prompt.replace(" ", "-"), "task_id": None, "state": "running", "type": "text-to-image", "prompt": prompt,
        "size": None, "seed": 1, "credits": 25, "money": "spent", "created_at": created_at, "seconds": None,
        "delivered": False, "lost": False, "error_code": "", "error_text": "", "images": 0, "links": 0, "version": "",
        "session": "one", "run": "", "hidden": False,
    }  # fmt: skip
    return {**base, **changes}


def reload(
    tab: Tab, listed: Sequence[dict[str, Any]], news: Sequence[dict[str, Any]] = (), *, more: bool = False
) -> None:
    """The page asks for its list anew and is answered with these; the news come before the answer does."""
    tab.settle()  # the list that it asked for by itself is there
    tab.page.evaluate(_RELOAD, {"listed": list(listed), "news": list(news), "more": more})
