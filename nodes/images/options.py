"""What the settings say of the images that are uploaded: their format, their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...hunyuan.settings.store import Settings


@dataclass(frozen=True)
class EncodeOptions:
    """How an input image is encoded for its upload: `jpeg`, `png` or `webp`, at most max_side pixels and max_bytes."""

    format: str = "jpeg"
    matte: str = "#ffffff"
    max_side: int = 4096
    max_bytes: int = 10_000_000

    @classmethod
    def of(cls, settings: Settings) -> EncodeOptions:
        """The user's choice."""
        return cls(
            format=settings.upload_format,
            matte=settings.upload_matte,
            max_side=settings.upload_max_side,
            max_bytes=settings.upload_max_bytes,
        )
