"""What one task may be: so many images, so many pixels, answers so large; nothing of it is lost for being beyond."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hunyuan.errors import AnswerTooLargeError, DownloadError, TooLargeError
from hunyuan.gateway.client import Client
from hunyuan.http.transport import Exchange
from hunyuan.limits import MOST_IMAGES
from hunyuan.models import ImageSize, TaskState
from hunyuan.settings.store import Settings
from tests.kit.rig import DRAWN, GATEWAY, Picture8, Rig, story

MIB = 2**20


def finished(links: int) -> dict[str, Any]:
    """Every poll gives so many links."""
    urls = [f"{GATEWAY}/out/{number}.png" for number in range(links)]
    return {"on": "poll", "times": "always", "body": {"data": {"status": "completed", "outputs": urls}}}


def serves_anything(rig: Rig) -> list[str]:
    """Every link leads to a picture; the paths that are asked for."""
    asked: list[str] = []

    def fetch(address: Any, **_: object) -> Exchange:
        asked.append(address.target)
        return Exchange(200, {"content-type": "image/png"}, DRAWN + address.target.encode())

    rig.wire.fetch = fetch  # type: ignore[method-assign]
    return asked


@pytest.mark.parametrize(("links", "most"), [(16, 16), (40, 16), (3, 2)])
@story(lambda links: finished(links))
async def test_no_more_images_are_fetched_than_a_task_may_have(rig: Rig, links: int, most: int) -> None:
    asked = serves_anything(rig)
    if most != MOST_IMAGES:
        rig.runner.tools = replace(rig.runner.tools, most_images=lambda model: most)
    got = await rig.collected(rig.submit(5)[0])
    assert [each.digest for each in got.images] == [f"/out/{number}.png" for number in range(most)]
    assert len(asked) == len(got.row.files) == most
    assert len(got.row.urls) == links, "the other links are not lost"


@story(finished(5000))
async def test_no_row_of_the_journal_grows_with_an_answer(rig: Rig) -> None:
    serves_anything(rig)
    assert len((await rig.collected(rig.submit(5)[0])).row.urls) == 64


@story
async def test_a_picture_may_have_four_times_the_pixels_that_were_asked_for(rig: Rig) -> None:
    given: list[int] = []

    def decode(data: bytes, max_pixels: int) -> Picture8:
        given.append(max_pixels)
        if len(given) == 1:
            raise TooLargeError("The image says it is 8000×8000 pixels.")
        return Picture8(data.removeprefix(DRAWN).decode())

    rig.runner.tools = replace(rig.runner.tools, decode=decode)
    handle = rig.submit(5)[0]
    failure = await rig.failure(handle)
    assert isinstance(failure, DownloadError)
    assert "credits of this task are spent; its image can still be collected" in str(failure)
    assert "The bytes are kept for a look in" in str(failure)
    assert given == [ImageSize(512, 512).most_pixels]
    assert (await rig.collected(rig.submit(5)[0])).images
    assert rig.billed == 1


@pytest.mark.parametrize(
    ("side", "most"), [(1024, 4 * 1024**2), (1536, 4 * 1536**2), (4096, 36_000_000), (256, 1536**2)]
)
def test_what_a_size_may_become(side: int, most: int) -> None:
    """Of a small size, as many as the largest has: some upstreams draw that, and bill it."""
    assert ImageSize(side, side).most_pixels == most


class Large:
    """A transport whose polls are answered with an image of 5 MiB in the answer itself."""

    def __init__(self) -> None:
        self.caps: list[int] = []

    def send(self, method: str, url: str, *, max_bytes: int, **_: object) -> Exchange:
        self.caps.append(max_bytes)
        if max_bytes < 7 * MIB:
            raise AnswerTooLargeError("An answer larger than that.", sent=True)
        inline = "data:image/png;base64," + base64.b64encode(DRAWN + b"x" * 5 * MIB).decode()
        body = {"data": {"status": "completed", "outputs": [inline]}}
        return Exchange(200, {"content-type": "application/json"}, json.dumps(body).encode())


def test_a_poll_reads_four_mebibytes_and_a_create_what_an_image_needs() -> None:
    transport = Large()
    client = Client(transport, lambda: Settings(api_key="aio_x"))  # type: ignore[arg-type]
    with pytest.raises(AnswerTooLargeError):
        client.status("n1")
    assert client.status("n1", inline=True).images
    assert transport.caps[0] == 4 * MIB
    assert 64 * MIB * 4 // 3 < transport.caps[1] < 90 * MIB


def answers_large(rig: Rig) -> Large:
    """From now on each poll is answered with a large image."""
    large, send = Large(), rig.wire.send

    def sent(method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, **more: Any) -> Exchange:
        if method == "GET":
            return large.send(method, url, **more)
        return send(method, url, headers=headers, body=body, **more)

    rig.wire.send = sent  # type: ignore[method-assign]
    return large


@story
async def test_an_image_inside_a_polls_answer_comes_where_somebody_waits(rig: Rig) -> None:
    large = answers_large(rig)
    got = await rig.collected(rig.submit(5)[0])
    assert got.images
    assert len(large.caps) == 2


@story
async def test_an_answer_that_is_too_large_is_not_read_whole_where_nobody_waits(rig: Rig) -> None:
    large = answers_large(rig)
    handle = rig.submit(5)[0]
    await asyncio.wrap_future(handle.created)
    handle.detach()
    await rig.clock.sleep(60)
    assert large.caps, "it was asked for"
    assert set(large.caps) == {4 * MIB}
    assert rig.rows()[0].state is TaskState.SUBMITTED
    assert (await rig.collected(rig.submit(5)[0])).images
