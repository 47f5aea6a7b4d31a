"""Downloads over real sockets: where they go, what they carry, when they end."""

from __future__ import annotations

import base64
import gzip
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan.errors import (
    AnswerLostError,
    ConnectionRefusedByHostError,
    DownloadError,
    HunyuanError,
    LinkDeadError,
    Money,
    NotAnImageError,
    RateLimitedError,
    ServerError,
    TooLargeError,
    UnsafeAddressError,
)
from hunyuan.gateway.client import Client
from hunyuan.http.downloads import MAX_BYTES
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.settings.store import Settings
from tests.kit.http_servers import Authority, Proxy, RawServer, answer, read_request, until_closed

pytestmark = pytest.mark.every_python

KEY = "aio_" + "5ecret" * 6
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


class FileServer(RawServer):
    """Answers every request with `reply` (bytes, or a function of the path); `seen`: the requests."""

    def __init__(self, reply: bytes | Callable[[str], bytes], host: str = "127.0.0.1") -> None:
        super().__init__(self._serve_file, host=host)
        self._reply = reply
        self.seen: list[str] = []

    def _serve_file(self, conn: socket.socket) -> None:
        while request := read_request(conn).decode("latin-1"):
            self.seen.append(request)
            reply = self._reply if isinstance(self._reply, bytes) else self._reply(request.split()[1])
            conn.sendall(reply)

    @property
    def targets(self) -> list[str]:
        return [request.split()[1] for request in self.seen]


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"", status, f"Location: {location}")


@pytest.fixture
def client_for() -> Iterator[Callable[..., Client]]:
    transports: list[RequestsTransport] = []

    def build(base_url: str = "https://gateway.example", *allowed: str, **more: str) -> Client:
        settings = Settings(api_key=KEY, base_url=base_url, allowed_hosts=allowed, **more)  # type: ignore[arg-type]
        transports.append(RequestsTransport(lambda: settings))
        return Client(transports[-1], lambda: settings)

    yield build
    for transport in transports:
        transport.close()


Build = Callable[..., Client]


def failure_of(client: Client, url: str, deadline: float = 5.0) -> HunyuanError:
    with pytest.raises(HunyuanError) as caught:
        client.download(url, deadline)
    assert caught.value.__context__ is None
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    return caught.value


# -- where it may go -----------------------------------------------------------------------------------


def test_gateways_own_host_gets_the_key_and_exact_escapes(client_for: Build) -> None:
    target = "/results/a%2fb%2Fc+d?sig=x%2by%2Bz&e=%e4%bd%a0&empty="
    with FileServer(answer(PNG)) as gateway:
        assert client_for(f"http://{gateway.place}").download(f"http://{gateway.place}{target}", 5.0) == PNG
    assert gateway.targets == [target]
    assert f"Authorization: Bearer {KEY}" in gateway.seen[0]


def test_no_other_host_gets_the_key(client_for: Build) -> None:
    with FileServer(answer(PNG)) as files, FileServer(lambda path: redirect(f"http://{files.place}/x%2f")) as gateway:
        client = client_for(f"http://{gateway.place}", files.place)
        assert client.download(f"http://{files.place}/direct", 5.0) == PNG
        assert client.download(f"http://{gateway.place}/moved", 5.0) == PNG
    assert files.targets == ["/direct", "/x%2f"]
    assert "Authorization" not in "".join(files.seen)
    assert "Authorization" in gateway.seen[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "[::1]"])
def test_loopback_is_refused_in_every_spelling(client_for: Build, host: str) -> None:
    with FileServer(answer(PNG), "::1" if host == "[::1]" else "127.0.0.1") as files:
        failure = failure_of(client_for(), f"http://{host}:{files.port}/secret")
        assert files.accepted == 0
    assert isinstance(failure, UnsafeAddressError)
    assert failure.money is Money.SPENT


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[::ffff:10.0.0.1]"])
def test_closed_addresses_are_refused_at_once(client_for: Build, address: str) -> None:
    assert isinstance(failure_of(client_for(), f"http://{address}/latest/meta-data/"), UnsafeAddressError)


def test_another_port_of_the_gateway_is_refused(client_for: Build) -> None:
    with FileServer(answer(PNG)) as gateway, FileServer(answer(PNG)) as neighbour:
        failure = failure_of(client_for(f"http://{gateway.place}"), f"http://{neighbour.place}/")
        assert neighbour.accepted == 0
    assert isinstance(failure, UnsafeAddressError)


def test_every_hop_is_checked(client_for: Build) -> None:
    with FileServer(answer(PNG)) as inner:
        with FileServer(lambda path: redirect(f"http://{inner.place}/")) as outer:
            failure = failure_of(client_for("https://gateway.example", outer.place), f"http://{outer.place}/")
        assert inner.accepted == 0
    assert isinstance(failure, UnsafeAddressError)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://a.example/x", "http://u:p@a.example/", "http://[", "\t"]
)
def test_redirect_to_no_http_address(client_for: Build, location: str) -> None:
    with FileServer(lambda path: redirect(location)) as server:
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/")
    assert isinstance(failure, DownloadError)
    assert len(server.seen) == 1


@pytest.mark.parametrize("location", ["/bücher/图.png?k=ä", "/b%C3%BCcher/%e5%9b%be.png?k=%C3%a4"])
def test_a_redirect_may_be_written_in_utf8(client_for: Build, location: str) -> None:
    moved = redirect("@").replace(b"@", location.encode())
    with FileServer(lambda path: moved if path == "/" else answer(PNG)) as server:
        assert client_for(f"http://{server.place}").download(f"http://{server.place}/", 5.0) == PNG
    assert unquote(server.targets[1]) == "/bücher/图.png?k=ä"


def test_redirects_end(client_for: Build) -> None:
    with FileServer(lambda path: redirect("/again")) as server:
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/")
    assert isinstance(failure, UnsafeAddressError)
    assert len(server.seen) == 6


def test_redirect_from_https_to_http_is_refused(client_for: Build, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    def moved(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(redirect("http://127.0.0.1:1/"))

    with RawServer(moved, authority.context("127.0.0.1")) as server:
        url = f"https://{server.place}"
        failure = failure_of(client_for(url, "127.0.0.1", ca_file=str(authority.ca_file)), f"{url}/x")
    assert isinstance(failure, UnsafeAddressError)
    assert "https to http" in str(failure)


def test_connection_kept_by_an_unguarded_exchange_is_checked_too(client_for: Build) -> None:
    with FileServer(answer(PNG)) as inner:
        transport = RequestsTransport(Settings)
        transport.send("GET", f"http://{inner.place}/", headers={}, read_timeout=5.0, max_bytes=10_000)
        failure = failure_of(Client(transport, Settings), f"http://{inner.place}/secret")
        transport.close()
    assert isinstance(failure, UnsafeAddressError)
    assert inner.targets == ["/"]


def test_through_a_proxy_what_is_known_as_closed_is_refused(client_for: Build) -> None:
    with FileServer(answer(PNG)) as files, Proxy(("127.0.0.1", files.port)) as proxy:
        client = client_for("https://gateway.example", proxy=f"http://{proxy.place}")
        assert isinstance(failure_of(client, f"http://localhost:{files.port}/"), UnsafeAddressError)
        assert proxy.asked == []
        name = ".".join(["a" * 60] * 5)  # only the proxy can know this one
        assert client.download(f"http://{name}/x%2fy?s=%2b", 5.0) == PNG
    assert proxy.asked == [f"GET http://{name}/x%2fy?s=%2b HTTP/1.1"]


def test_a_fake_address_of_the_proxys_dns_does_not_refuse_a_download() -> None:
    known = {"fake.example": ["198.18.0.9", "fdfe:dcba:9876::9"], "inside.example": ["10.0.0.9"]}
    with FileServer(answer(PNG)) as files, Proxy(("127.0.0.1", files.port)) as proxy:
        settings = Settings(api_key=KEY, base_url="https://gateway.example", proxy=f"http://{proxy.place}")
        transport = RequestsTransport(lambda: settings, resolve=lambda host, port: known[host])
        client = Client(transport, lambda: settings)
        assert client.download("http://fake.example/x.png", 5.0) == PNG
        assert isinstance(failure_of(client, "http://inside.example/x.png"), UnsafeAddressError)
        transport.close()
    assert proxy.asked == ["GET http://fake.example/x.png HTTP/1.1"]


@pytest.mark.parametrize("known", [["198.18.0.9"], ["198.18.0.9", "fdfe::9"], ["fdfe::9", "198.18.0.9"]])
def test_a_closed_address_beside_one_that_is_away_for_a_moment_is_no_refusal(
    client_for: Build, monkeypatch: pytest.MonkeyPatch, known: list[str]
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in known]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    def away(*_: object) -> socket.socket:
        raise ConnectionRefusedError

    monkeypatch.setattr("hunyuan.http.traced_connections._connect", away)
    failure = failure_of(client_for("http://127.0.0.1:1"), "http://cdn.example/x.png")
    assert isinstance(failure, ConnectionRefusedByHostError)


# -- caps ----------------------------------------------------------------------------------------------


def gateway_says(client_for: Build, reply: bytes, deadline: float = 5.0) -> HunyuanError:
    with FileServer(reply) as server:
        return failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/x.png", deadline)


def test_too_large_by_its_own_word(client_for: Build) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n"
    failure = gateway_says(client_for, head)
    assert isinstance(failure, TooLargeError)
    assert "64 MiB" in str(failure)


def test_too_large_without_a_word(client_for: Build) -> None:
    def endless(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            conn.sendall(b"x" * 1_000_000)

    with RawServer(endless) as server:
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/", 60.0)
    assert isinstance(failure, TooLargeError)


def test_a_packed_file_counts_as_what_it_unpacks_to(client_for: Build) -> None:
    packed = gzip.compress(bytes(MAX_BYTES + 1), 1)
    assert isinstance(gateway_says(client_for, answer(packed, "200 OK", "Content-Encoding: gzip"), 60.0), TooLargeError)
    with FileServer(answer(gzip.compress(PNG), "200 OK", "Content-Encoding: gzip")) as server:
        assert client_for(f"http://{server.place}").download(f"http://{server.place}/", 5.0) == PNG


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd"])
def test_codings_that_cannot_be_counted_while_they_unpack_are_refused(client_for: Build, coding: str) -> None:
    failure = gateway_says(client_for, answer(gzip.compress(PNG), "200 OK", f"Content-Encoding: {coding}"))
    assert type(failure) is DownloadError
    assert coding in str(failure)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_deadline_holds_though_bytes_drip(client_for: Build, head: bytes) -> None:
    def drip(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(head)
        while True:
            conn.sendall(b"y")
            threading.Event().wait(0.02)

    with RawServer(drip) as server:
        began = time.monotonic()
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/", 0.5)
        assert 0.4 < time.monotonic() - began < 10
    assert isinstance(failure, AnswerLostError)
    assert "within 0.5 seconds" in str(failure)


def test_what_is_left_of_a_deadline_is_told_as_the_deadline_that_was_set(client_for: Build) -> None:
    def silent(conn: socket.socket) -> None:
        read_request(conn)
        conn.recv(1)  # until the client goes

    with RawServer(silent) as server:
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/", 0.52)
    assert "within 0.5 seconds" in str(failure)


def test_deadline_is_for_all_hops_together(client_for: Build) -> None:
    def slow_hop(path: str) -> bytes:
        threading.Event().wait(0.2)
        return redirect("/next")

    with FileServer(slow_hop) as server:
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/", 0.5)
    assert isinstance(failure, AnswerLostError)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
def test_shorter_than_announced(client_for: Build, reply: bytes) -> None:
    def cut(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(reply)

    with RawServer(cut) as server:
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/")
    assert isinstance(failure, AnswerLostError)


def test_silence_ends_at_the_deadline(client_for: Build) -> None:
    with RawServer(until_closed) as server:
        failure = failure_of(client_for(f"http://{server.place}"), f"http://{server.place}/", 0.3)
    assert isinstance(failure, AnswerLostError)


# -- what it is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"])
def test_dead_link(client_for: Build, status: str) -> None:
    failure = gateway_says(client_for, answer(b"<Error/>", status))
    assert type(failure) is LinkDeadError
    assert status[:3] in str(failure)


def test_busy_and_failing_servers_are_told_apart(client_for: Build) -> None:
    busy = gateway_says(client_for, answer(b"", "429 Too Many", "Retry-After: 7"))
    assert isinstance(busy, RateLimitedError)
    assert busy.retry_after == 7
    failing = gateway_says(client_for, answer(b"x" * 100_000, "503 Away", "Retry-After: 9"))
    assert isinstance(failing, ServerError)
    assert failing.retry_after == 9
    assert failing.money is Money.SPENT


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "image/png"),
        (b"<!DOCTYPE html><title>Log in</title>", "text/html"),
        (b"\n <html>", "image/png"),
        (b"<p>hi", "text/html; charset=utf-8"),
    ],
)
def test_page_instead_of_an_image(client_for: Build, body: bytes, kind: str) -> None:
    assert type(gateway_says(client_for, answer(body, "200 OK", f"Content-Type: {kind}"))) is NotAnImageError


def test_image_with_a_wrong_type_is_taken(client_for: Build) -> None:
    with FileServer(answer(PNG, "200 OK", "Content-Type: text/html")) as server:
        assert client_for(f"http://{server.place}").download(f"http://{server.place}/", 5.0) == PNG


def test_unexpected_status(client_for: Build) -> None:
    failure = gateway_says(client_for, answer(b"", "204 No Content"))
    assert type(failure) is DownloadError
    assert "204" in str(failure)


# -- inline --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_inline_forms(data: bytes) -> None:
    client = Client(RequestsTransport(Settings), Settings)
    text = base64.b64encode(data).decode()
    percent = "".join(f"%{byte:02x}" for byte in data)
    for form in (
        f"data:image/png;base64,{text}",
        f"DATA:image/png;charset=x;BASE64,{text.rstrip('=')}",
        f"data:image/png;base64,{base64.urlsafe_b64encode(data).decode()}",
        f"data:image/png;base64,{text.replace('+', '%2B').replace('=', '%3D')}",
        f"data:,{percent}",
        text,
        "\n".join(text[k : k + 16] for k in range(0, len(text), 16)),
    ):
        assert client.download(form, 1.0) == data, form


@pytest.mark.parametrize(
    "text", ["", "data:image/png;base64,", "data:image/png;base64,????", "x", "file:///etc/passwd"]
)
def test_inline_nonsense(text: str) -> None:
    with pytest.raises(DownloadError):
        Client(RequestsTransport(Settings), Settings).download(text, 1.0)


def test_inline_too_large() -> None:
    with pytest.raises(TooLargeError):
        Client(RequestsTransport(Settings), Settings).download("data:image/png;base64," + "A" * 90_000_000, 1.0)
