"""TLS to the database: the URL's options reach the driver, and a certificate that does not fit is refused."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devtools.postgres_server import PASSWORD, PostgresServer
from hunyuan.errors import JournalError
from tests.kit.journals import begin, begun, open_journal


def certificate(directory: Path, name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate for 127.0.0.1 and its key, PEM; the certificate also lies in the directory."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    shown = made.public_bytes(serialization.Encoding.PEM)
    (directory / f"{name}.pem").write_bytes(shown)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return shown, private


def test_tls_by_the_options_of_the_url(tmp_path: Path, postgres: PostgresServer, database: str, url: str) -> None:
    shown, private = certificate(tmp_path, "studio")
    certificate(tmp_path, "stranger")
    postgres.use_tls(shown, private)
    try:
        verified = f"{url}?sslmode=verify-full&sslrootcert={tmp_path / 'studio.pem'}"
        journal = open_journal(tmp_path, url=verified)  # its connection stays open as long as somebody has it
        begun(journal, 1)
        encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND datname = "
        assert postgres.run_sql(f"{encrypted}'{database}'") == [(1,)]
        journal.close()
        strange = f"{url}?sslmode=verify-full&sslrootcert={tmp_path / 'stranger.pem'}"
        with pytest.raises(JournalError, match=r"certificate verify failed.*No credits were spent") as refused:
            begin(open_journal(tmp_path, url=strange), 2)
        assert PASSWORD not in str(refused.value)
    finally:
        postgres.use_tls()
