"""The URLs that are kept: which key stands for which URL, whether it still lives, and what to do when it does not."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from ..addresses import parse
from ..errors import DownloadError, TransportError
from ..http.address_guard import AddressGuard
from ..http.transport import Transport
from ..settings.store import Settings
from .ports import LinkStore

T = TypeVar("T")

CHECKED_FOR = 3600.0  # seconds for which a link that was made or seen alive counts as alive
_CHECK_DEADLINE = 8.0  # seconds
_CHECK_BYTES = 65_536
_DEAD = frozenset({401, 403, 404, 410})
_KNOWN_URLS = 4096  # links of this process that can be taken back by their URL


class LinkBook:
    """Kept links over a LinkStore; thread-safe. now: unix seconds."""

    def __init__(
        self,
        settings_supplier: Callable[[], Settings],
        store: LinkStore,
        transport: Transport,
        now: Callable[[], float],
    ) -> None:
        self._settings = settings_supplier
        self._store = store
        self._transport = transport
        self._now = now
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, str] = OrderedDict()  # URL → key
        self._seen: OrderedDict[str, float] = OrderedDict()  # URL → when it was last known to be alive
        self._expiries: OrderedDict[str, float] = OrderedDict()  # URL → when a link handed out stops working
        self._dropped = 0

    def living(self, key: str) -> str | None:
        """The URL kept under a key, if it still works: by its age, and by a look at it once an hour."""
        link = self._store.find(key)
        if link is None:
            return None
        now = self._now()
        with self._lock:
            seen = self._seen.get(link.url, link.created_at)
        if now - seen > CHECKED_FOR:
            if self._is_dead(link.url):
                self._store.drop(key)
                return None
            self._note(self._seen, link.url, now)
        self._note(self._keys, link.url, key)
        if link.expires_at is not None:
            self._note(self._expiries, link.url, link.expires_at)
        return link.url

    def keep(self, key: str, url: str, way: str, expires_at: float | None) -> None:
        """Keeps a URL that works now under a key."""
        self._store.save(key, url, way, expires_at)
        self._note(self._keys, url, key)
        self._note(self._seen, url, self._now())
        if expires_at is not None:
            self._note(self._expiries, url, expires_at)

    def forget(self, url: str) -> None:
        """Takes back a URL that turned out dead; unknown ones are ignored."""
        with self._lock:
            key = self._keys.pop(url, None)
            self._seen.pop(url, None)
            self._expiries.pop(url, None)
            self._dropped += key is not None
        if key is not None:
            self._store.drop(key)

    def stale(self) -> int:
        """How many of the links handed out since the start work no more: changes when one dies."""
        now = self._now()
        with self._lock:
            for url in [url for url, expiry in self._expiries.items() if expiry <= now]:
                del self._expiries[url]
                self._dropped += 1
            return self._dropped

    def _is_dead(self, url: str) -> bool:
        """Asks for the first byte. HEAD would not do: a signed link is signed for GET alone.

        A link that only this machine cannot reach counts as alive: it is the gateway that has to fetch it.
        """
        settings = self._settings()
        try:
            answer = self._transport.fetch(
                parse(url),
                headers={"Range": "bytes=0-0"},
                deadline_seconds=_CHECK_DEADLINE,
                max_bytes=_CHECK_BYTES,
                guard=AddressGuard(settings.base_url, settings.allowed_hosts),
            )
        except (TransportError, DownloadError):  # TooLargeError too: a server without ranges sends the whole image
            return False
        return answer.status in _DEAD

    def _note(self, table: OrderedDict[str, T], url: str, value: T) -> None:
        with self._lock:
            table[url] = value
            table.move_to_end(url)
            while len(table) > _KNOWN_URLS:
                table.popitem(last=False)
