"""The chain of sources against real servers: an HTTP upload service, moto's S3, and the journal's kept links."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hunyuan.addresses import parse
from hunyuan.errors import InputImageError, LinkDeadError
from hunyuan.http.address_guard import AddressGuard
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.models import EncodedImage, ImageInput
from hunyuan.settings.store import Settings
from hunyuan.sources import SourceChain
from tests.kit.http_servers import Authority, RawServer, answer, read_request
from tests.kit.upload_servers import ACCESS_KEY, BUCKET, SECRET_KEY, S3Store, UploadService, data_of

HOUR, DAY = 3600.0, 86_400.0
GATEWAY_KEY = "aio_secret_key_of_the_gateway"


@dataclass
class Clock:
    """Unix seconds that move when a test says so."""

    seconds: float = 1_800_000_000.0

    def time(self) -> float:
        return self.seconds


@dataclass
class House:
    """A chain over a real journal and transport, with settings that a test may change at any time."""

    directory: Path
    clock: Clock = field(default_factory=Clock)
    settings: Settings = field(default_factory=lambda: Settings(api_key=GATEWAY_KEY, allowed_hosts=("127.0.0.1",)))

    def __post_init__(self) -> None:
        self.transport = RequestsTransport(lambda: self.settings)
        self.said: list[str] = []
        self.restart()

    def restart(self) -> None:
        """As after a new start of ComfyUI: only the journal's file is left."""
        self.database = Database(self.directory, clock=self.clock, announce=self.said.append)
        journal = Journal(self.database, worker_id="w")
        self.chain = SourceChain(lambda: self.settings, journal.links, self.transport, self.download, self.clock.time)

    def set(self, **changes: object) -> None:
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]

    def download(self, url: str, deadline_seconds: float) -> bytes:
        guard = AddressGuard(self.settings.base_url, self.settings.allowed_hosts)
        got = self.transport.fetch(
            parse(url), headers={}, deadline_seconds=deadline_seconds, max_bytes=10**7, guard=guard
        )
        if got.status != 200:
            raise LinkDeadError(f"The link answered {got.status}.")
        return got.body


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.transport.close()
    made.database.close()
    assert made.said == []


def image(content: bytes = b"pixels", note: str = "") -> ImageInput:
    """An input whose upload bytes are `content`."""
    return ImageInput(f"pixels:{content.hex()}", encode=lambda: EncodedImage(content, "image/jpeg", 4, 3, note))


def use_http(house: House, service: UploadService, **more: object) -> None:
    house.set(http_upload_url=f"{service.address}/upload", **more)


def use_s3(house: House, s3: S3Store, **more: object) -> None:
    house.set(s3_endpoint=s3.address, s3_bucket=BUCKET, s3_access_key=ACCESS_KEY, s3_secret_key=SECRET_KEY, **more)


# --- data: and given URLs --------------------------------------------------------------------------------------


def test_with_nothing_set_up_an_image_goes_as_data_uri(house: House) -> None:
    resolved = house.chain.resolve(image(b"\x00\xff jpeg", note="scaled down"))
    assert resolved.way == "data"
    assert resolved.url.startswith("data:image/jpeg;base64,")
    assert data_of(resolved.url) == b"\x00\xff jpeg"
    assert resolved.uploaded == len(resolved.url)
    assert resolved.note == "scaled down"


def test_a_users_own_url_is_taken_as_it_is(house: House) -> None:
    url = "https://example.com/a%2Fb.png?sig=x%3D%3D"
    resolved = house.chain.resolve(ImageInput(f"url:{url}", url=url))
    assert (resolved.url, resolved.way, resolved.uploaded) == (url, "given", 0)


def test_no_way_left_names_what_to_do(house: House) -> None:
    house.set(upload_order=("remembered", "s3"))
    with pytest.raises(InputImageError, match="upload_order") as caught:
        house.chain.resolve(image())
    assert "No credits were spent" in str(caught.value)


# --- remembered ------------------------------------------------------------------------------------------------


def test_a_result_is_used_by_its_own_link_and_nothing_is_encoded(house: House) -> None:
    def encode() -> EncodedImage:
        raise AssertionError("a remembered image needs no bytes")

    house.chain.remember("pixels:ab12", "https://results.example/r.png?sig=%2F")
    resolved = house.chain.resolve(ImageInput("pixels:ab12", encode=encode))
    assert resolved.way == "remembered"
    assert resolved.url == "https://results.example/r.png?sig=%2F"
    assert resolved.uploaded == 0
    assert house.chain.resolve(image(b"other")).way == "data", "another image is not it"


def test_remembering_survives_a_restart(house: House) -> None:
    house.chain.remember(image(b"r").identity, "https://results.example/r.png")
    house.database.close()
    house.restart()
    assert house.chain.resolve(image(b"r")).way == "remembered"


def test_a_link_is_not_used_when_its_seven_days_end(house: House, service: UploadService) -> None:
    service.files["r.png"] = b"still there"
    house.chain.remember(image(b"r").identity, f"{service.address}/files/r.png")
    house.clock.seconds += 7 * DAY - 1.5 * HOUR
    assert house.chain.resolve(image(b"r")).way == "remembered"
    house.clock.seconds += HOUR
    assert house.chain.resolve(image(b"r")).way == "data"


def test_a_younger_end_than_seven_days_counts(house: House) -> None:
    house.chain.remember(image(b"r").identity, "https://results.example/r.png", house.clock.seconds + 2 * HOUR)
    assert house.chain.resolve(image(b"r")).way == "remembered"
    house.clock.seconds += 1.5 * HOUR
    assert house.chain.resolve(image(b"r")).way == "data"


def test_an_old_link_is_looked_at_once_an_hour_with_a_ranged_get(house: House, service: UploadService) -> None:
    service.files["r.png"] = b"result"
    house.chain.remember(image(b"r").identity, f"{service.address}/files/r.png?sig=a%2Fb")
    assert house.chain.resolve(image(b"r")).way == "remembered"
    assert service.requests == [], "a fresh link needs no look"
    house.clock.seconds += 1.1 * HOUR
    for _ in range(3):
        assert house.chain.resolve(image(b"r")).way == "remembered"
    (look,) = service.requests
    assert look.path == "/files/r.png?sig=a%2Fb"
    assert look.headers["Range"] == "bytes=0-0"
    assert look.headers["Authorization"] is None
    assert GATEWAY_KEY not in str(look.headers)


def test_a_dead_link_falls_through_and_is_forgotten(house: House, service: UploadService) -> None:
    house.chain.remember(image(b"r").identity, f"{service.address}/files/gone.png")
    house.clock.seconds += 2 * HOUR
    assert house.chain.resolve(image(b"r")).way == "data"
    assert len(service.requests) == 1
    assert house.chain.resolve(image(b"r")).way == "data"
    assert len(service.requests) == 1, "it is not asked for again"


def test_a_link_that_only_this_machine_cannot_reach_is_still_used(house: House) -> None:
    house.chain.remember(image(b"r").identity, "http://127.0.0.1:1/r.png")  # nothing listens on port 1
    house.clock.seconds += 2 * HOUR
    assert house.chain.resolve(image(b"r")).way == "remembered"


def test_looking_at_a_link_never_reaches_a_closed_address(house: House, service: UploadService) -> None:
    house.set(allowed_hosts=())
    service.files["r.png"] = b"internal"
    house.chain.remember(image(b"r").identity, f"{service.address}/files/r.png")
    house.clock.seconds += 2 * HOUR
    house.chain.resolve(image(b"r"))
    assert service.requests == []


def test_what_the_gateway_could_not_fetch_is_not_given_again(house: House) -> None:
    house.chain.remember(image(b"r").identity, "https://results.example/r.png")
    before = house.chain.stale()
    house.chain.forget(house.chain.resolve(image(b"r")).url)
    assert house.chain.resolve(image(b"r")).way == "data"
    assert house.chain.stale() != before, "a cached node output with that link is out of date"
    house.chain.forget("https://never.seen/x.png")


# --- the HTTP service ------------------------------------------------------------------------------------------


def test_post_sends_one_file_and_reads_the_url(house: House, service: UploadService) -> None:
    use_http(house, service, http_upload_field="image[file]", http_upload_headers={"X-Token": "t0ken-of-the-service"})
    resolved = house.chain.resolve(image(b"\r\n--binary\x00\xff"))
    (request,) = service.requests
    assert request.method == "POST"
    assert request.path == "/upload"
    assert request.headers["X-Token"] == "t0ken-of-the-service"
    assert request.headers["Authorization"] is None, "the gateway's key goes to the gateway alone"
    field_name, name, kind, data = request.file()
    assert (field_name, kind, data) == ("image[file]", "image/jpeg", b"\r\n--binary\x00\xff")
    assert name.endswith(".jpg")
    assert resolved.way == "http"
    assert resolved.url == f"{service.address}/files/{name}"
    assert resolved.uploaded == len(data)


def test_put_sends_the_bytes_to_the_named_place(house: House, service: UploadService) -> None:
    service.reply = lambda request, url: (201, {}, b"")
    house.set(
        http_upload_url=f"{service.address}/files/{{name}}?key=a",
        http_upload_method="PUT",
        http_upload_json_path="",
    )
    resolved = house.chain.resolve(image(b"put me"))
    (request,) = service.requests
    assert request.method == "PUT"
    assert request.headers["Content-Type"] == "image/jpeg"
    assert request.body == b"put me"
    assert resolved.url == service.address + request.path.split("?")[0]
    assert house.download(resolved.url, 5) == b"put me"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("data.url", '{"data":{"url":"%s"}}'),
        ("$.data.link.direct", '{"data":{"link":{"direct":"%s"}}}'),
        ("files[0].url", '{"files":[{"url":"%s"}]}'),
        ("files.-1.url", '{"files":[{}, {"url":"%s"}]}'),
        ("[0]", '["%s"]'),
        ("$['data'][\"the.url\"]", '{"data":{"the.url":"%s"}}'),
        ("$", '"%s"'),
        ("", "%s\n"),
    ],
)
def test_the_url_is_found_where_the_path_says(house: House, service: UploadService, path: str, body: str) -> None:
    service.reply = lambda request, url: (200, {}, (body % url).encode())
    use_http(house, service, http_upload_json_path=path)
    assert house.download(house.chain.resolve(image(b"there")).url, 5) == b"there"


def test_a_relative_url_and_a_location_header_count(house: House, service: UploadService) -> None:
    use_http(house, service)
    service.reply = lambda request, url: (200, {}, b'{"url":"/files/x.png"}')
    assert house.chain.resolve(image(b"1")).url == f"{service.address}/files/x.png"
    house.set(http_upload_json_path="")
    service.reply = lambda request, url: (201, {"Location": "/files/y.png"}, b"created")
    assert house.chain.resolve(image(b"2")).url == f"{service.address}/files/y.png"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, b"token t0ken-of-the-service refused", "answered 403"),
        (500, b"<html>oops</html>", "answered 500"),
        (302, b"", "It redirects"),
        (200, b"<html>login</html>", "no JSON"),
        (200, b'{"link":"https://x.example/a"}', 'no URL at "url"'),
        (200, b'{"url":42}', 'no URL at "url"'),
        (200, b'{"url":"javascript:alert(1)"}', "no http(s) URL"),
        (200, b'{"url":"file:///etc/passwd"}', "no http(s) URL"),
        (200, b'{"url":"ftp://files.example/a.png"}', "no http(s) URL"),
        (400, b"x" * 150 + b" t0ken-of-the-service", "answered 400"),
        (200, b"", "no JSON"),
    ],
)
def test_a_failing_service_is_told_and_the_next_way_taken(
    house: House, service: UploadService, status: int, body: bytes, words: str
) -> None:
    service.reply = lambda request, url: (status, {}, body)
    use_http(house, service, http_upload_headers={"X-Token": "t0ken-of-the-service"})
    resolved = house.chain.resolve(image())
    assert resolved.way == "data"
    assert words in resolved.note
    assert "t0ken" not in resolved.note
    house.set(upload_order=("http",))
    with pytest.raises(InputImageError) as caught:
        house.chain.resolve(image())
    assert words in str(caught.value)
    assert "t0ken" not in str(caught.value)


def test_a_service_that_is_away_is_told(house: House) -> None:
    house.set(http_upload_url="http://127.0.0.1:1/upload", upload_order=("http", "data"))
    resolved = house.chain.resolve(image())
    assert resolved.way == "data"
    assert resolved.note.startswith("http: ")


# --- S3 --------------------------------------------------------------------------------------------------------


def test_s3_puts_the_object_and_gives_a_signed_link(house: House, s3: S3Store) -> None:
    use_s3(house, s3, s3_prefix="/pictures/of me/", s3_link_seconds=600)
    resolved = house.chain.resolve(image(b"to the store"))
    assert resolved.way == "s3"
    assert resolved.uploaded == len(b"to the store")
    ((key, data),) = s3.objects().items()
    assert key.startswith("pictures/of me/")
    assert key.endswith(".jpg")
    assert data == b"to the store"
    assert s3.client.head_object(Bucket=BUCKET, Key=key)["ContentType"] == "image/jpeg"
    assert "X-Amz-Expires=600" in resolved.url
    assert "X-Amz-Signature=" in resolved.url
    assert house.download(resolved.url, 5) == b"to the store", "the link works for somebody without keys"
    with pytest.raises(LinkDeadError):
        house.download(resolved.url.split("?")[0], 5)


def test_s3_links_are_used_again_while_they_live_and_signed_anew_after(house: House, s3: S3Store) -> None:
    use_s3(house, s3, s3_link_seconds=7200)
    first = house.chain.resolve(image())
    again = house.chain.resolve(image())
    assert (again.url, again.uploaded) == (first.url, 0)
    before = house.chain.stale()
    house.clock.seconds += 7200 - 600  # ten minutes are too few for the gateway's queue
    assert house.chain.stale() != before
    assert house.chain.resolve(image()).uploaded > 0
    assert len(s3.objects()) == 1, "the same content is the same object"


def test_s3_refusals_are_told_without_keys(house: House, s3: S3Store) -> None:
    use_s3(house, s3, upload_order=("s3",))
    house.set(s3_bucket="no-such-bucket")
    with pytest.raises(InputImageError, match="does not exist") as caught:
        house.chain.resolve(image())
    assert "no-such-bucket" in str(caught.value)
    assert ACCESS_KEY not in str(caught.value)
    assert SECRET_KEY not in str(caught.value)


def test_s3_away_is_told(house: House) -> None:
    house.set(
        s3_endpoint="http://127.0.0.1:1",
        s3_bucket=BUCKET,
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
        upload_order=("s3", "data"),
    )
    resolved = house.chain.resolve(image())
    assert resolved.way == "data"
    assert "s3: The S3 store at http://127.0.0.1:1 cannot be reached" in resolved.note


def test_s3_trusts_what_everything_else_trusts(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)

    def store(conn: socket.socket) -> None:
        while read_request(conn):
            conn.sendall(answer(b""))

    tls = authority.context("127.0.0.1")
    tls.num_tickets = 0  # botocore takes a ticket for an answer while it waits for "100 Continue"
    with RawServer(store, tls=tls) as server:
        house.set(
            s3_endpoint=f"https://{server.place}",
            s3_bucket=BUCKET,
            s3_access_key=ACCESS_KEY,
            s3_secret_key=SECRET_KEY,
            upload_order=("s3",),
        )
        with pytest.raises(InputImageError):
            house.chain.resolve(image(b"not trusted"))
        house.set(s3_region="elsewhere")  # another client
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
        assert house.chain.resolve(image(b"trusted by the environment")).way == "s3"
        house.set(ca_file=str(tmp_path / "gone.pem"))
        with pytest.raises(InputImageError, match="no CA certificate file at the path that ca_file in the settings"):
            house.chain.resolve(image(b"a file that is not there"))


def test_s3_settings_changed_in_the_dialog_count_at_once(house: House, s3: S3Store) -> None:
    use_s3(house, s3)
    house.set(s3_endpoint="http://127.0.0.1:1")
    assert house.chain.resolve(image(b"a")).way == "data"
    house.set(s3_endpoint=s3.address)
    assert house.chain.resolve(image(b"a")).way == "s3"


def test_s3_gives_the_bucket_in_the_hosts_name_where_the_store_wants_it(house: House, s3: S3Store) -> None:
    # moto, asked as a proxy, sees the host that was meant.
    use_s3(house, s3, proxy=s3.address, s3_prefix="a/b")
    house.set(s3_endpoint="http://s3.eu-central-1.amazonaws.com")
    resolved = house.chain.resolve(image(b"virtual host"))
    assert resolved.way == "s3", resolved.note
    (key,) = s3.objects()
    assert resolved.url.startswith(f"http://{BUCKET}.s3.eu-central-1.amazonaws.com/{key}?")
    assert house.download(resolved.url, 5) == b"virtual host"


def test_s3_heeds_no_proxy_as_everything_else_does(house: House, s3: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    use_s3(house, s3, proxy="http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert house.chain.resolve(image(b"in this house")).way == "s3"


def test_s3_without_keys_and_region_takes_those_of_the_environment(
    house: House, s3: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": "token-of-the-session",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_S3": s3.address,
    }.items():
        monkeypatch.setenv(name, value)
    house.set(s3_bucket=BUCKET, s3_addressing="path")
    first = house.chain.resolve(image(b"by a role"))
    assert first.way == "s3", first.note
    assert "eu-west-1" in first.url
    assert "X-Amz-Security-Token=token-of-the-session" in first.url
    assert house.chain.resolve(image(b"by a role")).url == first.url
    house.clock.seconds += HOUR / 2
    assert house.chain.resolve(image(b"by a role")).uploaded > 0, "the link ends with keys of unknown life"


# --- once ------------------------------------------------------------------------------------------------------


def test_equal_content_is_uploaded_once_also_after_a_restart(house: House, service: UploadService) -> None:
    use_http(house, service)
    first = house.chain.resolve(image(b"same"))
    second = house.chain.resolve(image(b"same"))
    house.database.close()
    house.restart()
    third = house.chain.resolve(image(b"same"))
    assert first.url == second.url == third.url
    assert (second.uploaded, third.uploaded) == (0, 0)
    assert house.chain.identity_of(third.url) == image(b"same").identity
    assert len(service.uploads) == 1
    house.chain.resolve(image(b"other"))
    assert len(service.uploads) == 2


def test_equal_content_asked_for_at_the_same_time_is_uploaded_once(house: House, service: UploadService) -> None:
    use_http(house, service)
    service.gate = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(house.chain.resolve, image(b"same")) for _ in range(8)]
        assert service.arrived.wait(10)
        service.gate.set()
        resolved = [each.result(20) for each in waiting]
    assert len(service.uploads) == 1
    assert len({each.url for each in resolved}) == 1
    assert sorted(each.uploaded for each in resolved) == [0] * 7 + [len(b"same")]


def test_a_failure_shared_by_all_who_wait_leaves_nothing_behind(house: House, service: UploadService) -> None:
    use_http(house, service, upload_order=("http",))
    service.gate = threading.Event()
    service.reply = lambda request, url: (500, {}, b"")
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(house.chain.resolve, image(b"same")) for _ in range(4)]
        assert service.arrived.wait(10)
        service.gate.set()
        errors = [each.exception(20) for each in waiting]
    assert all(isinstance(error, InputImageError) for error in errors)
    service.reply = None
    assert house.chain.resolve(image(b"same")).way == "http"


def test_another_place_or_encoding_is_another_upload(house: House, service: UploadService) -> None:
    use_http(house, service)
    house.chain.resolve(image())
    house.set(upload_format="png")
    house.chain.resolve(image())
    house.set(http_upload_url=f"{service.address}/elsewhere")
    house.chain.resolve(image())
    assert len(service.uploads) == 3


def test_an_upload_that_vanished_is_made_again(house: House, service: UploadService) -> None:
    use_http(house, service)
    house.chain.resolve(image())
    service.files.clear()
    house.clock.seconds += 1.1 * HOUR
    again = house.chain.resolve(image())
    assert again.uploaded > 0
    assert len(service.uploads) == 2


# --- order -----------------------------------------------------------------------------------------------------


def test_the_order_is_the_users(house: House, service: UploadService, s3: S3Store) -> None:
    use_http(house, service)
    use_s3(house, s3)
    house.chain.remember(image(b"r").identity, "https://results.example/r.png")
    expected = {
        ("remembered", "s3", "http", "data"): "remembered",
        ("s3", "remembered", "http"): "s3",
        ("http", "s3", "remembered"): "http",
        ("data", "http"): "data",
    }
    for order, way in expected.items():
        house.set(upload_order=order)
        assert house.chain.resolve(image(b"r")).way == way


def test_a_link_made_here_stands_for_its_image(house: House, s3: S3Store) -> None:
    use_s3(house, s3, s3_link_seconds=3600)
    first = house.chain.resolve(image()).url
    house.clock.seconds += 3600
    house.set(s3_link_seconds=3000)
    second = house.chain.resolve(image()).url
    assert first != second
    assert house.chain.identity_of(first) == house.chain.identity_of(second) == image().identity


def test_other_urls_stand_for_themselves(house: House) -> None:
    data = house.chain.resolve(image()).url
    assert house.chain.identity_of(data) == image().identity
    foreign = "data:image/png;base64," + "A" * 100_000
    assert house.chain.identity_of(foreign).startswith("data:")
    assert len(house.chain.identity_of(foreign)) < 100
    assert house.chain.identity_of("https://x.example/a.png") == "url:https://x.example/a.png"


# --- the settings dialog's test --------------------------------------------------------------------------------


def test_testing_a_way_uploads_and_fetches(house: House, service: UploadService, s3: S3Store) -> None:
    use_http(house, service)
    use_s3(house, s3)
    for way in ("http", "s3"):
        diagnosis = house.chain.test_source(way)
        assert diagnosis.ok, diagnosis.text
        assert "127.0.0.1" in diagnosis.text
        assert (diagnosis.said, diagnosis.place) == ("works", "127.0.0.1")
    assert len(service.uploads) == 1
    assert len(s3.objects()) == 1


@pytest.mark.parametrize("way", ["remembered", "data"])
def test_ways_without_setup_are_fine(house: House, way: str) -> None:
    assert house.chain.test_source(way).ok
    assert house.chain.test_source(way).said == way


def test_testing_names_what_is_wrong(house: House, service: UploadService) -> None:
    assert "Not set up" in house.chain.test_source("s3").text
    assert "no way named" in house.chain.test_source("ftp").text
    use_http(house, service, http_upload_headers={"X-Token": "t0ken-of-the-service"})
    service.reply = lambda request, url: (401, {}, b"bad t0ken-of-the-service")
    refused = house.chain.test_source("http")
    assert not refused.ok
    assert "401" in refused.text
    assert "t0ken" not in refused.text
    service.reply = lambda request, url: (200, {}, b'{"url":"/files/not-there.png"}')
    lost = house.chain.test_source("http")
    assert not lost.ok
    assert "cannot be fetched" in lost.text
    assert (refused.said, lost.said) == ("upload_failed", "link_not_fetched")
    service.reply = None
    house.set(allowed_hosts=())
    closed = house.chain.test_source("http")
    assert not closed.ok
    assert "closed address" in closed.text
    assert closed.said == "link_closed"
    service.files["other.png"] = b"other"
    house.set(allowed_hosts=("127.0.0.1",))
    service.reply = lambda request, url: (200, {}, b'{"url":"/files/other.png"}')
    assert "other bytes" in house.chain.test_source("http").text
