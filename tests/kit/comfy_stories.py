"""Workflows of the stories in API format, and what their pictures must show."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageChops

from devtools.comfy_server import ComfyServer
from sandbox.pictures import FRAME, background, expected_png, prompt_colour, tile_boxes, tinted
from tests.kit.comfy_fixtures import PaidServer

Link = Sequence[Any]
SMALL = {"size": "custom", "width": 256, "height": 256}


def generate(prompt: str | Link, **inputs: Any) -> dict[str, Any]:
    """A HunyuanGenerate of 256*256."""
    return {"class_type": "HunyuanGenerate", "inputs": {"prompt": prompt, "seed": 7, **SMALL, **inputs}}


def edit(prompt: str | Link, **inputs: Any) -> dict[str, Any]:
    """A HunyuanEdit whose size matches its input."""
    return {"class_type": "HunyuanEdit", "inputs": {"prompt": prompt, "seed": 7, **inputs}}


def task_wait(task_ids: str | Link, **inputs: Any) -> dict[str, Any]:
    return {"class_type": "HunyuanTaskWait", "inputs": {"task_ids": task_ids, **inputs}}


def save(images: Link) -> dict[str, Any]:
    return {"class_type": "SaveImage", "inputs": {"images": images, "filename_prefix": "story"}}


def show(text: Link) -> dict[str, Any]:
    return {"class_type": "PreviewAny", "inputs": {"source": text}}


def value(given: Any) -> dict[str, Any]:
    """A node that gives this value, whatever it is (see story_nodes)."""
    return {"class_type": "StoryValue", "inputs": {"json": json.dumps(given)}}


def grey(width: int, height: int, batch: int = 1, colour: int = 0x808080) -> dict[str, Any]:
    return {
        "class_type": "EmptyImage",
        "inputs": {"width": width, "height": height, "batch_size": batch, "color": colour},
    }


def saved(prompt: str, **inputs: Any) -> dict[str, Any]:
    """Generate (1) → SaveImage (2), and its info shown (3)."""
    return {"1": generate(prompt, **inputs), "2": save(["1", 0]), "3": show(["1", 3])}


def text_of(entry: Mapping[str, Any], node_id: str) -> str:
    """What a PreviewAny showed."""
    return str(entry["outputs"][node_id]["text"][0])


def info_of(entry: Mapping[str, Any], node_id: str = "3") -> dict[str, Any]:
    return dict(json.loads(text_of(entry, node_id)))


def assert_drawn(picture: Image.Image, prompt: str, seed: int, size: tuple[int, int]) -> None:
    """Every pixel of a generated picture is the sandbox's."""
    with Image.open(io.BytesIO(expected_png(prompt, seed, size))) as wanted:
        assert picture.size == size
        assert ImageChops.difference(picture.convert("RGB"), wanted.convert("RGB")).getbbox() is None


def assert_edited(
    picture: Image.Image, prompt: str, seed: int, size: tuple[int, int], inputs: Sequence[tuple[Image.Image, int]]
) -> None:
    """The frame, the prompt's square and each input's pixels (within its tolerance, for what was sent as JPEG)."""
    assert picture.size == size
    assert picture.getpixel((1, size[1] // 2)) == background(seed)
    assert picture.getpixel((size[0] - FRAME // 2, FRAME // 2)) == prompt_colour(prompt)
    boxes = tile_boxes(size, [image.size for image, _ in inputs])
    for (image, tolerance), box in zip(inputs, boxes, strict=True):
        centre = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
        wanted = tinted(pixel(image, (image.width // 2, image.height // 2)), seed)
        got = pixel(picture, centre)
        assert max(abs(a - b) for a, b in zip(got, wanted, strict=True)) <= tolerance, (got, wanted)


def pixel(image: Image.Image, place: tuple[int, int]) -> tuple[int, int, int]:
    found = image.convert("RGB").getpixel(place)
    assert isinstance(found, tuple)
    return found[0], found[1], found[2]


def rows(server: ComfyServer, prompt: str) -> list[dict[str, Any]]:
    """The journal's tasks with that prompt, as the page gets them, newest first."""
    return [row for row in server.get_json("/hunyuan/tasks?limit=200")["tasks"] if row["prompt"] == prompt]


@contextmanager
def settings(server: ComfyServer, **values: Any) -> Iterator[None]:
    """These settings in the server's file, as the page saves them, for the block."""
    file = server.state_directory / "settings.json"
    before = file.read_bytes() if file.exists() else None
    write_settings(server, json.dumps(values).encode())
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            write_settings(server, before)


def write_settings(server: ComfyServer, content: bytes) -> None:
    """The server's file, at once: it may read it at any time, and half a file is none."""
    server.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = server.state_directory / "settings.json.tests"
    scratch.touch(mode=0o600)
    scratch.write_bytes(content)
    scratch.replace(server.state_directory / "settings.json")


def asked(server: PaidServer, event: str | None = None) -> list[dict[str, Any]]:
    """The requests to the gateway (of one event), without those for tasks of earlier tests.

    The sweeper of a shared server may still look for them; a sandbox that was reset does not know their ids.
    """
    own = {task["task_id"] for task in server.sandbox.state()["tasks"]}
    listed = server.get_json("/hunyuan/tasks?limit=1000")["tasks"]
    earlier = {row["task_id"] for row in listed if row["task_id"] and row["task_id"] not in own}
    return [seen for seen in server.sandbox.requests(event) if not any(id_ in seen["path"] for id_ in earlier)]


def state_is(server: ComfyServer, prompt: str, *states: str) -> Callable[[], list[dict[str, Any]]]:
    """A condition for `until`: all of that prompt's tasks stand in these states."""

    def look() -> list[dict[str, Any]]:
        found = rows(server, prompt)
        return found if sorted(row["state"] for row in found) == sorted(states) else []

    return look
