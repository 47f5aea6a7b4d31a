"""The networks that no download may reach, checked for every address that a name stands for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from ..addresses import compared_host, compared_place, parse
from ..errors import UnsafeAddressError
from ..sentences import say

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Written out instead of `is_global`: that changes with Python's version, and misses single hosts such as Azure's.
_CLOSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata service, at a public address
        "169.254.0.0/16",  # link-local; the metadata services of AWS, Google, Tencent …
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",  # local-use NAT64
        "100::/64",
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",
        "2002::/16",  # 6to4, retired (RFC 7526); it would carry any IPv4 address inside
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
# Proxies of the Clash family answer every name with an address out of this benchmark network ("fake-ip") and
# resolve the name themselves at the far end: a name may lead there, an address that is written out may not.
_FAKE_IP = ipaddress.ip_network("198.18.0.0/15")
# The same over IPv6: what Clash (mihomo) and sing-box take unless told otherwise. Other pools of theirs are any private
# network (fc00::/7), where nobody but the metadata services of AWS and Google has a fixed place.
_FAKE_IP6 = tuple(ipaddress.ip_network(network) for network in ("fdfe::/16", "fc00::/18"))

_PRIVATE6 = ipaddress.ip_network("fc00::/7")

_METADATA6 = tuple(ipaddress.ip_network(network) for network in ("fd00:ec2::/32", "fd20:ce::/32"))

_LINK_LOCAL = tuple(ipaddress.ip_network(network) for network in ("169.254.0.0/16", "fe80::/10"))

_METADATA = tuple(ipaddress.ip_network(f"{host}/32") for host in ("100.100.100.200", "168.63.129.16", "192.0.0.192"))

_WRITTEN_OUT = re.compile(r":|(^|\.)(\d+|0x[0-9a-f]*)\.?$")  # a host that is an address, in any spelling
# IPv6 networks with an IPv4 address in their last 32 bits.
_EMBEDDED = (
    ipaddress.ip_network("::ffff:0:0/96"),  # mapped
    ipaddress.ip_network("::/96"),  # compatible
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64
    ipaddress.ip_network("::ffff:0:0:0/96"),  # translated
)


def is_closed(address: str, *, by_name: bool = False) -> bool:
    """Whether no download may go to this IP address: private, loopback, link-local, metadata, multicast …

    by_name: the address came out of DNS (see _FAKE_IP). What is not an IP address counts as closed.
    """
    try:
        ip: IPAddress = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return True
    if any(ip in network for network in _CLOSED) or (ip in _FAKE_IP and not by_name):
        return True
    return any(
        ip in network and is_closed(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)), by_name=by_name)
        for network in _EMBEDDED
    )


class AddressGuard:
    """Decides where a download may connect to: public addresses, the gateway itself, and what the user allowed."""

    def __init__(self, base_url: str, allowed_hosts: Collection[str] = ()) -> None:
        gateway = parse(base_url)
        self._gateway = (compared_host(gateway.host), gateway.port)
        self._allowed = frozenset(map(compared_place, allowed_hosts)) - {""}

    def is_exempt(self, host: str, port: int) -> bool:
        """Whether this host and port may be reached at any address: the gateway's own, or one the user allowed."""
        host = compared_host(host)
        bracketed = f"[{host}]" if ":" in host else host
        names = {host, bracketed, f"{bracketed}:{port}"}
        return (host, port) == self._gateway or not names.isdisjoint(self._allowed)

    def check(self, host: str, port: int, address: str) -> None:
        """Raises UnsafeAddressError if a download from `host` must not connect to this IP address."""
        if not self.is_exempt(host, port) and is_closed(address, by_name=is_name(host)):
            raise _closed(host, address)

    def check_proxy(self, host: str, address: str) -> None:
        """Raises UnsafeAddressError if no proxy can be at this address. Private networks and this machine have many."""
        ip = ipaddress.ip_address(address.split("%", 1)[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if any(ip in network for network in (*_LINK_LOCAL, *_METADATA, *_METADATA6)):
            raise _closed(host, address)

    def check_for_proxy(self, host: str, port: int, addresses: Collection[str]) -> None:
        """The same where a proxy connects; addresses: all that this machine knows of `host`, perhaps none.

        A private IPv6 address may be a proxy program's fake one: it counts only where nothing else is known of the
        name and no such program takes it by default.
        """
        if self.is_exempt(host, port):
            return
        by_name = is_name(host)
        closed = [address for address in addresses if is_closed(address, by_name=by_name)]
        known_otherwise = len(closed) < len(addresses)
        for address in closed:
            if not (by_name and _may_be_fake(address, known_otherwise)):
                raise _closed(host, address)


def is_name(host: str) -> bool:
    """Whether this host is looked up in DNS; False for an IP address in any spelling."""
    return not _WRITTEN_OUT.search(host)


def _may_be_fake(address: str, known_otherwise: bool) -> bool:
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if any(ip in network for network in _FAKE_IP6):
        return True
    return known_otherwise and ip in _PRIVATE6 and not any(ip in network for network in _METADATA6)


def _closed(host: str, address: str) -> UnsafeAddressError:
    return UnsafeAddressError(
        say("The image's link leads to {host}, which is at the closed address {address}.", host=host, address=address),
        why=say("Private, loopback, link-local and metadata addresses are not fetched from."),
        do=say(
            'If this is your own server or an object store inside your network, add "{host}" to '
            "allowed_hosts in the settings (or to HUNYUAN_ALLOWED_HOSTS).",
            host=host,
        ),
    )
