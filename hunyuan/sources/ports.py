"""What the sources need of the outside, and what they are to the chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..models import EncodedImage
    from ..settings.store import Settings


class Link(Protocol):
    """A kept URL. Times in unix seconds; expires_at None: not known to expire."""

    @property
    def url(self) -> str: ...

    @property
    def expires_at(self) -> float | None: ...

    @property
    def created_at(self) -> float: ...


class LinkStore(Protocol):
    """Where kept URLs survive a restart (the journal). Blocking, thread-safe."""

    def find(self, key: str) -> Link | None:
        """None where there is none, or where it expired."""
        ...

    def save(self, key: str, url: str, way: str, expires_at: float | None) -> object: ...

    def drop(self, key: str) -> object: ...


@dataclass(frozen=True)
class Uploaded:
    """A URL just made. lives_seconds: how long it works, None where that is not known."""

    url: str = field(repr=False)
    lives_seconds: float | None = None


class Uploader(Protocol):
    """One way to put an image's bytes where the gateway can fetch them."""

    @property
    def way(self) -> str:
        """Its name in settings and in `info`."""
        ...

    def is_set_up(self, settings: Settings) -> bool:
        """Whether the user has configured it; if not, the chain passes it by in silence."""
        ...

    def place(self, settings: Settings) -> str:
        """Where its uploads go, as text: another place means that an image has to be uploaded again."""
        ...

    def upload(self, image: EncodedImage, name: str, settings: Settings) -> Uploaded:
        """Blocking, thread-safe. name: a file name with extension, the same for the same content.

        Raises a HunyuanError that says what failed; the chain goes on with the next way.
        """
        ...


@dataclass(frozen=True)
class SourceDiagnosis:
    """The outcome of "test this way" in the settings dialog: one sentence or two, no secret in it.

    said: which sentence it is, for the page's own language. place: the host of the link that came of it.
    """

    way: str
    ok: bool
    text: str
    said: str = ""
    place: str = ""
