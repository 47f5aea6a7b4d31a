"""Servers of the kinds that sources talk to, on loopback: an HTTP upload service, and an S3 store (moto's).

Fixtures: `service` is a new one for each test, `s3` one for a file, empty at the start of each test.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

BUCKET = "pictures"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # the one of AWS's own documentation
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@dataclass
class Request:
    """What came in."""

    method: str
    path: str
    headers: Message
    body: bytes

    def file(self) -> tuple[str, str, str, bytes]:
        """(field, file name, content type, bytes) of a multipart body, parsed by the standard library's mail parser."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + self.body).get_payload()
        assert isinstance(parts, list)
        assert len(parts) == 1
        part = parts[0]
        assert isinstance(part, Message)
        field_name = str(part.get_param("name", header="content-disposition"))
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        return field_name, str(part.get_filename()), part.get_content_type(), payload


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class UploadService:
    """Keeps what it is given under /files/ and answers as `reply` says. Every request is kept in order."""

    address: str
    requests: list[Request] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    reply: Callable[[Request, str], Reply] | None = None
    gate: threading.Event | None = None  # uploads wait for it
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def uploads(self) -> list[Request]:
        return [request for request in self.requests if request.method != "GET"]

    @property
    def reads(self) -> list[Request]:
        return [request for request in self.requests if request.method == "GET"]

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        name = request.path.split("?")[0].rsplit("/", 1)[-1]
        if request.method == "GET":
            data = self.files.get(name)
            if data is None:
                return 404, {}, b"gone"
            if request.headers["Range"] == "bytes=0-0":
                return 206, {"Content-Range": f"bytes 0-0/{len(data)}"}, data[:1]
            return 200, {"Content-Type": "image/png"}, data
        self.arrived.set()
        if self.gate is not None:
            assert self.gate.wait(20)
        if request.method == "POST":
            _, name, _, data = request.file()
        else:
            data = request.body
        self.files[name] = data
        url = f"{self.address}/files/{name}"
        if self.reply is not None:
            return self.reply(request, url)
        return 200, {"Content-Type": "application/json"}, json.dumps({"url": url}).encode()


@pytest.fixture
def service() -> Iterator[UploadService]:
    """A running UploadService."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, answer = running.answer(Request(self.command, self.path, self.headers, body))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = UploadService(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class S3Store:
    """moto's S3 with one bucket. client: a boto3 client of the test's own."""

    address: str
    client: Any

    def objects(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {item["Key"]: self.client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in listed}

    def empty(self) -> None:
        for key in self.objects():
            self.client.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture(scope="module")
def s3_store() -> Iterator[S3Store]:
    """A running S3 store; moto keeps its state for the process, so the bucket is emptied at the end."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )
    store = S3Store(address, client)
    client.create_bucket(Bucket=BUCKET)
    try:
        yield store
    finally:
        store.empty()
        client.delete_bucket(Bucket=BUCKET)
        server.stop()


@pytest.fixture
def s3(s3_store: S3Store) -> S3Store:
    """The file's store, with nothing in it."""
    s3_store.empty()
    return s3_store


def data_of(url: str) -> bytes:
    """The bytes of a base64 `data:` URI."""
    match = re.fullmatch(r"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)", url)
    assert match
    return base64.b64decode(match[1], validate=True)
