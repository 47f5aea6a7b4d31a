"""Finished images that came inside a create's answer and that the journal did not take before the process ended.

No task id could fetch such an image again, so the answer's links, or the images themselves, go into a file for the next
start. Nobody else may read it: a link may be signed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from ..atomic_file import write_whole


class KeptAnswers:
    """One file an answer, by the id of its row."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, row_id: str, urls: Sequence[str]) -> None:
        """Keeps an answer's images: links, or `data:` URIs. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._directory / f"{row_id}.json", json.dumps(list(urls)).encode())

    def flush(self, write: Callable[[str, Sequence[str]], object]) -> None:
        """Hands every answer to `write`, and removes what that took: what it gives is None where the journal has no
        such row. What `write` raises leaves the rest where it is, and a file that is no such answer stays too."""
        for file in sorted(self._directory.glob("*.json")):
            try:
                urls = [str(url) for url in json.loads(file.read_bytes())]
            except (OSError, ValueError, TypeError):  # another process was faster, or somebody has to look at it
                continue
            if write(file.stem, urls) is not None:
                file.unlink(missing_ok=True)
