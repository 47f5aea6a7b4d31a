"""Which addresses a download may reach, and that a link is taken apart without changing a byte."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan.addresses import parse
from hunyuan.errors import UnsafeAddressError
from hunyuan.http.address_guard import AddressGuard, is_closed

CLOSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba's metadata service
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's
    "169.254.169.254",  # AWS's, Google's …
    "169.254.0.23",  # Tencent's
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # Oracle's
    "192.168.1.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",  # AWS's metadata service over IPv6
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "198.18.0.7",
    "not an address",
    "",
]
OPEN = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", CLOSED)
def test_closed(address: str) -> None:
    assert is_closed(address)


@pytest.mark.parametrize("address", OPEN)
def test_open(address: str) -> None:
    assert not is_closed(address)


@settings(deadline=None)
@given(st.ip_addresses())
def test_nothing_that_python_calls_private_or_local_is_open(address: ipaddress.IPv4Address) -> None:
    local = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if local or address.is_unspecified:
        assert is_closed(str(address))


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_address_inside_another_counts(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for outer in (0xFFFF << 32, 0x64FF9B << 96):
        inside = ipaddress.IPv6Address(outer | number)
        assert is_closed(str(inside)) or not is_closed(str(address)), inside


def test_fake_ip_of_a_proxy_program_is_open_by_name_only() -> None:
    guard = AddressGuard("https://gateway.example")
    guard.check("images.example", 443, "198.18.3.4")
    guard.check("0x.example", 443, "198.18.3.4")
    for written in (
        "198.18.3.4",
        "198.18.3.4.",
        "198.18.772",
        "3323069188",
        "0xc6120304",
        "198.18.3.0x4",
        "0306.022.3.4",
    ):
        with pytest.raises(UnsafeAddressError):
            guard.check(written, 443, "198.18.3.4")
    with pytest.raises(UnsafeAddressError):
        guard.check("0:0::ffff:198.18.3.4", 443, "::ffff:198.18.3.4")


@pytest.mark.parametrize(
    "found",
    [
        ["fdfe:dcba:9876::5"],  # Clash's own pool
        ["fc00::7"],  # sing-box's
        ["198.18.3.4", "fdfe:dcba:9876::5"],
        ["fd12:3456:789a::5", "198.18.3.4"],  # a pool that the user chose
        ["1.1.1.1", "fd12:3456:789a::5"],
        [],
    ],
    ids=" ".join,
)
def test_fake_ip_beside_a_proxy_refuses_nothing(found: list[str]) -> None:
    AddressGuard("https://gateway.example").check_for_proxy("images.example", 443, found)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("nas.example", ["fd12:3456:789a::5"]),  # nothing says that this is not a server in the house
        ("nas.example", ["192.168.1.4", "fdfe:dcba:9876::5"]),
        ("nas.example", ["1.1.1.1", "10.0.0.4"]),
        ("meta.example", ["1.1.1.1", "fd00:ec2::254"]),
        ("meta.example", ["198.18.3.4", "fd20:ce::254"]),
        ("local.example", ["::1", "198.18.3.4"]),
        ("[fdfe:dcba:9876::5]", ["fdfe:dcba:9876::5"]),
        ("fdfe:dcba:9876::5", ["fdfe:dcba:9876::5"]),
        ("198.18.3.4", ["198.18.3.4"]),
    ],
)
def test_a_proxy_opens_no_other_closed_address(host: str, found: list[str]) -> None:
    with pytest.raises(UnsafeAddressError):
        AddressGuard("https://gateway.example").check_for_proxy(host, 443, found)


def test_fake_ip_over_ipv6_is_open_beside_a_proxy_only() -> None:
    with pytest.raises(UnsafeAddressError):  # without one it may be this machine's own TUN address
        AddressGuard("https://gateway.example").check("images.example", 443, "fdfe:dcba:9876::1")


def test_the_refusal_of_an_object_store_inside_names_the_setting_and_the_variable() -> None:
    with pytest.raises(UnsafeAddressError) as caught:
        AddressGuard("https://gateway.example").check("b-125.cos.ap-guangzhou.myqcloud.com", 443, "169.254.0.47")
    for words in ('"b-125.cos.ap-guangzhou.myqcloud.com"', "169.254.0.47", "allowed_hosts", "HUNYUAN_ALLOWED_HOSTS"):
        assert words in caught.value.do + caught.value.what


def test_gateway_is_exempt_at_its_own_port_only() -> None:
    guard = AddressGuard("http://127.0.0.1:8190/prefix")
    guard.check("127.0.0.1", 8190, "127.0.0.1")
    for host, port in (("127.0.0.1", 22), ("localhost", 8190)):
        with pytest.raises(UnsafeAddressError) as caught:
            guard.check(host, port, "127.0.0.1")
        assert "127.0.0.1" in str(caught.value)
        assert "allowed_hosts" in str(caught.value)


@pytest.mark.parametrize("allowed", ["b\u00fccket.example", "B\u00dcCKET.example.", "xn--bcket-kva.example"])
@pytest.mark.parametrize("link", ["b\u00fccket.example", "xn--BCKET-kva.example."])
@pytest.mark.parametrize("port", ["", ":81"])
def test_an_allowed_host_is_known_however_it_is_written(allowed: str, link: str, port: str) -> None:
    guard = AddressGuard("https://gateway.example", (f"{allowed}{port}",))
    address = parse(f"http://{link}{port}/a.png")
    guard.check(address.host, address.port, "10.0.0.5")
    with pytest.raises(UnsafeAddressError):
        guard.check(f"other.{address.host}", address.port, "10.0.0.5")


def test_the_gateway_is_itself_with_a_dot_at_its_end_too() -> None:
    AddressGuard("http://gw.example.:81").check("gw.example", 81, "10.0.0.5")
    AddressGuard("http://gw.example:81").check("gw.example.", 81, "10.0.0.5")


def test_what_is_no_host_is_never_allowed_and_breaks_nothing() -> None:
    guard = AddressGuard("https://gateway.example", ("a..b", "", ".", ":", "x" * 64))
    for host in ("c..d", "", ".", "y" * 64):
        with pytest.raises(UnsafeAddressError):
            guard.check(host, 80, "10.0.0.5")


def test_allowed_hosts_with_and_without_a_port() -> None:
    guard = AddressGuard("https://gateway.example", ("nas.local", "10.0.0.5:9000", "[fd00::1]", "[fd00::2]:81"))
    for host, port, address in (
        ("nas.local", 1234, "192.168.0.2"),
        ("10.0.0.5", 9000, "10.0.0.5"),
        ("fd00::1", 80, "fd00::1"),
        ("fd00::2", 81, "fd00::2"),
    ):
        guard.check(host, port, address)
    for host, port in (("10.0.0.5", 80), ("fd00::2", 80), ("other.local", 1234)):
        with pytest.raises(UnsafeAddressError):
            guard.check(host, port, "10.0.0.5")


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://a.example/x%2Fy%2fz+~%7E?s=a%2bb%2B&t=", "https://a.example", "/x%2Fy%2fz+~%7E?s=a%2bb%2B&t="),
        ("HTTPS://A.Example:443?q=1", "https://a.example", "/?q=1"),
        ("http://a.example:8080/a//b/../c?#frag", "http://a.example:8080", "/a//b/../c?"),
        ("https://bücher.example/ü?k=图", "https://xn--bcher-kva.example", "/%C3%BC?k=%E5%9B%BE"),
        ("http://[2606:4700::1111]:81/x", "http://[2606:4700::1111]:81", "/x"),
        ("https://a.example/x@y:z", "https://a.example", "/x@y:z"),
    ],
)
def test_taken_apart_byte_for_byte(url: str, origin: str, target: str) -> None:
    address = parse(url)
    assert (address.origin, address.target) == (origin, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://a.example/",
        "file:///etc/passwd",
        "gopher://a.example/",
        "javascript:alert(1)",
        "//a.example/x",
        "http://",
        "http:///x",
        "https://user:pass@a.example/",
        "https://good.example@127.0.0.1/",
        "https://good.example\\@127.0.0.1/",
        "https://a.example:0/",
        "https://a.example:99999/",
        "https://a.example:x/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://a..example/",
        "https://a.example/ x",
        "https://a.example/\r\nHost: b",
        " https://a.example/",
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(UnsafeAddressError):
        parse(url)


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_is_an_address_or_unsafe(text: str, more: str) -> None:
    for url in (text, f"http://{text}", f"https://a.example/{text}", f"https://{text}/{more}"):
        try:
            address = parse(url)
        except UnsafeAddressError:
            continue
        assert address.target.startswith("/")
        assert f"{address.host}{address.target}".isascii()


@pytest.mark.parametrize(
    ("location", "goal"),
    [
        ("/y%2fz?s=%2b", "https://a.example/y%2fz?s=%2b"),
        ("z", "https://a.example/dir/z"),
        ("?q", "https://a.example/dir/x?q"),
        ("//b.example/y", "https://b.example/y"),
        ("http://b.example:81/y%2F", "http://b.example:81/y%2F"),
        ("https://b.example/a/./b/../c//d?", "https://b.example/a/./b/../c//d?"),
    ],
)
def test_redirects_are_joined(location: str, goal: str) -> None:
    following = parse("https://a.example/dir/x?old").join(location)
    assert following.origin + following.target == goal
