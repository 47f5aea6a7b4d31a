"""Signed result links: the query must come back byte for byte, as object stores demand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import quote

EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp"}


class Signer:
    """Makes the path and query of results. `secret` lives as long as the process."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def target(self, task_id: str, index: int, format: str, *, harsh: bool, bare: bool) -> str:
        """`/results/<task>.png?sig=…`, with escapes (%2F, %2B, %3D) that a careless client would undo.

        bare: the path alone, which even such a client gets.
        """
        suffix = f"-{index + 1}" if index else ""
        path = f"/results/{re.sub(r'[^A-Za-z0-9_]', '_', task_id)}{suffix}.{EXTENSIONS[format]}"
        if bare:
            return path
        digest = hmac.new(self._secret, path.encode(), hashlib.sha256).digest()
        signature = quote("v1/" + base64.b64encode(digest).decode() + "+=", safe="")
        query = f"sig={signature}&Key-Pair=aa%2Fbb%20cc"
        if harsh:
            query += "&x=%7Etilde%2flower"
        return f"{path}?{query}"
