"""Other people's clients, installed at their first use; those from npm only where there is a node to run them."""

from __future__ import annotations

import pytest

from devtools import clients
from tests.kit.comfy_fixtures import comfy as comfy
from tests.kit.comfy_fixtures import comfy_server as comfy_server
from tests.kit.comfy_fixtures import session_servers as session_servers
from tests.kit.comfy_fixtures import shared_comfy as shared_comfy

collect_ignore = [] if clients.npm() else ["test_clients_from_npm.py"]


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    clients.ensure()
