"""The settings dialog's routes: what is set (never a secret), saving, and "test".

A secret only ever travels from the page into the 0600 file. It is bound to where it is sent to: who moves the base URL
(or the upload address) must give the key (the headers) again, or a page could have it sent to a host of its choice.
So must who names an authority for certificates, or a proxy beside one: they together read what is encrypted.
"""

from __future__ import annotations

import dataclasses
import hmac
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ...hunyuan.errors import SettingsError
from ...hunyuan.sentences import say, together
from ...hunyuan.settings.rules import RULES
from ...hunyuan.settings.store import SECRET_FIELDS, Settings, SettingsStore, variable
from ..comfyui.paths import private_directory
from .guard import Refused

# What the dialog sets. The rest (folders, the database) is the server's own business: environment or file.
PAGE_FIELDS = (
    "api_key", "base_url", "model", "proxy", "ca_file", "allowed_hosts", "allowed_origins",
    "max_in_flight", "credit_limit_per_day", "credit_limit_per_session", "results_max_bytes",
    "upload_order", "upload_format", "upload_matte", "upload_max_side", "upload_max_bytes",
    "s3_endpoint", "s3_region", "s3_bucket", "s3_prefix", "s3_access_key", "s3_secret_key", "s3_addressing",
    "s3_link_seconds",
    "http_upload_url", "http_upload_method", "http_upload_field", "http_upload_headers", "http_upload_json_path",
)  # fmt: skip
_SENT_TO = {"api_key": "base_url", "http_upload_headers": "http_upload_url"}  # secret → the address it goes to


def open_store() -> SettingsStore:
    """The settings beside the runtime's own, for when those keep the runtime from being built. Blocking."""
    return SettingsStore(private_directory() / "settings.json", os.environ)


def administrators(store: SettingsStore) -> tuple[str, ...]:
    """The users whom the settings name as such; nobody where they cannot be read. Blocking."""
    try:
        found = store.public()["administrators"]
    except SettingsError:
        return ()
    return () if "problem" in found else tuple(found["value"])


def shown(store: SettingsStore) -> dict[str, Any]:
    """What the dialog shows: by field `value`, `origin`, `problem`; of a secret `set`, `ends_in`. Blocking.

    account_url: where keys are got.
    """
    public = store.public()
    fields = {name: {**public[name], "variable": variable(name)} for name in PAGE_FIELDS}
    return {"fields": fields, "account_url": Settings().base_url}


def save(store: SettingsStore, changes: Any) -> dict[str, Any]:
    """Writes the dialog's changes and gives what `shown` gives. Raises Refused. Blocking."""
    wanted = _checked(changes)
    current = in_use(store)
    candidate = _with(current, wanted)
    for secret in _strayed(current, candidate):
        given = wanted.get(secret)
        if not given or not _same_or_new(store, secret, getattr(current, secret), getattr(candidate, secret)):
            raise Refused(
                409,
                f"{secret}_needed",
                say("Where this secret is sent, or who can read it on the way, changes: give it again."),
                field=secret,
            )
        if store.origin(secret) == "environment":
            del wanted[secret]  # proved to be known; the environment's stays in use
    for name in wanted:
        if store.origin(name) == "environment":
            raise Refused(
                409,
                "environment",
                say("{variable} is set in the environment and wins.", variable=variable(name)),
                field=name,
            )
    try:
        store.save(wanted)
    except SettingsError as error:
        raise Refused(500, "not_saved", error.message) from None
    return shown(store)


def candidate_for_test(store: SettingsStore, changes: Any) -> tuple[Settings, bool]:
    """The settings as they would be, and whether a stored secret was left out because its address is a new one."""
    wanted = _checked(changes)
    current = in_use(store)
    candidate = _with(current, wanted)
    withheld = [secret for secret in _strayed(current, candidate) if not wanted.get(secret)]
    empty: dict[str, Any] = {secret: {} if secret == "http_upload_headers" else "" for secret in withheld}
    return dataclasses.replace(candidate, **empty), bool(withheld)


def _checked(changes: Any) -> dict[str, Any]:
    """The changes, each valid by its rule; raises Refused naming the field."""
    if not isinstance(changes, Mapping):
        raise Refused(400, "changes", say('"changes" must be an object of settings.'))
    for name, value in changes.items():
        if name not in PAGE_FIELDS:
            raise Refused(400, "field", say("{name!r} cannot be set here.", name=str(name)[:60]), field=str(name)[:60])
        try:
            if value is not None:
                RULES[name](value)
        except SettingsError as error:
            raise Refused(400, "value", together(error.what, error.do), field=name) from None
    return dict(changes)


def in_use(store: SettingsStore) -> Settings:
    """The settings in use; where one of them cannot be used, only that secrets are set, and where and how they go."""
    try:
        return store.load()
    except SettingsError:
        public = store.public()
        ways = ("base_url", "http_upload_url", "proxy", "ca_file")
        return Settings(
            **{name: public[name]["value"] for name in ways if "problem" not in public[name]},
            api_key="?" if public["api_key"]["set"] else "",
            http_upload_headers={"?": "?"} if public["http_upload_headers"]["set"] else {},
        )


def _with(current: Settings, wanted: Mapping[str, Any]) -> Settings:
    defaults = Settings()
    values = {name: getattr(defaults, name) if value is None else RULES[name](value) for name, value in wanted.items()}
    return dataclasses.replace(current, **values)


def _strayed(current: Settings, candidate: Settings) -> list[str]:
    """The stored secrets that the changed settings would send to somebody new."""
    strayed = []
    for secret, address in _SENT_TO.items():
        old, new = getattr(current, address), getattr(candidate, address)
        by_proxy = candidate.proxy != current.proxy and (new.startswith("http://") or bool(candidate.ca_file))
        readable = by_proxy or (bool(candidate.ca_file) and candidate.ca_file != current.ca_file)
        if getattr(current, secret) and new and (_place(old) != _place(new) or readable):
            strayed.append(secret)
    return strayed


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _same_or_new(store: SettingsStore, secret: str, old: Any, new: Any) -> bool:
    """A secret of the file may be replaced; one of the environment must be proved to be known."""
    if store.origin(secret) != "environment":
        return True
    return secret not in SECRET_FIELDS or hmac.compare_digest(str(old).encode(), str(new).encode())
