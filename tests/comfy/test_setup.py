"""A ComfyUI that cannot carry the pack: a folder that cannot be written, a Python package that is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import saved

WITHOUT_SQLALCHEMY = """
import sys
sys.modules["sqlalchemy"] = None  # as Python marks what cannot be imported
NODE_CLASS_MAPPINGS = {}
"""


def folder_in_the_way(server: PaidServer) -> None:
    """No folder can be made there (the tests may run as root, whom no rights stop)."""
    server.state_directory.parent.mkdir(parents=True, exist_ok=True)
    server.state_directory.write_text("a file")


def folder_that_takes_no_journal(server: PaidServer) -> None:
    """The folder is there, and the journal cannot be made in it."""
    (server.state_directory / "journal.sqlite3").mkdir(parents=True)


def without_sqlalchemy(server: PaidServer) -> None:
    pack: Path = server.base / "custom_nodes" / "a_node_without_sqlalchemy"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(WITHOUT_SQLALCHEMY)


BARS: dict[str, tuple[Callable[[PaidServer], None], str, tuple[str, ...]]] = {
    "no folder": (folder_in_the_way, "setup", ("__hunyuan", "cannot be used")),
    "no journal": (folder_that_takes_no_journal, "journal", ("journal.sqlite3",)),
    "no SQLAlchemy": (without_sqlalchemy, "setup", ("sqlalchemy", "pip install")),
}


@pytest.mark.parametrize(("bar", "code", "words"), BARS.values(), ids=BARS)
def test_what_keeps_the_pack_from_working_is_one_sentence_everywhere(
    comfy_server: ServerFactory, bar: Callable[[PaidServer], None], code: str, words: tuple[str, ...]
) -> None:
    server: PaidServer = comfy_server(start=False)
    bar(server)
    server.start()
    told = server.error(server.run(saved("it cannot be written down")))
    assert told is not None
    for each in (*words, "No credits were spent."):
        assert each in told["exception_message"]
    entry = server.run(saved("it cannot be written down", on_failure="block"))
    assert not server.succeeded(entry), "what hangs on the node is left out, and the prompt goes on"
    answer = server.http.get(f"{server.url}/hunyuan/summary", timeout=30)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == code
    assert all(each in answer.json()["error"]["message"] for each in words)
    assert server.sandbox.requests() == []
    for line in server.log().splitlines():
        if "Hunyuan Image 3 could not start" in line:
            assert all(each in line for each in words), "said in the log as well, in one line"


def test_the_settings_can_be_seen_where_no_folder_can_be_made(comfy_server: ServerFactory) -> None:
    server: PaidServer = comfy_server(start=False)
    folder_in_the_way(server)
    server.start()
    fields = server.get_json("/hunyuan/settings")["fields"]
    assert fields["api_key"]["origin"] == "environment"
    body, headers = {"changes": {"max_in_flight": 3}}, {"X-Hunyuan": "1"}
    answer = server.http.post(f"{server.url}/hunyuan/settings", json=body, headers=headers, timeout=30)
    assert answer.json()["error"]["code"] == "not_saved"
    assert "could not be saved" in answer.json()["error"]["message"]
