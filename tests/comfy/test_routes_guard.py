"""Who may use our routes: the page of this server, and programs on purpose; nobody else."""

from __future__ import annotations

import json
import socket

import pytest

from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.comfy_stories import task_wait
from tests.kit.routes import OURS, error, generate, get, post, save

CHANGING = ("settings", "test", "tasks/0/forget", "tasks/0/restore", "tasks/0/used", "summary", "cost")
READING = ("summary", "runs", "models", "tasks", "settings", "tasks/0", "tasks/0/thumbnail", "tasks/0/image")


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


@pytest.mark.parametrize("path", ["settings", "test", "summary"])
@pytest.mark.parametrize(
    ("body", "kind", "code", "field"),
    [
        (b"[" * 60_000, "application/json", "json", "body"),
        (b'{"changes":' * 5_000, "application/json", "json", "body"),
        (b'{"changes": "\xff"}', "application/json", "json", "body"),
        (b"{}", "application/json; charset=no-such-charset", "charset", "Content-Type"),
        (b"{}", "application/json; charset=base64", "charset", "Content-Type"),
        (b"{}", "application/json; charset=utf-16", "charset", "Content-Type"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    comfy: PaidServer, path: str, body: bytes, kind: str, code: str, field: str
) -> None:
    answer = comfy.http.post(
        f"{comfy.url}/hunyuan/{path}", data=body, headers={**OURS, "Content-Type": kind}, timeout=30
    )
    assert error(answer) == (400, code, field)


@pytest.mark.parametrize("odd", ["\ud800", "a\udfffb", "a\0b"], ids=ascii)
def test_a_character_that_nobody_can_store_is_refused_by_its_field(comfy: PaidServer, odd: str) -> None:
    for name in ("model", "s3_bucket", "base_url", "proxy", "allowed_hosts", "http_upload_json_path", "upload_format"):
        assert error(save(comfy, **{name: odd})) == (400, "value", name)
    assert error(save(comfy, http_upload_headers={"X-Token": odd})) == (400, "value", "http_upload_headers")
    assert error(save(comfy, **{odd: 1}))[:2] == (400, "field")
    assert error(post(comfy, "summary", {"client": odd})) == (400, "value", "client")
    assert error(post(comfy, "test", {"what": odd})) == (400, "what", "what")
    if odd.isascii():
        for name in ("search", "before", "state", "limit", "n"):
            path = "tasks/0/image" if name == "n" else "tasks"
            assert error(get(comfy, path, None, **{name: odd}))[::2] == (400, name)
        for path in ("tasks/a%00b", "tasks/a%00b/thumbnail", "tasks/a%00b/image"):
            assert error(get(comfy, path))[:2] == (404, "unknown_row")
        assert error(post(comfy, "tasks/a%00b/forget"))[:2] == (404, "unknown_row")


def nested(depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [5, 300, 700])
def test_a_nested_value_is_refused_by_its_field(comfy: PaidServer, depth: int) -> None:
    for name in ("max_in_flight", "upload_format", "model", "api_key", "allowed_hosts", "http_upload_headers"):
        assert error(save(comfy, **{name: nested(depth)})) == (400, "value", name)
    assert error(post(comfy, "test", {"what": nested(depth)})) == (400, "what", "what")
    assert error(post(comfy, "test", {"what": "gateway", "changes": {"model": nested(depth)}}))[::2] == (400, "model")
    assert error(post(comfy, "summary", {"client": nested(depth)})) == (400, "value", "client")
    assert error(post(comfy, "settings", {"changes": nested(depth)}))[:2] == (400, "changes")


@pytest.mark.parametrize("path", READING)
def test_pages_of_other_sites_read_nothing(comfy: PaidServer, path: str) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert get(comfy, path, headers).status_code == 403


FOREIGN = ("rebound.example", "rebound.example:8188", "localhost.evil.example", "127.0.0.1.evil.example:80", "a b", ":")


@pytest.mark.parametrize("path", READING)
def test_nothing_is_read_under_a_foreign_name(comfy: PaidServer, path: str) -> None:
    """A rebound DNS name: for the browser the page and this server are one origin, and over http it sends no more."""
    for host in FOREIGN:
        answer = get(comfy, path, {"Host": host})
        assert error(answer)[:2] == (403, "host"), host
        assert "allowed_origins" in answer.json()["error"]["message"]
    for host in (f"127.0.0.1:{comfy.port}", "localhost", "LOCALHOST.:1", "192.168.1.20:8188", "[fd00::1]:8188"):
        assert get(comfy, path, {"Host": host}).status_code in (200, 404), host
    own = socket.gethostname()
    assert get(comfy, path, {"Host": f"{own}:{comfy.port}"}).status_code in (200, 404)


@pytest.mark.parametrize("path", CHANGING)
def test_nothing_is_changed_under_a_foreign_name(comfy: PaidServer, path: str) -> None:
    for host in FOREIGN:
        assert error(post(comfy, path, {}, {**OURS, "Host": host}))[:2] == (403, "host"), host


@pytest.mark.parametrize("path", READING)
def test_a_name_of_ones_own_is_allowed_by_setting_or_by_the_browsers_word(comfy: PaidServer, path: str) -> None:
    host = {"Host": "comfy.example"}
    for site in ("same-origin", "none"):  # which browsers send over https alone
        assert get(comfy, path, {**host, "Sec-Fetch-Site": site}).status_code in (200, 404)
    assert save(comfy, allowed_origins="https://comfy.example:8443").status_code == 200
    try:
        assert get(comfy, path, host).status_code in (200, 404)
        assert get(comfy, path, {"Host": "evil.example"}).status_code == 403
    finally:
        assert save(comfy, allowed_origins=None).status_code == 200


def test_news_are_for_pages_that_ask_with_the_header(comfy: PaidServer) -> None:
    comfy.socket("eavesdropper")
    comfy.socket()
    get(comfy, "summary", {}, client="eavesdropper")  # as any page can ask for it with <img>
    assert post(comfy, "summary", {"client": "eavesdropper"}, {"X-Other": "1"}).status_code == 403
    totals = post(comfy, "summary", {"client": "test"}).json()
    assert totals.keys() == get(comfy, "summary").json().keys()
    comfy.succeeded(comfy.run(generate("a secret prompt")))
    comfy.wait_for(lambda message: message.type == "hunyuan.credits")
    assert comfy.messages("hunyuan.task") != []
    assert comfy.messages("hunyuan.task", client_id="eavesdropper") == []
    for odd in (5, ["test"], {"a": 1}, None, "no such page", "\ud800"):
        assert post(comfy, "summary", {"client": odd}).status_code in (200, 400), odd


def test_the_servers_own_page_passes_under_each_of_its_names(comfy: PaidServer) -> None:
    port = comfy.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"192.168.1.20:{port}", f"studio-pc:{port}", "[::1]:8188"):
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin", **OURS}
        assert post(comfy, "settings", {"changes": {}}, headers).status_code == 200, host
    behind_tls = {"Host": "comfy.studio.example", "Origin": "https://comfy.studio.example", **OURS}
    assert post(comfy, "settings", {"changes": {}}, behind_tls).status_code == 200


BEHIND = [
    ("https://comfy.example:8443", "comfy.example"),
    ("https://comfy.example", "upstream:8188"),
    ("http://pc.tail1234.ts.net:8188", "pc.tail1234.ts.net:8188"),
    ("http://pc.fritz.box:8188", "pc.fritz.box:8188"),
]


@pytest.mark.parametrize(("origin", "host"), BEHIND)
def test_saving_works_behind_a_proxy_and_under_a_routers_name(comfy: PaidServer, origin: str, host: str) -> None:
    page = {"Host": host, "Origin": origin, **OURS}
    told = {**page, "Sec-Fetch-Site": "same-origin"}
    assert post(comfy, "settings", {"changes": {"max_in_flight": None}}, told).status_code == 200
    refused = post(comfy, "settings", {"changes": {"max_in_flight": 1}}, page)
    assert refused.status_code == 403
    assert "allowed_origins" in refused.json()["error"]["message"]
    assert save(comfy, allowed_origins=[origin]).status_code == 200
    try:
        assert post(comfy, "settings", {"changes": {"max_in_flight": None}}, page).status_code == 200
        foreign = {**page, "Origin": "https://evil.example"}
        assert post(comfy, "settings", {"changes": {"max_in_flight": 1}}, foreign).status_code == 403
    finally:
        assert save(comfy, allowed_origins=None).status_code == 200


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
    _users_keep_apart(server, {**OURS, "Comfy-User": user})


def _users_keep_apart(server: PaidServer, ann: dict[str, str]) -> None:
    """The first user's task is none of the second one's, nor are the settings."""
    bob = {**OURS, "Comfy-User": server.http.post(f"{server.url}/users", json={"username": "bob"}, timeout=30).json()}
    for user, client in ((ann, "test"), (bob, "bob")):
        server.socket(client)
        assert post(server, "summary", {"client": client}, user).status_code == 200
    server.http.headers.update(ann)
    server.succeeded(server.run(generate("a vase of ann's")))
    server.http.headers.pop("Comfy-User")
    (row,) = get(server, "tasks", ann).json()["tasks"]
    assert server.messages("hunyuan.task") != []
    assert server.messages("hunyuan.task", client_id="bob") == []
    assert [get(server, "runs", user).json()["runs"] != [] for user in (ann, bob)] == [True, False]
    assert [get(server, "summary", user).json()["total"] for user in (ann, bob)] == [1, 0]
    assert get(server, "tasks", bob).json()["tasks"] == []
    for path in ("", "/image", "/thumbnail"):
        assert [get(server, f"tasks/{row['id']}{path}", user).status_code for user in (ann, bob)] == [200, 404], path
    for act in ("forget", "restore", "used"):
        assert [post(server, f"tasks/{row['id']}/{act}", {}, user).status_code for user in (bob, ann)] == [404, 200]
    for path, body in (("settings", {"changes": {}}), ("test", {"what": "data"})):
        refused = post(server, path, body, bob)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "administrator")
    assert get(server, "settings", bob).status_code == 403
    server.http.headers["Comfy-User"] = bob["Comfy-User"]
    shown = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    failed = server.error(server.run({"1": task_wait(row["task_id"]), "2": shown}))
    assert failed is not None
    assert "This user has no such task" in failed["exception_message"]
    server.succeeded(server.run(generate("a vase of ann's")))
    assert server.sandbox.billed == 2, "the same of another user is another task"
