"""Secrets in every form in which a server, a library or a log may give them back."""

from __future__ import annotations

import base64
import html
import json
import random
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from hunyuan.settings.store import Settings

KEY = "sk-Abc/DEF+0123456789_xyz=="  # not of the form that is redacted whoever's key it is
SETTINGS = Settings(api_key=KEY)


def escaped(form: str) -> Callable[[str], str]:
    return lambda text: "".join(form.format(ord(letter), letter) for letter in text)


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "small": str.lower,
    "swapped case": str.swapcase,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 behind one letter": lambda text: base64.b64encode(b"x" + text.encode() + b"y").decode(),
    "base64 behind two": lambda text: base64.b64encode(b"xx" + text.encode() + b"yy").decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(f"user:{text}".encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode() * 3).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex in capitals": lambda text: text.encode().hex().upper(),
    "hex with blanks": lambda text: text.encode().hex(" "),
    "backwards": lambda text: text[::-1],
    "backwards in base64": lambda text: base64.b64encode(text[::-1].encode()).decode(),
    "blanks": " ".join,
    "newlines": "\n".join,
    "newlines of Windows": "\r\n".join,
    "newlines as JSON writes them": lambda text: json.dumps("\n".join(text)),
    "zero-width characters": "\u200b".join,
    "zero-width joiners": "\u200d".join,
    "soft hyphens": "\u00ad".join,
    "byte order marks": "\ufeff".join,
    "percent": lambda text: quote(text, safe=""),
    "percent everywhere": escaped("%{0:02x}"),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": json.dumps,
    "JSON everywhere": escaped("\\u{0:04x}"),
    "JSON twice": lambda text: json.dumps(json.dumps(escaped("\\u{0:04X}")(text))),
    "slashes escaped": lambda text: text.replace("/", "\\/"),
    "hex escapes": escaped("\\x{0:02x}"),
    "HTML": lambda text: html.escape(text).replace("/", "&#x2F;").replace("+", "&plus;").replace("=", "&equals;"),
    "HTML numbers": escaped("&#{0};"),
    "HTML hex numbers": escaped("&#x{0:x};"),
    "HTML with zeros": escaped("&#0000{0};"),
    "blanks and percent": lambda text: " ".join(escaped("%{0:02x}")(letter) for letter in text),
    "lines of base64 as JSON": lambda text: json.dumps(base64.encodebytes(text.encode() * 3).decode()),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_redacted_however_it_is_written(way: str) -> None:
    shown = WAYS[way](KEY)
    text = SETTINGS.redact(f"The server said: {shown} - and no more.")
    assert "***" in text
    assert text.startswith("The server said: "), "the words around it stay"
    assert text.endswith(" - and no more.")
    left = text.removeprefix("The server said: ").removesuffix(" - and no more.")
    assert len(left.replace("***", "")) < 12, left


def test_what_a_basic_header_holds_is_a_secret_too() -> None:
    token = base64.b64encode(b"me:s3cret-pass").decode()
    settings = Settings(http_upload_headers={"Authorization": f"Basic {token}"})
    for form in (token, "me:s3cret-pass", "s3cret-pass", "S3CRET-PASS"):
        assert settings.redact(f"<{form}>") == "<***>"


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://up.example/put/{name}?key=abcd1234", "abcd1234"),
        ("https://up.example/put?sig=ab%2Fcd12%3D&name={name}", "ab/cd12="),
        ("https://up.example/put?k=0123456789abcdef", "0123456789abcdef"),
        ("https://me:pa55word@up.example/put", "pa55word"),
    ],
)
def test_a_key_in_the_upload_address_is_a_secret(url: str, secret: str) -> None:
    assert Settings(http_upload_url=url).redact(f"refused {secret} again") == "refused *** again"
    assert Settings(http_upload_url=url).redact("up.example/put says no") == "up.example/put says no"


def test_ordinary_texts_stay() -> None:
    settings = Settings(api_key=KEY, s3_access_key="test", http_upload_headers={"X": "tiny"})
    for text in (
        "nothing to hide",
        "100 % of A&B \\ C:\\new\\test?",
        "日本語 %E6%97%A5 &amp; \\u65e5",
        "a b c d e f g h",
    ):
        assert settings.redact(text).replace("***", "test") == text


def growth(settings: Settings, text: str) -> float:
    """How many times as long a text takes as a quarter of it: the least of three pairs.

    A machine that becomes slower between the two only adds to it."""
    return min(spent(settings, text) / spent(settings, text[: len(text) // 4]) for _ in range(3))


def spent(settings: Settings, text: str) -> float:
    """Seconds of this thread, at least so many that they can be compared."""
    start = time.thread_time()
    settings.redact(text)
    return max(0.02, time.thread_time() - start)


@pytest.mark.long
def test_two_megabytes_cost_four_times_as_much_as_half_of_one() -> None:
    """Also a text that is made to cost."""
    full = Settings(
        api_key=KEY,
        s3_access_key="AKIA0123456789ABCDEF",
        s3_secret_key="x" * 40,
        journal_url="postgresql://me:a-long-password@db/hunyuan",
        http_upload_headers={"Authorization": "Bearer 0123456789abcdefghij"},
    )
    letters = "".join(random.Random(1).choices('abcdef0123456789 %\\&\n"', k=2**21))
    for text in (letters, KEY[:-1] * (2**21 // len(KEY)), " " * 2**21, "%25" * 2**19, "s \n" * 2**19, "&#" * 2**20):
        assert growth(full, text) < 2 * 4, text[:20]


@pytest.mark.long
def test_many_keys_in_two_megabytes_are_all_redacted() -> None:
    text = "".join(f"{way(KEY)}\n\n{'x' * 3000}\n" for _ in range(18) for way in WAYS.values())
    assert SETTINGS.redact(text).count("***") >= 18 * len(WAYS)
    assert growth(SETTINGS, text) < 2 * 4
