"""Which proxy and which certificates an exchange uses: the settings first, then the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies

import certifi
import requests.utils

from ..addresses import Address
from ..errors import ProxyFailedError, TlsError
from ..sentences import Sentence, say
from ..settings.store import Settings

CA_SETTING = say("ca_file in the settings")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # in requests' own order
_OPENSSL_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # heeded by OpenSSL and Python, which pass over dead paths
_PROXY_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Route:
    """proxy: its URL, empty for none; it may hold a password. ca: a file or a folder of CA certificates.

    ca_source: which setting or variable named it; empty for the usual certificates.
    """

    proxy: str = field(repr=False)
    ca: str
    ca_source: str = ""


def choose(address: Address, settings: Settings) -> Route:
    """The route to an address; raises ProxyFailedError or TlsError where what is set cannot be used."""
    return Route(_proxy(address, settings), *_ca(settings))


def proxy_place(proxy: str) -> str:
    """The proxy as a message may show it: no user, no password."""
    parts = urlsplit(proxy)
    return parts.netloc.rpartition("@")[2]


def _proxy(address: Address, settings: Settings) -> str:
    if settings.proxy == "none" or requests.utils.should_bypass_proxies(address.origin, no_proxy=None):
        return ""
    source, proxy = say("proxy in the settings"), settings.proxy
    if not proxy:
        source = say("{scheme}_PROXY or ALL_PROXY in the environment", scheme=address.scheme.upper())
        proxy = requests.utils.select_proxy(address.origin, getproxies()) or ""
    if not proxy:
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    try:
        parts = urlsplit(proxy)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
        parts = urlsplit("")
    if usable and parts.scheme.lower() in _PROXY_SCHEMES:
        return proxy
    if usable and parts.scheme.lower().startswith("socks"):
        raise ProxyFailedError(
            say("A SOCKS proxy is set ({proxy}), but only HTTP proxies are used here.", proxy=proxy_place(proxy)),
            do=say(
                "Give the HTTP port of the same proxy program: {source}, for example http://127.0.0.1:7890.",
                source=source,
            ),
        )
    raise ProxyFailedError(
        say("The proxy's address cannot be used."),
        do=say("Mend {source}: it should look like http://127.0.0.1:7890.", source=source),
    )


def _ca(settings: Settings) -> tuple[str, str]:
    """The path, and which setting or variable named it."""
    candidates = [(CA_SETTING, settings.ca_file)]
    candidates += [(_from_environment(name), os.environ.get(name, "")) for name in _CA_VARIABLES]
    for source, path in candidates:
        if path and os.path.exists(path):
            return path, source
        if path:
            raise TlsError(
                say("There is no CA certificate file at the path that {source} names.", source=source),
                do=say("Mend {source}, or remove it to use the usual certificates.", source=source),
            )
    for name in _OPENSSL_VARIABLES:
        if os.path.exists(path := os.environ.get(name, "")):
            return path, _from_environment(name)
    return certifi.where(), ""


def _from_environment(name: str) -> Sentence:
    return say("{name} in the environment", name=name)
