"""Copies of the original results in the user's S3 store, for the machines that lack the file.

With the setting results_store = "s3" each original is also put under `<s3_prefix>results/`. A copy that cannot be put
fails nothing: the image is paid for and lies on this machine's disk. boto3 is imported at the first use.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import HunyuanError
from ..settings.store import Settings
from ..sources.s3 import S3Uploader

FOLDER = "results/"


class S3Results:
    """Puts and gets originals by their file names; thread-safe.

    start: runs a call in the background, so that no image waits for its copy. warn: takes one line for the log.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        start: Callable[[Callable[[], None]], object],
        warn: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._start = start
        self._warn = warn
        self._uploader = S3Uploader()

    def put(self, name: str, data: bytes, mime: str) -> None:
        """Begins to put a copy, if the setting says so; returns at once. What fails is only warned of."""
        if self._is_on():
            self._start(lambda: self._put(name, data, mime))

    def get(self, name: str) -> bytes | None:
        """The copy of that name; None where there is none, it cannot be had, or the setting is off."""
        try:
            return self._uploader.read(FOLDER + name, self._settings()) if self._is_on() else None
        except HunyuanError as failure:
            self._warn(f"The copy of the result {name} could not be read: {failure.what}")
            return None

    def _is_on(self) -> bool:
        try:
            return self._settings().results_store == "s3"
        except HunyuanError:  # settings that cannot be read are said elsewhere, before anything is sent
            return False

    def _put(self, name: str, data: bytes, mime: str) -> None:
        try:
            self._uploader.keep(FOLDER + name, data, mime, self._settings())
        except HunyuanError as failure:
            self._warn(f"The result {name} is on this machine only, its copy could not be put: {failure.what}")
