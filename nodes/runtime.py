"""The composition root: builds the library's objects once, holds them on ComfyUI's server, and ends them with it.

Nothing is built while ComfyUI loads the pack. The runtime comes into being in the background when the server starts,
or at the first node that runs.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import TimeoutError
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..hunyuan.sentences import say
from .comfyui.process_end import ProcessEnd
from .status.last_runs import LastRuns

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ..hunyuan.gateway.client import Client
    from ..hunyuan.jobs.background_loop import Pool, ThreadLoop
    from ..hunyuan.jobs.runner import TaskRunner
    from ..hunyuan.journal.journal import Journal
    from ..hunyuan.journal.records import TaskRow
    from ..hunyuan.settings.store import Settings, SettingsStore
    from ..hunyuan.sources import SourceChain
    from ..hunyuan.storage.results import ResultStore
    from .status.node_status import Boards

T = TypeVar("T")
LOG = logging.getLogger("hunyuan")
CLOSING_SECONDS = 0.6  # for the journal's last word; another process may hold it locked


@dataclass
class Runtime:
    """The library's objects of this process. session: names one run of the server, as credits are counted."""

    directory: Path
    session: str
    settings_store: SettingsStore
    background: ThreadLoop
    journal: Journal
    results: ResultStore
    client: Client
    sources: SourceChain
    runner: TaskRunner
    boards: Boards
    listeners: list[Callable[[TaskRow], None]] = field(default_factory=list)
    stopped: bool = False

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self.settings_store.load()

    def stop(self) -> None:
        """The end of the process: what is being sent is written down, the sweeper ends, the leases are freed.

        Takes up to eight seconds (after Ctrl+C twenty) from the first sign of the end, and one for the journal.
        A second call does nothing.
        """
        from ..hunyuan.errors import JournalError
        from ..hunyuan.jobs.background_loop import Pool

        if self.stopped:
            return
        self.stopped = True
        self.runner.close()
        left = self.runner.tools.closing.left(self.runner.clock.monotonic())
        self.background.stop(self.runner.wait_for_unwritten, left)
        self.runner.tools.decoding.close()
        try:
            self.background.call(Pool.PAGE, self.journal.close).result(CLOSING_SECONDS)
        except (JournalError, TimeoutError) as error:  # the leases then end by themselves
            LOG.warning("The journal could not be closed: %s", error or "it is locked")

    def call(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        """Starts a blocking call on a worker of the background loop."""
        from ..hunyuan.jobs.background_loop import Pool

        return self.background.call(Pool.PAGE, work, *arguments)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Runs a blocking call on a worker of the background loop; ComfyUI's interrupt ends the waiting."""
        from ..hunyuan.jobs.background_loop import Pool

        return await self.run_in(Pool.PAGE, work, *arguments)

    async def run_in(self, pool: Pool, work: Callable[..., T], *arguments: object) -> T:
        """As `run`, for a call over the network, which may hang: on the workers for its kind."""
        from .status.interrupt import interruptible

        return await interruptible(asyncio.wrap_future(self.background.call(pool, work, *arguments)))


class Holder:
    """Builds the runtime at its first use, once, from any thread."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._session = secrets.token_hex(8)
        self._listeners: list[Callable[[TaskRow], None]] = []
        self._runtime: Runtime | None = None
        self._closed = False
        self.process_end = ProcessEnd(self)
        self.last_runs = LastRuns()
        self.not_to_keep: Counter[str] = Counter()

    @property
    def ready(self) -> Runtime | None:
        """The runtime if it is built."""
        return self._runtime

    def get(self) -> Runtime:
        """The runtime; blocks for some tenths of a second at the first call."""
        with self._lock:
            built = self._runtime
            if built is None:
                built = self._runtime = _build(self._session, self._listeners)
                atexit.register(self.stop)
                built.runner.start_sweeper()
                if self._closed:  # while it was built
                    built.runner.close()
            return built

    def start(self) -> None:
        """Builds the runtime away from the server's loop; what keeps it from being built is told in the log."""
        threading.Thread(target=self._try_to_get, name="hunyuan-start", daemon=True).start()

    def _try_to_get(self) -> None:
        from ..hunyuan.errors import HunyuanError

        try:
            self.get()
        except HunyuanError as error:
            LOG.error("Hunyuan Image 3 could not start: %s", error)
        except Exception:  # a thread's failure has no other way to the user; the next node run meets it again
            LOG.exception("Hunyuan Image 3 could not start")

    def close(self, *, forced: bool = False) -> None:
        """The process is about to end: nothing new begins, also in a runtime that is being built.

        forced: whoever ends the process kills it ten seconds later.
        """
        self._closed = True
        if self._runtime is not None:
            self._runtime.runner.close(forced=forced)

    def hurry(self, *, forced: bool = False) -> None:
        """The end waits only for what is answered and being written down; forced: for two seconds at most."""
        if self._runtime is not None:
            self._runtime.runner.hurry(forced=forced)

    def go_on(self) -> None:
        """The process does not end after all. A runtime that is stopped already makes room for a new one."""
        self._closed = False
        if self._runtime is None:
            return
        if self._runtime.stopped:
            self._runtime = None
            self.start()
        else:
            self._runtime.runner.go_on()

    def stop(self) -> None:
        """The process ends now, or becomes another one. A fork of it that ends is nothing to us."""
        if os.getpid() != self._process:
            return
        with self.process_end.at_last():
            self.close()
            if self._runtime is not None:
                self._runtime.stop()


def get_runtime() -> Runtime:
    """The runtime of this server; blocking at its first use."""
    return _holder().get()


def ready_runtime() -> Runtime | None:
    """The runtime if it is already built; never blocks."""
    return _holder().ready


def not_to_keep() -> Counter[str]:
    """Node id → its runs so far whose output ComfyUI must not give again from its cache. Also without a runtime."""
    return _holder().not_to_keep


async def runtime() -> Runtime:
    """The runtime, built away from the event loop where it is not there yet."""
    holder = _holder()
    built = holder.ready
    return await asyncio.to_thread(holder.get) if built is None else built


def _holder() -> Holder:
    from server import PromptServer

    holder: Holder = PromptServer.instance.hunyuan
    return holder


def _build(session: str, listeners: list[Callable[[TaskRow], None]]) -> Runtime:
    """Raises SetupError and SettingsError."""
    from ..hunyuan.errors import SetupError
    from .comfyui.paths import private_directory

    directory = private_directory()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise SetupError(
            say(
                "The folder {directory} cannot be used: {reason}.",
                directory=directory,
                reason=failure.strerror or type(failure).__name__,
            ),
            why=say("The key, the journal of paid tasks and the original images belong there."),
            do=say("Give ComfyUI's user the right to write there, or start ComfyUI with another --user-directory."),
        ) from None
    try:
        return _compose(directory, session, listeners)
    except ImportError as missing:
        package = (missing.name or "").partition(".")[0] or str(missing)
        raise SetupError(
            say("The Python package {package} is missing, too old or broken.", package=package),
            why=say("Python said: {reason}.", reason=missing),
            do=say(
                'Run "python -m pip install --upgrade {package}" with the Python that runs ComfyUI, then run again.',
                package=package,
            ),
        ) from None


def _compose(directory: Path, session: str, listeners: list[Callable[[TaskRow], None]]) -> Runtime:
    from ..hunyuan.gateway.client import Client
    from ..hunyuan.gateway.models.studio_file import read_catalogue
    from ..hunyuan.http.requests_transport import RequestsTransport
    from ..hunyuan.jobs.background_loop import Pool, ThreadLoop
    from ..hunyuan.jobs.durations import Durations
    from ..hunyuan.jobs.job import Tools
    from ..hunyuan.jobs.limiter import Limiter
    from ..hunyuan.jobs.runner import TaskRunner
    from ..hunyuan.journal.database import Database
    from ..hunyuan.journal.journal import Journal
    from ..hunyuan.settings.quiet_logs import redact_logs
    from ..hunyuan.settings.store import SettingsStore
    from ..hunyuan.sources import SourceChain
    from ..hunyuan.storage.decode_markers import DecodingMarks
    from ..hunyuan.storage.kept_answers import KeptAnswers
    from ..hunyuan.storage.results import ResultStore
    from ..hunyuan.storage.s3_results import S3Results
    from .images.tensors import decode
    from .status.node_status import Boards

    store = SettingsStore(directory / "settings.json", os.environ)
    settings = store.load()
    redact_logs(lambda text: store.load().redact(text))
    background = ThreadLoop()
    database = Database(directory, settings.journal_url, clock=background.clock, announce=LOG.error)
    journal = Journal(
        database,
        worker_id=secrets.token_hex(8),
        hash_prompts=lambda: store.load().journal_prompts == "hash",
    )
    results_directory = Path(settings.results_dir) if settings.results_dir else directory / "results"
    copies = S3Results(store.load, partial(background.call, Pool.UPLOADS), LOG.warning)
    results = ResultStore(
        results_directory,
        lambda: store.load().results_max_bytes,
        journal,
        shared=bool(settings.journal_url),
        copies=copies,
    )
    transport = RequestsTransport(store.load)
    client = Client(transport, store.load)
    sources = SourceChain(store.load, journal.links, transport, client.download)
    tools = Tools(
        background=background,
        client=client,
        journal=journal,
        results=results,
        decoding=DecodingMarks(directory / "decoding"),
        kept=KeptAnswers(directory / "answers", LOG.error),
        sources=sources,
        limiter=Limiter(background.clock, lambda: store.load().max_in_flight),
        durations=Durations(partial(journal.overview.durations, limit=20)),
        settings=store.load,
        decode=decode,
        most_images=read_catalogue(directory).most_images,
        on_change=partial(_notify, listeners),
        warn=LOG.warning,
    )
    runner = TaskRunner(tools)
    return Runtime(
        directory, session, store, background, journal, results, client, sources, runner, Boards(), listeners
    )


def _notify(listeners: list[Callable[[TaskRow], None]], row: TaskRow) -> None:
    for listener in list(listeners):
        try:
            listener(row)
        except Exception:  # what somebody could not be told is no failure of the task
            LOG.warning("News of a task could not be told.", exc_info=True)
