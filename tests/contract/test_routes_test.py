""" "Test" in the settings dialog reaches no closed address that is not set up, gives nothing of what came, and follows
nothing: any program that may call the routes may call it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import pack
from tests.kit.http_servers import RawServer, answer, read_request

routes_test = pack.load("nodes.routes.connection_test")
routes_settings = pack.load("nodes.routes.settings")
settings = pack.load("hunyuan.settings.store")

TOKEN = "IQoJb3JpZ2luX2VjEJ3-metadata-token"
METADATA = (
    "169.254.169.254",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "10.255.255.1",
    "0.0.0.0:9",
    "[::1]:9",
)


class Inside(RawServer):
    """A server that nobody outside may reach; `reply`: what it says to everything."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.reply = answer(f'{{"Token": "{TOKEN}", "message": "{TOKEN}", "url": "{TOKEN}"}}'.encode(), "403 Forbidden")
        self.seen: list[str] = []

    def _say(self, conn: socket.socket) -> None:
        while request := read_request(conn).decode("latin-1"):
            self.seen.append(request.split("\r\n", 1)[0])
            conn.sendall(self.reply)


@pytest.fixture
def inside() -> Iterator[Inside]:
    with Inside() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Settings of a user who has allowed no closed host."""
    return settings.SettingsStore(tmp_path / "settings.json", {})


def try_(store: Any, what: str, **changes: object) -> dict[str, Any]:
    """What the route /hunyuan/test answers."""
    return dict(routes_test.test(store, what, changes))


def save(store: Any, **changes: object) -> None:
    """What the route /hunyuan/settings does."""
    routes_settings.save(store, changes)


def ways_to(address: str) -> dict[str, tuple[str, dict[str, object]]]:
    """Every way in which a test could be made to ask this address: what is tested, and with which changes."""
    s3 = {"s3_bucket": "b", "s3_access_key": "AKIA1234", "s3_secret_key": "s3cret", "s3_region": "r"}
    return {
        "gateway": ("gateway", {"base_url": address, "api_key": "aio_any-key"}),
        "no key": ("gateway", {"base_url": address}),
        "and allowed": ("gateway", {"base_url": address, "api_key": "aio_k", "allowed_hosts": "127.0.0.1"}),
        "post": ("http", {"http_upload_url": f"{address}/up"}),
        "put": ("http", {"http_upload_url": f"{address}/up", "http_upload_method": "PUT", "http_upload_json_path": ""}),
        "s3": ("s3", {"s3_endpoint": address, **s3}),
        "s3 virtual": (
            "s3",
            {"s3_endpoint": address.replace("127.0.0.1", "localhost"), "s3_addressing": "virtual", **s3},
        ),
    }


@pytest.mark.parametrize("way", ways_to("http://x"))
def test_a_closed_address_is_not_asked_before_it_is_saved(store: Any, inside: Inside, way: str) -> None:
    what, changes = ways_to(f"http://{inside.place}")[way]
    told = try_(store, what, **changes)
    assert (told["ok"], told["fault"], told["said"]) == (False, "closed", "closed")
    assert "allowed_hosts" in told["message"]
    assert inside.accepted == 0


@pytest.mark.parametrize("way", ["gateway", "post", "put", "s3"])
def test_nothing_of_what_came_is_told(store: Any, inside: Inside, way: str) -> None:
    what, changes = ways_to(f"http://{inside.place}")[way]
    save(store, allowed_hosts=inside.place)
    bodies = (inside.reply, inside.reply.replace(b"403 Forbidden", b"200 OK"), inside.reply.replace(b"403", b"500"))
    for reply in (*bodies, answer(f"<html>{TOKEN}</html>".encode()), answer(TOKEN.encode(), "401 Unauthorized")):
        inside.reply = reply
        told = try_(store, what, **changes)
        assert told["ok"] is False
        assert TOKEN not in str(told)
    assert inside.accepted


@pytest.mark.parametrize("way", ["gateway", "post", "put", "s3"])
def test_no_redirect_is_followed(store: Any, inside: Inside, way: str) -> None:
    what, changes = ways_to(f"http://{inside.place}")[way]
    save(store, allowed_hosts="127.0.0.1")
    with Inside() as further:
        for status in ("302 Found", "307 Temporary Redirect"):
            inside.reply = answer(b"", status, f"Location: http://{further.place}/")
            assert try_(store, what, **changes)["ok"] is False
        link = f'{{"url": "http://{inside.place}/moved.png"}}'.encode()
        if way == "post":

            def say(conn: socket.socket) -> None:
                while request := read_request(conn):
                    moved = answer(b"", "302 Found", f"Location: http://{further.place}/")
                    conn.sendall(answer(link) if request.startswith(b"POST") else moved)

            with RawServer(say) as service:
                link = f'{{"url": "http://{service.place}/moved.png"}}'.encode()
                told = try_(store, "http", http_upload_url=f"http://{service.place}/up")
            assert (told["ok"], told["said"]) == (False, "link_not_fetched")
        assert further.accepted == 0


@pytest.mark.parametrize("host", METADATA)
def test_no_spelling_and_no_proxy_leads_there(store: Any, host: str) -> None:
    for what, changes in ways_to(f"http://{host}").values():
        assert try_(store, what, **changes)["fault"] == "closed", (what, changes)
    if ":9" not in host and not host.startswith("10."):  # proxies do live in private networks
        behind = {"base_url": "http://gateway.example", "api_key": "aio_k", "proxy": f"http://{host}:80"}
        assert try_(store, "gateway", **behind)["fault"] == "closed"


def test_what_is_saved_is_tested_as_it_is_used(store: Any, inside: Inside) -> None:
    address = f"http://{inside.place}"
    for name, (what, changes) in ways_to(address).items():
        if name in ("gateway", "post", "s3"):
            save(store, **changes)
            told = try_(store, what)
            assert told["fault"] not in ("", "closed"), name
    assert len(inside.seen) >= 3
    before = len(inside.seen)
    assert try_(store, "gateway", base_url="http://127.0.0.1:9", api_key="aio_k")["fault"] == "closed"
    assert len(inside.seen) == before
