"""Settings: where a value comes from, what it may be, and that no secret gets out."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

from hunyuan.errors import SettingsError
from hunyuan.settings.rules import RULES
from hunyuan.settings.store import FIELDS, SECRET_FIELDS, Settings, SettingsStore, variable

KEY = "aio_" + "5ecret" * 6
SECRETS: dict[str, Any] = {
    "api_key": KEY,
    "journal_url": "postgresql+psycopg://me:pa55word@db.example/hunyuan",
    "s3_access_key": "AKIA5ECRETACCESS",
    "s3_secret_key": "s3/5ecret+key==",
    "http_upload_headers": {"Authorization": "Bearer up10ad-5ecret"},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "user" / "__hunyuan" / "settings.json"


def store_at(path: Path, **environ: str) -> SettingsStore:
    return SettingsStore(path, environ)


def test_defaults(path: Path) -> None:
    settings = store_at(path).load()
    assert settings == Settings()
    assert (settings.base_url, settings.model) == ("https://apiin.one", "hunyuan-image-3")
    assert not path.parent.exists()  # reading makes nothing


def test_every_field_has_a_rule_that_takes_its_default() -> None:
    assert set(RULES) == set(FIELDS)
    for name in FIELDS:
        if name not in {"api_key", "s3_access_key", "s3_secret_key"}:
            assert RULES[name](getattr(Settings(), name)) == getattr(Settings(), name), name


def test_environment_over_file_over_default(path: Path) -> None:
    store_at(path).save({"model": "from-file", "max_in_flight": 3})
    store = store_at(path, HUNYUAN_MODEL=" from-environment ", HUNYUAN_S3_BUCKET="  ")
    settings = store.load()
    assert (settings.model, settings.max_in_flight, settings.s3_bucket) == ("from-environment", 3, "")
    assert [store.origin(name) for name in ("model", "max_in_flight", "s3_bucket")] == [
        "environment",
        "file",
        "default",
    ]


def test_save_is_seen_at_once_also_by_another_store(path: Path) -> None:
    store, other = store_at(path), store_at(path)
    assert other.load().api_key == ""
    store.save({"api_key": f" Bearer {KEY} "})
    assert store.load().api_key == other.load().api_key == KEY
    store.save({"api_key": None, "model": "m2"})
    assert other.load() == Settings(model="m2")


@pytest.mark.parametrize(
    "pasted",
    [
        f'"{KEY}"',
        f"'{KEY}'",
        f"`{KEY}`",
        f"\u201c{KEY}\u201d",
        f"\u300c{KEY}\u300d",
        f"<{KEY}>",
        f"\ufeff{KEY}\u200b",
        f"\u00a0 {KEY}\u3000",
        f"{KEY}\r\n",
        f"\n\t{KEY}\n\n",
        f"Bearer {KEY}",
        f"bearer\u00a0{KEY}",
        f"Bearer: {KEY}",
        f'"Bearer {KEY}"',
        f'Bearer "{KEY}"',
        f"Authorization: Bearer {KEY}",
        f'"Authorization": "Bearer {KEY}",',
        f"-H 'Authorization: Bearer {KEY}'",
        f"HUNYUAN_API_KEY={KEY}",
        f'export HUNYUAN_API_KEY="{KEY}"',
        f"API key: {KEY}",
        f"api_key\uff1a{KEY}",
        f"API Key\n{KEY}\n",
        f"\u5bc6\u94a5\uff1a{KEY}\u3002",
        f"Bearer{KEY}",  # a password field drops the line break between them
        f"API Key{KEY}",
        f"Authorization:Bearer{KEY}",
        f"Authorization=Bearer%20{KEY}",
        f"{KEY}.",
        f"({KEY})",
        f"({KEY}).",
        f'("{KEY}."),',
        f"**{KEY}**",
        f"* {KEY}",
        f"{KEY}\\n",
        f"{KEY}\\",
        f"\uff08{KEY}\uff09",
        f'{{"Authorization": "Bearer {KEY}"}}',
    ],
)
def test_a_key_is_taken_out_of_what_is_pasted_with_it(path: Path, pasted: str) -> None:
    store = store_at(path)
    store.save({"api_key": pasted})
    assert store.load().api_key == KEY
    assert json.loads(path.read_text())["api_key"] == KEY
    assert store_at(path.with_name("none"), HUNYUAN_API_KEY=pasted).load().api_key == KEY


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        (f"{KEY[:12]}\n{KEY[12:]}", "line break"),
        (f"{KEY[:12]} {KEY[12:]}", "blank"),
        (f"{KEY}\n{KEY}2", "two keys"),
        (f"{KEY}{KEY}", "two keys"),  # a password field drops the line break between them
        (f"{KEY[:8]}...{KEY[-4:]}", "shortened"),
        (f"{KEY[:8]}\u2026{KEY[-4:]}", "shortened"),
        ("aio_********", "shortened"),
        (f"{KEY[:8]}\u2022\u2022\u2022\u2022{KEY[-4:]}", "shortened"),
        (f'"{KEY}', "quote"),
        (f"***{KEY}***", "shortened"),
        (f"{KEY}..", "sign"),
        (f"{KEY}$", "sign"),
        (f"__{KEY}__", "sign"),  # what of it is Markdown's cannot be told
        (f"-{KEY}", "sign"),
        ("Bearer", "only"),
        ("aio_ключ", "outside ASCII"),
        ("sk other\nkey", "line break"),
        ("https://apiin.one/keys", "address"),
    ],
)
def test_a_key_that_is_not_certain_is_refused_with_the_reason(path: Path, pasted: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        store_at(path).save({"api_key": pasted})
    assert reason in str(caught.value)
    assert KEY[12:] not in str(caught.value)


def test_keys_of_a_store_lose_quotes_and_blanks_too(path: Path) -> None:
    store = store_at(path)
    store.save({"s3_access_key": ' "AKIA5ECRET"\n', "s3_secret_key": "\u201cs3/5ecret+key==\u201d"})
    assert (store.load().s3_access_key, store.load().s3_secret_key) == ("AKIA5ECRET", "s3/5ecret+key==")


@pytest.mark.parametrize(
    "key", ["sk-1.2/3+4=", "gw_aio_1.", "(odd)", "(foo)aio_1", "eyJh.eyJz.s_-", "aio_a.b", "aio_ab=="]
)
def test_keys_of_another_form_stay_as_they_are(path: Path, key: str) -> None:
    store = store_at(path)
    store.save({"api_key": key})
    assert store.load().api_key == key


@pytest.mark.parametrize("name", ["s3_access_key", "s3_secret_key"])
@pytest.mark.parametrize(
    "secret",
    ["pass;", "abc,", "<abc>", "a b", "p'ss", "abc...def", "a://b", "***", "Bearer x", "'a'b'", '"x', "(x).", "a\\n"],
)
def test_a_secret_of_a_store_stays_as_it_is(path: Path, secret: str, name: str) -> None:
    store = store_at(path)
    for pasted in (secret, f" {secret}\r\n", f"\ufeff\u00a0{secret}\u200b"):
        store.save({name: pasted})
        assert getattr(store.load(), name) == secret
        assert getattr(store_at(path.with_name("none"), **{variable(name): pasted}).load(), name) == secret


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        ("abc\ndef", "line break"),
        ("abc\rdef", "line break"),
        ("abc\tdef", "control character"),
        ("abc\x7fdef", "control character"),
        ("клю", "outside ASCII"),
        ("\"'abc'\"", "quote"),  # which of them are its own cannot be told
        ("x" * 1025, "1024"),
    ],
)
def test_a_secret_that_cannot_be_sent_is_refused_with_the_reason(path: Path, pasted: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        store_at(path).save({"s3_secret_key": pasted})
    assert reason in str(caught.value)
    assert "def" not in str(caught.value)


def test_unchanged_settings_are_not_built_again(path: Path) -> None:
    store = store_at(path)
    store.save({"model": "m"})
    assert store.load() is store.load()


def test_save_keeps_what_it_does_not_name(path: Path) -> None:
    store = store_at(path)
    store.save(SECRETS)
    store.save({"credit_limit_per_day": "500"})
    settings = store.load()
    assert settings.credit_limit_per_day == 500
    assert all(getattr(settings, name) == value for name, value in SECRETS.items())


def test_file_and_folder_are_closed_to_others(path: Path) -> None:
    path.parent.mkdir(parents=True, mode=0o755)
    store = store_at(path)
    store.save({"api_key": KEY})
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == 0o700
    assert os.listdir(path.parent) == ["settings.json"]
    path.chmod(0o644)
    path.write_text(json.dumps({"model": "by-hand"}))
    assert store.load().model == "by-hand"
    assert mode_of(path) == 0o600


@pytest.mark.posix
@pytest.mark.parametrize("why", [errno.EROFS, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EIO])
def test_a_file_whose_rights_cannot_be_changed_is_read_all_the_same(
    path: Path, why: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only mount: a container's configuration, open to others."""
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"model": "by-hand"}))
    path.chmod(0o644)

    def refuse(*given: Any, **more: Any) -> None:
        raise OSError(why, os.strerror(why))

    monkeypatch.setattr(os, "chmod", refuse)
    assert store_at(path).load().model == "by-hand"
    assert store_at(path).public()["model"]["value"] == "by-hand"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.posix
def test_a_key_is_written_into_a_closed_file_also_where_rights_cannot_be_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    path.chmod(0o644)

    def refuse(*given: Any, **more: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "chmod", refuse)
    store_at(path).save({"api_key": KEY})
    assert store_at(path).load().api_key == KEY
    assert mode_of(path) == 0o600


def mode_of(path: Path) -> int:
    """The rights; where the system keeps none (Windows), those that are wanted."""
    wanted = 0o700 if path.is_dir() else 0o600
    return stat.S_IMODE(path.stat().st_mode) if os.name == "posix" else wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "two words"),
        ("api_key", "line\nbreak"),
        ("api_key", "ключ"),
        ("api_key", 5),
        ("base_url", "ftp://x.example"),
        ("base_url", "https://"),
        ("base_url", "https://user:pw@x.example"),
        ("base_url", "https://x.example/?q=1"),
        ("base_url", "https://x.example:99999"),
        ("base_url", "https://x..example"),
        ("base_url", ""),
        ("model", ""),
        ("model", "a b"),
        ("max_in_flight", 0),
        ("max_in_flight", 65),
        ("max_in_flight", "many"),
        ("max_in_flight", True),
        ("max_in_flight", 2.5),
        ("credit_limit_per_day", -1),
        ("results_max_bytes", "2 GB"),
        ("journal_url", "nonsense"),
        ("journal_prompts", "never"),
        ("proxy", "ftp://x"),
        ("proxy", "http://"),
        ("allowed_hosts", "http://x.example"),
        ("allowed_hosts", ["a/b"]),
        ("allowed_hosts", 5),
        ("allowed_hosts", "*"),
        ("allowed_hosts", "*.cos.example"),
        ("allowed_hosts", ["cos.example", "a*.example:81"]),
        ("allowed_hosts", ".cos.example"),
        ("allowed_hosts", "cos..example"),
        ("allowed_hosts", "."),
        ("allowed_origins", "comfy.example"),
        ("allowed_origins", "https://comfy.example/path"),
        ("allowed_origins", "*"),
        ("allowed_origins", ["https://*.example"]),
        ("allowed_origins", 5),
        ("upload_order", "s3,s3"),
        ("upload_order", ""),
        ("upload_order", ["ftp"]),
        ("upload_format", "gif"),
        ("upload_matte", "white"),
        ("upload_max_side", 1),
        ("upload_max_bytes", 1),
        ("s3_endpoint", "x y"),
        ("s3_addressing", "odd"),
        ("s3_link_seconds", 604_801),
        ("http_upload_method", "GET"),
        ("http_upload_headers", "{"),
        ("http_upload_headers", '["a"]'),
        ("http_upload_headers", {"A": 5}),
        ("http_upload_headers", {"A": "x\r\nB: y"}),
        ("http_upload_headers", {"A b": "x"}),
        ("results_dir", "a\x00b"),
        ("no_such_setting", 1),
    ],
)
def test_bad_values_are_refused_and_nothing_is_written(path: Path, name: str, value: Any) -> None:
    store = store_at(path)
    store.save({"model": "before"})
    with pytest.raises(SettingsError):
        store.save({"model": "after", name: value})
    assert store.load().model == "before"


@pytest.mark.parametrize("name", ["ca_file", "s3_region", "s3_bucket", "s3_prefix", "s3_endpoint", "http_upload_url"])
def test_a_key_in_a_field_that_is_shown_is_refused_and_not_repeated(path: Path, name: str) -> None:
    key = "aio_" + "0123456789abcdef" * 2
    with pytest.raises(SettingsError) as caught:
        store_at(path).save({name: key})
    assert key not in str(caught.value)


def test_a_name_that_looks_like_a_part_of_a_key_is_none(path: Path) -> None:
    store = store_at(path)
    store.save({"ca_file": "/opt/aio_certificates/ca.pem", "s3_prefix": "pictures/aio_generated_ones"})
    assert store.load().ca_file == "/opt/aio_certificates/ca.pem"


def test_an_ipv6_address_is_a_host_with_brackets_and_without(path: Path) -> None:
    store = store_at(path)
    store.save({"allowed_hosts": "fd00::5, [fd00::6], [fd00::7]:9000"})
    assert store.load().allowed_hosts == ("[fd00::5]", "[fd00::6]", "[fd00::7]:9000")


def test_a_star_among_the_hosts_is_named(path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        store_at(path).save({"allowed_hosts": "nas.local, *.cos.example"})
    assert "*.cos.example" in str(caught.value)
    assert "in full" in str(caught.value)


def test_no_value_of_any_kind_breaks_a_rule(path: Path) -> None:
    """Half of a character, which a file cannot hold; lists within lists, deeper than Python likes to go; no number."""
    nested: Any = "x"
    for _ in range(5000):
        nested = [nested]
    for name in FIELDS:
        for value in ("\ud800", "a\udfff", "a\0b", nested, {"a": nested}, [nested], float("nan"), 10**400, b"x"):
            with pytest.raises(SettingsError) as caught:
                store_at(path).save({name: value})
            assert str(caught.value).encode("utf-8")
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "value", "usable"),
    [
        ("base_url", "apiin.one", "https://apiin.one"),
        ("base_url", "HTTP://Gateway.Example:81/", "http://gateway.example:81"),
        ("base_url", "https://x.example/prefix/", "https://x.example/prefix"),
        ("base_url", "https://x.example/prefix/api/v1/", "https://x.example/prefix"),
        ("base_url", "https://x.example/api", "https://x.example"),
        ("proxy", "127.0.0.1:7890", "http://127.0.0.1:7890"),
        ("proxy", "Direct", "none"),
        ("proxy", "", ""),
        ("max_in_flight", " 12 ", 12),
        ("allowed_hosts", "A.example, 10.0.0.5:9000 [fd00::1]", ("a.example", "10.0.0.5:9000", "[fd00::1]")),
        (
            "allowed_hosts",
            "B\u00fccket.example, nas., NAS.local.:81",
            ("xn--bcket-kva.example", "nas", "nas.local:81"),
        ),
        (
            "allowed_hosts",
            "xn--bcket-kva.example \u6587\u4ef6\u3002example",
            ("xn--bcket-kva.example", "xn--5nqy36c.example"),
        ),
        (
            "allowed_origins",
            "HTTPS://Comfy.example:443/, http://pc.fritz.box:8188",
            ("https://comfy.example", "http://pc.fritz.box:8188"),
        ),
        ("upload_order", "data,s3", ("data", "s3")),
        ("upload_format", "PNG", "png"),
        ("http_upload_method", "put", "PUT"),
        ("http_upload_headers", '{"X": "y"}', {"X": "y"}),
        ("http_upload_headers", "", {}),
        ("s3_endpoint", "minio.example:9000", "https://minio.example:9000"),
    ],
)
def test_values_are_brought_into_form(path: Path, name: str, value: Any, usable: Any) -> None:
    store = store_at(path)
    store.save({name: value})
    assert getattr(store.load(), name) == usable
    if isinstance(value, str) and value:
        assert getattr(store_at(path.with_name("none"), **{variable(name): value}).load(), name) == usable


def test_bad_value_in_the_environment_is_named(path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        store_at(path, HUNYUAN_MAX_IN_FLIGHT="lots").load()
    assert "HUNYUAN_MAX_IN_FLIGHT" in str(caught.value)
    assert "'lots'" in str(caught.value)


def test_bad_value_in_the_file_is_named_and_can_be_mended(path: Path) -> None:
    store = store_at(path)
    store.save({"api_key": KEY})
    path.write_text(json.dumps({"api_key": KEY, "max_in_flight": "lots", "unknown_future_setting": 1}))
    with pytest.raises(SettingsError) as caught:
        store.load()
    assert '"max_in_flight" in settings.json' in str(caught.value)
    assert "lots" in store.public()["max_in_flight"]["problem"]
    store.save({"max_in_flight": 4})
    assert store.load() == Settings(api_key=KEY, max_in_flight=4)
    assert json.loads(path.read_text())["unknown_future_setting"] == 1


@pytest.mark.parametrize("content", [f'{{"api_key": "{KEY}"', f'["{KEY}"]', "", "\x00", "[" * 100_000])
def test_damaged_file_is_named_and_its_content_is_not(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(content)
    for use in (store_at(path).load, store_at(path).public, lambda: store_at(path).save({"model": "m"})):
        with pytest.raises(SettingsError) as caught:
            use()
        assert "settings.json" in str(caught.value)
        assert caught.value.__context__ is None
        assert KEY not in "".join(traceback.format_exception(caught.value))
    assert path.read_text() == content


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError) as caught:
        store_at(tmp_path / "file" / "settings.json").save({"model": "m"})
    assert "could not be saved" in str(caught.value) or "cannot be read" in str(caught.value)


def test_threads_save_without_losing_anything(path: Path) -> None:
    store = store_at(path)
    names = ["results_dir", "s3_region", "s3_bucket", "s3_prefix", "http_upload_field", "http_upload_json_path"]
    threads = [threading.Thread(target=store.save, args=({name: name},)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(getattr(store.load(), name) == name for name in names)


# -- secrets -------------------------------------------------------------------------------------------


def plain_secrets() -> list[str]:
    return [KEY, "pa55word", "AKIA5ECRETACCESS", "s3/5ecret+key==", "up10ad-5ecret"]


def test_neither_repr_nor_public_show_a_secret(path: Path) -> None:
    store = store_at(path)
    store.save({**SECRETS, "proxy": "http://me:pr0xy-pass@proxy.example:3128"})
    shown = f"{store.load()!r} {json.dumps(store.public())}"
    assert not [secret for secret in [*plain_secrets(), "pr0xy-pass"] if secret in shown]
    public = store.public()
    assert public["api_key"] == {"set": True, "ends_in": KEY[-4:], "origin": "file"}
    assert public["s3_secret_key"] == {"set": True, "ends_in": "", "origin": "file"}
    assert public["proxy"] == {"value": "http://***@proxy.example:3128", "origin": "file"}
    assert public["model"] == {"value": "hunyuan-image-3", "origin": "default"}
    assert set(public) == set(FIELDS)
    assert all("value" not in public[name] for name in SECRET_FIELDS)
    json.dumps(public)


def test_short_key_shows_nothing_of_itself(path: Path) -> None:
    store = store_at(path, HUNYUAN_API_KEY="short-key")
    assert store.public()["api_key"] == {"set": True, "ends_in": "", "origin": "environment"}


@pytest.mark.parametrize(
    "password", ["pr0xy", "pr0xy@5ecret", "pr0xy/5ecret", "pr0xy 5ecret", "pr0xy#5ecret", "pr0xy:5ecret"]
)
@pytest.mark.parametrize("place", ["proxy.example:3128", "proxy.example:99999", ""])
@pytest.mark.parametrize("scheme", ["http://", "ftp://", ""])
@pytest.mark.parametrize("name", ["proxy", "base_url", "s3_endpoint", "http_upload_url"])
def test_a_password_in_an_address_is_never_shown(path: Path, name: str, scheme: str, place: str, password: str) -> None:
    address = f"{scheme}me:{password}@{place}"
    told = [json.dumps(store_at(path, **{variable(name): address}).public())]
    with contextlib.suppress(SettingsError):
        told.append(repr(store_at(path, **{variable(name): address}).load()))
    try:
        store_at(path).save({name: address})
    except SettingsError as error:
        told.append(f"{error} {error!r}")
    else:
        told.append(json.dumps(store_at(path).public()))
    assert len(told) > 1
    assert not [text for text in told if "pr0xy" in text or "5ecret" in text]


@pytest.mark.parametrize("written", ["{}", "https://{}", "http://{}:8080/x", "x-{}.example", "{}@gateway.example"])
@pytest.mark.parametrize("name", ["base_url", "model", "proxy", "allowed_hosts", "allowed_origins"])
def test_a_key_in_the_wrong_field_is_refused_and_never_shown(path: Path, name: str, written: str) -> None:
    value = written.format(KEY)
    told = [json.dumps(store_at(path, **{variable(name): value}).public())]
    for use in (store_at(path, **{variable(name): value}).load, lambda: store_at(path).save({name: value})):
        with pytest.raises(SettingsError) as caught:
            use()
        assert "key" in str(caught.value)
        told.append("".join(traceback.format_exception(caught.value)))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({name: [value, [value]] if name.startswith("allowed") else value}))  # by hand
    told.append(json.dumps(store_at(path).public()))
    assert "problem" in store_at(path).public()[name]
    assert not [text for text in told if KEY[4:] in text or KEY[4:].lower() in text]


@pytest.mark.parametrize(("name", "value"), [("model", "aio_v2"), ("base_url", "https://studio_aio.example")])
def test_what_only_begins_like_a_key_is_taken(path: Path, name: str, value: str) -> None:
    assert getattr(store_at(path, **{variable(name): value}).load(), name) == value


def test_an_address_with_an_at_sign_in_its_path_is_shown_whole(path: Path) -> None:
    address = "https://files.example/@me/up"
    assert store_at(path, HUNYUAN_HTTP_UPLOAD_URL=address).public()["http_upload_url"]["value"] == address


def test_masked_proxy_sent_back_means_unchanged(path: Path) -> None:
    store = store_at(path)
    store.save({"proxy": "http://me:pr0xy-pass@proxy.example:3128"})
    store.save({"proxy": store.public()["proxy"]["value"]})
    assert store.load().proxy == "http://me:pr0xy-pass@proxy.example:3128"


@pytest.mark.parametrize("name", sorted(SECRET_FIELDS))
def test_refusal_of_a_secret_does_not_repeat_it(path: Path, name: str) -> None:
    for value in (f"bad {KEY} \n value", {"A": f"{KEY}\r\n"}):
        with pytest.raises(SettingsError) as caught:
            store_at(path).save({name: value})
        assert KEY not in f"{caught.value} {caught.value!r}"
    store = store_at(path, **{variable(name): f"bad {KEY} ключ"})
    if name != "journal_url":
        with pytest.raises(SettingsError) as caught:
            store.load()
        assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in json.dumps(store.public())


def test_redact() -> None:
    settings = Settings(**SECRETS, proxy="http://me:pr0xy-pass@proxy.example:3128")
    forms = [*plain_secrets(), "pr0xy-pass", "s3%2F5ecret%2Bkey%3D%3D", "aio_an0ther-key_1"]
    text = settings.redact(f"begin {' and '.join(forms)} end {settings.journal_url}")
    assert not [form for form in forms if form in text]
    assert text.startswith("begin *** and *** and")
    assert Settings().redact("nothing to hide, aio-graph") == "nothing to hide, aio-graph"


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("postgresql://me:pa%2Fss%40word@db/hunyuan", "pa/ss@word"),
        ("postgresql://me:pa/ssword@db/hunyuan", "pa/ssword"),
        ("postgresql://me:pa@ssword@db/hunyuan", "pa@ssword"),
        ("postgresql://me@db/hunyuan?sslmode=require&password=pass%2Bword", "pass+word"),
        ("postgresql://db/hunyuan?sslpassword=passphrase", "passphrase"),
    ],
)
def test_redact_finds_the_password_of_an_address_however_it_is_written(url: str, secret: str) -> None:
    assert Settings(journal_url=url).redact(f"refused {secret} again") == "refused *** again"


def test_account_tells_keys_apart_without_telling_them() -> None:
    one, two = Settings(api_key=KEY), Settings(api_key=KEY + "x")
    assert one.account != two.account
    assert len(one.account) == 16
    assert one.account not in KEY
    assert Settings().account == ""
