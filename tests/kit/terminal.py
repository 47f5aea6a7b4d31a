"""A terminal that can be closed: a shell in it runs one program, as a user runs ComfyUI. Only where there is a pty."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from devtools.paths import LAUNCHER, comfyui_python
from tests.kit.comfy_fixtures import PaidServer

# Makes the terminal that of the session, as login does: who holds it is told when it closes.
SHELL = """
import fcntl, os, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
"""


class Terminal:
    """A program that an interactive bash has started; the terminal's text is added to `log`.

    As a process its end is that of the shell and the program; its exit code is not known, and told as 0.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path) -> None:
        self._screen, inside = os.openpty()
        held, self._hold = os.pipe()  # the program's standard input, which ends with this process or by `kill`
        self._ended, alive = os.pipe()  # at its end when shell and program are
        self._log, self._closing = log, threading.Event()
        self._shell = subprocess.Popen(
            [sys.executable, "-c", SHELL],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**environment, "TERM": "dumb"},
            cwd=cwd,
            pass_fds=(held, alive),
            start_new_session=True,
        )
        for used in (inside, held, alive):
            os.close(used)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        os.write(self._screen, f"{shlex.join(command)} <&{held}\n".encode())

    def close(self) -> None:
        """The window is closed."""
        self._closing.set()
        self._reader.join()
        os.close(self._screen)

    def _read(self) -> None:
        with self._log.open("ab") as log:
            while not self._closing.is_set():  # a read that waits would keep the terminal open
                if select.select([self._screen], [], [], 0.05)[0]:
                    log.write(os.read(self._screen, 65536))
                    log.flush()

    @property
    def pid(self) -> int:
        """The shell's."""
        return self._shell.pid

    def poll(self) -> int | None:
        self._shell.poll()
        return 0 if select.select([self._ended], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        end = time.monotonic() + (3600 if timeout is None else timeout)
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("bash", timeout or 0)
            time.sleep(0.05)
        return 0

    def send_signal(self, sig: int) -> None:
        """To the program in the foreground."""
        os.killpg(os.tcgetpgrp(self._screen), sig)

    def kill(self) -> None:
        os.close(self._hold)
        self._shell.kill()


def in_terminal(server: PaidServer) -> Terminal:
    """Starts that ComfyUI as a user does; whoever closes the terminal does not ask it."""
    command = [str(comfyui_python()), str(LAUNCHER), *server._command()]
    return Terminal(command, server.child_environment(), server.base, server.log_file)
