"""Servers on loopback that do to a connection what no HTTP library would: for the tests of the transport.

A handler gets the accepted socket and does what it likes with it; the socket is closed when it returns.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from typing_extensions import Self

Handler = Callable[[socket.socket], object]


class RawServer:
    """Hands each connection to `handler` in a thread of its own; `accepted` counts them."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._handler, self._tls = handler, tls
        self._open: list[socket.socket] = []
        self.host, self.port = host, int(self._listener.getsockname()[1])
        self.accepted = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return  # closed: the test is over
            self.accepted += 1
            self._open.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        # The client's end of the connection is what a test looks at; here it may break in any way.
        with contextlib.suppress(OSError):
            if self._tls is not None:
                conn = self._tls.wrap_socket(conn, server_side=True)
                self._open.append(conn)
            with conn:
                self._handler(conn)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for conn in self._open:
            conn.close()
        self._thread.join()


def read_head(conn: socket.socket) -> bytes:
    """A request's line and headers; empty at the end of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = conn.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def read_request(conn: socket.socket) -> bytes:
    """A whole request, head and body; empty at the end of the connection."""
    head = read_head(conn)
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    body = b""
    while len(body) < length:
        more = conn.recv(65_536)
        if not more:
            return b""
        body += more
    return head + body


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer with an honest length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reset(conn: socket.socket) -> None:
    """Ends the connection with RST instead of FIN."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def until_closed(conn: socket.socket) -> None:
    """Reads and says nothing until the other side goes."""
    while conn.recv(65_536):
        pass


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else gets it, but not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Proxy(RawServer):
    """An HTTP proxy: CONNECT and forwarding, both to `target` whatever is asked for. `asked`: the request lines.

    refuse: a status line to refuse with, `407 Proxy Authentication Required` for example. login: the value that
    Proxy-Authorization must have.
    """

    def __init__(
        self, target: tuple[str, int], refuse: str = "", login: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(self._handle, tls)
        self._target, self._refuse, self._login = target, refuse, login
        self.asked: list[str] = []

    def _handle(self, conn: socket.socket) -> None:
        while head := read_head(conn):
            self.asked.append(head.split(b"\r\n", 1)[0].decode())
            if self._refuse or (self._login and f"Proxy-Authorization: {self._login}".encode() not in head):
                conn.sendall(answer(b"", self._refuse or "407 Proxy Authentication Required"))
                return
            with socket.create_connection(self._target) as far:
                if head.startswith(b"CONNECT"):
                    conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    far.sendall(head)
                back = threading.Thread(target=_pump, args=(far, conn), daemon=True)
                back.start()
                _pump(conn, far)
                back.join()
            return


def _pump(source: socket.socket, goal: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            goal.sendall(data)
        goal.shutdown(socket.SHUT_WR)


class Authority:
    """A certificate authority of the test's own, with its certificate in `ca_file` (PEM).

    old: one as companies made them for years, without key usage and identifiers. negative days: expired.
    """

    def __init__(self, folder: Path, name: str = "Test CA", *, old: bool = False, days: int = 30) -> None:
        self._folder, self._key, self._old = folder, ec.generate_private_key(ec.SECP256R1()), old
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key, days)
        constraints = x509.BasicConstraints(ca=True, path_length=None if old else 0)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(constraints, critical=not old)
        builder = builder if old else builder.add_extension(usage, critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        self.ca_file = folder / f"{name.replace(' ', '-')}.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
        if self._old:
            return builder
        # Python 3.13 verifies strictly (RFC 5280): without the two identifiers it trusts nothing by itself.
        subject_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(subject_id, critical=False).add_extension(issuer_id, critical=False)

    def issue(self, *names: str, days: int = 30) -> tuple[str, str]:
        """(certificate file, key file) for host names or addresses; negative days: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), key, days)
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        certificate = builder.add_extension(alternatives, critical=False).sign(self._key, hashes.SHA256())
        stem = self._folder / f"{names[0].replace(':', '_')}-{days}"
        stem.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        stem.with_suffix(".key").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        return str(stem.with_suffix(".crt")), str(stem.with_suffix(".key"))

    def context(self, *names: str, days: int = 30) -> ssl.SSLContext:
        """A server's context with a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(*names, days=days))
        return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
