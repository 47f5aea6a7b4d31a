"""The whole library on virtual time: real client, journal, limiter and runner against the sandbox's gateway, no HTTP.

A test that tells a story is a coroutine over a rig, under `@story(…)`, which says how the gateway behaves. The wire's
own time is `latency` seconds an exchange, plus what the sandbox's script adds.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from hunyuan.addresses import Address
from hunyuan.errors import AnswerLostError, HunyuanError, NotAnImageError, SettingsError
from hunyuan.gateway.client import Client
from hunyuan.http.transport import Exchange
from hunyuan.jobs.background_loop import Pool
from hunyuan.jobs.durations import Durations
from hunyuan.jobs.handle import Collected, Handle
from hunyuan.jobs.job import Options, Tools
from hunyuan.jobs.limiter import Limiter
from hunyuan.jobs.runner import TaskRunner
from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import RunContext, TaskRow
from hunyuan.models import EncodedImage, GenerationRequest, ImageInput, ImageSize, TaskType
from hunyuan.settings.store import Settings
from hunyuan.sources import SourceChain
from hunyuan.storage.decode_markers import DecodingMarks
from hunyuan.storage.kept_answers import KeptAnswers
from hunyuan.storage.results import ResultStore
from sandbox.control import Control
from sandbox.gateway import Gateway
from sandbox.pictures import Picture
from sandbox.replies import Reply
from sandbox.rules import Script
from sandbox.settings import Settings as SandboxSettings
from tests.kit.journals import lay_blank_journal
from tests.kit.virtual_time import VirtualClock, named_after, run

T = TypeVar("T")
KEY = "aio_0123456789abcdef0123456789abcdef"
GATEWAY = "http://sandbox.invalid"
DRAWN = b"\x89PNG\r\n\x1a\n drawn by the sandbox: "


class Wire:
    """Transport straight into the sandbox's gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.delay = 0.0  # seconds that the last exchange took, beyond the latency
        self.broken: Callable[[], Exception] | None = None  # raised instead of any exchange

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, **_: object
    ) -> Exchange:
        return self._exchange(method, url.removeprefix(GATEWAY), headers, body or b"")

    def fetch(self, address: Address, *, headers: Mapping[str, str], **_: object) -> Exchange:
        return self._exchange("GET", address.target, headers, b"")

    def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Exchange:
        if self.broken is not None:
            raise self.broken()
        reply: Reply = self.gateway.handle(method, target, headers, body)
        self.delay += reply.delay_s
        if reply.status == 0 or reply.faults.drop is not None:
            raise AnswerLostError("The connection was dropped before an answer came.", sent=True)
        return Exchange(reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.body)


class VirtualLoop:
    """The background loop on the story's own loop: blocking calls are made at once and take the wire's time.

    journal_seconds: a slow disk. Each short call is made only after so many seconds, what is cancelled till then never.
    """

    def __init__(self, clock: VirtualClock, wire: Wire, latency: float) -> None:
        self.clock = clock
        self.journal_seconds = 0.0
        self._wire = wire
        self._latency = latency
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def post(self, call: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_soon(call)

    async def blocking(self, call: Callable[..., T], *arguments: object) -> T:
        if self.journal_seconds:
            await self.clock.sleep(self.journal_seconds)
        return await self._make(call, arguments, 0.0)

    async def remote(self, pool: Pool, call: Callable[..., T], *arguments: object) -> T:
        return await self._make(call, arguments, self._latency)

    async def _make(self, call: Callable[..., T], arguments: tuple[object, ...], seconds: float) -> T:
        self._wire.delay = 0.0
        try:
            return call(*arguments)
        finally:
            await self.clock.sleep(self._wire.delay + seconds)


@dataclass(frozen=True)
class Picture8:
    """A decoded image as the rig's decoder gives it."""

    digest: str
    mime: str = "image/png"
    opaque: bool = True


def image(name: str = "a") -> ImageInput:
    """An input that goes as a data: URI."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return ImageInput(f"pixels:{name}", encode=lambda: EncodedImage(out.getvalue(), "image/png", 8, 8))


class Unreadable:
    """Settings whose file is no JSON at the moment."""

    def __getattr__(self, name: str) -> Any:
        raise SettingsError("The settings file settings.json cannot be read: it is not JSON.")


def decode(data: bytes, max_pixels: int = 0) -> Picture8:
    """The rig's sandbox draws `prompt|seed` behind a PNG's first bytes."""
    if not data.startswith(DRAWN):
        raise NotAnImageError("Not a picture of the rig.")
    return Picture8(data.removeprefix(DRAWN).decode())


@dataclass
class Rig:
    """One process: its runner, and the gateway it talks to."""

    clock: VirtualClock
    directory: Path
    gateway: Gateway
    settings: Settings
    latency: float = 0.0
    worker: str = "worker-1"
    seed: int = 1
    warnings: list[str] = field(default_factory=list)
    changes: list[TaskRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire = Wire(self.gateway)
        self.background = VirtualLoop(self.clock, self.wire, self.latency)
        database = Database(self.directory, clock=self.clock, announce=self.warnings.append)
        self.journal = Journal(database, worker_id=self.worker)
        self.results = ResultStore(
            self.directory / "results", lambda: self.settings.results_max_bytes, self.journal, now=self.clock.time
        )
        self.client = Client(self.wire, lambda: self.settings)
        self.limiter = Limiter(self.clock, lambda: self.settings.max_in_flight)
        self.sources = SourceChain(
            lambda: self.settings, self.journal.links, self.wire, self.client.download, now=self.clock.time
        )
        self.runner = TaskRunner(
            Tools(
                background=self.background,
                client=self.client,
                journal=self.journal,
                results=self.results,
                decoding=DecodingMarks(self.directory / "decoding"),
                kept=KeptAnswers(self.directory / "answers", self.warnings.append),
                sources=self.sources,
                limiter=self.limiter,
                durations=Durations(partial(self.journal.overview.durations, limit=20)),
                settings=lambda: self.settings,
                decode=decode,
                on_change=self.changes.append,
                warn=self.warnings.append,
                chance=random.Random(self.seed).random,
            )
        )

    def request(self, seed: int = 1, prompt: str = "a lighthouse", images: tuple[str, ...] = ()) -> GenerationRequest:
        """Requests with different seeds differ."""
        kind = TaskType.EDIT if images else TaskType.TEXT_TO_IMAGE
        return GenerationRequest(kind, prompt, ImageSize(512, 512), seed, "hunyuan-image-3", images)

    def submit(
        self,
        *seeds: int,
        reuse: bool = True,
        timeout_s: float = 600.0,
        node: str = "7",
        prompt_id: str = "p",
        inputs: tuple[ImageInput, ...] = (),
    ) -> list[Handle]:
        """One handle a seed."""
        images = tuple(each.identity for each in inputs)
        requests = [(self.request(seed, images=images), inputs) for seed in seeds]
        return self.runner.submit(requests, self.options(reuse, timeout_s, node, prompt_id))

    def options(self, reuse: bool = True, timeout_s: float = 600.0, node: str = "7", prompt_id: str = "p") -> Options:
        return Options(RunContext(prompt_id, node, "s1"), reuse, timeout_s)

    def attach(self, task_id: str, timeout_s: float = 600.0) -> Handle:
        return self.runner.attach(task_id, self.options(timeout_s=timeout_s))

    async def collected(self, handle: Handle) -> Collected:
        return await asyncio.wrap_future(handle.done)

    async def failure(self, handle: Handle) -> HunyuanError:
        """The error a handle ends with; fails where it ends well."""
        try:
            got = await asyncio.wrap_future(handle.done)
        except HunyuanError as error:
            return error
        raise AssertionError(f"ended well: {got}")

    async def until(self, happened: Callable[[], bool], within: float) -> None:
        """Waits until it has happened, looking every second; fails where it has not `within` so many seconds."""
        deadline = self.clock.monotonic() + within
        while not happened():
            assert self.clock.monotonic() < deadline, f"not within {within:g} s"
            await self.clock.sleep(1)

    async def ended(self, *handles: Handle) -> None:
        """Waits until all have ended, well or not."""
        await asyncio.gather(*(asyncio.wrap_future(handle.done) for handle in handles), return_exceptions=True)

    def another(self, worker: str = "worker-2") -> Rig:
        """A second process on the same directory and gateway."""
        return Rig(self.clock, self.directory, self.gateway, self.settings, self.latency, worker, self.seed + 1)

    async def end(self, *, forced: bool = True) -> None:
        """The process ends in order, as after SIGTERM; not forced: as after Ctrl+C."""
        self.runner.close(forced=forced)
        patience = self.runner.tools.closing.left(self.clock.monotonic())
        await asyncio.wait([asyncio.ensure_future(self.runner.wait_for_unwritten())], timeout=patience)
        for task in list(self.background._tasks):
            task.cancel()
        await self.clock.sleep(0.001)

    def finish(self) -> None:
        """Ends all running tasks well, now."""
        Control(self.gateway).end({}, None)

    @property
    def billed(self) -> int:
        """Tasks the gateway billed."""
        return int(self.state["billed"])

    def count(self, what: str) -> int:
        """How many `creates`, `polls`, `downloads` or `requests` the gateway saw."""
        seen = self.state[what]
        return seen if isinstance(seen, int) else len(seen)

    @property
    def state(self) -> dict[str, Any]:
        return Control(self.gateway).state()

    def rows(self) -> list[TaskRow]:
        return list(self.journal.overview.list_tasks(limit=1000))


def play(
    story: Callable[[Rig], Awaitable[T]],
    directory: Path,
    *rules: dict[str, Any],
    task: dict[str, Any] | None = None,
    latency: float = 0.0,
    settings: dict[str, Any] | None = None,
    **sandbox: Any,
) -> T:
    """Runs a story; rules and `sandbox` script the gateway, `settings` are the user's."""
    clock = VirtualClock()
    lay_blank_journal(directory)

    def draw(picture: Picture) -> bytes:
        return DRAWN + f"{picture.prompt}|{picture.seed}".encode()

    async def with_rig(clock: VirtualClock) -> T:
        gateway = Gateway(
            clock,
            draw,
            Script(*rules),
            settings=SandboxSettings(keys=(KEY,)).changed({"task": {"seconds": 8.0, **(task or {})}, **sandbox}),
            public_url=GATEWAY,
        )
        mine = Settings(api_key=KEY, base_url=GATEWAY, allowed_hosts=("sandbox.invalid",), **(settings or {}))
        return await story(Rig(clock, directory, gateway, mine, latency))

    return run(with_rig, clock)


def story(*rules: Any, **options: Any) -> Any:
    """Makes `async def test_…(rig, …)` a test: rules and options are those of `play`. Without any: plain `@story`.

    One that depends on the test's own parameters is given as a function of them: `task=lambda shape: {"shape": shape}`.
    A function among the rules may give one rule or several.
    """

    def tell(told: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        rig, *others = inspect.signature(told).parameters.values()

        def test(tmp_path: Path, **given: Any) -> None:
            def mine(value: Any) -> Any:
                if not callable(value):
                    return value
                names = inspect.signature(value).parameters
                return value(**{name: given[name] for name in names})

            wanted = [mine(rule) for rule in rules]
            each = [one for rule in wanted for one in (rule if isinstance(rule, (list, tuple)) else [rule])]
            arguments = {name: given[name] for name in (other.name for other in others) if name != "tmp_path"}
            if any(other.name == "tmp_path" for other in others):
                arguments["tmp_path"] = tmp_path
            with_rig = partial(_with, told, arguments)
            play(with_rig, tmp_path, *each, **{name: mine(value) for name, value in options.items()})

        fixtures = [inspect.Parameter("tmp_path", rig.kind), *(other for other in others if other.name != "tmp_path")]
        return named_after(told, test, fixtures)

    if len(rules) == 1 and inspect.iscoroutinefunction(rules[0]):
        told, rules = rules[0], ()
        return tell(told)
    return tell


async def _with(told: Callable[..., Awaitable[None]], arguments: Mapping[str, Any], rig: Rig) -> None:
    await told(rig, **arguments)
