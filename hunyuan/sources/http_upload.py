"""An HTTP upload service of the user's own: multipart POST or PUT, and where its answer holds the URL."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import urljoin, urlsplit

from ..errors import InputImageError
from ..http.transport import Exchange, Transport
from ..models import EncodedImage
from ..sentences import say
from ..settings.store import Settings
from .ports import Uploaded

_READ_TIMEOUT = 60.0  # seconds
_ANSWER_BYTES = 1_000_000  # an upload's answer is a small text
_QUOTED = 160  # characters of a foreign answer that are shown
_NO_JSON = object()
_NAME = "{name}"  # in the URL: replaced by the file's name


class HttpUploader:
    """Sends images to one address; thread-safe."""

    way = "http"

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def is_set_up(self, settings: Settings) -> bool:
        """An address is all it needs."""
        return bool(settings.http_upload_url)

    def place(self, settings: Settings) -> str:
        """Method and address; the headers only say who uploads."""
        return f"{settings.http_upload_method} {settings.http_upload_url}"

    def upload(self, image: EncodedImage, name: str, settings: Settings) -> Uploaded:
        """POST as multipart/form-data or PUT as the body itself; `{name}` in the URL becomes the file's name.

        Raises InputImageError for an answer without a URL, TransportError where no answer came.
        """
        url = settings.http_upload_url.replace(_NAME, name)
        if settings.http_upload_method == "PUT":
            body, kind = image.data, image.mime
        else:
            body, kind = multipart(settings.http_upload_field or "file", name, image)
        headers = {"Accept": "application/json, text/plain;q=0.9, */*;q=0.1", "Content-Type": kind}
        own = {each.lower() for each in settings.http_upload_headers} - {"content-type"}
        headers = {each: value for each, value in headers.items() if each.lower() not in own}
        headers.update(
            (each, value) for each, value in settings.http_upload_headers.items() if each.lower() != "content-type"
        )
        answer = self._transport.send(
            settings.http_upload_method,
            url,
            headers=headers,
            body=body,
            read_timeout=_READ_TIMEOUT,
            max_bytes=_ANSWER_BYTES,
        )
        return Uploaded(_link(answer, url, settings))


def multipart(field: str, name: str, image: EncodedImage) -> tuple[bytes, str]:
    """A multipart/form-data body (RFC 7578) with one file, and its content type."""
    boundary = f"hunyuan-{secrets.token_hex(16)}"  # random: never inside the image
    field = field.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: {image.mime}\r\n\r\n"
    )
    body = b"".join((head.encode(), image.data, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


def _link(answer: Exchange, upload_url: str, settings: Settings) -> str:
    place = urlsplit(upload_url).netloc.rsplit("@", 1)[-1]
    if not 200 <= answer.status < 300:
        raise _refusal(
            answer,
            settings,
            say("The upload service at {place} answered {status}.", place=place, status=answer.status),
            do=say("It redirects: enter the address it leads to.")
            if 300 <= answer.status < 400
            else say("Check its address and headers in the settings."),
        )
    path = settings.http_upload_json_path
    found = _from_json(answer, path, place, settings) if path else _from_text(answer, upload_url, settings)
    link = urljoin(upload_url, found.strip())
    parts = urlsplit(link)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", link):
        raise _refusal(
            answer,
            settings,
            say("The upload service at {place} gave no http(s) URL.", place=place),
            do=say("Check the JSON path of the URL in the settings."),
        )
    return link


def _from_text(answer: Exchange, upload_url: str, settings: Settings) -> str:
    """Without a JSON path: the Location header, the body if it is a URL, or the address that was PUT to."""
    text = answer.body.decode("utf-8", "replace").strip()
    if text.startswith(("http://", "https://", "/")) and len(text.split()) == 1:
        return text
    location = answer.headers.get("location", "")
    if location:
        return location
    return upload_url.split("?", 1)[0] if settings.http_upload_method == "PUT" else ""


def _from_json(answer: Exchange, path: str, place: str, settings: Settings) -> str:
    try:
        value: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = _NO_JSON
    if value is _NO_JSON:
        raise _refusal(
            answer,
            settings,
            say("The upload service at {place} answered no JSON.", place=place),
            do=say("Leave the JSON path empty if it answers with the bare URL."),
        )
    value = at_path(value, path)
    if not isinstance(value, str) or not value.strip():
        raise _refusal(
            answer,
            settings,
            say('The answer of the upload service at {place} has no URL at "{path}".', place=place, path=path),
            do=say("Check the JSON path, for example data.url or files[0].url."),
        )
    return value


def at_path(value: Any, path: str) -> Any:
    """What stands at `data.files[0].url` (also `$.data…`, `data.files.0.url`, `data["url"]`), None where nothing."""
    for quoted, double_quoted, plain in re.findall(
        r"\['([^']*)'\]|\[\"([^\"]*)\"\]|([^.\[\]]+)", path.removeprefix("$")
    ):
        step = quoted or double_quoted or plain
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and re.fullmatch(r"-?\d{1,6}", step):
            index = int(step)
            value = value[index] if -len(value) <= index < len(value) else None
        else:
            return None
    return value


def _refusal(answer: Exchange, settings: Settings, what: str, do: str) -> InputImageError:
    """With the beginning of the service's answer on one line; secrets are taken out before anything is cut off."""
    failure = InputImageError(what, do=do)
    text = " ".join(settings.redact(answer.body.decode("utf-8", "replace")).split())
    failure.words = "".join(character for character in text[:_QUOTED] if character.isprintable())
    return failure
