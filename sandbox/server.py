"""The gateway over HTTP: carries replies, and does to connections what faults say."""

from __future__ import annotations

import http.server
import itertools
import socket
import socketserver
import ssl
import struct
import sys
import threading
from http import HTTPStatus
from typing import Any

from .control import CONTROL_PATH, Control
from .gateway import Gateway
from .replies import Reply
from .rules import Drip
from .settings import Settings

CHUNK = 64 * 1024


class SandboxServer:
    """A running sandbox: `with SandboxServer(Gateway()) as server: server.url`. Port 0: any free one.

    `tls`: (certificate file, key file), PEM; then the address is https. Raises OSError if the port is taken.
    """

    def __init__(
        self,
        gateway: Gateway | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: tuple[str, str] | None = None,
    ) -> None:
        self.gateway = gateway or Gateway(settings=Settings())
        self.control = Control(self.gateway)
        self._http = _Server((host, port), self.gateway, self.control, tls)
        self.port: int = self._http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.gateway.public_url = self.url
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> SandboxServer:
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop at once: what hangs is dropped, all connections are closed."""
        self.gateway.gate.close()
        self._http.shutdown()
        self._http.server_close()
        self._http.close_connections()
        self._thread.join()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self, address: tuple[str, int], gateway: Gateway, control: Control, tls: tuple[str, str] | None
    ) -> None:
        self.gateway, self.control = gateway, control
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.numbers = itertools.count(1)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks DNS for the machine's name

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = super().get_request()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:  # the handshake comes with the first read, in the connection's thread
            plain = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._sockets.add(plain)
        return plain, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._sockets.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its thread was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that went away is no news
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        self._number: int | None = None
        super().setup()
        self.connection.settimeout(self.server.gateway.settings.idle_s)

    def do_GET(self) -> None:
        self._exchange()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what came is in the records."""

    def _exchange(self) -> None:
        gateway = self.server.gateway
        target, proxied = self._target()
        if target.startswith(CONTROL_PATH):
            self._write(self.server.control.handle(self.command, target, self._read_body()))
            return
        if self._number is None and not self._welcome():
            return
        with gateway.busy():
            seen, dropped = gateway.arrive(
                self.command, target, dict(self.headers), connection=self._number, proxied=proxied
            )
            if dropped is not None:
                gateway.gate.sleep(dropped.delay_s)
                self._drop(dropped.faults.reset)
                return
            reply = gateway.handle(self.command, target, dict(self.headers), self._read_body(), seen)
            self._carry(reply)

    def _target(self) -> tuple[str, bool]:
        """Path and query; a request in a proxy's form is taken as if sent here."""
        if self.path.startswith("http://"):
            return "/" + self.path.split("/", 3)[3], True
        return self.path, False

    def _welcome(self) -> bool:
        """Number the connection; False if the script drops it."""
        self._number = next(self.server.numbers)
        gateway = self.server.gateway
        verdict = gateway.connect()
        fault = verdict.fault
        gateway.gate.sleep(fault.delay_s)
        if fault.hang and not gateway.hold(verdict.rules):
            self._drop(reset=True)
            return False
        if fault.drop is not None:
            self._drop(fault.reset)
            return False
        return True

    def _read_body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if length else b""

    def _carry(self, reply: Reply) -> None:
        gateway, faults = self.server.gateway, reply.faults
        complete = False
        try:
            if not gateway.gate.sleep(reply.delay_s) or not self._released(reply):
                self._drop(reset=True)
            elif faults.drop == "before_answer":
                self._drop(faults.reset)
            else:
                complete = self._write(reply)
        except OSError:  # the client went away
            self.close_connection = True
        gateway.sent(reply, complete=complete)

    def _released(self, reply: Reply) -> bool:
        if not reply.faults.hang:
            return True
        return self.server.gateway.hold(reply.seen.rules if reply.seen else (), reply.seen)

    def _write(self, reply: Reply) -> bool:
        """Send the reply; whether all of it was sent."""
        faults, body = reply.faults, reply.body
        head = self._head(reply)
        if self.command == "HEAD":
            self.wfile.write(head)
            return True
        if faults.drop == "mid_body":
            self._pour(head + body[: len(body) // 2], faults.drip)
            self._drop(faults.reset)
            return False
        if faults.chunked:
            parts = [body[at : at + CHUNK] for at in range(0, len(body), CHUNK)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
        whole = self._pour(head + body, faults.drip)
        if faults.close_after:
            self.close_connection = True
        return whole

    def _head(self, reply: Reply) -> bytes:
        reason = HTTPStatus(reply.status).phrase if reply.status in HTTPStatus._value2member_map_ else "Unknown"
        length = {"Transfer-Encoding": "chunked"} if reply.faults.chunked else {"Content-Length": str(len(reply.body))}
        lines = [f"HTTP/1.1 {reply.status} {reason}", f"Date: {self.date_time_string()}", "Server: sandbox"]
        lines += [f"{name}: {value}" for name, value in {**length, **reply.headers}.items() if value]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _pour(self, content: bytes, drip: Drip | None) -> bool:
        if drip is None:
            self.wfile.write(content)
            return True
        for at in range(0, len(content), drip.bytes):
            self.wfile.write(content[at : at + drip.bytes])
            if not self.server.gateway.gate.sleep(drip.every_s):
                return False
        return True

    def _drop(self, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
