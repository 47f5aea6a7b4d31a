"""Ports of this machine for servers that are started: each is kept until its server binds it, and in between."""

from __future__ import annotations

import socket
import sys


class HeldPort:
    """A port that the system gives to nobody else.

    ComfyUI needs seconds until it binds the port it was told, and binds it anew after a restart; meanwhile whoever asks
    for any free port would get it. On Linux a socket that is bound and does not listen keeps it from that, and lets in
    who names the port and reuses addresses, as asyncio's servers do. Elsewhere a port is only looked for.
    """

    def __init__(self) -> None:
        self._number = 0
        self._socket: socket.socket | None = None

    def take(self, number: int = 0) -> int:
        """Hold this port, or a free one, instead of the last; its number. One that is taken already is not held."""
        if self._socket is not None and number == self._number:
            return number
        self.release()
        held = socket.socket()
        try:
            if sys.platform == "linux":
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", number))
        except OSError:
            held.close()
            if number:
                return number  # whoever wants to listen on it will say so
            raise
        self._number, self._socket = int(held.getsockname()[1]), held
        if sys.platform != "linux":
            self.release()
        return self._number

    def release(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def __del__(self) -> None:
        self.release()
