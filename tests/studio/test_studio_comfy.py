"""HUNYUAN_JOURNAL_URL in a real ComfyUI: what is wrong is one sentence on the node, and mended, work goes on."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from devtools.postgres_server import PASSWORD, PostgresServer
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import grey, info_of, save, saved, settings, state_is
from tests.kit.routes import error, get, try_
from tests.kit.routes import save as put
from tests.kit.waiting import until


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


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that both servers keep images in."""
    return tmp_path_factory.mktemp("share")


@pytest.fixture(scope="module")
def studio(postgres: PostgresServer) -> tuple[str, str]:
    """The name and the URL of a database for the whole module."""
    postgres.run_sql("CREATE DATABASE studio_comfy")
    return "studio_comfy", postgres.url("studio_comfy")


@pytest.fixture(scope="module")
def first(session_servers: ServerFactory, studio: tuple[str, str], share: Path) -> PaidServer:
    """A ComfyUI on that database; not started yet."""
    given = {"HUNYUAN_JOURNAL_URL": studio[1], "HUNYUAN_RESULTS_DIR": str(share)}
    server: PaidServer = session_servers(environment=given, start=False)
    return server


def test_the_database_away_and_back(first: PaidServer, postgres: PostgresServer, studio: tuple[str, str]) -> None:
    server = first
    server.kill()
    server.sandbox.reset()
    postgres.stop("immediate")
    try:
        server.start()
        assert "The server cannot be reached" in refusal(server, "before it ever ran")
        settings_can_be_seen_and_changed(server)
    finally:
        postgres.start()
    before = server.run(saved("it is back"))
    server.succeeded(before)
    postgres.stop("immediate")
    try:
        entry = server.run(saved("away again"))
        assert "No credits were spent." in str(server.error(entry))
    finally:
        postgres.start()
    after = server.run(saved("away again"))
    server.succeeded(after)
    assert [info_of(entry)["credits"] for entry in (before, after)] == [25, 25]
    assert server.sandbox.billed == 2
    for prompt in ("it is back", "away again"):
        # A crash may take back every step since the task id was written down: the sweeper takes them again.
        (row,) = until(f"{prompt}, collected", state_is(server, prompt, "collected"))
        found = "SELECT prompt FROM tasks WHERE state = 'collected' AND task_id = '{}'".format(row["task_id"])
        assert postgres.run_sql(found, studio[0]) == [(prompt,)]
        assert row["images"] == 1
    assert server.sandbox.billed == 2
    assert not (server.state_directory / "journal.sqlite3").exists()
    without_secrets(server, PASSWORD)


def settings_can_be_seen_and_changed(server: PaidServer) -> None:
    """While the journal cannot be opened, which the other routes say."""
    for path in ("summary", "tasks"):
        answer = get(server, path)
        assert error(answer)[:2] == (503, "journal")
    assert get(server, "settings").status_code == 200
    assert put(server, max_in_flight=2).status_code == 200
    assert try_(server, "gateway")["ok"] is True
    assert put(server, max_in_flight=None).status_code == 200


def test_another_servers_image_from_the_shared_folder(
    first: PaidServer, comfy_server: ServerFactory, studio: tuple[str, str], share: Path, tmp_path: Path
) -> None:
    """One pays, the other gets the same image for nothing; each names the shared folder its own way."""
    (tmp_path / "mounted").symlink_to(share)
    second = comfy_server(
        sandbox=first.sandbox,
        environment={"HUNYUAN_JOURNAL_URL": studio[1], "HUNYUAN_RESULTS_DIR": str(tmp_path / "mounted")},
    )
    if not first.running:
        first.start()
    billed = first.sandbox.billed
    paid = first.run(saved("for both"))
    downloads = len(first.sandbox.requests("download"))
    free = second.run(saved("for both"))
    for server, entry in ((first, paid), (second, free)):
        server.succeeded(entry)
    assert [info_of(entry)["credits"] for entry in (paid, free)] == [25, 0]
    assert first.images(paid, "2")[0].tobytes() == second.images(free, "2")[0].tobytes()
    assert first.sandbox.billed == billed + 1
    assert len(first.sandbox.requests("download")) == downloads, "it came from the folder"


def test_a_wrong_url(comfy_server: ServerFactory) -> None:
    """One that is no address at all, so that the pack cannot begin; put right in the file, the address of a database
    that the pack does not know."""
    server = comfy_server(start=False)
    with settings(server, journal_url="studio:hunter2secret@127.0.0.1/studio"):
        server.start()
        refuses(server, "expected a database address", '"journal_url" in settings.json')
    with settings(server, journal_url="mysql://studio:hunter2secret@127.0.0.1/studio"):
        refuses(server, "is not supported", "HUNYUAN_JOURNAL_URL")


def refuses(server: PaidServer, *told: str) -> None:
    text = refusal(server, "to a wrong address")
    for words in told:
        assert words in text
    assert "hunter2secret" not in text
    entry = server.run({**saved("to a wrong address", on_failure="block"), "8": grey(8, 8), "9": save(["8", 0])})
    assert list(server.succeeded(entry)) == ["9"], "only what hangs on the node stops"
    without_secrets(server, "hunter2secret")
