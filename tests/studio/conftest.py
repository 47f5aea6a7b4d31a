"""One PostgreSQL server for the studio's tests, and a database of its own for each."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.postgres_server import PostgresServer
from tests.kit.comfy_fixtures import comfy_server as comfy_server
from tests.kit.comfy_fixtures import session_servers as session_servers

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; a test that stops it starts it again."""
    # Not pytest's own folder: only its owner may walk through that, and the server runs as another user.
    directory = Path(tempfile.mkdtemp(prefix="hunyuan-postgres-"))
    # A killed server leaves the system's cache behind: only a power cut needs fsync, and each restart waits for it.
    server = PostgresServer(directory, options="-c fsync=off")
    try:
        server.create()
        server.start()
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The name of a new, empty database."""
    name = f"studio_{next(_numbers)}"
    postgres.run_sql(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def url(postgres: PostgresServer, database: str) -> str:
    """The journal URL of a new, empty database."""
    return postgres.url(database)
