"""Errors once raised stay as they are: who has more to say of one says it of a copy."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from hunyuan import errors
from hunyuan.errors import HunyuanError, Money


def raised(error: HunyuanError) -> HunyuanError:
    try:
        raise error
    except HunyuanError as caught:
        return caught


EVERY = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, HunyuanError)]


@pytest.mark.parametrize("kind", EVERY)
def test_a_copy_differs_only_in_what_it_was_told(kind: type[HunyuanError]) -> None:
    given: dict[str, Any] = (
        {"status": 429, "words": "w", "retry_after": 3.0} if issubclass(kind, errors.GatewayError) else {}
    )
    given |= {"sent": True} if issubclass(kind, errors.TransportError) else {}
    first = raised(kind("What.", why="Why.", do="Do.", money=Money.REFUNDED, **given))
    twin = first.but(do="Do that.", task_id="n1")
    assert type(twin) is kind
    assert vars(twin) == {**vars(first), "do": "Do that.", "task_id": "n1"}
    assert (first.do, first.task_id) == ("Do.", None)
    assert str(twin) == str(first).replace("Do.", "Do that.").replace(" A failed", " Task id: n1. A failed")


def test_what_was_raised_changes_no_more() -> None:
    error = HunyuanError("What.")
    error.do = "Made up before it is raised."
    error = raised(error)
    for name in ("what", "do", "money", "task_id", "translation"):
        with pytest.raises(AttributeError, match="but"):
            setattr(error, name, "another node's")
    with pytest.raises(AttributeError, match="but"):
        error.but().do = "a copy goes on as it is, too"
    with pytest.raises(AttributeError, match="no field"):
        error.but(words="only a gateway's error has them")
    error.__notes__ = ["what Python or pytest adds"]


def test_a_copy_reads_as_the_first_one_in_a_log() -> None:
    try:
        try:
            raise OSError("the disk")
        except OSError as cause:
            raise errors.JournalError("The journal cannot be written.") from cause
    except errors.JournalError as caught:
        try:
            raise caught.but(task_id="n1") from caught.__cause__
        except errors.JournalError as twin:
            told = "".join(traceback.format_exception(twin))
    assert told.count("JournalError: ") == 1
    assert "the disk" in told
    assert "During handling" not in told
