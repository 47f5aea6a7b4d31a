"""By which addresses this server is opened: the machine's own names, and what the user wrote into allowed_origins."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...hunyuan.errors import SettingsError

if TYPE_CHECKING:
    from ...hunyuan.settings.store import SettingsStore


@dataclass(frozen=True)
class Trusted:
    """origins: as a browser writes them (`https://host:8443`). names: hosts, lower case, without ports."""

    origins: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


NOTHING = Trusted()


class Trust:
    """Looks both up; blocking, thread-safe. Only asked where the request alone does not tell who calls."""

    def __init__(self, open_store: Callable[[], SettingsStore], own_names: Callable[[], frozenset[str]]) -> None:
        self._open_store, self._own_names = open_store, own_names
        self._lock = threading.Lock()
        self._names: frozenset[str] | None = None

    def __call__(self) -> Trusted:
        with self._lock:
            if self._names is None:  # a resolver may take seconds over it: once for a process
                self._names = self._own_names()
        origins = frozenset(self._origins())
        return Trusted(origins, self._names | {urlsplit(origin).hostname or "" for origin in origins})

    def _origins(self) -> list[str]:
        try:
            shown = self._open_store().public()["allowed_origins"]
        except SettingsError:
            return []  # a file that cannot be read allows nobody anything
        return [] if "problem" in shown else list(shown["value"])


def own_names() -> frozenset[str]:
    """What this machine calls itself, and what its resolver calls it; blocking."""
    name = socket.gethostname()
    found = {name, socket.getfqdn()}
    try:
        official, aliases, _ = socket.gethostbyname_ex(name)
    except OSError:
        pass  # a machine that cannot resolve its own name: the name alone must do
    else:
        found |= {official, *aliases}
    return frozenset(each.lower().rstrip(".") for each in found if each)
