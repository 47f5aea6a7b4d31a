"""The documents say what is there: links, pictures, nodes, inputs, settings, templates, labels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hunyuan.settings.store import FIELDS, SECRET_FIELDS, Settings, variable
from tests.kit.documents import DOCUMENTS, LINK, READMES, ROOT, codes, commands, name, project, prose, rows, text
from tests.kit.fake_comfy_api import ids, output_names, schemas
from tests.kit.workflow_files import TEMPLATES, note

OTHER_VARIABLES = {"HUNYUAN_"}  # the prefix by itself
ELSEWHERES = {"COMFYUI_PATH", "COMFYUI_PYTHON", "CHROMIUM_PATH"}  # dev.py's own


# -- links and pictures ------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_and_picture_exists(document: Path) -> None:
    for target in LINK.findall(prose(document)):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        goal = (place_of(document) / path).resolve() if path else document
        assert goal.exists(), f"{name(document)} leads to {target}"
        if anchor:
            assert anchor in anchors(goal), f"{name(document)} leads to {target}"


def place_of(document: Path) -> Path:
    """From where its links go: a node's help is shown by ComfyUI, which starts at the folder `docs`."""
    served = ROOT / "web" / "docs"
    return served if served in document.parents else document.parent


def anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_picture_is_shown_somewhere() -> None:
    shown = {target for document in DOCUMENTS for target in LINK.findall(text(document))}
    for picture in (ROOT / "docs" / "images").glob("*"):
        assert any(target.endswith(picture.name) for target in shown), picture.name


def test_the_changelog_knows_the_version() -> None:
    assert f"## {project()['version']}\n" in text("CHANGELOG.md")


# -- nodes and inputs --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nodes() -> dict[str, Any]:
    return schemas(newer=True)


@pytest.mark.parametrize(("readme", "header"), [("README.md", "node"), ("README.zh-CN.md", "节点")])
def test_the_table_of_nodes_is_complete(readme: str, header: str, nodes: dict[str, Any]) -> None:
    language = "zh" if "zh" in readme else "en"
    names = json.loads(text(f"locales/{language}/nodeDefs.json"))
    found = {}
    for title, _, inputs, outputs in rows(readme, header):
        (node_id,) = codes(title)
        assert f"**{names[node_id]['display_name']}**" in title
        found[node_id] = (codes(inputs), codes(outputs))
    expected = {node_id: (ids(schema.inputs), output_names(schema)) for node_id, schema in nodes.items()}
    assert {key: (sorted(a), b) for key, (a, b) in found.items()} == {
        key: (sorted(a), b) for key, (a, b) in expected.items()
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_node_that_is_named_exists(document: Path, nodes: dict[str, Any]) -> None:
    classes = set(re.findall(r"\bHunyuan[A-Z]\w+", text(document)))
    assert classes - {"HunyuanError"} <= set(nodes), name(document)


# -- settings and variables --------------------------------------------------------------------------


def test_the_settings_are_complete_with_their_variables_and_defaults() -> None:
    told = {cells[0].strip("`"): cells for cells in rows("docs/settings.md", "setting")}
    assert set(told) == set(FIELDS)
    for field, (_, env, default, english, chinese) in told.items():
        assert codes(env) == [variable(field)]
        assert default.strip("`") == plain(getattr(Settings(), field)), field
        assert ("*secret*" in english) == (field in SECRET_FIELDS), field
        assert english
        assert chinese


def plain(value: object) -> str:
    """A default as the documents write it."""
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value in ("", {}) else str(value)


@pytest.mark.parametrize(("readme", "header"), [("README.md", "environment variable"), ("README.zh-CN.md", "环境变量")])
def test_the_readmes_tables_of_variables_hold_the_right_defaults(readme: str, header: str) -> None:
    told = {codes(cells[0])[0]: cells[1].strip("`") for cells in rows(readme, header)}
    assert {variable("api_key"), variable("base_url"), variable("model"), variable("proxy")} <= set(told)
    for field in FIELDS:
        if variable(field) in told and field != "proxy":
            assert told[variable(field)] == plain(getattr(Settings(), field))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_variable_and_setting_that_is_named_exists(document: Path) -> None:
    variables = set(re.findall(r"\b[A-Z]+(?:_[A-Z0-9]+)+\b", text(document)))
    known = {variable(field) for field in FIELDS} | ELSEWHERES | OTHER_VARIABLES
    assert {each for each in variables if each.startswith(("HUNYUAN", "COMFYUI", "CHROMIUM"))} <= known
    prefixes = ("s3_", "http_upload_", "upload_", "credit_limit_", "journal_", "results_")
    named = {code for code in codes(prose(document)) if re.fullmatch(r"[a-z0-9_]+", code)}
    assert {code for code in named if code.startswith(prefixes)} <= {*FIELDS, "results_url"}, name(document)


@pytest.mark.parametrize(("readme", "header"), [("README.md", "way"), ("README.zh-CN.md", "方式")])
def test_every_way_of_an_input_image_says_who_sees_it(readme: str, header: str) -> None:
    assert tuple(codes(cells[0])[0] for cells in rows(readme, header)) == Settings().upload_order


# -- workflows and labels ----------------------------------------------------------------------------


@pytest.mark.parametrize(("readme", "header"), [("README.md", "template"), ("README.zh-CN.md", "模板")])
def test_the_table_of_templates_is_complete_with_costs(readme: str, header: str) -> None:
    told = {cells[0]: cells[2] for cells in rows(readme, header)}
    assert sorted(told) == TEMPLATES
    for template, cost in told.items():
        number = re.findall(r"\d+", cost)
        assert re.findall(r"(\d+) credits", note(template).splitlines()[0]) == number, template


def test_automation_names_every_api_workflow() -> None:
    told = {cells[0] for cells in rows("docs/automation.md", "file")}
    files = {path.name for path in (ROOT / "workflows" / "api").glob("*.json")}
    assert {re.findall(r"\[([^\]]+)\]", cell)[0] for cell in told} == files


@pytest.mark.parametrize("language", ["en", "zh"])
def test_commands_and_tabs_are_called_as_the_page_calls_them(language: str) -> None:
    readme = text(READMES[language == "zh"])
    label = json.loads(text(f"locales/{language}/commands.json"))["Hunyuan_SetKey"]["label"]
    page = json.loads(text(f"locales/{language}/main.json"))["hunyuan"]
    assert f"**{label}**" in readme
    for words in (page["sidebar"]["title"], page["settings"]["test_key"], page["settings"]["save"]):
        assert words in readme


def test_notes_call_nodes_commands_and_tabs_as_they_are_shown() -> None:
    shown = set()
    for language in ("en", "zh"):
        shown |= {each["display_name"] for each in json.loads(text(f"locales/{language}/nodeDefs.json")).values()}
        shown |= {each["label"] for each in json.loads(text(f"locales/{language}/commands.json")).values()}
        shown.add(json.loads(text(f"locales/{language}/main.json"))["hunyuan"]["sidebar"]["title"])
    for template in TEMPLATES:
        named = re.findall(r"\*\*(Hunyuan[^*]+)\*\*|“((?:Hunyuan：|混元)[^”]+)”", note(template))
        assert {english or chinese for english, chinese in named} <= shown, template


def test_both_readmes_have_the_same_parts() -> None:
    english, chinese = (re.findall(r"^(#+) ", prose(readme), re.MULTILINE) for readme in READMES)
    assert english == chinese
    assert commands(READMES[0]) == commands(READMES[1])
    targets = [
        [target for target in LINK.findall(prose(readme)) if not target.startswith("README")] for readme in READMES
    ]
    assert [each.replace(".zh.png", ".png") for each in targets[1]] == targets[0]


def test_no_document_names_a_money_price_or_a_place_of_some_machine() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"\$\s?\d|\d\s?(?:USD|RMB|元)\b", text(document)), name(document)
        assert not re.search(r"/(?:home|root|Users)/|/work/", text(document)), name(document)
