"""The chain: which way each input image goes, and equal images going once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace

from ..errors import HunyuanError, InputImageError
from ..http.transport import Transport
from ..models import EncodedImage, ImageInput, ResolvedImage
from ..sentences import say, together
from ..settings.store import Settings
from .data_uri import data_uri
from .diagnosis import Download, diagnose
from .http_upload import HttpUploader
from .links import LinkBook
from .ports import LinkStore, SourceDiagnosis, Uploader
from .remembered import remembered_key, remembered_until
from .s3 import S3Uploader

_UNKNOWN_LIFE = 86_400.0  # seconds for which a link of unknown life is kept (it is looked at again every hour)
_LEFT_FOR_THE_GATEWAY = 900.0  # seconds a link must still live when it is handed out
_KNOWN_URLS = 4096
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


class SourceChain:
    """Gives each input image a URL the gateway can fetch; one a process, every method blocking and thread-safe.

    links: where kept URLs survive a restart. download: fetches a URL's bytes within seconds, for `test_source` only.
    now: unix seconds. s3_over_transport: S3 goes over `transport` too, for what that one refuses.
    """

    def __init__(
        self,
        settings_supplier: Callable[[], Settings],
        links: LinkStore,
        transport: Transport,
        download: Download,
        now: Callable[[], float] = time.time,
        s3_over_transport: bool = False,
    ) -> None:
        self._settings = settings_supplier
        self._book = LinkBook(settings_supplier, links, transport, now)
        self._download = download
        self._now = now
        s3 = S3Uploader(transport if s3_over_transport else None)
        self._uploaders: Mapping[str, Uploader] = {each.way: each for each in (s3, HttpUploader(transport))}
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[ResolvedImage]] = {}
        self._made: OrderedDict[str, str] = OrderedDict()  # sha256 of a URL made here → the image's identity

    def resolve(self, image: ImageInput) -> ResolvedImage:
        """The image's URL by the first way that works; a way that fails stands in the note with its reason.

        Raises InputImageError with every way's reason when none worked.
        """
        if image.url is not None:
            return ResolvedImage(image.url, "given")
        with self._lock:
            others = self._under_way.get(image.identity)
            mine: Future[ResolvedImage] = Future()
            if others is None:
                self._under_way[image.identity] = mine
        if others is not None:
            shared = others.result()
            return shared if shared.way == "data" else replace(shared, uploaded=0)
        try:
            found = self._resolve(image)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(found)
            return found
        finally:
            with self._lock:
                del self._under_way[image.identity]

    def remember(self, identity: str, url: str, expires_at: float | None = None) -> None:
        """The image of this identity (`pixels:<digest>`) is the result behind this URL: as an input it needs no upload.

        expires_at: unix seconds; None: upstream's 7 days from now.
        """
        if url.startswith(("http://", "https://")):
            until = remembered_until(self._now(), expires_at)
            self._book.keep(remembered_key(identity), url, "remembered", until)

    def forget(self, url: str) -> None:
        """The gateway could not fetch this URL: the image goes another way next time."""
        self._book.forget(url)

    def stale(self) -> int:
        """A number that changes when a link handed out earlier has stopped working (for ComfyUI's cache)."""
        return self._book.stale()

    def identity_of(self, url: str) -> str:
        """What a URL stands for in a request's fingerprint.

        The image itself for a URL made here by an upload or as `data:` (a link signed anew is the same image), a hash
        for any other `data:` URI, else `url:` and the URL.
        """
        with self._lock:
            known = self._made.get(_hash(url))
        if known is not None:
            return known
        return f"data:{_hash(url)}" if url.startswith("data:") else f"url:{url}"

    def test_source(self, way: str) -> SourceDiagnosis:
        """Uploads a tiny image by one way and fetches its link; never raises for what the way itself does wrong."""
        return diagnose(way, self._uploaders.get(way), self._settings(), self._download)

    def _resolve(self, image: ImageInput) -> ResolvedImage:
        settings = self._settings()
        encoded = _Once(image)
        reasons: list[str] = []
        for way in settings.upload_order:
            try:
                found = self._by(way, image.identity, encoded, settings)
            except InputImageError as error:
                said = say('It said: "{words}".', words=error.words) if error.words else ""
                reasons.append(together(say("{way}: {what}", way=way, what=error.what), said, error.do))
            except HunyuanError as error:
                reasons.append(say("{way}: {what}", way=way, what=error.what))
            else:
                if found is not None:
                    notes = [*(settings.redact(reason) for reason in reasons), encoded.note]
                    return ResolvedImage(found.url, way, found.uploaded, "; ".join(filter(None, notes)))
        raise InputImageError(
            say("The input image could not become a URL."),
            why=settings.redact(together(*reasons))
            or say("None of {ways} is set up for it.", ways=", ".join(settings.upload_order)),
            do=say('Mend the way above, or add "data" to upload_order in the settings.'),
        )

    def _by(self, way: str, identity: str, encoded: _Once, settings: Settings) -> ResolvedImage | None:
        """The URL by one way; None where that way is not set up or knows nothing of the image."""
        if way == "remembered":
            url = self._book.living(remembered_key(identity))
            return ResolvedImage(url, way) if url else None
        if way == "data":
            url = data_uri(encoded())
            self._know(url, identity)
            return ResolvedImage(url, way, len(url))
        uploader = self._uploaders[way]
        return self._by_upload(uploader, identity, encoded, settings) if uploader.is_set_up(settings) else None

    def _by_upload(self, uploader: Uploader, identity: str, encoded: _Once, settings: Settings) -> ResolvedImage:
        key = _upload_key(uploader, identity, settings)
        kept = self._book.living(key)
        if kept is not None:
            self._know(kept, identity)
            return ResolvedImage(kept, uploader.way)
        image = encoded()
        name = f"{hashlib.sha256(image.data).hexdigest()[:32]}.{_EXTENSIONS.get(image.mime, 'bin')}"
        made = uploader.upload(image, name, settings)
        life = _UNKNOWN_LIFE if made.lives_seconds is None else made.lives_seconds
        self._book.keep(key, made.url, uploader.way, self._now() + life - min(_LEFT_FOR_THE_GATEWAY, life / 2))
        self._know(made.url, identity)
        return ResolvedImage(made.url, uploader.way, len(image.data))

    def _know(self, url: str, identity: str) -> None:
        with self._lock:
            self._made[_hash(url)] = identity
            while len(self._made) > _KNOWN_URLS:
                self._made.popitem(last=False)


class _Once:
    """An input's upload bytes, made when first asked for."""

    def __init__(self, image: ImageInput) -> None:
        self._image = image
        self._encoded: EncodedImage | None = None

    def __call__(self) -> EncodedImage:
        if self._encoded is None:
            if self._image.encode is None:
                raise InputImageError(say("The image has neither a URL nor pixels."))
            self._encoded = self._image.encode()
        return self._encoded

    @property
    def note(self) -> str:
        """What the encoding changed, empty where nothing was encoded."""
        return self._encoded.note if self._encoded else ""


def _upload_key(uploader: Uploader, identity: str, settings: Settings) -> str:
    """The same pixels, encoded the same way, at the same place."""
    encoding = (
        settings.upload_format,
        settings.upload_matte,
        settings.upload_max_side,
        settings.upload_max_bytes,
    )
    return f"{uploader.way}:{_hash(f'{uploader.place(settings)}|{encoding}')[:16]}:{identity}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
