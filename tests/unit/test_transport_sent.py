"""What the transport says of an exchange that failed: which failure, and whether the request went out."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import traceback
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hunyuan.errors import (
    AnswerLostError,
    AnswerTooLargeError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    DnsError,
    ProxyFailedError,
    TlsError,
    TransportError,
)
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.http.transport import Exchange
from hunyuan.sentences import Sentence
from hunyuan.settings.store import Settings
from tests.kit.http_servers import (
    Authority,
    Handler,
    Proxy,
    RawServer,
    answer,
    closed_port,
    read_head,
    read_request,
    reset,
    until_closed,
)

pytestmark = pytest.mark.every_python

gzipped = partial(gzip.compress, mtime=0)  # the time of day would make other test ids in each worker

KEY = "aio_" + "5ecret" * 6
BIG = b"x" * 30_000_000  # more than the sockets' buffers hold


def post(url: str, body: bytes = b'{"prompt": "x"}', settings: Settings | None = None, **changes: Any) -> Exchange:
    return ask("POST", url, body, settings, **changes)


def ask(method: str, url: str, body: bytes | None, settings: Settings | None = None, **changes: Any) -> Exchange:
    transport = RequestsTransport(lambda: settings or Settings(api_key=KEY))
    limits = {"connect_timeout": 5.0, "read_timeout": 5.0, "max_bytes": 1_000_000, **changes}
    try:
        return transport.send(method, url, headers={"Authorization": f"Bearer {KEY}"}, body=body, **limits)
    finally:
        transport.close()


def failure_of(call: Callable[[], Exchange]) -> TransportError:
    """The failure; no form of it that could land in a log holds the key."""
    with pytest.raises(TransportError) as caught:
        call()
    failure = caught.value
    assert failure.__context__ is None
    assert failure.__cause__ is None
    written = "".join(traceback.format_exception(failure))
    assert KEY not in f"{written} {failure!r} {failure} {vars(failure)}"
    return failure


def lost(handler: Handler, body: bytes = b"{}", **changes: Any) -> TransportError:
    with RawServer(handler) as server:
        return failure_of(lambda: post(f"http://{server.place}/", body, **changes))


# -- certainly not arrived -----------------------------------------------------------------------------


def test_refused() -> None:
    with closed_port() as port:
        failure = failure_of(lambda: post(f"http://127.0.0.1:{port}/"))
    assert type(failure) is ConnectionRefusedByHostError
    assert failure.sent is False
    assert f"127.0.0.1:{port} refused the connection" in str(failure)


def test_name_unknown() -> None:
    name = ".".join(["a" * 60] * 5)  # longer than DNS allows: no resolver is asked
    failure = failure_of(lambda: post(f"http://{name}/"))
    assert type(failure) is DnsError
    assert failure.sent is False
    assert name in str(failure)


@pytest.mark.parametrize("where", ["address", "proxy"])
def test_a_key_that_is_a_hosts_name_is_not_told(where: str) -> None:
    """Names are told in small letters, and so was the key."""
    key = "sk-Other-Form-5ecret.invalid"
    settings = Settings(api_key=key, proxy="" if where == "address" else f"http://{key.lower()}:1")
    host = key.lower() if where == "address" else "gateway.invalid"
    failure = failure_of(lambda: post(f"http://{host}:1/", settings=settings))
    assert failure.sent is False
    assert key.lower() not in f"{failure} {failure!r} {vars(failure)}".lower()
    assert isinstance(failure.what, Sentence)  # it can still be said in Chinese
    assert "The " in failure.what and "***" in failure.what


def test_no_connection_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        failure = failure_of(lambda: post(f"http://127.0.0.1:{full.getsockname()[1]}/", connect_timeout=0.3))
        for filler in fillers:
            filler.close()
    assert failure.sent is False
    if sys.platform == "linux":  # elsewhere a full queue refuses
        assert type(failure) is ConnectTimeoutError
        assert "within 0.3 seconds" in str(failure)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def over_tls(authority: Authority, trusted: bool, days: int = 30, host: str = "127.0.0.1") -> TransportError:
    settings = Settings(api_key=KEY, ca_file=str(authority.ca_file) if trusted else "")
    with RawServer(until_closed, authority.context("127.0.0.1", days=days)) as server:
        return failure_of(lambda: post(f"https://{host}:{server.port}/", settings=settings))


def test_certificate_of_an_unknown_authority(authority: Authority) -> None:
    failure = over_tls(authority, trusted=False)
    assert type(failure) is TlsError
    assert failure.sent is False
    assert "not trusted" in str(failure)
    assert "ca_file" in str(failure)


def test_certificate_expired(authority: Authority) -> None:
    failure = over_tls(authority, trusted=True, days=-1)
    assert type(failure) is TlsError
    assert "expired" in str(failure)


def test_certificate_for_another_name(authority: Authority) -> None:
    failure = over_tls(authority, trusted=True, host="localhost")
    assert type(failure) is TlsError
    assert failure.sent is False
    assert "localhost" in str(failure)


def test_an_old_company_authority_that_was_given_is_trusted(tmp_path: Path) -> None:
    old = Authority(tmp_path, old=True)  # Python 3.13 calls it invalid by itself
    with RawServer(saying(answer()), old.context("127.0.0.1")) as server:
        settings = Settings(api_key=KEY, ca_file=str(old.ca_file))
        assert post(f"https://{server.place}/", settings=settings).status == 200


def test_an_old_company_authority_in_front_of_a_proxy_over_tls_is_trusted(tmp_path: Path) -> None:
    old = Authority(tmp_path, old=True)
    behind = RawServer(saying(answer()), old.context("gateway.example"))
    with behind as gateway, Proxy(("127.0.0.1", gateway.port), tls=old.context("127.0.0.1")) as proxy:
        settings = Settings(api_key=KEY, ca_file=str(old.ca_file), proxy=f"https://{proxy.place}")
        assert post("https://gateway.example/", settings=settings).status == 200


@pytest.mark.parametrize("names_given", [True, False])
def test_a_fault_of_the_given_authority_is_not_taken_for_a_missing_one(tmp_path: Path, names_given: bool) -> None:
    expired, other = Authority(tmp_path, "Old CA", days=-1), Authority(tmp_path, "Another CA")
    with RawServer(until_closed, expired.context("127.0.0.1")) as server:
        settings = Settings(api_key=KEY, ca_file=str((expired if names_given else other).ca_file))
        failure = failure_of(lambda: post(f"https://{server.place}/", settings=settings))
    assert type(failure) is TlsError
    assert ("expired" in failure.why) == names_given
    assert "give its CA" not in failure.do
    assert "ca_file in the settings" in failure.do


def test_no_tls_at_the_other_end() -> None:
    with RawServer(lambda conn: conn.sendall(answer())) as server:
        failure = failure_of(lambda: post(f"https://{server.place}/"))
    assert type(failure) is TlsError
    assert failure.sent is False
    assert "does not speak TLS" in str(failure)


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_dropped_in_the_handshake(end: Handler) -> None:
    with RawServer(lambda conn: (conn.recv(1), end(conn))) as server:
        failure = failure_of(lambda: post(f"https://{server.place}/"))
    assert type(failure) is TlsError
    assert failure.sent is False


def test_handshake_hangs() -> None:
    with RawServer(until_closed) as server:
        failure = failure_of(lambda: post(f"https://{server.place}/", connect_timeout=0.3))
    assert type(failure) is ConnectTimeoutError
    assert failure.sent is False


def test_ca_file_missing(tmp_path: Path) -> None:
    settings = Settings(ca_file=str(tmp_path / "gone.pem"))
    failure = failure_of(lambda: post("https://127.0.0.1:1/", settings=settings))
    assert type(failure) is TlsError
    assert "ca_file in the settings" in str(failure)


def test_ca_file_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with RawServer(until_closed) as server:
        settings = Settings(ca_file=str(tmp_path / "ca.pem"))
        failure = failure_of(lambda: post(f"https://{server.place}/", settings=settings))
    assert type(failure) is TlsError
    assert failure.sent is False
    assert "could not be read" in str(failure)


# -- proxies -------------------------------------------------------------------------------------------


def through(proxy: str, url: str = "https://gateway.example/") -> TransportError:
    return failure_of(lambda: post(url, settings=Settings(api_key=KEY, proxy=proxy)))


def test_proxy_refuses() -> None:
    with closed_port() as port:
        for url in ("https://gateway.example/", "http://gateway.example/"):
            failure = through(f"http://127.0.0.1:{port}", url)
            assert type(failure) is ProxyFailedError
            assert failure.sent is False
            assert f"127.0.0.1:{port}" in str(failure)


def test_proxy_name_unknown() -> None:
    failure = through(f"http://{'.'.join(['a' * 60] * 5)}:3128")
    assert type(failure) is ProxyFailedError
    assert "could not be resolved" in str(failure)


@pytest.mark.parametrize("url", ["https://gateway.example/", "http://gateway.example/"])
def test_proxy_wants_a_login(url: str) -> None:
    with Proxy(("127.0.0.1", 1), refuse="407 Proxy Authentication Required") as proxy:
        failure = through(f"http://who:pass-w0rd@{proxy.place}", url)
    assert type(failure) is ProxyFailedError
    assert failure.sent is False
    assert "(407)" in str(failure)
    assert "pass-w0rd" not in str(failure)


def test_proxy_cannot_reach_the_gateway() -> None:
    with Proxy(("127.0.0.1", 1), refuse="502 Bad Gateway") as proxy:
        failure = through(f"http://{proxy.place}")
    assert type(failure) is ProxyFailedError
    assert failure.sent is False
    assert "502" in str(failure)


def test_proxy_hangs_up() -> None:
    with RawServer(lambda conn: read_head(conn)) as proxy:
        failure = through(f"http://{proxy.place}")
    assert type(failure) is ProxyFailedError
    assert failure.sent is False


def says_400(conn: socket.socket) -> None:
    conn.recv(100_000)
    conn.sendall(answer(b"", "400 Bad Request"))


def resets(conn: socket.socket) -> None:
    conn.recv(1)
    reset(conn)


PROXY_ANSWERS: dict[str, Handler] = {
    "says 400": says_400,
    "closes": lambda conn: conn.recv(100_000),
    "resets": resets,
    "waits": until_closed,
}


@pytest.mark.parametrize("url", ["https://gateway.example/", "http://gateway.example/"])
@pytest.mark.parametrize("behaviour", PROXY_ANSWERS)
def test_https_before_a_plain_proxy_blames_the_proxy(behaviour: str, url: str) -> None:
    with RawServer(PROXY_ANSWERS[behaviour]) as proxy:
        settings = Settings(api_key=KEY, proxy=f"https://who:pass-w0rd@{proxy.place}")
        failure = failure_of(lambda: post(url, settings=settings, connect_timeout=0.3))
    assert type(failure) is ProxyFailedError
    assert failure.sent is False
    assert f"The proxy {proxy.place}" in failure.what
    assert f"http://{proxy.place}" in failure.do
    assert "pass-w0rd" not in str(failure)
    assert "gateway.example" not in failure.do  # nothing that would send the key in clear


def test_an_untrusted_proxy_over_tls_is_told_from_an_untrusted_gateway(authority: Authority) -> None:
    with RawServer(until_closed, authority.context("127.0.0.1")) as proxy:
        failure = through(f"https://{proxy.place}")
    assert type(failure) is ProxyFailedError
    assert f"The certificate of the proxy {proxy.place} is not trusted" in failure.what
    assert "ca_file" in failure.do


def test_no_message_invites_sending_the_key_in_clear() -> None:
    def plain(conn: socket.socket) -> None:
        conn.recv(100_000)
        conn.sendall(answer())

    with RawServer(plain) as server, Proxy(("127.0.0.1", server.port)) as proxy:
        failure = through(f"http://{proxy.place}")
    assert type(failure) is TlsError
    assert "does not speak TLS" in failure.what
    assert "http://" not in failure.do


def test_socks_proxy_says_what_to_do() -> None:
    failure = through("socks5://127.0.0.1:1080")
    assert type(failure) is ProxyFailedError
    assert "HTTP port" in str(failure)


# -- may have arrived ----------------------------------------------------------------------------------


def saying(words: bytes) -> Handler:
    """Reads a request, says these words, closes."""

    def handler(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(words)

    return handler


def is_lost(failure: TransportError) -> bool:
    return type(failure) is AnswerLostError and failure.sent


def test_dropped_while_sending() -> None:
    def take_a_little(conn: socket.socket) -> None:
        conn.recv(100_000)
        reset(conn)

    assert is_lost(lost(take_a_little, BIG))


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_dropped_after_sending(end: Handler) -> None:
    failure = lost(lambda conn: (read_request(conn), end(conn)))
    assert is_lost(failure)
    assert "may have been worked on" in str(failure)


def test_no_answer_in_time() -> None:
    failure = lost(until_closed, read_timeout=0.3)
    assert is_lost(failure)
    assert "no whole answer within" in str(failure)


def test_headers_drip_for_ever() -> None:
    def drip(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            conn.sendall(b"y")
            threading.Event().wait(0.05)

    assert is_lost(lost(drip, read_timeout=0.3, connect_timeout=0.3))


def test_body_drips_for_ever() -> None:
    def drip(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")  # no length: only the end of the connection ends it
        while True:
            conn.sendall(b"y")
            threading.Event().wait(0.05)

    assert is_lost(lost(drip, read_timeout=0.3, connect_timeout=0.3))


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipped(b"{}" * 100)[:-9],
        b"garbage\r\n\r\n",
    ],
)
def test_answer_cut_or_broken(cut: bytes) -> None:
    assert is_lost(lost(saying(cut)))


def test_answer_too_large() -> None:
    failure = lost(saying(answer(b"x" * 5000)), max_bytes=1000)
    assert isinstance(failure, AnswerTooLargeError)
    assert failure.sent
    assert "larger than" in str(failure)


def test_dropped_through_a_tunnel(authority: Authority) -> None:
    with (
        RawServer(read_request, authority.context("gateway.example")) as gateway,
        Proxy(("127.0.0.1", gateway.port)) as proxy,
    ):
        settings = Settings(api_key=KEY, ca_file=str(authority.ca_file), proxy=f"http://{proxy.place}")
        failure = failure_of(lambda: post("https://gateway.example/", settings=settings))
        assert [line.rpartition(" ")[0] for line in proxy.asked] == ["CONNECT gateway.example:443"]
    assert is_lost(failure)


# -- kept connections ----------------------------------------------------------------------------------


class Keeping:
    """A server that answers the first request of each connection and drops the connection at the second."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, conn: socket.socket) -> None:
        self.requests.append(read_request(conn))
        conn.sendall(answer())
        second = read_request(conn)
        if second:
            self.requests.append(second)


def send_twice(method: str, body: bytes | None, **changes: Any) -> tuple[Keeping, int, TransportError | None]:
    keeping = Keeping()
    transport = RequestsTransport(Settings)
    changes = {"headers": {}, "read_timeout": 5.0, "max_bytes": 1000, **changes}
    failure = None
    with RawServer(keeping) as server:
        transport.send("GET", f"http://{server.place}/first", **changes)
        try:
            transport.send(method, f"http://{server.place}/second", body=body, **changes)
        except TransportError as caught:
            failure = caught
        transport.close()
        return keeping, server.accepted, failure


def test_create_lost_on_a_kept_connection_is_not_sent_again() -> None:
    keeping, connections, failure = send_twice("POST", b"{}")
    assert failure is not None
    assert is_lost(failure)
    assert len(keeping.requests) == 2
    assert connections == 1


def test_create_takes_no_connection_that_idled() -> None:
    keeping, connections, failure = send_twice("POST", b"{}", reuse_idle_seconds=0.0)
    assert failure is None
    assert len(keeping.requests) == 2
    assert connections == 2


def test_poll_dropped_on_a_kept_connection_goes_out_again() -> None:
    keeping, connections, failure = send_twice("GET", None)
    assert failure is None
    assert [request.split()[1] for request in keeping.requests] == [b"/first", b"/second", b"/second"]
    assert connections == 2


def test_poll_dropped_on_a_new_connection_is_not_repeated_here() -> None:
    with RawServer(read_request) as server:
        failure = failure_of(lambda: ask("GET", f"http://{server.place}/", None))
        assert server.accepted == 1
    assert is_lost(failure)


def test_connection_closed_while_idle_is_noticed() -> None:
    closed = threading.Event()

    def once(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(answer())
        conn.shutdown(socket.SHUT_RDWR)
        closed.set()

    transport = RequestsTransport(Settings)
    with RawServer(once) as server:
        for _ in range(2):
            transport.send("POST", f"http://{server.place}/", headers={}, body=b"{}", read_timeout=5.0, max_bytes=1000)
            assert closed.wait(5)
        assert server.accepted == 2
    transport.close()


def test_threads_share_the_kept_connections() -> None:
    def serve(conn: socket.socket) -> None:
        while read_request(conn):
            conn.sendall(answer())

    transport = RequestsTransport(Settings)
    with RawServer(serve) as server:

        def work() -> None:
            for _ in range(20):
                transport.send("GET", f"http://{server.place}/", headers={}, read_timeout=5.0, max_bytes=1000)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.accepted <= 8
        assert transport.send("GET", f"http://{server.place}/", headers={}, read_timeout=5.0, max_bytes=1000)
        assert server.accepted <= 8
    transport.close()


# -- what goes over the wire ---------------------------------------------------------------------------


def test_request_line_and_headers_are_as_given() -> None:
    seen: list[bytes] = []
    target = "/a%2fb/%2F+~%7E?sig=a%2bB%2Bc&empty=&q=%e4%bd%a0+x;y=[1]|{2}^'\"<>"

    def note(conn: socket.socket) -> None:
        seen.append(read_request(conn))
        conn.sendall(answer(b"[]"))

    with RawServer(note) as server:
        exchange = post(f"http://{server.place}{target}", b"\x00\xff body")
    assert exchange == Exchange(200, {"content-length": "2"}, b"[]")
    lines = seen[0].split(b"\r\n")
    assert lines[0].decode() == f"POST {target} HTTP/1.1"
    assert seen[0].endswith(b"\r\n\r\n\x00\xff body")
    assert b"Accept-Encoding: identity" in lines
    assert f"Authorization: Bearer {KEY}".encode() in lines


def test_head_and_304_have_a_length_but_no_body() -> None:
    for method, status in (("HEAD", "200 OK"), ("GET", "304 Not Modified")):
        said = f"HTTP/1.1 {status}\r\nContent-Length: 5000\r\n\r\n".encode()
        with RawServer(saying(said)) as server:
            assert ask(method, f"http://{server.place}/", None).body == b""


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzipped(b'{"a": 1}')),
        ("X-GZip", gzipped(b'{"a"') + gzipped(b": 1}") + bytes(8)),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", zlib.compress(b'{"a": 1}')[2:-4]),  # without zlib's header, as some servers have it
        ("identity", b'{"a": 1}'),
        ("gzip, deflate", zlib.compress(gzipped(b'{"a": 1}'))),
    ],
)
def test_packed_answer_is_unpacked(coding: str, packed: bytes) -> None:
    with RawServer(saying(answer(packed, "200 OK", f"Content-Encoding: {coding}"))) as server:
        assert ask("GET", f"http://{server.place}/", None).body == b'{"a": 1}'


def test_packed_bomb_ends_at_the_cap() -> None:
    packed = gzip.compress(bytes(20_000_000), 9)
    failure = lost(saying(answer(packed, "200 OK", "Content-Encoding: gzip")))
    assert "larger than 1 MiB" in str(failure)


def test_ipv6() -> None:
    seen: list[bytes] = []

    def note(conn: socket.socket) -> None:
        seen.append(read_head(conn))
        conn.sendall(answer())

    with RawServer(note, host="::1") as server:
        assert ask("GET", f"http://[::1]:{server.port}/x", None).status == 200
    assert f"Host: [::1]:{server.port}".encode() in seen[0].split(b"\r\n")


def test_large_body_arrives_whole_over_a_line_slower_than_the_connect_timeout() -> None:
    got: list[int] = []

    def slowly(conn: socket.socket) -> None:
        head = read_head(conn)
        threading.Event().wait(0.6)  # longer than the connect timeout below
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        size = 0
        while size < length:
            size += len(conn.recv(1_000_000))
        got.append(size)
        conn.sendall(answer())

    with RawServer(slowly) as server:
        assert post(f"http://{server.place}/", BIG, connect_timeout=0.3, read_timeout=10.0).status == 200
    assert got == [len(BIG)]
