"""What a user waits beyond the task: one task, eight nodes, count = 8, and beside a node that holds the event loop.

Ours, ComfyUI's own API client and a plain synchronous poller run the same graphs at the same time, each in a ComfyUI
of its own, against the same sandbox. They only wait, so that they hardly meet.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from devtools.paths import comfyui_path
from sandbox.client import Sandbox, start_process

from .graphs import CLIENT, OURS, PLAIN, Graph, beside, blocking, generate
from .table import Row, Spread, ratios

if TYPE_CHECKING:
    from .servers import BenchServer

BLOCK = 5.0  # seconds for which the synchronous node holds the loop
SHIFTS = (0.0, -0.3, 0.3, -0.15, 0.15)  # seconds: tasks of one kind cluster, they are not all alike
ROUNDS = 3  # of two images each, from which durations are learned
LEARNED = (-0.2, 0.1, 0.3, -0.1)  # the same for the images that came before
FIRST_GOAL = 0.14  # added without history: at worst this part of the task
LEARNED_GOAL = 0.3  # seconds added with history, on average
EIGHT_GOAL = 1.0  # seconds beyond the eight tasks


@dataclass(frozen=True)
class Plan:
    """How much is measured. durations: seconds of the single tasks; eight: of those where eight run at once."""

    durations: tuple[float, ...] = (5.5, 8.0, 11.0)
    repeats: int = 3
    eight: float = 8.0
    plain_eight: bool = True  # eight nodes one after the other: 80 seconds

    @classmethod
    def quick(cls) -> Plan:
        return cls((5.5,), 1, 5.5, plain_eight=False)

    def tasks(self, duration: float) -> list[float]:
        """The durations of the repeats, the same for all lanes."""
        return [duration + SHIFTS[repeat % len(SHIFTS)] for repeat in range(self.repeats)]


@dataclass
class Lane:
    """One ComfyUI. whole: seconds by scenario; tasks: the seconds of the longest task in each of those."""

    kind: str
    whole: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    tasks: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def added(self, name: str) -> list[float]:
        """Seconds beyond the task."""
        return [whole - task for whole, task in zip(self.whole[name], self.tasks[name], strict=True)]


def has_client() -> bool:
    """Whether this ComfyUI brings an API client of the shape that the baseline uses (from 0.3.64 on)."""
    return (comfyui_path() / "comfy_api_nodes" / "util" / "client.py").is_file()


def prompt(seconds: float) -> str:
    """The sandbox's rules know by these words how long the task takes."""
    return f"a lighthouse that takes {seconds:.2f} s"


def past(seconds: float) -> str:
    """The prompt of the images from which the duration is learned."""
    return f"an earlier lighthouse of about {seconds:.2f} s"


def run(plan: Plan | None = None, say: Callable[[str], None] = print) -> dict[str, Lane]:
    """The three lanes by node kind; the client's is empty where this ComfyUI has none."""
    plan = plan or Plan()
    lanes = {kind: Lane(kind) for kind in (OURS, CLIENT, PLAIN)}
    with start_process(arguments=("--picture", "plain")) as sandbox, tempfile.TemporaryDirectory() as folder:
        _teach(sandbox, plan)
        with ThreadPoolExecutor(len(lanes)) as pool:
            running = [
                pool.submit(_drive, lane, plan, sandbox, Path(folder) / lane.kind, say)
                for lane in lanes.values()
                if lane.kind != CLIENT or has_client()
            ]
            for each in running:
                each.result()
    return lanes


def _teach(sandbox: Sandbox, plan: Plan) -> None:
    sandbox.tasks(seconds=0.01, bare_link=True)  # ComfyUI's client rewrites escapes and would be refused
    for kind in {*plan.durations, plan.eight}:
        for seconds in {*plan.tasks(kind), kind}:
            sandbox.script(on="create", prompt=prompt(seconds), times="always", task={"seconds": seconds})
        before = {"cycle": [kind + shift for shift in LEARNED]}
        sandbox.script(on="create", prompt=past(kind), times="always", task={"seconds": before})


def _drive(lane: Lane, plan: Plan, sandbox: Sandbox, base: Path, say: Callable[[str], None]) -> None:
    from .servers import BenchServer

    server = BenchServer(base, sandbox)
    try:
        server.start()
        steps = _ours(lane, plan, server) if lane.kind == OURS else _theirs(lane, plan, server)
        for told in steps:
            say(f"  {lane.kind}: {told}")
    finally:
        server.stop()


def _time(lane: Lane, server: BenchServer, name: str, graph: Graph, task: float) -> str:
    whole, _ = server.timed(graph)
    lane.whole[name].append(whole)
    lane.tasks[name].append(task)
    return f"{name}: {whole:.2f} s"


def _ours(lane: Lane, plan: Plan, server: BenchServer) -> Iterator[str]:
    """A size never used before has no history: that is how it is measured without one."""
    fresh = iter(range(520, 1536, 8))
    usual = {duration: next(fresh) for duration in {*plan.durations, plan.eight}}
    time = partial(_time, lane, server)
    for _ in range(ROUNDS):
        graphs = [generate(OURS, [past(duration)], height, count=2) for duration, height in usual.items()]
        server.timed(beside(*graphs))
    for duration in plan.durations:
        for seconds in plan.tasks(duration):
            yield time(f"{duration:g} first", generate(OURS, [prompt(seconds)], next(fresh)), seconds)
            yield time(f"{duration:g} learned", generate(OURS, [prompt(seconds)], usual[duration]), seconds)
    for _ in range(plan.repeats):
        yield time("eight first", generate(OURS, [prompt(plan.eight)] * 8, next(fresh)), plan.eight)
        yield time("eight learned", generate(OURS, [prompt(plan.eight)] * 8, usual[plan.eight]), plan.eight)
        yield time("count", generate(OURS, [prompt(plan.eight)], usual[plan.eight], count=8), plan.eight)
        yield time("blocked", generate(OURS, [prompt(plan.eight)], usual[plan.eight]) | blocking(BLOCK), plan.eight)


def _theirs(lane: Lane, plan: Plan, server: BenchServer) -> Iterator[str]:
    time = partial(_time, lane, server)
    server.timed(generate(lane.kind, ["warm up: takes 0.01 s"]))  # its imports are not what is measured
    for duration in plan.durations:
        for seconds in plan.tasks(duration):
            yield time(f"{duration:g}", generate(lane.kind, [prompt(seconds)]), seconds)
    for repeat in range(plan.repeats):
        if lane.kind != PLAIN or (plan.plain_eight and repeat == 0):
            yield time("eight", generate(lane.kind, [prompt(plan.eight)] * 8), plan.eight)
        yield time("blocked", generate(lane.kind, [prompt(plan.eight)]) | blocking(BLOCK), plan.eight)


def rows(lanes: dict[str, Lane], plan: Plan) -> list[Row]:
    """Seconds added beyond the task for single tasks, whole seconds for the rest; ratios are of whole seconds."""
    result = []
    for duration in plan.durations:
        key = f"{duration:g}"
        worst = FIRST_GOAL * duration
        result.append(
            _row(
                lanes,
                f"one task of {key} s, first of its kind: seconds added",
                f"{key} first",
                key,
                True,
                f"≤ {worst:.2f} s",
                worst,
            )
        )
        result.append(
            _row(
                lanes,
                f"one task of {key} s, with history: seconds added",
                f"{key} learned",
                key,
                True,
                f"≤ {LEARNED_GOAL} s on average",
                LEARNED_GOAL,
            )
        )
    most = plan.eight + EIGHT_GOAL
    eight = f"≤ {most:g} s"
    name = f"eight nodes of {plan.eight:g} s in one prompt"
    result.append(_row(lanes, f"{name}, first of their kind", "eight first", "eight", False, "", None))
    result.append(_row(lanes, f"{name}, with history", "eight learned", "eight", False, eight, most))
    result.append(
        _row(lanes, f"one node with count = 8, {plan.eight:g} s, with history", "count", "eight", False, eight, most)
    )
    block = f"one task of {plan.eight:g} s beside a node that blocks {BLOCK:g} s, with history: seconds added"
    result.append(_row(lanes, block, "blocked", "blocked", True, "", None))
    return result


def _row(lanes: dict[str, Lane], name: str, mine: str, theirs: str, added: bool, goal: str, limit: float | None) -> Row:
    ours, client, plain = (lanes[kind] for kind in (OURS, CLIENT, PLAIN))

    def shown(lane: Lane, key: str) -> Spread | None:
        return Spread.of(lane.added(key) if added else lane.whole[key])

    def ratio(lane: Lane) -> Spread | None:
        return ratios(ours.whole[mine], lane.whole[theirs])

    values = ours.added(mine) if added else ours.whole[mine]
    met = None if limit is None else _judged(values, limit, mean=mine.endswith("learned") and added)
    return Row(
        name,
        shown(ours, mine) or "–",
        shown(client, theirs),
        shown(plain, theirs),
        ratio(client),
        ratio(plain),
        goal,
        met,
    )


def _judged(values: Sequence[float], limit: float, *, mean: bool) -> bool:
    return (sum(values) / len(values) if mean else max(values)) <= limit


def main() -> int:
    from .table import text

    plan = Plan.quick() if "--quick" in sys.argv else Plan()
    print(text(rows(run(plan), plan)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
