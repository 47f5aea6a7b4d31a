"""Who may use our routes: the page of this server, and programs on purpose; nobody else."""

from __future__ import annotations

import json

import pytest

from tests.comfy.harness_fixtures import PaidServer, ServerFactory
from tests.comfy.routes_kit import OURS, error, get, post

CHANGING = ("settings", "test", "tasks/0/forget", "tasks/0/restore", "tasks/0/used")
READING = ("summary", "tasks", "settings")


@pytest.mark.parametrize("path", CHANGING)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", **OURS},
        {"Origin": "null", **OURS},
        {"Origin": "http://127.0.0.1:1", **OURS},
        {"Sec-Fetch-Site": "cross-site", **OURS},
        {"Sec-Fetch-Site": "same-site", **OURS},
        {"Origin": "http://rebound.example", "Host": "rebound.example", **OURS},
        {"X-Other": "1"},
        {"X-Hunyuan": "0"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_nothing_is_changed_for_a_page_of_another_site(comfy: PaidServer, path: str, headers: dict[str, str]) -> None:
    assert post(comfy, path, {"changes": {"max_in_flight": 1}}, headers).status_code == 403
    assert get(comfy, "settings").json()["fields"]["max_in_flight"]["origin"] == "default"


@pytest.mark.parametrize("path", CHANGING)
def test_nothing_is_changed_by_a_form_a_link_or_a_large_body(comfy: PaidServer, path: str) -> None:
    url = f"{comfy.url}/hunyuan/{path}"
    assert (
        comfy.http.post(url, data="{}", headers={**OURS, "Content-Type": "text/plain"}, timeout=30).status_code == 415
    )
    assert comfy.http.post(url, data={"a": "b"}, headers=OURS, timeout=30).status_code == 415
    large = json.dumps({"changes": {"model": "m" * 70_000}})
    headers = {**OURS, "Content-Type": "application/json"}
    assert comfy.http.post(url, data=large, headers=headers, timeout=30).status_code == 413
    chunks = comfy.http.post(url, data=iter([b'{"changes":', b"{}}"]), headers=headers, timeout=30)
    assert chunks.status_code == 413
    assert comfy.http.get(url, headers=OURS, timeout=30).status_code in (200, 404, 405)  # reads, or is no route
    assert comfy.http.put(url, json={}, headers=OURS, timeout=30).status_code in (404, 405)


@pytest.mark.parametrize("body", ["[]", '"x"', "{", "null", "1"])
def test_a_body_that_is_no_object_is_refused(comfy: PaidServer, body: str) -> None:
    headers = {**OURS, "Content-Type": "application/json"}
    answer = comfy.http.post(f"{comfy.url}/hunyuan/settings", data=body, headers=headers, timeout=30)
    assert error(answer)[:2] == (400, "json")


@pytest.mark.parametrize("path", READING)
def test_pages_of_other_sites_read_nothing(comfy: PaidServer, path: str) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert get(comfy, path, headers).status_code == 403


def test_the_servers_own_page_passes_under_each_of_its_names(comfy: PaidServer) -> None:
    port = comfy.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"192.168.1.20:{port}", f"studio-pc:{port}", "[::1]:8188"):
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin", **OURS}
        assert post(comfy, "settings", {"changes": {}}, headers).status_code == 200, host
    behind_tls = {"Host": "comfy.studio.example", "Origin": "https://comfy.studio.example", **OURS}
    assert post(comfy, "settings", {"changes": {}}, behind_tls).status_code == 200


def test_with_cors_open_and_many_users_only_known_users_get_in(comfy_server: ServerFactory) -> None:
    server = comfy_server(arguments=("--disable-api-nodes", "--multi-user", "--enable-cors-header", "*"))
    foreign = {"Origin": "https://evil.example", **OURS}
    assert post(server, "settings", {"changes": {}}, foreign).status_code == 403
    user = server.http.post(f"{server.url}/users", json={"username": "ann"}, timeout=30).json()
    for headers, allowed in (
        (OURS, False),
        ({**OURS, "Comfy-User": "nobody"}, False),
        ({**OURS, "Comfy-User": "__hunyuan"}, False),
        ({**OURS, "Comfy-User": user}, True),
    ):
        status = 200 if allowed else 403
        assert post(server, "settings", {"changes": {}}, headers).status_code == status, headers
        assert get(server, "tasks", headers).status_code == status, headers
        assert get(server, "settings", headers).status_code == status, headers
