"""Which requests the routes take for those of their own page, and what a refused user is told to set."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import pack

guard = pack.load("nodes.routes.guard")
trust = pack.load("nodes.routes.own_addresses")
settings = pack.load("hunyuan.settings.store")

ADDRESS = "http://pc.fritz.box:8188"


def refusal(trusted: object = trust.NOTHING, **headers: str) -> object:
    """The refusal, or None. Header names with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        guard.check_page(named, trusted)
    except guard.Refused as refused:
        return refused
    return None


FROM_BEHIND = [
    ("https://comfy.example:8443", "comfy.example"),  # a reverse proxy that drops the port
    ("https://comfy.example", "127.0.0.1:8188"),  # nginx as it is by itself
    ("https://comfy.example", "comfyui:8188"),
    ("http://pc.tail1234.ts.net:8188", "pc.tail1234.ts.net:8188"),
    ("http://pc.fritz.box:8188", "pc.fritz.box:8188"),
]


@pytest.mark.parametrize(("origin", "host"), FROM_BEHIND)
def test_the_browsers_own_word_is_enough(origin: str, host: str) -> None:
    assert refusal(Origin=origin, Host=host, Sec_Fetch_Site="same-origin") is None
    assert refusal(Origin=origin, Host=host, Sec_Fetch_Site="Same-Origin") is None
    for other in ("cross-site", "same-site", "nonsense"):
        assert refusal(Origin=origin, Host=host, Sec_Fetch_Site=other)


@pytest.mark.parametrize(("origin", "host"), FROM_BEHIND)
def test_without_it_the_user_is_told_what_to_set_and_then_gets_in(origin: str, host: str) -> None:
    refused = refusal(Origin=origin, Host=host)
    assert isinstance(refused, guard.Refused)
    for words in ("allowed_origins", "HUNYUAN_ALLOWED_ORIGINS", f'"{origin}"'):
        assert words in str(refused)
    trusted = trust.Trusted(frozenset({origin}), frozenset())
    assert refusal(trusted, Origin=origin, Host=host) is None
    assert refusal(trusted, Origin=origin.upper(), Host=host) is None
    assert refusal(trusted, Origin="https://evil.example", Host=host)
    assert refusal(trusted, Origin=f"{origin}.evil.example", Host=host)


def test_the_machines_own_name_needs_no_setting() -> None:
    trusted = trust.Trusted(frozenset(), frozenset({"pc.fritz.box"}))
    assert refusal(trusted, Origin=ADDRESS, Host="pc.fritz.box:8188") is None
    assert refusal(trusted, Origin=ADDRESS, Host="pc.fritz.box")  # that is another origin still


@pytest.fixture
def store(tmp_path: Path) -> object:
    return settings.SettingsStore(tmp_path / "settings.json", {})


def test_trust_is_the_setting_and_the_own_names(store: object, tmp_path: Path) -> None:
    asked: list[str] = []

    def names() -> frozenset[str]:
        asked.append("")
        return frozenset({"pc"})

    look = trust.Trust(lambda: store, names)
    assert look() == trust.Trusted(frozenset(), frozenset({"pc"}))
    store.save({"allowed_origins": "https://comfy.example:8443"})  # type: ignore[attr-defined]
    assert look() == trust.Trusted(frozenset({"https://comfy.example:8443"}), frozenset({"pc", "comfy.example"}))
    (tmp_path / "settings.json").write_text('{"allowed_origins": "nonsense"}')
    assert look().origins == frozenset()
    (tmp_path / "settings.json").write_text("{")
    assert look().origins == frozenset()
    assert len(asked) == 1


def test_this_machine_has_a_name() -> None:
    assert trust.own_names()
