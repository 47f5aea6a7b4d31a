"""What each setting may be: a function a field that gives the usable value or raises SettingsError.

A value comes as text (environment, a form) or as what JSON gives. No message repeats a secret's value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from .. import addresses
from ..errors import SettingsError, UnsafeAddressError
from ..sentences import say
from .pasted_keys import clean_key, clean_secret
from .redaction import KEY_START

Rule = Callable[[Any], Any]

UPLOAD_WAYS = ("remembered", "s3", "http", "data")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+")
_MODEL = re.compile(r"[\w.\-/:]{1,100}", re.ASCII)
_KEY = re.compile(rf"{KEY_START}[A-Za-z0-9_\-]{{8,}}")
_MAX_S3_LINK_SECONDS = 604_800  # the S3 API's limit for signed links (signature version 4)


def without_user(address: str) -> str:
    """The address with everything before its last @ masked: a password may hold any character."""
    before, at, place = address.rpartition("@")
    if not at:
        return address
    scheme, colon, _ = before.partition("://")
    return f"{scheme}://***@{place}" if colon else f"***@{place}"


def _text(value: Any, longest: int = 4096) -> str:
    if not isinstance(value, str):
        raise SettingsError(say("expected a text, got {got}.", got=type(value).__name__))
    text = value.strip()
    if len(text) > longest:
        raise SettingsError(say("expected at most {most} characters, got {count}.", most=longest, count=len(text)))
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise SettingsError(
            say("it holds a line break or another control character."), do=say("Paste it without line breaks.")
        )
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise SettingsError(
            say("it holds half of a character, which no file can hold."), do=say("Type or copy it again.")
        )
    return text


def _brief(value: Any) -> str:
    """A wrong value as a message shows it; of a list only that it is one: it may be nested deeper than text goes."""
    return repr(str(value)[:40]) if isinstance(value, (str, int, float)) else type(value).__name__


def _key(clean: Callable[[str], str]) -> Rule:
    """A secret that travels in a header or a signature."""

    def rule(value: Any) -> str:
        if not isinstance(value, str):
            raise SettingsError(say("expected a text, got {got}.", got=type(value).__name__))
        return clean(value)

    return rule


def _keyless(rule: Rule, *, whole: bool = False) -> Rule:
    """For a field that pages and messages show: a key that was pasted into it is refused, and not repeated.

    whole: only what is nothing but a key, where a folder's or a bucket's name may look like a part of one."""

    def checked(value: Any) -> Any:
        texts = value if isinstance(value, (list, tuple)) else [value]
        holds_key = _KEY.fullmatch if whole else _KEY.search
        if any(isinstance(text, str) and holds_key(text.strip()) for text in texts):
            raise SettingsError(
                say("it looks like an API key."),
                do=say("Enter the key as api_key (or HUNYUAN_API_KEY) and nowhere else."),
            )
        return rule(value)

    return checked


def _whole(least: int, most: int) -> Rule:
    def rule(value: Any) -> int:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,18}\s*", value) else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise SettingsError(
                say(
                    "expected a whole number from {least} to {most}, got {got}.",
                    least=least,
                    most=most,
                    got=_brief(value),
                )
            )
        return number

    return rule


def _one_of(*allowed: str) -> Rule:
    def rule(value: Any) -> str:
        for word in allowed:
            if isinstance(value, str) and value.strip().lower() == word.lower():
                return word
        raise SettingsError(say("expected one of {choices}, got {got}.", choices=", ".join(allowed), got=_brief(value)))

    return rule


def _optional(rule: Rule) -> Rule:
    """Empty stays empty."""
    return lambda value: "" if isinstance(value, str) and not value.strip() else rule(value)


def _address(value: Any) -> str:
    """An http(s) address with a host and without a user; `https://` is added where no scheme stands."""
    text = _text(value)
    if "://" not in text:
        text = f"https://{text}"
    try:
        addresses.parse(text)
    except UnsafeAddressError as problem:
        shown = without_user(text)[:100]
        raise SettingsError(
            say("expected an address such as https://host.example, got {shown!r}. {why}", shown=shown, why=problem.why)
        ) from None
    return text


def _base_url(value: Any) -> str:
    text = _address(value)
    parts = urlsplit(text)
    if parts.query or parts.fragment:
        raise SettingsError(
            say("expected an address without query or fragment."), do=say("Write it as https://apiin.one.")
        )
    path = re.sub(r"/api(/v1)?/*$", "", parts.path.rstrip("/"))  # pasted from the vendor's examples
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{path.rstrip('/')}"


def _proxy(value: Any) -> str:
    text = _text(value)
    if text.lower() in ("none", "direct"):
        return "none"
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h") and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        shown = without_user(text)[:100]
        raise SettingsError(
            say('expected a proxy such as http://127.0.0.1:7890, or "none", got {shown!r}.', shown=shown)
        )
    return text


def _journal_url(value: Any) -> str:
    text = _text(value)
    if not re.match(r"[a-z][a-z0-9+]*://", text):
        raise SettingsError(
            say("expected a database address such as postgresql+psycopg://user:password@host/database.")
        )
    return text


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        value = re.split(r"[,\s]+", value)
    if not isinstance(value, (list, tuple)):
        raise SettingsError(say("expected a list, or a text separated by commas, got {got}.", got=type(value).__name__))
    return [text for text in (_text(item, 300).lower() for item in value) if text]


def _hosts(value: Any) -> tuple[str, ...]:
    return tuple(map(_host, _listed(value)))


def _host(text: str) -> str:
    """`host` or `host:port` as it is compared with a link's."""
    if "*" in text:
        raise SettingsError(say("each host must be named in full, without *, got {got!r}.", got=text[:100]))
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"  # an IPv6 address by itself
    place = addresses.compared_place(text)
    try:
        parts = urlsplit(f"//{place}")
        usable = parts.netloc == place and bool(parts.hostname) and "@" not in place
        usable = usable and (parts.port is None or parts.port > 0)
        (parts.hostname or "").encode("idna")  # no name has an empty part, or one of more than 63 characters
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(say("expected hosts such as images.example or 10.0.0.5:9000, got {got!r}.", got=text[:100]))
    return place


def _origins(value: Any) -> tuple[str, ...]:
    """Where a page comes from, as a browser writes it: no path, no port where it is the scheme's own."""
    origins = []
    for text in _listed(value):
        try:
            address = addresses.parse(text)
        except UnsafeAddressError:
            address = None
        if address is None or address.target not in ("/", "") or "*" in text:
            raise SettingsError(
                say("expected origins such as https://comfy.example:8443, got {got!r}.", got=text[:100])
            )
        origins.append(address.origin)
    return tuple(origins)


def _upload_order(value: Any) -> tuple[str, ...]:
    ways = _listed(value)
    if not ways or len(set(ways)) != len(ways) or not set(ways) <= set(UPLOAD_WAYS):
        raise SettingsError(
            say(
                "expected some of {choices}, each once, got {got!r}.",
                choices=", ".join(UPLOAD_WAYS),
                got=", ".join(ways)[:100],
            )
        )
    return tuple(ways)


def _matte(value: Any) -> str:
    text = _text(value, 20).lower()
    if not re.fullmatch(r"#[0-9a-f]{6}", text):
        raise SettingsError(say("expected a colour such as #ffffff, got {text!r}.", text=text))
    return text


def _headers(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            value = None
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise SettingsError(say('expected a JSON object of texts such as {"Authorization": "Bearer ..."}.'))
    for name, content in value.items():
        if not _HEADER_NAME.fullmatch(name) or not re.fullmatch(r"[ -~]*", content):
            raise SettingsError(say("a header's name or value holds a character that HTTP does not allow."))
    return dict(value)


def _model(value: Any) -> str:
    text = _text(value)
    if not _MODEL.fullmatch(text):
        raise SettingsError(say("expected a model's name such as hunyuan-image-3, got {got!r}.", got=text[:100]))
    return text


RULES: dict[str, Rule] = {
    "api_key": _key(clean_key),
    "base_url": _keyless(_base_url),
    "model": _keyless(_model),
    "max_in_flight": _whole(1, 64),
    "credit_limit_per_day": _whole(0, 10**9),
    "credit_limit_per_session": _whole(0, 10**9),
    "results_max_bytes": _whole(0, 10**15),
    "results_dir": _text,
    "results_store": _one_of("folder", "s3"),
    "journal_url": _optional(_journal_url),
    "journal_prompts": _one_of("text", "hash"),
    "proxy": _optional(_keyless(_proxy)),
    "ca_file": _keyless(_text, whole=True),
    "allowed_hosts": _keyless(_hosts),
    "allowed_origins": _keyless(_origins),
    "administrators": lambda value: tuple(_listed(value)),
    "upload_order": _upload_order,
    "upload_format": _one_of("jpeg", "png", "webp"),
    "upload_matte": _matte,
    "upload_max_side": _whole(64, 16_384),
    "upload_max_bytes": _whole(10_000, 10**9),
    "s3_endpoint": _optional(_keyless(_address)),
    "s3_region": _keyless(_text, whole=True),
    "s3_bucket": _keyless(_text, whole=True),
    "s3_prefix": _keyless(_text, whole=True),
    "s3_access_key": _key(clean_secret),
    "s3_secret_key": _key(clean_secret),
    "s3_addressing": _one_of("auto", "path", "virtual"),
    "s3_link_seconds": _whole(60, _MAX_S3_LINK_SECONDS),
    "http_upload_url": _optional(_keyless(_address)),
    "http_upload_method": _one_of("POST", "PUT"),
    "http_upload_field": _keyless(_text, whole=True),
    "http_upload_headers": _headers,
    "http_upload_json_path": _keyless(_text, whole=True),
}
