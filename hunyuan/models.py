"""The values that travel between the rooms: frozen dataclasses and string enums, nothing that acts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from .errors import InvalidRequestError, InvalidTaskIdError
from .limits import CREDITS_PER_TASK, MAX_INPUT_IMAGES, MAX_PROMPT_CHARACTERS, MAX_SEED, MAX_SIDE, MIN_SIDE, MOST_PIXELS
from .sentences import say

_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.:/]{0,511}")
_NO_TASK_ID = re.compile(r"\.\.|//|/\.?/|/\.?$|^(https?|ftp|file|data|javascript):", re.IGNORECASE)


class TaskType(str, Enum):
    """The API's `type` field."""

    TEXT_TO_IMAGE = "text-to-image"
    EDIT = "edit"


class TaskState(str, Enum):
    """The life of a task, as the journal keeps it."""

    INTENDED = "intended"  # written down, the create is about to be sent
    SUBMITTED = "submitted"  # the gateway accepted it; its task id is known
    RUNNING = "running"  # the gateway said that it works on it
    SUCCEEDED = "succeeded"  # the gateway has the image
    COLLECTED = "collected"  # the image's bytes are on disk here
    FAILED = "failed"  # the gateway said failed, or the create certainly was not accepted
    UNKNOWN = "unknown"  # sent, answer lost: never sent again by itself

    @property
    def is_open(self) -> bool:
        """Whether the image is still to be had: polling or downloading goes on."""
        return self in (TaskState.SUBMITTED, TaskState.RUNNING, TaskState.SUCCEEDED)

    @property
    def is_attachable(self) -> bool:
        """Whether the same request may take this task's image instead of paying again."""
        return self.is_open or self is TaskState.COLLECTED


@dataclass(frozen=True)
class ImageSize:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def api(self) -> str:
        """The form the API takes: `1024*1024`."""
        return f"{self.width}*{self.height}"

    @property
    def most_pixels(self) -> int:
        """Width times height of a result that was asked for in this size, at most: four times as many pixels.

        What the model draws by itself is never too large: some upstreams change a small size in silence, and bill it.
        """
        return min(max(4 * self.width * self.height, MAX_SIDE**2), MOST_PIXELS)

    @classmethod
    def parse(cls, text: str) -> ImageSize:
        """Reads `1024*1024`; raises InvalidRequestError on anything else."""
        match = re.fullmatch(r"(\d{1,5})\*(\d{1,5})", text)
        if not match:
            raise InvalidRequestError(
                say('Size "{size}" is not of the form "1024*1024".', size=text[:40]),
                do=say("Pick a size from the list."),
            )
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class EncodedImage:
    """An input image as the bytes that are uploaded."""

    data: bytes
    mime: str
    width: int
    height: int
    note: str = ""  # what was changed for the upload (scaled, flattened), empty if nothing


@dataclass(frozen=True)
class ImageInput:
    """An input image of an edit, before it has a URL.

    identity: `pixels:<hex>` (of the content) or `url:<the user's own URL>`; part of the request's fingerprint.
    url: the user's own URL. encode: makes the upload's bytes when they are needed (never on the event loop).
    """

    identity: str
    url: str | None = None
    encode: Callable[[], EncodedImage] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ResolvedImage:
    """An input image as a URL that the gateway can fetch.

    way: `given`, `remembered`, `s3`, `http` or `data`. uploaded: bytes that went out for it (0 if none).
    """

    url: str = field(repr=False)
    way: str
    uploaded: int = 0
    note: str = ""


@dataclass(frozen=True)
class GenerationRequest:
    """One paid task, validated: nothing is sent that the API is known to refuse.

    Of Hunyuan Image 3: type, size and seed (0 to 2147483647) are its parameters. Of another model (type is None; built
    by its entry in `gateway/models`): `parameters` are all that is sent beside model and prompt; size and seed say the
    same of it, where it has them. images: the identities of the input images, in order (see ImageInput).
    image_fields: for each image the body's field it goes into; single_fields: those that hold one URL, not a list.
    credits: what the task costs. variation: only tells requests apart. choices: what its durations are learned by,
    beside the model. user: whose request it is where ComfyUI has several: the same of another is another task.
    Raises InvalidRequestError when it is built with what the API does not take.
    """

    type: TaskType | None
    prompt: str
    size: ImageSize | None
    seed: int | None
    model: str
    images: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str | int], ...] = ()
    image_fields: tuple[str, ...] = ()
    single_fields: tuple[str, ...] = ()
    credits: int = CREDITS_PER_TASK
    variation: int = 0
    choices: str = ""
    user: str = ""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise InvalidRequestError(say("The prompt is empty."), do=say("Write what the image should show."))
        for name, text in (("prompt", self.prompt), *self.parameters):
            _check_characters(name, text)
        if self.type is not None:
            self._check_hunyuan(self.type, self.size, self.seed)

    def _check_hunyuan(self, type: TaskType, size: ImageSize | None, seed: int | None) -> None:
        if len(self.prompt) > MAX_PROMPT_CHARACTERS:
            raise InvalidRequestError(
                say(
                    "The prompt must be at most {most} characters, got {count}.",
                    most=MAX_PROMPT_CHARACTERS,
                    count=len(self.prompt),
                ),
                do=say("Shorten it."),
            )
        for name, side in (("width", size.width), ("height", size.height)) if size else (("size", None),):
            if side is None or not MIN_SIDE <= side <= MAX_SIDE:
                raise InvalidRequestError(
                    say(
                        "{name} must be {least} to {most} pixels, got {side}.",
                        name=name,
                        least=MIN_SIDE,
                        most=MAX_SIDE,
                        side=side,
                    )
                )
        if seed is None or not 0 <= seed <= MAX_SEED:
            raise InvalidRequestError(say("The seed must be 0 to {most}, got {seed}.", most=MAX_SEED, seed=seed))
        self._check_images(type)

    def _check_images(self, type: TaskType) -> None:
        count = len(self.images)
        if type is TaskType.EDIT and not 1 <= count <= MAX_INPUT_IMAGES:
            raise InvalidRequestError(
                say("An edit takes one or two input images in all, got {count}.", count=count),
                do=say("Connect image, image_2 or image_urls; each image of a batch counts."),
            )
        if type is TaskType.TEXT_TO_IMAGE and count:
            raise InvalidRequestError(say("Text to image takes no input images, got {count}.", count=count))

    def fingerprint(self, base_url: str) -> str:
        """The same request to the same gateway gives the same 64 hex characters; no two models share one."""
        address = base_url.rstrip("/")
        content: object
        if self.type is not None and self.size is not None:  # as it always was: journals of earlier versions attach
            content = [
                *(self.type.value, self.prompt, self.size.api, self.seed, list(self.images), self.model),
                address,
            ]
        else:
            content = {
                "model": self.model,
                "prompt": self.prompt,
                "parameters": dict(self.parameters),
                "images": list(zip(self.image_fields, self.images, strict=True)),
                "variation": self.variation,
                "base_url": address,
            }
        text = json.dumps([content, self.user] if self.user else content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _check_characters(name: str, text: object) -> None:
    try:
        str(text).encode()
    except UnicodeEncodeError as broken:
        raise InvalidRequestError(
            say(
                "The {name} holds half a character (a lone surrogate) at place {place}.",
                name=name,
                place=broken.start + 1,
            ),
            do=say("Delete it; a text that was cut in the middle of an emoji may end so."),
        ) from None


NO_STATUS = "(none)"  # the odd word of an answer that names none


@dataclass(frozen=True)
class TaskStatus:
    """What one answer of the gateway says of a task (of a create or of a poll).

    state: SUBMITTED, RUNNING, SUCCEEDED or FAILED. images: URLs or `data:` URIs of the finished images.
    progress: 0..1 where the gateway gives one. words: the gateway's own words on a failure.
    retry_after: seconds after which the gateway wants to be asked again, where it says so. credits: what the task cost,
    where the answer names it. is_older: a create was refused because this task of the same request runs already.
    odd_word, odd_answer: a status word that nobody knows, or NO_STATUS, and the answer it stood in, both redacted and
    shortened.
    """

    state: TaskState
    task_id: str | None = None
    images: tuple[str, ...] = field(default=(), repr=False)
    progress: float | None = None
    retry_after: float | None = None
    words: str = ""
    gateway_code: str = ""
    credits: int | None = None
    is_older: bool = False
    odd_word: str = ""
    odd_answer: str = field(default="", repr=False)

    @property
    def is_final(self) -> bool:
        """Whether the task has ended."""
        return self.state in (TaskState.SUCCEEDED, TaskState.FAILED)


@dataclass(frozen=True)
class StoredImage:
    """One original result file on disk. digest: sha256 hex of the bytes."""

    path: str
    mime: str
    bytes: int
    digest: str
    url: str = field(default="", repr=False)


def check_task_id(text: str) -> str:
    """A typed id, trimmed; raises InvalidTaskIdError for what can never be one (it would form another path).

    What a gateway gave is held to `task_ids.check_given_id`.
    """
    task_id = text.strip()
    if not _TASK_ID.fullmatch(task_id) or _NO_TASK_ID.search(task_id):
        shown = task_id if len(task_id) <= 60 else f"{task_id[:60]}... ({len(task_id)} characters)"
        raise InvalidTaskIdError(
            say(
                "{shown!r} is not a task id: expected 1 to 512 letters, digits, '_', '-', '.', ':' or '/'.", shown=shown
            ),
            do=say("Copy the id from a Hunyuan node's task_ids output or from the task list, one a line."),
        )
    return task_id
