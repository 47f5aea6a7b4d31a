"""Long lists: 200 prompts into one node against a task of 2 seconds with 16 in flight, and what memory they leave."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.client import start_process

from .graphs import OURS, generate, lag, listed
from .table import Row, Spread

if TYPE_CHECKING:
    from .servers import BenchServer

TASK = 2.0  # seconds
AT_ONCE = 16
GOAL, GOAL_COUNT = 1.15, 200  # of the ideal, for so many prompts; in short lists the first round weighs more
IMAGE = 512 * 512 * 3 * 4  # bytes of one IMAGE, float32 [1,512,512,3]: ComfyUI keeps them in its cache
MEGABYTE = 2**20
LAG_SECONDS = 6.0
LAG_GOAL = 20.0  # milliseconds of work on the event loop


@dataclass(frozen=True)
class Listed:
    """One list. beyond, peak: bytes that the process grew beyond the images, at the end and at most."""

    count: int
    seconds: float
    beyond: int
    peak: int

    @property
    def ideal(self) -> float:
        """Seconds if nothing but the tasks took time."""
        return self.count * TASK / AT_ONCE


def run(counts: tuple[int, ...] = (48, 200), say: Callable[[str], None] = print) -> dict[str, Any]:
    """`lists`: a Listed each; `pauses_ms`: the event loop's longest pauses while eight images came."""
    from .servers import BenchServer

    arguments = ("--picture", "plain", "--seconds", f"{TASK:g}")
    with start_process(arguments=arguments) as sandbox, tempfile.TemporaryDirectory() as folder:
        server = BenchServer(Path(folder), sandbox, {"HUNYUAN_MAX_IN_FLIGHT": str(AT_ONCE)})
        try:
            server.start()
            server.timed(generate(OURS, ["warm up"], count=8))
            pauses = _pauses(server)
            lists = []
            for count in counts:
                lists.append(_list(server, count))
                say(f"  {count} prompts: {lists[-1]}")
            return {"lists": lists, "pauses_ms": pauses}
        finally:
            server.stop()


def _pauses(server: BenchServer) -> list[float]:
    graph = generate(OURS, ["eight that come together"], height=1024, count=8) | lag(LAG_SECONDS)
    _, outputs = server.timed(graph)
    return [float(pause) for pause in outputs["lag"]["pauses_ms"]]


def _list(server: BenchServer, count: int) -> Listed:
    server.timed(lag(0.01))  # ComfyUI lets go of the outputs before
    before = _memory(server)
    peak = _Peak(server)
    try:
        seconds, outputs = server.timed(listed(f"one of {count}", count))
    finally:
        most = peak.end()
    assert len(outputs["0s"]["shapes"]) == count, f"{len(outputs['0s']['shapes'])} of {count} images"
    return Listed(count, seconds, _memory(server) - before - count * IMAGE, most - before - count * IMAGE)


def _memory(server: BenchServer, query: str = "") -> int:
    return int(server.get_json(f"/bench/memory{query}")["bytes"])


class _Peak:
    """Looks at the process's memory twice a second."""

    def __init__(self, server: BenchServer) -> None:
        self._server, self._most, self._ended = server, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            self._most = max(self._most, _memory(self._server, "?now=1"))

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._most


def rows(result: dict[str, Any]) -> list[Row]:
    lines = []
    for each in result["lists"]:
        part = each.seconds / each.ideal
        name = f"{each.count} prompts in one list, {TASK:g} s each, {AT_ONCE} in flight (ideal {each.ideal:g} s)"
        is_goal = each.count >= GOAL_COUNT
        goal = f"≤ {GOAL} of the ideal, is {part:.2f}" if is_goal else f"is {part:.2f} of the ideal"
        lines.append(Row(name, Spread((each.seconds,)), goal=goal, met=part <= GOAL if is_goal else None))
        grown = f"{each.beyond / MEGABYTE:.0f} MB, at most {each.peak / MEGABYTE:.0f} MB meanwhile"
        lines.append(Row(f"  memory beyond its {each.count * IMAGE / MEGABYTE:.0f} MB of images", grown))
    longest = max(result["pauses_ms"])
    met = longest <= LAG_GOAL
    pause = Spread(tuple(result["pauses_ms"]), "ms", 1)
    lines.append(
        Row(
            "ComfyUI's event loop while eight 512*1024 images come: five longest pauses",
            pause,
            goal=f"≤ {LAG_GOAL:g} ms",
            met=met,
        )
    )
    return lines


if __name__ == "__main__":
    from .table import text

    print(text(rows(run((48,) if "--quick" in sys.argv else (48, 200)))))
