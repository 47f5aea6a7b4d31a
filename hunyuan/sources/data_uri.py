"""`data:` URIs: the image travels inside the request. The default when nothing is set up.

Whether the gateway takes them is not documented (gateway.md); it answers 1402 if it does not.
"""

from __future__ import annotations

import base64

from ..models import EncodedImage


def data_uri(image: EncodedImage) -> str:
    """`data:image/jpeg;base64,…`"""
    return f"data:{image.mime};base64,{base64.b64encode(image.data).decode('ascii')}"
