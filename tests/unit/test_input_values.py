"""What is linked to a node: whole floats, wrong kinds, several ids or URLs in one text."""

from __future__ import annotations

import time
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.kit.pack import load

values = load("nodes.input_values")
errors = load("hunyuan.errors")


@pytest.mark.parametrize("given", [1024, 1024.0, np.float32(1024), np.float64(1024), np.int64(1024), np.uint16(1024)])
def test_a_whole_number_is_an_integer(given: Any) -> None:
    found = values.whole("width", given, 256, 1536)
    assert found == 1024
    assert type(found) is int


@pytest.mark.parametrize(
    "given",
    [1024.5, float("nan"), float("inf"), True, np.bool_(True), "1024", None, [1024], {"value": 1024}, 2048, 255, 1j],
    ids=repr,
)
def test_anything_else_is_refused_by_name_with_the_bounds(given: Any) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        values.whole("width", given, 256, 1536)
    assert caught.value.what.startswith("width must be a whole number of 256 to 1536, got ")


HUGE = [10**5000, -(10**5000), Fraction(10**400), Fraction(10**5000), Fraction(10**5000, 3)]


@pytest.mark.parametrize("given", HUGE, ids=["int", "negative", "fraction", "long fraction", "in thirds"])
@pytest.mark.parametrize("bounds", [(256, 1536), (-1, None), (None, None)])
def test_a_number_that_python_cannot_show_is_refused_by_name_too(given: Any, bounds: tuple[int | None, ...]) -> None:
    for read in (partial(values.whole, least=bounds[0], most=bounds[1]), values.flag, values.text):
        with pytest.raises(errors.InvalidRequestError) as caught:
            read("width", given)
        assert caught.value.what.startswith("width must be ")
        assert len(caught.value.what) < 200
    with pytest.raises(errors.InvalidRequestError):
        values.choice("width", given, ["a", "b"])


def test_a_64_bit_seed_keeps_every_digit() -> None:
    assert values.whole("seed", 2**64 - 1, -1) == 2**64 - 1


def test_a_message_shows_long_values_cut() -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        values.whole("width", "1" * 10_000)
    assert len(caught.value.what) < 200


@pytest.mark.parametrize(("given", "found"), [(True, True), (0, False), (1.0, True), (np.bool_(False), False)])
def test_a_flag_may_be_one_or_zero(given: Any, found: bool) -> None:
    assert values.flag("wait", given) is found


@pytest.mark.parametrize("given", ["false", None, 2, [True], 0.5], ids=repr)
def test_any_other_flag_is_refused(given: Any) -> None:
    with pytest.raises(errors.InvalidRequestError, match="wait must be true or false"):
        values.flag("wait", given)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("n68a1_hunyuan3\nn68a2_hunyuan3", ["n68a1_hunyuan3", "n68a2_hunyuan3"]),
        ("n68a1_hunyuan3, n68a2_hunyuan3,", ["n68a1_hunyuan3", "n68a2_hunyuan3"]),
        ("n68a1_hunyuan3 n68a2_hunyuan3\tn68a3_hunyuan3", ["n68a1_hunyuan3", "n68a2_hunyuan3", "n68a3_hunyuan3"]),
        ("n68a1_hunyuan3，n68a2_hunyuan3、n68a3_hunyuan3", ["n68a1_hunyuan3", "n68a2_hunyuan3", "n68a3_hunyuan3"]),
        ("n68a1_hunyuan3\r\n\r\nn68a1_hunyuan3;", ["n68a1_hunyuan3"]),
        ("a,b", ["a", "b"]),
        ("two words", ["two words"]),
        ("task abc12345", ["task abc12345"]),
        ("n68 xxxx_hunyuan3", ["n68 xxxx_hunyuan3"]),
        (" , \n", []),
    ],
)
def test_task_ids_are_parted_where_that_is_sure(given: str, found: list[str]) -> None:
    assert values.split_ids(given) == found


def test_lines_that_are_known_ids_stay_whole() -> None:
    known = ["\u4efb\u52a1 1, a", "n1_hunyuan3 n2_hunyuan3"]
    given = f" {known[0]} \n{known[1]}\na, b"
    assert values.split_ids(given, known) == [*known, "a", "b"]


A, B = "https://a.example/1.png", "HTTPS://b.example/2.png"
COMMAS = "https://a.example/resize,w_300,h_200/1.png?x-oss-process=image/resize,w_300"
SIGNED = "https://a.example/1.png;v=2;sig=abc;"
DATA = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (f"{A}\n\n  {B} \n", [A, B]),
        (f"{A}, {B},", [A, B]),
        (f"{A},{B}", [A, B]),
        (f"{A} {B}\t{A}", [A, B, A]),
        (f"{A}，{B}；{DATA}", [A, B, DATA]),
        (COMMAS, [COMMAS]),
        (f"{COMMAS},{A}", [COMMAS, A]),
        (f"{DATA},{DATA}\n{DATA} {A}", [DATA, DATA, DATA, A]),
        (f"https://p.example/?of={A},{A}", [f"https://p.example/?of={A},{A}"]),
        (f"https://p.example/?of={A}, {A}", [f"https://p.example/?of={A}", A]),
        ("https://a.example/my image.png", ["https://a.example/my", "image.png"]),
        (f"{A} and {B}", [A, "and", B]),
        (f"{A}, or else {B} please.", [A, "or else", B, "please."]),
        (f"{A}　{B}，　，{DATA}　，{A}", [A, B, DATA, A]),
        (r"C:\My pictures\1.png", [r"C:\My pictures\1.png"]),
        ("data:image/png;base64,iVBO Rw0K Ggo=", ["data:image/png;base64,iVBO Rw0K Ggo="]),
        (SIGNED, [SIGNED]),
        (f" {SIGNED}, \n{SIGNED}，{A};\n{DATA};", [SIGNED, SIGNED, A, DATA]),
        (f"{SIGNED} and {A};", [SIGNED, "and", A]),
        (f"{SIGNED} {A}; {B}", [SIGNED, A, B]),
        ("file:///etc/passwd", ["file:///etc/passwd"]),
        (" \n,", []),
    ],
)
def test_urls_are_parted_where_another_begins(given: str, found: list[str]) -> None:
    assert values.split_urls(given) == found


@pytest.mark.parametrize("mark", [" ", ",", "，", " ,"])
def test_a_flood_of_blanks_or_commas_between_urls_takes_no_time(mark: str) -> None:
    """Read when a prompt is queued, on the loop that serves everybody."""
    began = time.monotonic()
    assert values.split_urls(f"{A}{mark * 100_000}{B}{mark * 100_000}") == [A, B]
    assert time.monotonic() - began < 2
