"""`python3 dev.py bench`: everything in one table, ours beside ComfyUI's own and the plain way."""

from __future__ import annotations

import argparse
import io
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from devtools.process import ServerFailed

from . import images, journal, journal_postgres, lists, start, waiting
from .table import Row, Spread, markdown, text

JOURNAL_GOAL = 10.0  # milliseconds a task
POSTGRES_GOAL, POSTGRES_RATE = 25.0, 50.0  # milliseconds a task, at so many tasks a second

NOTES = (
    "Median (least to most) of the repeats. Ratios compare whole times, repeat by repeat; below 1 ours is faster.",
    "ComfyUI's own: its API client (comfy_api_nodes/util, asks every 5 s), and its own converters.",
    "Plain: requests and time.sleep(5) in a synchronous node, and Pillow's decode alone.",
    "Waiting: a real ComfyUI, from execution_start to execution_success by its own stamps, against the sandbox.",
)


def _waiting(quick: bool) -> list[Row]:
    plan = waiting.Plan.quick() if quick else waiting.Plan()
    return waiting.rows(waiting.run(plan), plan)


def _lists(quick: bool) -> list[Row]:
    return lists.rows(lists.run((48,) if quick else (48, 200)))


def _start(quick: bool) -> list[Row]:
    return start.rows(start.run(1 if quick else 3))


def _journal(quick: bool) -> list[Row]:
    count = 20_000 if quick else 100_000
    return journal_rows(journal.run(count, 200 if quick else 500))


def _postgres(quick: bool) -> list[Row]:
    return postgres_rows(journal_postgres.run(20_000 if quick else 100_000, 200 if quick else 500, POSTGRES_RATE))


def _images(_: bool) -> list[Row]:
    return image_rows(images.run())


SCENARIOS: dict[str, Callable[[bool], list[Row]]] = {
    "waiting": _waiting,
    "lists": _lists,
    "start": _start,
    "journal": _journal,
    "postgres": _postgres,
    "images": _images,
}


def journal_rows(result: dict[str, Any]) -> list[Row]:
    """benchmarks/journal.py's result as a line."""
    median, high = result["median_ms"], result["p95_ms"]
    name = f"the journal's work a task at {result['rows']:,} rows"
    return [Row(name, f"{median:.1f} ms (95 %: {high:.1f})", goal=f"≤ {JOURNAL_GOAL:g} ms", met=median <= JOURNAL_GOAL)]


def postgres_rows(result: dict[str, Any]) -> list[Row]:
    """benchmarks/journal_postgres.py's result as a line."""
    median, high = result["median_ms"], result["p95_ms"]
    name = f"the same on PostgreSQL over loopback, {result['rate']:g} tasks a second"
    met = median <= POSTGRES_GOAL
    return [Row(name, f"{median:.1f} ms (95 %: {high:.1f})", goal=f"≤ {POSTGRES_GOAL:g} ms", met=met)]


def image_rows(result: dict[str, Any]) -> list[Row]:
    """benchmarks/images.py's result as lines: the comparison with Pillow stands under “plain”, in the same line."""
    lines: dict[str, Row] = {}
    for row in result["rows"]:
        theirs = None if row["theirs_ms"] is None else Spread((row["theirs_ms"],), "ms", 0)
        ratio = None if row["ratio"] is None else Spread((row["ratio"], *row["spread"]), "")
        first = Row(f"image: {row['name'].strip()}", Spread((row["ours_ms"],), "ms", 0))
        line = lines.get(row["name"], first)
        if "Pillow" in row["against"]:
            line = replace(line, plain=theirs, plain_ratio=ratio)
        else:
            line = replace(line, client=theirs, client_ratio=ratio)
        if row["target"] is not None:
            line = replace(line, goal=f"≤ {row['target']}", met=row["met"])
        lines[row["name"]] = line
    return list(lines.values())


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and print the table; 1 if a scenario could not be measured."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Ours beside ComfyUI's own and the plain way")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter tasks: about 1.5 minutes")
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="only this part (repeatable)")
    parser.add_argument("--markdown", action="store_true", help="print the README's table too")
    asked = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what is measured is seen as it comes, in a pipe too
    began, rows, failed = time.monotonic(), list[Row](), False
    for name in asked.only or SCENARIOS:
        print(f"{name} …", flush=True)
        try:
            rows += SCENARIOS[name](asked.quick)
        except (AssertionError, ServerFailed) as failure:
            print(f"{name} could not be measured: {failure}", file=sys.stderr)
            failed = True
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"\n{text(rows)}\n\n{_machine()}{load}, {time.monotonic() - began:.0f} s")
    if asked.markdown:
        print(f"\n{markdown(rows, (*NOTES, f'{_machine()}.'))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
