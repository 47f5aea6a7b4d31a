"""The streams that ComfyUI prints to, made safe for every letter of what this pack raises and logs.

ComfyUI prints a node's exception through an interceptor that encodes strictly. A letter that the output's encoding
lacks (Chinese on a Windows code page, half an emoji even in UTF-8) then ends its prompt worker, and every later prompt
hangs (seen in 0.3.75 to 0.33.0). What the page shows and what is printed is the same text, so the streams must give in:
such a letter is printed as its code (`\\u4e2d`). No letter that could be printed before looks different;
only bytes that are no text, which surrogateescape would pass on, are printed as codes too.
"""

from __future__ import annotations

import io
import logging
import sys
from contextlib import suppress

# Python's ways with a letter that an encoding lacks which take every one. surrogateescape and surrogatepass take some.
NEVER_RAISES = frozenset({"backslashreplace", "ignore", "namereplace", "replace", "xmlcharrefreplace"})


def make_lenient() -> None:
    """Let the process's own streams, and its log's, print what they have no letters for. Again and again is once.

    Raises nothing: it is called while ComfyUI starts, and a stream that is out of use must not stop that.
    """
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
    comfyui = sys.modules.get("app.logger")  # its own interceptors, where another pack has put a wrapper around them
    interceptors = [getattr(comfyui, name, None) for name in ("stdout_interceptor", "stderr_interceptor")]
    for stream in (sys.stdout, sys.stderr, *interceptors, *(each.stream for each in handlers)):
        # Detached or closed by another pack, a broken pipe; and the flush in it calls whatever others hooked in there.
        with suppress(Exception):
            if isinstance(stream, io.TextIOWrapper) and stream.errors not in NEVER_RAISES:
                stream.reconfigure(errors="backslashreplace")
