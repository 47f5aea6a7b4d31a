"""The sandbox gateway as a process of its own: it outlives the ComfyUI that pays it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from .paths import ROOT
from .process import clean_environment

ANNOUNCED = "sandbox listening on "
# Any key of this form is good there; it is nobody's.
SANDBOX_KEY = "aio_sandbox0123456789abcdef0123456789"


class SandboxProcess:
    """`python -m sandbox` on a free port. `arguments`: see its --help."""

    def __init__(self, log_file: Path, arguments: Sequence[str] = (), timeout: float = 30) -> None:
        self.log_file = log_file
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "--port", "0", *arguments],
                cwd=ROOT,
                env={**clean_environment(), "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._first_line = ""
        self._announced = threading.Event()
        self._reader = threading.Thread(target=self._read, name="sandbox output", daemon=True)
        self._reader.start()
        if not self._announced.wait(timeout) or not self._first_line.startswith(ANNOUNCED):
            self.stop()
            tail = log_file.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise AssertionError(f"The sandbox did not announce itself: {self._first_line!r}\n{tail}")
        self.url = self._first_line.removeprefix(ANNOUNCED).strip()

    def stop(self) -> None:
        """End it, its counts with it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._reader.join(10)

    def _read(self) -> None:
        """Keep the pipe empty, or the sandbox would stand still when it is full."""
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                if not self._announced.is_set():
                    self._first_line = line
                    self._announced.set()
        self._announced.set()
