"""HUNYUAN_JOURNAL_URL in a real ComfyUI: what is wrong is one sentence on the node, and mended, work goes on."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.comfy.harness_fixtures import PaidServer, ServerFactory
from tests.comfy.story_kit import grey, info_of, save, saved
from tests.studio.postgres import PASSWORD, PostgresServer


def refusal(server: PaidServer, prompt: str) -> str:
    """The node's error, which came before anything was sent and holds no password."""
    error = server.error(server.run(saved(prompt)))
    assert error is not None
    text = str(error["exception_message"])
    assert "No credits were spent." in text
    assert server.sandbox.requests("create") == []
    return text


def without_secrets(server: PaidServer, *secrets: str) -> None:
    """No log and no route tells the database's password."""
    told = server.log() + "".join(
        server.http.get(server.url + path, timeout=30).text for path in ("/hunyuan/settings", "/hunyuan/tasks")
    )
    for secret in secrets:
        assert secret not in told
        assert quote(secret, safe="") not in told


def test_the_database_away_and_back(
    comfy_server: ServerFactory, postgres: PostgresServer, database: str, url: str
) -> None:
    postgres.stop("immediate")
    try:
        server = comfy_server(environment={"HUNYUAN_JOURNAL_URL": url})
        assert "The server cannot be reached" in refusal(server, "before it ever ran")
    finally:
        postgres.start()
    first = server.run(saved("it is back"))
    server.succeeded(first)
    postgres.stop("immediate")
    try:
        entry = server.run(saved("away again"))
        assert "No credits were spent." in str(server.error(entry))
    finally:
        postgres.start()
    second = server.run(saved("away again"))
    server.succeeded(second)
    assert [info_of(entry)["credits"] for entry in (first, second)] == [25, 25]
    assert server.sandbox.billed == 2
    prompts = postgres.run_sql("SELECT prompt FROM tasks WHERE state = 'collected' ORDER BY created_at", database)
    assert prompts == [("it is back",), ("away again",)]
    assert not (server.state_directory / "journal.sqlite3").exists()
    without_secrets(server, PASSWORD)


def test_another_servers_image_from_the_shared_folder(comfy_server: ServerFactory, url: str, tmp_path: Path) -> None:
    """One pays, the other gets the same image for nothing; each names the shared folder its own way."""
    (tmp_path / "share").mkdir()
    (tmp_path / "mounted").symlink_to(tmp_path / "share")
    first = comfy_server(environment={"HUNYUAN_JOURNAL_URL": url, "HUNYUAN_RESULTS_DIR": str(tmp_path / "share")})
    second = comfy_server(
        sandbox=first.sandbox,
        environment={"HUNYUAN_JOURNAL_URL": url, "HUNYUAN_RESULTS_DIR": str(tmp_path / "mounted")},
    )
    paid = first.run(saved("for both"))
    downloads = len(first.sandbox.requests("download"))
    free = second.run(saved("for both"))
    for server, entry in ((first, paid), (second, free)):
        server.succeeded(entry)
    assert [info_of(entry)["credits"] for entry in (paid, free)] == [25, 0]
    assert first.images(paid, "2")[0].tobytes() == second.images(free, "2")[0].tobytes()
    assert first.sandbox.billed == 1
    assert len(first.sandbox.requests("download")) == downloads, "it came from the folder"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("mysql://studio:hunter2secret@127.0.0.1/studio", "is not supported"),
        ("studio:hunter2secret@127.0.0.1/studio", "expected a database address"),
    ],
    ids=["another database", "no address"],
)
def test_a_wrong_url(comfy_server: ServerFactory, given: str, told: str) -> None:
    server = comfy_server(environment={"HUNYUAN_JOURNAL_URL": given})
    text = refusal(server, "to a wrong address")
    assert told in text
    assert "HUNYUAN_JOURNAL_URL" in text
    assert "hunter2secret" not in text
    entry = server.run({**saved("to a wrong address", on_failure="block"), "8": grey(8, 8), "9": save(["8", 0])})
    assert list(server.succeeded(entry)) == ["9"], "only what hangs on the node stops"
    without_secrets(server, "hunter2secret")
