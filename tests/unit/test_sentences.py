"""What users are told travels as sentences: all of it can be said in Chinese, and no secret comes out that way."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.paths import ROOT
from hunyuan.sentences import Sentence, Sentences, redacted, say, together
from tests.kit.pack import load

chinese = load("nodes.status.chinese")
pack = load("hunyuan.sentences")  # the same module under the pack's own name, which its classes are known by

FILES = sorted(path for folder in ("hunyuan", "nodes") for path in (ROOT / folder).rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
CHINESE: dict[str, str] = json.loads((ROOT / "locales/zh/errors.json").read_text(encoding="utf-8"))

# Whose arguments users read, by the position of the sentence; what, why and do are sentences wherever they are named.
SPOKEN = {"Refused": 2, "KeyCheck": 2, "SourceDiagnosis": 2, "_made": 2, "_refusal": 2, "unreadable": 1}
NAMED = ("what", "why", "do")


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in names:
            yield node


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def templates() -> dict[str, set[str]]:
    """Every template in the pack, with the placeholders it has; none where it stands without values."""
    found: dict[str, set[str]] = {}
    for tree in TREES.values():
        for call in calls(tree, "say"):
            (template,) = call.args
            assert isinstance(template, ast.Constant) and isinstance(template.value, str), ast.unparse(call)
            found[template.value] = placeholders(template.value) if call.keywords else set()
            given = {each.arg for each in call.keywords if each.arg}
            dictionary = any(each.arg is None for each in call.keywords)
            assert given <= found[template.value] if dictionary else given == found[template.value], template.value
    return found


def test_every_sentence_is_there_in_chinese_with_the_same_values() -> None:
    known = templates()
    assert len(known) > 400
    assert [template for template in known if template not in CHINESE] == []
    assert [template for template in CHINESE if template not in known] == [], "nobody says these"
    for template, names in known.items():
        if names:
            assert placeholders(CHINESE[template]) == names, template
            specs = {name: spec for _, name, spec, _ in string.Formatter().parse(template) if name}
            CHINESE[template].format(**{name: 1.5 if spec else "x" for name, spec in specs.items()})


def errors() -> set[str]:
    tree = TREES[ROOT / "hunyuan" / "errors.py"]
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.ClassDef) and each.name.endswith("Error")}


def spoken(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that make what users read."""
    kinds = errors()
    for call in calls(tree, *kinds, *SPOKEN, "but"):
        place = 0 if called(call) in kinds else SPOKEN.get(called(call), len(call.args))
        yield from call.args[place : place + 1]
        yield from (each.value for each in call.keywords if each.arg in NAMED)


def faults(node: ast.expr, within: ast.AST, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """What of an expression is a text that nobody could translate. within: where its names are looked up."""
    inner: list[ast.expr] = []
    if isinstance(node, ast.IfExp):
        inner = [node.body, node.orelse]
    elif isinstance(node, ast.BoolOp):
        inner = node.values
    elif isinstance(node, ast.Name) and node.id not in seen:
        inner, seen = list(assigned(node.id, within)), (*seen, node.id)
    elif isinstance(node, ast.Call) and called(node) == "together":
        inner = node.args
    elif _is_made(node):
        yield ast.unparse(node)
    for each in inner:
        yield from faults(each, within, seen)


def _is_made(node: ast.expr) -> bool:
    """Whether it is a str that was put together here, or stands here."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    of_str = isinstance(node, ast.Call) and called(node) in ("format", "strip", "join", "replace", "str")
    return of_str or isinstance(node, (ast.JoinedStr, ast.BinOp))


def assigned(name: str, within: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(within):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _pair(target, node.value, name)
        elif isinstance(node, ast.AnnAssign) and node.value:
            yield from _pair(node.target, node.value, name)


def _pair(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for inner, each in zip(target.elts, value.elts, strict=True):
            yield from _pair(inner, each, name)
    elif isinstance(target, ast.Name) and target.id == name and not isinstance(value, ast.Name):
        yield value


def untold(tree: ast.Module) -> list[str]:
    """What users of this module would read that is no sentence."""
    inner = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    found = []
    for expression in spoken(tree):
        around = [node for node in inner if node.lineno <= expression.lineno <= (node.end_lineno or 0)]
        within = max(around, key=lambda node: node.lineno, default=tree)
        known_here = not isinstance(expression, ast.Name) or any(assigned(expression.id, within))
        found += [f"line {expression.lineno}: {each}" for each in faults(expression, within if known_here else tree)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_users_read_is_said_as_sentences(path: Path) -> None:
    assert untold(TREES[path]) == []


@pytest.mark.parametrize(
    "code",
    [
        'raise JournalError("No room.")',
        'raise JournalError(say("No room."), why=f"{reason}.")',
        'raise error.but(do=error.do + " Run again.")',
        'raise error.but(do=together(error.do, "Run again."))',
        'raise Refused(400, "value", "{} is wrong".format(name), field=name)',
        'def f():\n    what = f"No {name}."\n    return DnsError(what) if name else DnsError(say("None."))',
        '_LATER = "Try again later."\ndef f():\n    raise DownloadError(say("None."), do=_LATER)',
        'def f():\n    money, do = 1, "Run again."\n    raise JournalError(say("None."), do=do or say("Wait."))',
    ],
)
def test_what_is_no_sentence_is_found(code: str) -> None:
    assert len(untold(ast.parse(code))) == 1


def test_a_sentence_is_its_english_text_and_says_itself_in_chinese_with_all_that_is_in_it() -> None:
    late = pack.say("Not done within timeout_s = {seconds:g} s", seconds=60.0)
    told = pack.say("{late}: the task is {state}.", late=late, state=pack.say("running"))
    assert told == "Not done within timeout_s = 60 s: the task is running."
    assert chinese.in_chinese(told) == "等待超时，60 秒（timeout_s）内没有完成：任务状态为“生成中”。"
    row = pack.together(told, "", "Connection reset by peer.", pack.say("Try again."), told)
    assert row == f"{told} Connection reset by peer. Try again. {told}"
    assert chinese.in_chinese(row) == (
        "等待超时，60 秒（timeout_s）内没有完成：任务状态为“生成中”。Connection reset by peer. 请重试。"
        "等待超时，60 秒（timeout_s）内没有完成：任务状态为“生成中”。"
    )
    assert chinese.in_chinese("Try again.") == "Try again.", "somebody else's words, whatever they are"
    assert chinese.in_chinese(pack.say("Nobody says this: {x}", x=1)) == "Nobody says this: 1"
    braces = 'expected a JSON object of texts such as {"Authorization": "Bearer ..."}.'
    assert pack.say(braces) == braces
    assert '{"Authorization"' in chinese.in_chinese(pack.say(braces))


def test_an_answer_for_the_page_is_worded_wherever_a_sentence_stands_in_it() -> None:
    answer = {"ok": False, "fields": [{"problem": pack.say("Try again."), "value": "Try again.", "n": 3}]}
    assert chinese.worded(answer, "zh") == {
        "ok": False,
        "fields": [{"problem": "请重试。", "value": "Try again.", "n": 3}],
    }
    assert chinese.worded(answer, "en") == answer


def test_a_copy_of_a_sentence_is_one() -> None:
    for told in (say("It accepted it {age} ago.", age=say("{n} hours", n=2)), together(say("Try again."), "words")):
        for twin in (copy.copy(told), copy.deepcopy(told), pickle.loads(pickle.dumps(told))):
            assert (twin, type(twin), vars(twin)) == (told, type(told), vars(told))
    assert type(str(say("Try again."))) is str


SECRET = "aio_verysecretkey123"


def no_secret(text: str) -> str:
    return text.replace(SECRET, "***")


def texts_in(value: Any) -> Iterator[str]:
    """Every text that a sentence holds, itself too."""
    if isinstance(value, str):
        yield str(value)
    for each in (*getattr(value, "values", {}).values(), *getattr(value, "parts", ())):
        yield from texts_in(each)


def test_what_is_redacted_in_english_is_redacted_in_chinese() -> None:
    inner = say('It said: "{words}".', words=f"the key {SECRET} is wrong")
    told = redacted(together(say("{way}: {what}", way="http", what=inner), f"more of {SECRET}"), no_secret)
    assert isinstance(told, Sentences)
    assert told == 'http: It said: "the key *** is wrong". more of ***'
    assert [text for text in texts_in(told) if SECRET in text] == []


def test_what_only_the_whole_text_shows_to_be_secret_is_not_translated() -> None:
    half, other = SECRET[:8], SECRET[8:]
    told = redacted(say("The image's link leads to {a}{b}.", a=half, b=other), no_secret)
    assert told == "The image's link leads to ***."
    assert not isinstance(told, Sentence)
    in_template = redacted(
        say(
            "Try again.",
        ),
        lambda text: text.replace("again", "***"),
    )
    assert (in_template, isinstance(in_template, Sentence)) == ("Try ***.", False)


def test_the_settings_redact_sentences_with_every_form_of_a_secret() -> None:
    settings = load("hunyuan.settings.store").Settings(
        api_key=SECRET, http_upload_headers={"X": "Basic s3cr3t-token-77"}
    )
    told = settings.redact(
        pack.together(
            pack.say('The gateway says: "{words}".', words=f"{SECRET} {SECRET[::-1]} {SECRET.encode().hex()}"),
            pack.say("{reason}.", reason="s3cr3t-token-77"),
        )
    )
    in_chinese = chinese.in_chinese(told)
    assert re.search(r"[\u4e00-\u9fff]", in_chinese)
    for text in (told, in_chinese):
        for secret in (SECRET, SECRET[::-1], SECRET.encode().hex(), "s3cr3t-token-77"):
            assert secret not in text
