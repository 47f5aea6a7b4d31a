"""The documented contract: what a create must look like, and what its refusals look like."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from .models import MODELS, UPSCALED, asked_of, fault_of, pixels_of, urls_of
from .settings import CREDITS_PER_TASK, Settings

PROMPT_MAX = 2000  # characters
SIDE_MIN, SIDE_MAX = 256, 1536  # pixels
SEED_MAX = 2_147_483_647
IMAGES_MAX = 2
DEFAULT_SIZE = {"text-to-image": (1024, 1024), "edit": (256, 256)}  # pixels; upstream's own default for edits
MEDIA_ERROR = "Unable to access the provided media URL"
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_credits",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


class Refused(Exception):
    """A request the gateway does not accept: nothing is billed."""

    def __init__(self, status: int, message: str, *, code: int | str | None = None, task_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = status if code is None else code
        self.message = message
        self.task_id = task_id  # of the task that stands in the way


@dataclasses.dataclass(frozen=True)
class Create:
    """A create that passed validation. `size` is (width, height) in pixels; `seed` -1 draws one.

    Of another model than Hunyuan's: `asked` are its own parameters. credits: of the task; count: its pictures.
    """

    model: str
    prompt: str
    type: str
    size: tuple[int, int]
    images: tuple[str, ...]
    seed: int
    asked: tuple[tuple[str, Any], ...] | None = None
    credits: int = CREDITS_PER_TASK
    count: int = 1

    @property
    def name(self) -> str:
        """How the task's id ends."""
        return MODELS[self.model].name if self.model in MODELS else "hunyuan3"

    @property
    def earlier(self) -> tuple[str, tuple[str, ...]] | None:
        """The id of the task that this one goes on from, and the models that it may be of."""
        if self.model not in UPSCALED:
            return None
        return str(dict(self.asked or ())["task_id"]), UPSCALED[self.model]


def error_body(code: int | str, message: str, status: int) -> dict[str, Any]:
    """The documented error shape."""
    return {"error": {"code": code, "message": message, "type": TYPES.get(status, "api_error")}}


def bearer(headers: Mapping[str, str]) -> str | None:
    """The key of the Authorization header, or None. Header names are lower case."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def check_bearer(headers: Mapping[str, str], settings: Settings) -> None:
    if not settings.good_key(bearer(headers)):
        raise Refused(401, "Invalid API key")


def parse_body(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except ValueError:
        raise Refused(400, "The request body is not valid JSON") from None
    if not isinstance(given, dict):
        raise Refused(400, "The request body must be a JSON object")
    return given


def parse_create(given: Mapping[str, Any], settings: Settings) -> Create:
    """The create of a JSON body; Refused (400, 404) where it breaks a rule of the contract."""
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(400, "model is required")
    if model in MODELS and model not in settings.models:
        return _other(model, given)
    if model not in settings.models:
        raise Refused(404, f"Model not found: {model[:80]}")
    kind = given.get("type", "text-to-image")
    if kind not in DEFAULT_SIZE:
        raise Refused(400, 'type must be "text-to-image" or "edit"')
    return Create(
        model=model,
        prompt=_prompt(given.get("prompt")),
        type=kind,
        size=_size(given.get("size"), kind),
        images=_images(given.get("images"), kind),
        seed=_seed(given.get("seed", -1)),
    )


def _other(name: str, given: Mapping[str, Any]) -> Create:
    model = MODELS[name]
    if fault := fault_of(model, given):
        raise Refused(400, fault)
    asked = asked_of(model, given)
    count = int(asked.get("num_images", 1))
    return Create(
        model=name,
        prompt=given["prompt"],
        type=str(asked.get("type", "text-to-image")),
        size=pixels_of(asked),
        images=urls_of(model, given),
        seed=int(asked.get("seed", -1)),
        asked=tuple(asked.items()),
        credits=model.price(asked) * count,
        count=count,
    )


def _prompt(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refused(400, "prompt is required")
    if len(value) > PROMPT_MAX:
        raise Refused(400, f"prompt must be at most {PROMPT_MAX} characters, got {len(value)}")
    return value


def _size(value: object, kind: str) -> tuple[int, int]:
    if value is None:
        return DEFAULT_SIZE[kind]
    match = re.fullmatch(r"([0-9]{1,5})\*([0-9]{1,5})", value) if isinstance(value, str) else None
    if match is None:
        raise Refused(400, f'size must look like "1024*1024", got {str(value)[:40]!r}')
    width, height = int(match[1]), int(match[2])
    if not all(SIDE_MIN <= side <= SIDE_MAX for side in (width, height)):
        raise Refused(400, f"size must be {SIDE_MIN} to {SIDE_MAX} pixels a side, got {width}*{height}")
    return width, height


def _images(value: object, kind: str) -> tuple[str, ...]:
    if kind != "edit":
        return ()
    if not isinstance(value, list) or not value:
        raise Refused(400, "images is required for edit")
    if len(value) > IMAGES_MAX:
        raise Refused(400, f"images takes at most {IMAGES_MAX}, got {len(value)}")
    if not all(isinstance(url, str) and url for url in value):
        raise Refused(400, "images must be a list of URLs")
    return tuple(value)


def _seed(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= SEED_MAX:
        raise Refused(400, f"seed must be an integer from -1 to {SEED_MAX}, got {str(value)[:40]}")
    return value
