"""The user's own object store through the S3 API: AWS, Cloudflare R2, Tencent COS, MinIO and others.

boto3 is an optional extra, imported at the first upload. An image is put once and read through a signed GET link.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..addresses import parse
from ..errors import InputImageError, ProxyFailedError, TlsError, UnsafeAddressError
from ..http.transport import Transport
from ..models import EncodedImage
from ..sentences import say
from ..settings.store import Settings
from .ports import Uploaded

_CONNECT_TIMEOUT = 10.0  # seconds
_READ_TIMEOUT = 60.0  # seconds without a byte
_ANSWER_BYTES = 1_000_000  # a put's answer is a small text
_ATTEMPTS = 3  # putting the same bytes under the same key again does no harm
# Stores whose endpoints take the bucket as part of the host name only (their documentation, 2025); "auto" gives all
# others, MinIO and R2 among them, the bucket in the path, which needs no DNS entry a bucket.
_VIRTUAL_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".myqcloud.com", ".aliyuncs.com", ".volces.com")
# A link ends with the keys that signed it. Keys with a session token live shorter than most links, and nobody says how
# long still; those of a role are renewed 10 to 15 minutes before their end.
_TEMPORARY_KEYS_LIVE = 900.0  # seconds
_WORDS = {
    "NoSuchBucket": say("the bucket does not exist there"),
    "InvalidAccessKeyId": say("the access key is not known there"),
    "SignatureDoesNotMatch": say("the secret key is wrong, or this machine's clock is"),
    "AccessDenied": say("the keys may not write to this bucket"),
    "RequestTimeTooSkewed": say("this machine's clock is wrong"),
    "403": say("the keys may not write to this bucket"),
    "404": say("the bucket does not exist there"),
}


class S3Uploader:
    """Puts images into one bucket; thread-safe. The client is built again when its settings change.

    transport: what its exchanges go over instead of boto3's own connections.
    """

    way = "s3"

    def __init__(self, transport: Transport | None = None) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._client: tuple[object, Any] | None = None

    def is_set_up(self, settings: Settings) -> bool:
        """A bucket is enough: without keys boto3 looks for its own (environment, profile, instance role)."""
        return bool(settings.s3_bucket)

    def place(self, settings: Settings) -> str:
        """Endpoint, bucket, prefix."""
        return f"{settings.s3_endpoint} {settings.s3_bucket} {settings.s3_prefix}"

    def upload(self, image: EncodedImage, name: str, settings: Settings) -> Uploaded:
        """Puts the bytes under prefix and name, and signs a GET link. Raises InputImageError saying what failed."""
        self.keep(name, image.data, image.mime, settings)
        client, failures = self._ready(settings)
        try:
            url = client.generate_presigned_url(
                "get_object",
                Params={"Bucket": settings.s3_bucket, "Key": _key(name, settings)},
                ExpiresIn=settings.s3_link_seconds,
            )
        except failures as error:
            raise _explained(error, settings) from None  # its own text and context may hold the access key
        lives = float(settings.s3_link_seconds)
        return Uploaded(url, min(lives, _TEMPORARY_KEYS_LIVE) if "X-Amz-Security-Token=" in url else lives)

    def keep(self, name: str, data: bytes, mime: str, settings: Settings) -> None:
        """Puts the bytes under prefix and name. Raises InputImageError saying what failed."""
        client, failures = self._ready(settings)
        try:
            client.put_object(Bucket=settings.s3_bucket, Key=_key(name, settings), Body=data, ContentType=mime)
        except failures as error:
            raise _explained(error, settings) from None  # its own text and context may hold the access key

    def read(self, name: str, settings: Settings) -> bytes | None:
        """The bytes under prefix and name; None where there are none. Raises InputImageError saying what failed."""
        client, failures = self._ready(settings)
        try:
            answer = client.get_object(Bucket=settings.s3_bucket, Key=_key(name, settings))
            data: bytes = answer["Body"].read()
        except failures as error:
            answered = getattr(error, "response", {})
            if answered.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise _explained(error, settings) from None
        return data

    def _ready(self, settings: Settings) -> tuple[Any, tuple[type[Exception], ...]]:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise InputImageError(
                say("Uploading to S3 needs the package boto3, which is not installed."),
                do=say("In ComfyUI's Python: python -m pip install boto3"),
            ) from None
        # ValueError: an endpoint that is no address. RecursionError: a store that redirects whatever botocore asks.
        failures = (BotoCoreError, ClientError, ValueError, RecursionError)
        with self._lock:
            built_for = _client_settings(settings)
            if self._client is None or self._client[0] != built_for:
                try:
                    client = _client(boto3, settings)
                    if self._transport is not None:
                        client.meta.events.register("before-send.s3", partial(_send, self._transport))
                    self._client = (built_for, client)
                except failures as error:
                    raise _explained(error, settings) from None
            return self._client[1], failures


def _key(name: str, settings: Settings) -> str:
    return f"{settings.s3_prefix.strip('/')}/{name}".lstrip("/")


def _client_settings(settings: Settings) -> object:
    return (
        settings.s3_endpoint,
        settings.s3_region,
        settings.s3_access_key,
        settings.s3_secret_key,
        settings.s3_addressing,
        settings.proxy,
        settings.ca_file,
    )


def _client(boto3: Any, settings: Settings) -> Any:
    from botocore.config import Config

    from ..http.proxy_and_ca import choose

    options: dict[str, Any] = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": addressing(settings)},
        "connect_timeout": _CONNECT_TIMEOUT,
        "read_timeout": _READ_TIMEOUT,
        "retries": {"total_max_attempts": _ATTEMPTS, "mode": "standard"},
    }
    try:
        route = choose(parse(settings.s3_endpoint or "https://s3.amazonaws.com"), settings)
    except (TlsError, ProxyFailedError, UnsafeAddressError) as wrong:
        raise InputImageError(wrong.what, why=wrong.why, do=wrong.do) from None
    if settings.proxy:  # else botocore looks into the environment by itself
        options["proxies"] = {"http": route.proxy, "https": route.proxy} if route.proxy else {}
    try:
        # From 1.36 botocore adds checksums that other makers' stores refuse; before it the options are unknown.
        config = Config(
            request_checksum_calculation="when_required", response_checksum_validation="when_required", **options
        )
    except TypeError:
        config = Config(**options)
    session = boto3.session.Session()
    return session.client(
        "s3",
        endpoint_url=settings.s3_endpoint or None,
        region_name=region(settings, session.region_name or ""),
        aws_access_key_id=settings.s3_access_key or None,
        aws_secret_access_key=settings.s3_secret_key or None,
        verify=route.ca if route.ca_source else None,  # of the environment botocore knows another variable alone
        config=config,
    )


def _send(transport: Transport, request: Any, **_: Any) -> Any:
    """One of botocore's exchanges over our own transport (its event before-send); raises TransportError …"""
    from botocore.awsrequest import AWSResponse

    body = request.body.read() if hasattr(request.body, "read") else request.body
    headers = {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
    headers = {name: value for name, value in headers.items() if name.lower() not in ("expect", "content-length")}
    answer = transport.send(
        request.method,
        request.url,
        headers=headers,
        body=body if body is None or isinstance(body, bytes) else bytes(body),
        read_timeout=_READ_TIMEOUT,
        max_bytes=_ANSWER_BYTES,
    )
    if 300 <= answer.status < 400:
        place = parse(request.url).place
        raise InputImageError(
            say("The S3 store at {place} redirects ({status}).", place=place, status=answer.status),
            do=say("Check endpoint and region."),
        )
    return AWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))


class _Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def addressing(settings: Settings) -> str:
    """`path` or `virtual`: the user's choice, or what the endpoint's maker takes."""
    if settings.s3_addressing != "auto":
        return settings.s3_addressing
    host = urlsplit(settings.s3_endpoint).hostname or ""
    return "virtual" if not host or host.endswith(_VIRTUAL_HOSTS) else "path"


def region(settings: Settings, environments: str = "") -> str:
    """The user's choice, or what the endpoint's host says (`cos.ap-guangzhou.myqcloud.com`), or the API's default.

    environments: the region of boto3's own environment or profile, which counts for AWS, where no endpoint is set.
    """
    if environments and not settings.s3_endpoint:
        return settings.s3_region or environments
    host = urlsplit(settings.s3_endpoint).hostname or ""
    named = re.search(r"(?:^|\.)(?:cos|s3|oss|tos-s3)[.\-]([a-z]{2,}-[a-z0-9\-]+)\.", host)
    found = named[1] if named else ("auto" if host.endswith(".r2.cloudflarestorage.com") else "us-east-1")
    return settings.s3_region or found


def _explained(error: Exception, settings: Settings) -> InputImageError:
    """What failed, without the library's own text where that may quote keys or signed links."""
    place = settings.s3_endpoint or "AWS"
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        code = str(answer.get("Error", {}).get("Code", "?"))
        code = code if re.fullmatch(r"[A-Za-z0-9]{1,60}", code) else "?"
        return InputImageError(
            say(
                'The S3 store at {place} refused the image for bucket "{bucket}": {why} ({code}).',
                place=place,
                bucket=settings.s3_bucket,
                why=_WORDS.get(code) or say("its code says why"),
                code=code,
            ),
            do=say("Check bucket, keys, region and addressing in the settings."),
        )
    kind = type(error).__name__
    if kind in ("NoCredentialsError", "PartialCredentialsError"):
        return InputImageError(say("No S3 keys are set."), do=say("Enter access key and secret key in the settings."))
    if kind in ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"):
        return InputImageError(
            say("The S3 store at {place} cannot be reached ({kind}).", place=place, kind=kind),
            do=say("Check endpoint, proxy and certificate."),
        )
    return InputImageError(
        say("The S3 upload to {place} failed ({kind}).", place=place, kind=kind), do=say("Check the S3 settings.")
    )
