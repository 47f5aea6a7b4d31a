"""The client through TLS and proxies, from the settings and from the environment."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from hunyuan.errors import TlsError
from hunyuan.gateway.client import Client
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.http.traced_connections import TlsContexts
from hunyuan.settings.store import Settings
from sandbox.client import Sandbox, start_in_process
from tests.kit.http_servers import Authority, Proxy

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secure(authority: Authority) -> Iterator[Sandbox]:
    with start_in_process(tls=authority.issue("127.0.0.1", "gateway.example")) as sandbox:
        yield sandbox


@pytest.fixture
def plain() -> Iterator[Sandbox]:
    with start_in_process() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def check(**values: str) -> tuple[bool, str]:
    """The test of the key with these settings, over connections of its own."""
    settings = Settings(**values)  # type: ignore[arg-type]
    transport = RequestsTransport(lambda: settings)
    try:
        found = Client(transport, lambda: settings).check_key()
        return found.ok, found.fault
    finally:
        transport.close()


# -- certificates --------------------------------------------------------------------------------------


def test_ca_from_the_settings(secure: Sandbox, authority: Authority) -> None:
    assert check(api_key=secure.key, base_url=secure.url, ca_file=str(authority.ca_file)) == (True, "")
    assert check(api_key=secure.key, base_url=secure.url) == (False, "tls")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_ca_from_the_environment(
    secure: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(authority.ca_file))
    assert check(api_key=secure.key, base_url=secure.url) == (True, "")


def test_settings_go_before_the_environment(
    secure: Sandbox, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Authority(tmp_path, "Another CA")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca_file))
    assert check(api_key=secure.key, base_url=secure.url) == (False, "tls")
    assert check(api_key=secure.key, base_url=secure.url, ca_file=str(authority.ca_file)) == (True, "")


def test_dead_path_in_the_environment(secure: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))  # OpenSSL passes over it
    assert check(api_key=secure.key, base_url=secure.url) == (False, "tls")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))  # requests does not
    transport = RequestsTransport(Settings)
    with pytest.raises(TlsError) as caught:
        transport.send("GET", secure.url, headers={}, read_timeout=5.0, max_bytes=1000)
    transport.close()
    assert "REQUESTS_CA_BUNDLE in the environment" in str(caught.value)


def test_ca_file_that_changes_is_read_again(secure: Sandbox, authority: Authority, tmp_path: Path) -> None:
    used = tmp_path / "used.pem"
    used.write_bytes(Authority(tmp_path, "Another CA").ca_file.read_bytes())
    settings = Settings(api_key=secure.key, base_url=secure.url, ca_file=str(used))
    transport = RequestsTransport(lambda: settings)
    client = Client(transport, lambda: settings)
    assert client.check_key().fault == "tls"
    used.write_bytes(authority.ca_file.read_bytes() + b"\n# changed\n")
    assert client.check_key().ok
    transport.close()


def test_ca_file_is_read_once(authority: Authority) -> None:
    contexts = TlsContexts()
    first = contexts.get(str(authority.ca_file), None)
    assert contexts.get(str(authority.ca_file), None) is first
    assert first.verify_mode is ssl.CERT_REQUIRED
    assert first.check_hostname


# -- proxies -------------------------------------------------------------------------------------------


def connects(proxy: Proxy) -> list[str]:
    return [line.split()[1] for line in proxy.asked if line.startswith("CONNECT")]


def test_tunnel_from_the_settings_with_a_login(secure: Sandbox, authority: Authority) -> None:
    login = "Basic " + base64.b64encode(b"who:p ss").decode()
    assert secure.server is not None
    with Proxy(("127.0.0.1", secure.server.port), login=login) as proxy:
        known = {"api_key": secure.key, "base_url": "https://gateway.example", "ca_file": str(authority.ca_file)}
        assert check(**known, proxy=f"http://who:p%20ss@{proxy.place}") == (True, "")
        assert check(**known, proxy=f"http://who:wrong@{proxy.place}") == (False, "proxy")
        assert connects(proxy) == ["gateway.example:443"] * 2
    assert secure.state()["key_leaks"] == []


def test_certificate_is_checked_inside_the_tunnel(secure: Sandbox, authority: Authority) -> None:
    assert secure.server is not None
    with Proxy(("127.0.0.1", secure.server.port)) as proxy:
        for host, ca_file in (("gateway.example", ""), ("other.example", str(authority.ca_file))):
            values = {"api_key": secure.key, "base_url": f"https://{host}", "ca_file": ca_file}
            assert check(**values, proxy=f"http://{proxy.place}") == (False, "tls")
    assert secure.requests() == []


def test_tunnel_is_kept(secure: Sandbox, authority: Authority) -> None:
    assert secure.server is not None
    with Proxy(("127.0.0.1", secure.server.port)) as proxy:
        settings = Settings(
            api_key=secure.key,
            base_url="https://gateway.example",
            ca_file=str(authority.ca_file),
            proxy=f"http://{proxy.place}",
        )
        transport = RequestsTransport(lambda: settings)
        client = Client(transport, lambda: settings)
        assert all(client.check_key().ok for _ in range(3))
        transport.close()
        assert len(proxy.asked) == 1


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_tunnel_from_the_environment(
    secure: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert secure.server is not None
    with Proxy(("127.0.0.1", secure.server.port)) as proxy:
        monkeypatch.setenv(name, f"http://{proxy.place}")
        known = {"api_key": secure.key, "base_url": "https://gateway.example", "ca_file": str(authority.ca_file)}
        assert check(**known) == (True, "")
        assert len(connects(proxy)) == 1


def test_plain_http_is_forwarded(plain: Sandbox) -> None:
    assert plain.server is not None
    with Proxy(("127.0.0.1", plain.server.port)) as proxy:
        assert check(api_key=plain.key, base_url="http://gateway.example", proxy=f"http://{proxy.place}") == (True, "")
        assert proxy.asked[0].startswith("GET http://gateway.example/api/v1/tasks/")
    assert plain.requests()[0]["proxied"]


def test_no_proxy_and_none_go_around(plain: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(("127.0.0.1", 1), refuse="403 Forbidden") as proxy:
        known = {"api_key": plain.key, "base_url": plain.url}
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.place}")
        monkeypatch.setenv("http_proxy", f"http://{proxy.place}")
        assert check(**known, proxy="none") == (True, "")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert check(**known) == (True, "")
        assert check(**known, proxy=f"http://{proxy.place}") == (True, "")
        assert proxy.asked == []
