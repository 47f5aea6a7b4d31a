"""A small WebP of a stored result, for the task list."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from ...hunyuan.errors import NotAnImageError
from ...hunyuan.sentences import say
from .decode import opened


def thumbnail(data: bytes, side: int) -> bytes:
    """WebP bytes at most `side` pixels wide and high. Blocks milliseconds.

    The file was decoded once before it was stored. Raises NotAnImageError if it cannot be read now.
    """
    try:
        with opened(data, draft=side) as small:
            small.thumbnail((side, side))
            out = BytesIO()
            clear = small.mode in ("RGBA", "LA", "PA") or "transparency" in small.info
            small.convert("RGBA" if clear else "RGB").save(out, "WEBP", quality=80, method=2)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise NotAnImageError(say("The stored image cannot be shown: {reason}.", reason=error)) from error
    return out.getvalue()
