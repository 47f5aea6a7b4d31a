"""The texts of the page: the same keys and placeholders in both languages, none missing, none left over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from devtools.paths import ROOT

LANGUAGES = ("en", "zh")
FILES = ("main", "nodeDefs", "commands", "settings")
# Keys that the page puts together: `t(`states.${task.state}`)`.
JOINED = (
    "states.", "money.", "filters.", "actions.", "sections.", "fields.", "ways.", "tests.", "errors.", "forget.",
    "credits.", "buttons.", "views.", "select.", "lightbox.", "settings.reason_", "settings.origin_", "why.",
    "run.", "badge.",
)  # fmt: skip
MADE_UP = re.compile(r"[{}@|]")  # vue-i18n reads these as syntax
GATEWAYS = {"1200", "1401", "1402"}  # the gateway's own codes of a task that failed
SCRIPTS = sorted((ROOT / "web").glob("*.js"))


def texts(language: str, name: str) -> dict[str, str]:
    """The file's texts by dotted key."""
    return dict(_flat(json.loads((ROOT / "locales" / language / f"{name}.json").read_text(encoding="utf-8"))))


def _flat(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flat(value, f"{path}.{key}" if path else key)
    else:
        assert isinstance(node, str)
        yield path, node


def script() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)


@pytest.mark.parametrize("name", FILES)
def test_both_languages_have_the_same_keys_and_placeholders(name: str) -> None:
    english, chinese = (texts(language, name) for language in LANGUAGES)
    assert set(english) == set(chinese)
    assert english
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", chinese[key])), key
        assert bool(text) == bool(chinese[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_reads_as_the_front_ends_own_syntax(language: str) -> None:
    for name in ("nodeDefs", "commands", "settings"):
        for key, text in texts(language, name).items():
            assert not MADE_UP.search(text), f"{name}: {key}"


def test_every_text_the_page_asks_for_is_there() -> None:
    known = texts("en", "main")
    asked = set(re.findall(r"""\bt\(\s*"([\w.]+)\"""", script()))
    assert len(asked) > 50
    assert {key for key in asked if f"hunyuan.{key}" not in known} == set()
    packs = {f"{kind}.{key}" for kind in ("commands", "settings") for key in texts("en", kind)}
    assert set(re.findall(r"""\bnamed\("([\w.]+)"\)""", script())) == packs


def test_no_text_is_left_that_nothing_asks_for() -> None:
    asked = set(re.findall(r"""["`]([a-z_]+\.[\w.]+)["`]""", script()))
    for key in texts("en", "main"):
        name = key.removeprefix("hunyuan.")
        if key.startswith("hunyuan.") and not name.startswith(JOINED):
            assert name in asked, key


def test_every_word_the_server_and_the_settings_use_has_a_text() -> None:
    known = texts("en", "main")
    from hunyuan import errors
    from hunyuan.journal.records import ENDED_PROCESS, GIVEN_UP, STALLED, RowMoney
    from hunyuan.models import TaskState
    from hunyuan.settings.rules import UPLOAD_WAYS

    wanted = [f"states.{state.value}" for state in TaskState]
    wanted += [f"money.{money.value}" for money in RowMoney]
    wanted += [f"ways.{way}" for way in UPLOAD_WAYS]
    wanted += [f"tests.{fault}" for fault in ("dns", "proxy", "tls", "connection", "address", "key", "gateway")]
    fields = re.findall(r'\{ name: "(\w+)", kind:', (ROOT / "web" / "settings_fields.js").read_text(encoding="utf-8"))
    assert len(fields) > 20
    wanted += [f"fields.{field}.label" for field in fields]
    assert [key for key in wanted if f"hunyuan.{key}" not in known] == []
    ours = {ENDED_PROCESS, GIVEN_UP, STALLED}
    codes = {each.code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")}
    assert {key.split(".")[2] for key in known if key.startswith("hunyuan.why.")} <= codes | GATEWAYS | ours
    assert ours <= {key.split(".")[2] for key in known if key.startswith("hunyuan.why.")}
    shown = {key.split(".")[2] for key in known if key.startswith("hunyuan.fields.")}
    assert shown == set(fields)


def test_the_page_has_each_sentence_of_a_test_in_its_own_words() -> None:
    places = ("hunyuan/gateway/key_check.py", "hunyuan/sources/diagnosis.py", "nodes/routes/connection_test.py")
    source = "".join((ROOT / place).read_text(encoding="utf-8") for place in places)
    known = {key.rpartition(".")[2] for key in texts("en", "main") if ".tests.said." in key}
    assert {name for name in known if f'"{name}"' not in source} == set(), "nobody says these"
    assert set(re.findall(r'said = "(\w+)"', source)) <= known


def test_the_dialog_shows_every_setting_that_the_server_takes_from_it() -> None:
    from tests.kit import pack

    fields = re.findall(r'\{ name: "(\w+)", kind: "(\w+)"', (ROOT / "web" / "settings_fields.js").read_text("utf-8"))
    settings = pack.load("nodes.routes.settings")
    assert sorted(name for name, _ in fields) == sorted(settings.PAGE_FIELDS)
    from hunyuan.settings.store import SECRET_FIELDS

    hidden = {name for name, kind in fields if kind in ("secret", "headers")}
    assert hidden == SECRET_FIELDS & set(settings.PAGE_FIELDS)
