"""Images in and out of a real ComfyUI: each way to a URL, links to pixels, and what stands in the way."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import (
    asked,
    assert_edited,
    edit,
    generate,
    info_of,
    save,
    settings,
    show,
    text_of,
    value,
    write_settings,
)
from tests.kit.upload_servers import ACCESS_KEY, BUCKET, SECRET_KEY, S3Store, UploadService


@pytest.fixture
def server(comfy: PaidServer) -> Iterator[PaidServer]:
    """The session's ComfyUI, with a settings file that the tests may write anew."""
    with settings(comfy, allowed_hosts=["127.0.0.1"]):
        yield comfy


def set_up(server: PaidServer, **settings: object) -> None:
    """What the user would have saved in the settings dialog."""
    write_settings(server, json.dumps(settings).encode())


def picture(seed: int, size: tuple[int, int] = (300, 260)) -> Image.Image:
    """One colour a seed, so that a pixel of the sandbox's drawing says which picture it was."""
    return Image.new("RGB", size, tuple(np.random.default_rng(seed).integers(20, 236, 3).tolist()))


def load_and_edit(server: PaidServer, prompt: str, source: Image.Image, name: str) -> dict[str, Any]:
    """LoadImage (1) → edit (2) → save (4), the edit's info (3)."""
    file = server.upload(source, name)
    return server.run(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": file}},
            "2": edit(prompt, image=["1", 0]),
            "3": show(["2", 3]),
            "4": save(["2", 0]),
        }
    )


def sent(server: PaidServer, number: int = 1) -> list[str]:
    """The images field of create `number`."""
    return list(server.sandbox.state(full=True)["creates"][number - 1]["body"]["images"])


def test_an_edit_through_an_http_service_shows_the_right_pixels(server: PaidServer, service: UploadService) -> None:
    set_up(
        server,
        http_upload_url=f"{service.address}/upload",
        http_upload_headers={"X-Token": "t0ken-of-the-service"},
        upload_format="png",
    )
    source = picture(1)
    entry = load_and_edit(server, "through the service", source, "http.png")
    server.succeeded(entry)
    (upload,) = service.uploads
    assert upload.headers["X-Token"] == "t0ken-of-the-service"
    assert server.sandbox.key not in str(upload.headers)
    _, name, kind, data = upload.file()
    assert kind == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(source))
    assert sent(server) == [f"{service.address}/files/{name}"]
    assert_edited(server.images(entry, "4")[0], "through the service", 7, source.size, [(source, 1)])
    (way,) = info_of(entry)["inputs"]
    assert (way["way"], way["bytes"]) == ("http", len(data))

    again = load_and_edit(server, "through the service, again", source, "http-again.png")
    server.succeeded(again)
    assert len(service.uploads) == 1, "equal content goes up once"
    assert info_of(again)["inputs"][0] == {"way": "http", "bytes": 0, "note": ""}


def test_an_edit_through_s3_shows_the_right_pixels(server: PaidServer, s3: S3Store) -> None:
    set_up(
        server,
        s3_endpoint=s3.address,
        s3_bucket=BUCKET,
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
    )
    source = picture(2)
    entry = load_and_edit(server, "through the store", source, "s3.png")
    server.succeeded(entry)
    ((key, data),) = s3.objects().items()
    assert Image.open(io.BytesIO(data)).format == "JPEG"
    (url,) = sent(server)
    assert f"/{BUCKET}/{key}?" in url
    assert "X-Amz-Signature=" in url
    assert_edited(server.images(entry, "4")[0], "through the store", 7, source.size, [(source, 4)])
    assert info_of(entry)["inputs"][0]["way"] == "s3"
    for secret in (SECRET_KEY, server.sandbox.key):
        assert secret not in json.dumps(entry)
        assert secret not in server.log()


def test_a_way_that_fails_is_told_and_the_edit_goes_on(server: PaidServer) -> None:
    set_up(server, http_upload_url="http://127.0.0.1:1/upload")
    source = picture(3)
    entry = load_and_edit(server, "the service is away", source, "away.png")
    server.succeeded(entry)
    (way,) = info_of(entry)["inputs"]
    assert way["way"] == "data"
    assert way["note"].startswith("http: ")
    assert_edited(server.images(entry, "4")[0], "the service is away", 7, source.size, [(source, 4)])


def test_a_saved_result_that_is_loaded_again_needs_no_upload(server: PaidServer, service: UploadService) -> None:
    set_up(server, http_upload_url=f"{service.address}/upload", allowed_hosts=["127.0.0.1"])
    first = server.run({"1": generate("to be saved", width=320), "2": save(["1", 0]), "3": show(["1", 1])})
    server.succeeded(first)
    (result,) = server.images(first, "2")
    entry = load_and_edit(server, "of what was saved", result, "saved-result.png")
    server.succeeded(entry)
    assert sent(server, 2) == [text_of(first, "3").strip()]
    assert service.requests == []
    assert info_of(entry)["inputs"] == [{"way": "remembered", "bytes": 0, "note": ""}]
    assert_edited(server.images(entry, "4")[0], "of what was saved", 7, (320, 256), [(result, 1)])


def test_a_link_the_gateway_cannot_fetch_is_named_and_not_used_again(server: PaidServer) -> None:
    first = server.run({"1": generate("soon gone", width=320), "2": save(["1", 0])})
    server.succeeded(first)
    (result,) = server.images(first, "2")
    server.sandbox.script(on="create", nth=2, status=400, code=1402, message="Unable to access the provided media URL")
    refused = load_and_edit(server, "of a dead link", result, "dead-link.png")
    told = server.error(refused)
    assert told is not None
    assert "No credits were spent" in told["exception_message"]
    assert "moderation" not in told["exception_message"].lower().replace("not moderation", "")
    entry = load_and_edit(server, "of a dead link", result, "dead-link-again.png")
    server.succeeded(entry)
    assert info_of(entry)["inputs"][0]["way"] == "data"
    assert_edited(server.images(entry, "4")[0], "of a dead link", 7, (320, 256), [(result, 4)])


def test_image_to_url_feeds_an_edit_which_is_not_paid_twice_when_the_link_is_new(
    server: PaidServer, s3: S3Store
) -> None:
    store = {
        "s3_endpoint": s3.address,
        "s3_bucket": BUCKET,
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "allowed_hosts": ["127.0.0.1"],
    }
    set_up(server, **store)
    source = picture(4)
    file = server.upload(source, "to-url.png")
    workflow = {
        "1": {"class_type": "LoadImage", "inputs": {"image": file}},
        "2": {"class_type": "HunyuanImageToURL", "inputs": {"image": ["1", 0]}},
        "3": show(["2", 1]),
        "4": edit("by its own link", image_urls=["2", 0]),
        "5": save(["4", 0]),
        "6": show(["2", 0]),
    }
    entry = server.run(workflow)
    server.succeeded(entry)
    (way,) = info_of(entry)["inputs"]
    assert way["way"] == "s3"
    assert way["bytes"] > 0
    assert sent(server) == [text_of(entry, "6")]
    assert_edited(server.images(entry, "5")[0], "by its own link", 7, source.size, [(source, 4)])

    set_up(server, **store, s3_prefix="elsewhere/")
    moved = server.upload(source, "to-url-moved.png")
    again = server.run({**workflow, "1": {"class_type": "LoadImage", "inputs": {"image": moved}}})
    server.succeeded(again)
    assert text_of(again, "6") != text_of(entry, "6")
    assert server.sandbox.billed == 1, "the same image under another link is the same request"


def test_image_from_url_gives_pixels_and_mask(server: PaidServer, service: UploadService) -> None:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (40, 60, 4), dtype=np.uint8)
    opaque = random.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for name, array in (("alpha.png", pixels), ("opaque.png", opaque)):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "PNG")
        service.files[name] = buffer.getvalue()
    urls = f"{service.address}/files/alpha.png\n\n  {service.address}/files/opaque.png?sig=a%2Fb+c \n"
    entry = server.run(
        {
            "1": {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": urls}},
            "2": save(["1", 0]),
            "3": {"class_type": "MaskToImage", "inputs": {"mask": ["1", 1]}},
            "4": save(["3", 0]),
            "5": show(["1", 2]),
        }
    )
    server.succeeded(entry)
    first, second = server.images(entry, "2")
    assert first.mode == "RGB"
    assert np.array_equal(np.asarray(first), pixels[..., :3])
    assert np.array_equal(np.asarray(second), opaque)
    transparent, none = server.images(entry, "4")
    difference = np.asarray(transparent.convert("L")).astype(int) - (255 - pixels[..., 3])
    assert np.abs(difference).max() <= 1
    assert not np.asarray(none).any()
    assert [each["width"] for each in info_of(entry, "5")["images"]] == [60, 60]
    assert sorted(request.path for request in service.reads) == ["/files/alpha.png", "/files/opaque.png?sig=a%2Fb+c"]
    assert asked(server) == [], "no bearer, no task: the gateway was not asked"
    assert all(request.headers["Authorization"] is None for request in service.reads)


def test_image_from_url_says_when_it_adapted_a_size(server: PaidServer, service: UploadService) -> None:
    for name, size in (("a.png", (64, 48)), ("b.png", (100, 50))):
        buffer = io.BytesIO()
        picture(6, size).save(buffer, "PNG")
        service.files[name] = buffer.getvalue()
    entry = server.run(
        {
            "1": {
                "class_type": "HunyuanImageFromURL",
                "inputs": {"image_urls": "\n".join(f"{service.address}/files/{name}" for name in ("a.png", "b.png"))},
            },
            "2": save(["1", 0]),
            "3": show(["1", 2]),
        }
    )
    server.succeeded(entry)
    assert [image.size for image in server.images(entry, "2")] == [(64, 48), (64, 48)]
    (note,) = info_of(entry)["notes"]
    assert "100×50" in note


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        ("", "image_urls is empty"),
        ("file:///etc/passwd", "URL 1"),
        ("http://169.254.169.254/latest/meta-data/", "closed address"),
        ("http://[::1]:80/x.png", "closed address"),
        ("http://localhost.localdomain.invalid/x.png", "URL 1"),
    ],
)
def test_image_from_url_refuses_what_no_download_may_reach(server: PaidServer, urls: str, words: str) -> None:
    set_up(server)
    entry = server.run(
        {
            "1": {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": ["3", 0]}},
            "2": save(["1", 0]),
            "3": value(urls),
        }
    )
    told = server.error(entry)
    assert told is not None
    assert words in told["exception_message"], told
    assert "credits are spent" not in told["exception_message"]


def test_image_from_url_names_the_one_that_is_no_image(server: PaidServer, service: UploadService) -> None:
    buffer = io.BytesIO()
    picture(7).save(buffer, "PNG")
    service.files.update({"good.png": buffer.getvalue(), "page.png": b"<!DOCTYPE html><p>log in"})
    urls = "\n".join(f"{service.address}/files/{name}" for name in ("good.png", "page.png"))
    entry = server.run(
        {"1": {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": urls}}, "2": save(["1", 0])}
    )
    told = server.error(entry)
    assert told is not None
    assert "URL 2 of image_urls" in told["exception_message"]
    assert "HTML" in told["exception_message"]
    assert "paid" not in told["exception_message"], "no task, so nothing was paid"


def test_the_image_nodes_speak_the_users_language(server: PaidServer) -> None:
    set_up(server, upload_order=["s3"])
    comfys = server.base / "user" / "default" / "comfy.settings.json"
    before = comfys.read_text() if comfys.exists() else "{}"
    comfys.parent.mkdir(parents=True, exist_ok=True)
    comfys.write_text(json.dumps({**json.loads(before), "Comfy.Locale": "zh"}))
    try:
        link = server.run(
            {
                "1": {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": "http://10.0.0.1/"}},
                "2": save(["1", 0]),
            }
        )
        file = server.upload(picture(9), "nowhere.png")
        upload = server.run(
            {
                "1": {"class_type": "LoadImage", "inputs": {"image": file}},
                "2": {"class_type": "HunyuanImageToURL", "inputs": {"image": ["1", 0]}},
                "3": show(["2", 0]),
            }
        )
    finally:
        comfys.write_text(before)
    for entry, words in ((link, "不允许访问的地址"), (upload, "输入图像无法变成")):
        told = server.error(entry)
        assert told is not None
        assert words in told["exception_message"]


def test_image_from_url_tries_again_where_only_the_way_failed(server: PaidServer) -> None:
    first = server.run({"1": generate("to be fetched", width=320), "2": save(["1", 0]), "3": show(["1", 1])})
    server.succeeded(first)
    server.sandbox.script(on="download", prompt="to be fetched", times=2, status=503)
    url = text_of(first, "3").strip()
    entry = server.run({"1": {"class_type": "HunyuanImageFromURL", "inputs": {"image_urls": url}}, "2": save(["1", 0])})
    server.succeeded(entry)
    assert np.array_equal(np.asarray(server.images(entry, "2")[0]), np.asarray(server.images(first, "2")[0]))
    assert len(asked(server, "download")) == 4


def test_a_link_that_died_does_not_come_out_of_the_cache(server: PaidServer, service: UploadService) -> None:
    set_up(server, http_upload_url=f"{service.address}/upload", allowed_hosts=["127.0.0.1"])
    file = server.upload(picture(8), "cached-link.png")
    workflow = {
        "1": {"class_type": "LoadImage", "inputs": {"image": file}},
        "2": {"class_type": "HunyuanImageToURL", "inputs": {"image": ["1", 0]}},
        "3": show(["2", 0]),
        "4": edit("with a link that died", image_urls=["2", 0], size="1024*1024"),
        "5": save(["4", 0]),
    }
    alone = {node: workflow[node] for node in ("1", "2", "3")}
    server.succeeded(server.run(alone))
    cached = server.run(alone)
    assert "2" in next(data["nodes"] for kind, data in cached["status"]["messages"] if kind == "execution_cached")
    assert len(service.uploads) == 1

    server.sandbox.script(on="create", nth=1, status=400, code=1402, message="Unable to access the provided media URL")
    assert server.error(server.run(workflow)) is not None
    server.succeeded(server.run(workflow))
    assert len(service.uploads) == 2, "the dead link was made anew, not taken out of the cache"
    assert server.sandbox.billed == 1
