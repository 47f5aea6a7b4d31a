"""The streams of a process after the pack was loaded in it: nothing that is printed raises."""

from __future__ import annotations

import io
import logging
import sys

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
