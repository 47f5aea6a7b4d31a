"""A pack process without ComfyUI: the library's runner on its own thread, told by lines what to make.

`python -m tests.kit.studio_worker DIRECTORY`, settings in the environment and in DIRECTORY/settings.json. Each line of
stdin is a JSON list of seeds; each line of stdout `{"seed", "code", "money"}`, code "" where the image was delivered.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from PIL import Image

from hunyuan.errors import HunyuanError, NotAnImageError
from hunyuan.gateway.client import Client
from hunyuan.http.requests_transport import RequestsTransport
from hunyuan.jobs.background_loop import ThreadLoop
from hunyuan.jobs.durations import Durations
from hunyuan.jobs.handle import Collected
from hunyuan.jobs.job import Options, Tools
from hunyuan.jobs.limiter import Limiter
from hunyuan.jobs.runner import TaskRunner
from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import RunContext
from hunyuan.models import GenerationRequest, ImageSize, TaskType
from hunyuan.settings.store import SettingsStore
from hunyuan.sources import SourceChain
from hunyuan.storage.decode_markers import DecodingMarks
from hunyuan.storage.kept_answers import KeptAnswers
from hunyuan.storage.results import ResultStore

PROMPT = "a studio full of machines"
SIZE = ImageSize(256, 256)


@dataclass(frozen=True)
class Pixels:
    """What the runner needs of a decoded image."""

    digest: str
    mime: str = "image/png"
    opaque: bool = True


def decode(data: bytes, max_pixels: int) -> Pixels:
    """Every pixel is read, as the nodes do."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return Pixels(sha256(picture.convert("RGB").tobytes()).hexdigest())
    except OSError as failure:
        raise NotAnImageError(f"No picture: {failure}") from failure


def request(seed: int) -> GenerationRequest:
    """What HunyuanGenerate asks for with the same prompt, size and seed."""
    return GenerationRequest(TaskType.TEXT_TO_IMAGE, PROMPT, SIZE, seed, "hunyuan-image-3")


def build(directory: Path) -> TaskRunner:
    """What nodes/runtime.py builds, without ComfyUI."""
    store = SettingsStore(directory / "settings.json", os.environ)
    settings, background = store.load(), ThreadLoop()
    clock, warn = background.clock, partial(print, file=sys.stderr, flush=True)
    database = Database(directory, settings.journal_url, clock=clock, announce=warn)
    journal = Journal(database, worker_id=secrets.token_hex(8))
    client = Client(transport := RequestsTransport(store.load), store.load)
    tools = Tools(
        background=background,
        client=client,
        journal=journal,
        results=ResultStore(Path(settings.results_dir), lambda: store.load().results_max_bytes, journal),
        decoding=DecodingMarks(directory / "decoding"),
        kept=KeptAnswers(directory / "answers", warn),
        sources=SourceChain(store.load, journal.links, transport, client.download),
        limiter=Limiter(clock, lambda: store.load().max_in_flight),
        durations=Durations(partial(journal.overview.durations, limit=20)),
        settings=store.load,
        decode=decode,
        warn=warn,
    )
    return TaskRunner(tools)


def main() -> None:
    """Until stdin ends."""
    runner = build(Path(sys.argv[1]))
    runner.start_sweeper()
    session, guard = secrets.token_hex(8), threading.Lock()

    def tell(seed: int, done: Future[Collected]) -> None:
        error = done.exception()
        if error is None:
            runner.deliveries.mark([done.result().row])
            told = {"seed": seed, "code": "", "money": ""}
        elif isinstance(error, HunyuanError):
            told = {"seed": seed, "code": error.code, "money": error.money.name}
        else:
            told = {"seed": seed, "code": repr(error), "money": "?"}
        if error is not None:
            print(seed, error, file=sys.stderr, flush=True)
        with guard:
            print(json.dumps(told), flush=True)

    for line in sys.stdin:
        for seed in json.loads(line):
            (handle,) = runner.submit([(request(seed), ())], Options(RunContext("", str(seed), session)))
            handle.done.add_done_callback(partial(tell, seed))


if __name__ == "__main__":
    main()
