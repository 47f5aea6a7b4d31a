"""Finished images that came inside a create's answer and that the journal did not take before the process ended.

No task id could fetch such an image again, so the answer's links, or the images themselves, go into a file for the next
start. Nobody else may read it: a link may be signed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from ..atomic_file import write_whole
from ..errors import HunyuanError


class KeptAnswers:
    """One file an answer, by the id of its row."""

    def __init__(self, directory: Path, warn: Callable[[str], None]) -> None:
        self._directory = directory
        self._warn = warn
        self._told: set[str] = set()

    def add(self, row_id: str, urls: Sequence[str]) -> None:
        """Keeps an answer's images: links, or `data:` URIs. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._directory / f"{row_id}.json", json.dumps(list(urls)).encode())

    def flush(self, write: Callable[[str, Sequence[str]], object]) -> None:
        """Hands every answer to `write`, and removes what that took: what it gives is None where the journal has no
        such row. What cannot be read, written or removed stays, holds up nothing else, and `warn` is told, once."""
        for file in sorted(self._directory.glob("*.json")):
            try:
                if write(file.stem, _links(file.read_bytes())) is not None:
                    file.unlink(missing_ok=True)
            except FileNotFoundError:
                continue  # another process was faster
            except (OSError, ValueError, HunyuanError) as failure:
                self._tell(f"{file} holds an image that is paid for, and cannot be taken over: {failure}")

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._warn(text)


def _links(data: bytes) -> list[str]:
    found = json.loads(data)
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise ValueError("it is no list of links")
    return found
