"""A PostgreSQL server of the tests' own: in a temporary directory, on a free loopback port, never as root."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import URL

USER, PASSWORD = "hunyuan", "p@ss/word:with%signs"


def find_programs() -> Path:
    """The folder with initdb and pg_ctl: POSTGRES_BIN, the PATH's, or Debian's newest."""
    if given := os.environ.get("POSTGRES_BIN"):
        return Path(given)
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: float(file.parts[4]))
    if not versions:
        raise RuntimeError(
            "No PostgreSQL server is installed (Debian: apt-get install postgresql), or set POSTGRES_BIN."
        )
    return versions[-1].parent


class PostgresServer:
    """Starts, stops and crashes as it is told."""

    def __init__(self, directory: Path, *, options: str = "") -> None:
        self._programs = find_programs()
        self._options = options  # of the server's command line
        self._directory = directory
        self._data = directory / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def create(self) -> None:
        """initdb, with a password that has to be escaped in a URL."""
        self._directory.mkdir(parents=True, exist_ok=True)
        secret = self._directory / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self._directory, secret):
                shutil.chown(path, "postgres")
        options = ["-D", str(self._data), "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        self._run("initdb", *options, "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        """Start and wait until it answers."""
        place = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._directory}"
        log = str(self._directory / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", f"{place} {self._options}", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; mode `immediate` is a crash: no farewell to clients, recovery at the next start."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def use_tls(self, certificate: bytes = b"", key: bytes = b"") -> None:
        """Offer TLS from now on, with a PEM certificate and its key; without them no more."""
        for name, content in (("server.crt", certificate), ("server.key", key)):
            file = self._data / name
            file.touch(mode=0o600)
            file.write_bytes(content)
            if os.geteuid() == 0:
                shutil.chown(file, "postgres")
        self.run_sql(f"ALTER SYSTEM SET ssl = {'on' if certificate else 'off'}")
        self.run_sql("SELECT pg_reload_conf()")

    def url(self, database: str = "postgres", *, user: str = USER, password: str = PASSWORD, port: int = 0) -> str:
        """The URL of a database, as a user writes it."""
        parts: dict[str, Any] = {"username": user, "password": password, "host": "127.0.0.1"}
        made = URL.create("postgresql+psycopg", port=port or self.port, database=database, **parts)
        return made.render_as_string(hide_password=False)

    def run_sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement as the superuser, outside of any transaction."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.exec_driver_sql(statement)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        account: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        told = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            **account,
        )
        if told.returncode:
            raise RuntimeError(f"{program} failed:\n{told.stdout}")
