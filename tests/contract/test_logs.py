"""At DEBUG, what the HTTP libraries write of real exchanges shows no key of ours."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator

import pytest

from hunyuan.addresses import parse
from hunyuan.errors import SettingsError
from hunyuan.http.address_guard import AddressGuard
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.models import EncodedImage
from hunyuan.settings.quiet_logs import redact_logs
from hunyuan.settings.store import Settings
from hunyuan.sources.s3 import S3Uploader
from tests.kit.upload_servers import ACCESS_KEY, BUCKET, SECRET_KEY, S3Store, UploadService

KEY = "aio_0123456789abcdef0123456789abcdef"
TOKEN = "a-token-of-the-upload-service"
ROOTS = ("urllib3", "requests", "botocore", "boto3", "s3transfer")


@pytest.fixture
def factory() -> Iterator[None]:
    """Whatever the test does to the process's log records is undone."""
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


def logged(caplog: pytest.LogCaptureFixture, work: Callable[[], object]) -> str:
    """All that the libraries wrote meanwhile, tracebacks too."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        for name in ROOTS:
            caplog.set_level(logging.DEBUG, name)
        work()
    return "\n".join(
        logging.Formatter().format(record) for record in caplog.records if record.name.partition(".")[0] in ROOTS
    )


def forms(secret: str) -> list[str]:
    return [secret, secret[::-1], secret.encode().hex(), base64.b64encode(secret.encode()).decode()]


@pytest.mark.usefixtures("factory")
def test_an_s3_store_is_used_without_a_word_of_its_keys(caplog: pytest.LogCaptureFixture, s3: S3Store) -> None:
    settings = Settings(s3_endpoint=s3.address, s3_bucket=BUCKET, s3_access_key=ACCESS_KEY, s3_secret_key=SECRET_KEY)

    def work() -> None:
        S3Uploader().upload(EncodedImage(b"picture", "image/png", 1, 1), "a.png", settings)

    plain = logged(caplog, work)
    assert ACCESS_KEY in plain, "botocore shows it by itself"
    redact_logs(settings.redact)
    quiet = logged(caplog, work)
    assert "PUT" in quiet, "it still says what it does"
    assert "Signature=***" in quiet
    for secret in (ACCESS_KEY, SECRET_KEY):
        assert [form for form in forms(secret) if form.lower() in quiet.lower()] == []


@pytest.mark.usefixtures("factory")
def test_a_request_is_made_without_a_word_of_its_keys(caplog: pytest.LogCaptureFixture, service: UploadService) -> None:
    url = f"{service.address}/upload?token={TOKEN}"
    settings = Settings(api_key=KEY, base_url=service.address, http_upload_url=url)
    transport = RequestsTransport(lambda: settings)
    guard = AddressGuard(service.address, [])
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/octet-stream"}

    def work() -> None:
        transport.send("PUT", url, headers=headers, body=b"picture", read_timeout=10.0, max_bytes=10_000)
        address = parse(f"{service.address}/files/upload?token={TOKEN}")
        transport.fetch(address, headers=headers, deadline_seconds=10.0, max_bytes=10_000, guard=guard)

    redact_logs(settings.redact)
    quiet = logged(caplog, work)
    transport.close()
    assert '"PUT / HTTP/1.1" 200' in quiet, "the path goes out unseen by the libraries"
    for secret in (KEY, TOKEN):
        assert [form for form in forms(secret) if form.lower() in quiet.lower()] == []


@pytest.mark.usefixtures("factory")
def test_others_are_left_alone_and_what_cannot_be_redacted_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def away(text: str) -> str:
        raise SettingsError("The settings file cannot be read.")

    redact_logs(Settings(api_key=KEY).redact)
    other, urllib3 = logging.getLogger("another.pack"), logging.getLogger("urllib3.connectionpool")
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")
    other.warning("its own %s", "business")
    urllib3.debug("a key %s", KEY)
    try:
        raise ValueError(f"in an error: {KEY}")
    except ValueError:
        urllib3.debug("failed", exc_info=True)
    urllib3.debug("two arguments for %s one", 1, 2)
    redact_logs(away)
    urllib3.debug("a key %s", KEY)
    shown = [logging.Formatter().format(record) for record in caplog.records]
    assert shown[:2] == ["its own business", "a key ***"]
    assert shown[2].endswith("ValueError: in an error: ***")
    assert shown[3:] == ["***", "***"]
