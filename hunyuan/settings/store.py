"""The user's settings: environment over file over default; secrets never shown.

The rules of each value stand in rules.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..atomic_file import write_whole
from ..errors import SettingsError
from ..sentences import redacted, say
from .redaction import MASK, redact
from .rules import RULES, without_user
from .url_secrets import header_secrets, query_secrets, url_secrets

Origin = Literal["environment", "file", "default"]

SECRET_FIELDS = frozenset({"api_key", "journal_url", "s3_access_key", "s3_secret_key", "http_upload_headers"})
ENVIRONMENT_PREFIX = "HUNYUAN_"
_ADDRESSES = frozenset({"proxy", "base_url", "s3_endpoint", "http_upload_url"})


@dataclass(frozen=True, repr=False)
class Settings:
    """All settings, validated. Sizes in bytes, sides in pixels, limits in credits (0: off).

    proxy: empty means the environment's, `none` means no proxy at all.
    """

    api_key: str = ""
    base_url: str = "https://apiin.one"
    model: str = "hunyuan-image-3"
    max_in_flight: int = 8
    credit_limit_per_day: int = 0
    credit_limit_per_session: int = 0
    results_max_bytes: int = 2_000_000_000
    results_dir: str = ""
    results_store: str = "folder"
    journal_url: str = ""
    journal_prompts: str = "text"
    proxy: str = ""
    ca_file: str = ""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    administrators: tuple[str, ...] = ()
    upload_order: tuple[str, ...] = ("remembered", "s3", "http", "data")
    upload_format: str = "jpeg"
    upload_matte: str = "#ffffff"
    upload_max_side: int = 4096
    upload_max_bytes: int = 10_000_000
    s3_endpoint: str = ""
    s3_region: str = ""
    s3_bucket: str = ""
    s3_prefix: str = "hunyuan/"
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_addressing: str = "auto"
    s3_link_seconds: int = 86_400
    http_upload_url: str = ""
    http_upload_method: str = "POST"
    http_upload_field: str = "file"
    http_upload_headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    http_upload_json_path: str = "url"

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(name, getattr(self, name))!r}" for name in FIELDS)
        return f"Settings({', '.join(shown)})"

    @property
    def account(self) -> str:
        """Which key, never the key: 16 hex characters, empty without a key."""
        return hashlib.sha256(self.api_key.encode()).hexdigest()[:16] if self.api_key else ""

    def redact(self, text: str) -> str:
        """The text with every secret, however it is written, and everything of a key's form replaced by `***`.

        A sentence stays one, where no more than its values have to be changed.
        """
        secrets = self._secrets()
        return redacted(text, lambda each: redact(each, secrets))

    def _secrets(self) -> list[str]:
        """Every secret by itself, those inside headers and addresses too."""
        plain = [self.api_key, self.journal_url, self.s3_access_key, self.s3_secret_key]
        for value in self.http_upload_headers.values():
            plain += [value, *header_secrets(value)]
        plain += [secret for url in (self.journal_url, self.proxy) for secret in url_secrets(url)]
        plain += query_secrets(self.http_upload_url)
        return [secret for secret in plain if secret]


FIELDS = tuple(each.name for each in dataclasses.fields(Settings))
_DEFAULTS = Settings()


class SettingsStore:
    """Settings from the environment and one JSON file; thread-safe.

    path: the file; it need not exist. environ: usually `os.environ`; an empty variable counts as unset.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path = path
        self._environ = environ
        self._lock = threading.Lock()
        self._file: tuple[tuple[int, int, int] | None, dict[str, Any]] = (None, {})
        self._loaded: tuple[object, Settings] | None = None

    def load(self) -> Settings:
        """The settings as they are now; the file is read again only when it changed.

        Raises SettingsError naming the variable or the file's entry that cannot be used.
        """
        with self._lock:
            stamp, stored = self._read()
            given = self._from_environment()
            state = (stamp, tuple(sorted(given.items())))
            if self._loaded is None or self._loaded[0] != state:
                self._loaded = (state, self._build(stored, given))
            return self._loaded[1]

    def save(self, changes: Mapping[str, Any]) -> None:
        """Merges the changes into the file (mode 0600, folder 0700, replaced at once); None removes an entry.

        Raises SettingsError, and writes nothing, if one value is not allowed or the file cannot be written.
        """
        for name in changes:
            _check_name(name)
        with self._lock:
            stored = dict(self._read()[1])
            for name, value in changes.items():
                if value is None:
                    stored.pop(name, None)
                elif value != self._masked(name, stored):
                    stored[name] = _plain(RULES[name](value))
            self._write(stored)
            self._loaded = None

    def origin(self, name: str) -> Origin:
        """Where the value in use comes from."""
        _check_name(name)
        with self._lock:
            if name in self._from_environment():
                return "environment"
            return "file" if name in self._read()[1] else "default"

    def public(self) -> dict[str, dict[str, Any]]:
        """What a page may see, by field: `{"value", "origin"}`; of a secret only `{"set", "ends_in", "origin"}`.

        A value that cannot be used has its reason under `problem`; this never raises for it, so that a page can
        show and mend it.
        """
        with self._lock:
            stored, given = self._read()[1], self._from_environment()
        return {name: _public(name, *_pick(name, stored, given)) for name in FIELDS}

    def _masked(self, name: str, stored: Mapping[str, Any]) -> str | None:
        """The form in which the page was shown a proxy with a password: sent back, it means "unchanged"."""
        value = stored.get(name)
        if name != "proxy" or not isinstance(value, str) or "@" not in value:
            return None
        return without_user(value)

    def _from_environment(self) -> dict[str, str]:
        found = {name: self._environ.get(variable(name), "").strip() for name in FIELDS}
        return {name: value for name, value in found.items() if value}

    def _build(self, stored: Mapping[str, Any], given: Mapping[str, str]) -> Settings:
        values: dict[str, Any] = {}
        for name in FIELDS:
            value, origin = _pick(name, stored, given)
            if origin == "default":
                continue
            try:
                values[name] = RULES[name](value)
            except SettingsError as problem:
                where: str = variable(name)
                if origin != "environment":
                    where = say('"{name}" in {file}', name=name, file=self._path.name)
                raise SettingsError(
                    say("{where} cannot be used: {what}", where=where, what=problem.what), do=problem.do
                ) from None
        return Settings(**values)

    def _read(self) -> tuple[tuple[int, int, int] | None, dict[str, Any]]:
        try:
            found = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):  # a file where the folder should be is told by who makes it
            self._file = (None, {})
            return self._file
        except OSError as problem:
            raise self._unreadable(problem.strerror or type(problem).__name__) from None
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != self._file[0]:
            self._file = (stamp, self._parse())
            _close_to_others(self._path, found.st_mode)
        return self._file

    def _parse(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8-sig"))
        except OSError as problem:
            raise self._unreadable(problem.strerror or type(problem).__name__) from None
        except (ValueError, RecursionError):
            stored = None
        if not isinstance(stored, dict):
            # Not raised in the except: json's error holds the whole text, and with it the key.
            raise self._unreadable(say("it is not a JSON object"))
        return stored

    def _unreadable(self, why: str) -> SettingsError:
        return SettingsError(
            say("The settings file {name} cannot be read: {why}.", name=self._path.name, why=why),
            do=say("Mend the file, or delete it and enter the settings again."),
        )

    def _write(self, stored: Mapping[str, Any]) -> None:
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _close_to_others(folder, folder.stat().st_mode)
            text = json.dumps(stored, ensure_ascii=False, indent=1, sort_keys=True)
            write_whole(self._path, text.encode("utf-8"))
        except OSError as problem:
            raise SettingsError(
                say("The settings could not be saved: {reason}.", reason=problem.strerror or type(problem).__name__),
                do=say("Check that the disk is not full and that ComfyUI's user folder may be written."),
            ) from None


def variable(name: str) -> str:
    """The environment variable of a field."""
    return ENVIRONMENT_PREFIX + name.upper()


def _check_name(name: str) -> None:
    if name not in RULES:
        raise SettingsError(say('There is no setting named "{name}".', name=name[:60]))


def _pick(name: str, stored: Mapping[str, Any], given: Mapping[str, str]) -> tuple[Any, Origin]:
    if name in given:
        return given[name], "environment"
    if name in stored:
        return stored[name], "file"
    return getattr(_DEFAULTS, name), "default"


def _public(name: str, value: Any, origin: Origin) -> dict[str, Any]:
    if name in SECRET_FIELDS:
        text = value if isinstance(value, str) else ""
        ends_in = text[-4:] if name == "api_key" and len(text) >= 12 else ""
        shown: dict[str, Any] = {"set": bool(value), "ends_in": ends_in, "origin": origin}
    else:
        shown = {"value": _plain(_shown(name, value)), "origin": origin}
    if origin != "default":
        try:
            usable = RULES[name](value)
            if name not in SECRET_FIELDS:
                shown["value"] = _plain(_shown(name, usable))
        except SettingsError as problem:
            shown["problem"] = problem.message
            if name in _ADDRESSES:  # refused perhaps for the password in it
                shown["value"] = without_user(str(value))
            if name not in SECRET_FIELDS:  # refused perhaps for the key in it
                listed = isinstance(shown["value"], list)
                shown["value"] = [*map(_without_key, shown["value"])] if listed else _without_key(shown["value"])
    return shown


def _without_key(value: Any) -> Any:
    """What may be shown of a value that cannot be used: everything of a key's form in it is masked."""
    if isinstance(value, str):
        return redact(value, ())
    return value if isinstance(value, (int, float)) else type(value).__name__


def _shown(name: str, value: Any) -> Any:
    if name in SECRET_FIELDS:
        return MASK if value else ""
    return without_user(value) if name == "proxy" and isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """The value as JSON takes it."""
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _close_to_others(path: Path, mode: int) -> None:
    """Takes the group's and the others' rights away where there are any and they can be (POSIX; Windows has none)."""
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        # Somebody else's file, or one on a read-only mount: theirs to close. What we write is made with 0600 anyway.
        with contextlib.suppress(OSError):
            os.chmod(path, stat.S_IMODE(mode) & 0o700)
