"""The sandbox speaks the other models: it refuses what their pages do not describe, and bills nothing for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.control import Control
from sandbox.gateway import CREATE_PATH, Gateway
from sandbox.models import MODELS
from tests.kit.rig import KEY

HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
URL = "data:image/png;base64,AAAA"


def create(gateway: Gateway, **body: Any) -> tuple[int, str]:
    reply = gateway.handle("POST", CREATE_PATH, HEADERS, json.dumps({"prompt": "a lighthouse", **body}).encode())
    return reply.status, reply.body.decode()


WRONG = [
    ({"model": "flux-2", "prompt": "ab"}, "3 to 5000 characters"),
    ({"model": "flux-2", "resolution": "1k"}, "resolution must be one of 1K, 2K"),
    ({"model": "flux-2", "size": "1024*1024"}, "size is not a parameter of this model"),
    ({"model": "flux-2", "seed": 1}, "seed is not a parameter"),
    ({"model": "flux-2", "input_urls": [URL] * 9}, "at most 8"),
    ({"model": "flux-2", "images": [URL]}, "images is not a parameter"),
    ({"model": "grok-imagine/text-to-image", "aspect_ratio": "1:1"}, "not a parameter"),
    ({"model": "grok-imagine/upscale"}, "task_id is required"),
    ({"model": "grok-imagine/upscale", "task_id": "n1"}, "finished image task of this model"),
    ({"model": "kling-image-o1", "resolution": "1K"}, "one of 1k, 2k"),
    ({"model": "kling-image-o1", "num_images": 10}, "from 1 to 9"),
    ({"model": "kling-image-o1", "images": [URL] * 11}, "at most 10"),
    ({"model": "ideogram-v3-turbo", "image": [URL]}, "image must be a URL"),
    ({"model": "ideogram-v4", "size": "1024*1024"}, "size must be one of"),
    ({"model": "imagen4", "seed": -1}, "seed must be an integer from 0"),
    ({"model": "gpt-image-1-5", "quality": "low"}, "medium, high"),
    ({"model": "seedream/4.5-edit"}, "image_urls is required"),
    ({"model": "seedream/4.5-text-to-image", "image_urls": [URL]}, "not a parameter"),
    ({"model": "cogview-4", "prompt": "x" * 1001}, "1 to 1000"),
    ({"model": "recraft-v4-text-to-image", "image_size": "1024*1024"}, "1024x1024"),
]


@pytest.mark.parametrize(("body", "words"), WRONG, ids=lambda value: str(value)[:60])
def test_a_wrong_parameter_is_refused_and_costs_nothing(body: dict[str, Any], words: str) -> None:
    gateway = Gateway()
    status, said = create(gateway, **body)
    assert status == 400
    assert words in said
    assert Control(gateway).state()["billed"] == 0


@pytest.mark.parametrize("model", ["ideogram-v3", "grok-imagine", "imagen-4", "seedream-4-5", "recraft-v4"])
def test_the_pages_model_ids_are_not_what_is_sent(model: str) -> None:
    assert model not in MODELS
    assert create(Gateway(), model=model)[0] == 404
