"""The streams of a process after the pack was loaded in it: nothing that is printed raises."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable

import pytest

from tests.kit.pack import load

WORDS = "中文 → “x” \ud83d"


class Stream(io.TextIOWrapper):
    """As strict as ComfyUI's interceptor."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict")

    def shown(self) -> str:
        self.flush()
        content: bytes = self.buffer.getvalue()  # type: ignore[attr-defined]
        return content.decode(self.encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "gbk", "utf-8"])
def test_what_a_stream_has_no_letters_for_is_printed_as_codes(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err, handled = Stream(encoding), Stream(encoding), Stream(encoding)
    with pytest.raises(UnicodeEncodeError):
        out.write(WORDS)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    # The only handler: pytest's own would hand half a character to its report, which cannot be sent to another process.
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(handled)])
    load("nodes.comfyui.consoles").make_lenient()
    load("nodes.comfyui.consoles").make_lenient()
    logging.getLogger("hunyuan").warning(WORDS)
    for stream in (out, err):
        stream.write(WORDS)
    for stream in (out, err, handled):
        assert "\\ud83d" in stream.shown()
    if encoding in ("gbk", "utf-8"):
        assert "中文 → “x”" in out.shown(), "what it has letters for stays as it is"


def test_a_process_without_streams_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows' pythonw has none."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    load("nodes.comfyui.consoles").make_lenient()


class Stubborn(Stream):
    """Whatever is buffered in it cannot be handed on: reconfiguring flushes first."""

    def __init__(self, failure: Exception) -> None:
        super().__init__("utf-8")
        self.failure = failure

    def flush(self) -> None:
        raise self.failure


def detached() -> Stream:
    """What a log handler still holds after `sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")`."""
    stream = Stream("utf-8")
    stream.detach()
    return stream


def closed() -> Stream:
    stream = Stream("utf-8")
    stream.close()
    return stream


@pytest.mark.parametrize(
    "broken",
    [detached, closed, lambda: Stubborn(BrokenPipeError()), lambda: Stubborn(RuntimeError("another pack's"))],
    ids=["detached", "closed", "broken pipe", "another pack's failure"],
)
def test_a_stream_that_is_out_of_use_stops_nothing(
    broken: Callable[[], Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stop ComfyUI's start. The streams after it still get their turn."""
    stream, good = broken(), Stream("ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    handlers = [logging.StreamHandler(stream), logging.StreamHandler(good)]
    monkeypatch.setattr(logging.getLogger(), "handlers", handlers)
    load("nodes.comfyui.consoles").make_lenient()
    assert good.errors == "backslashreplace"
    if isinstance(stream, Stubborn):
        stream.failure = ValueError("pytest ends")  # what Python ignores when it closes a stream nobody holds


@pytest.mark.parametrize("errors", ["surrogateescape", "surrogatepass"])
def test_a_stream_that_takes_some_odd_letters_takes_all_of_them(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own choice in a POSIX locale is surrogateescape, which raises on half an emoji as strict does."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=errors)
    with pytest.raises(UnicodeEncodeError):
        out.write(WORDS)
    monkeypatch.setattr(sys, "stdout", out)
    load("nodes.comfyui.consoles").make_lenient()
    out.write(WORDS)


@pytest.mark.parametrize("errors", ["replace", "ignore", "xmlcharrefreplace", "namereplace", "backslashreplace"])
def test_a_stream_that_never_raises_keeps_its_own_way(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=errors)
    out.write(WORDS)
    monkeypatch.setattr(sys, "stdout", out)
    load("nodes.comfyui.consoles").make_lenient()
    assert out.errors == errors
