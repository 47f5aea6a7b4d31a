"""Our sentences in Chinese. The texts stand in locales/zh/errors.json and are read when the first one is needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...hunyuan.sentences import Sentence, Sentences

_FILE = Path(__file__).parents[2] / "locales" / "zh" / "errors.json"
_ENDS = "。，：；！？）”"  # after these no blank follows


def in_chinese(text: str) -> str:
    """A sentence with all that is said in it; somebody else's words, and what has no translation, as they are."""
    if isinstance(text, Sentences):
        return _joined(in_chinese(part).strip() for part in text.parts)
    template = _texts().get(text.template) if isinstance(text, Sentence) else None
    if not isinstance(text, Sentence) or template is None:
        return str(text)
    values = {name: in_chinese(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return template.format(**values) if values else template


def worded(content: Any, lang: str) -> Any:
    """An answer for the page, of lists and objects, with every sentence in it in `en` or `zh`."""
    if lang != "zh":
        return content  # as it was said
    if isinstance(content, str):
        return in_chinese(content)
    if isinstance(content, Mapping):
        return {name: worded(each, lang) for name, each in content.items()}
    return [worded(each, lang) for each in content] if isinstance(content, (list, tuple)) else content


def _joined(parts: Iterable[str]) -> str:
    text = ""
    for part in parts:
        text += part if not text or text[-1] in _ENDS else f" {part}"
    return text


@cache
def _texts() -> Mapping[str, str]:
    """English template → Chinese template."""
    try:
        found: dict[str, str] = json.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # an update of the pack exchanges its files while ComfyUI runs
        return {}
    return found
