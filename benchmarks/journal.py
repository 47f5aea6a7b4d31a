"""What the journal costs a task: `python -m benchmarks.journal [rows] [--url URL]`.

A task's whole work is measured: all that a node's task asks of the journal on its way, reading and writing, with day
and session limits (a test compares it with a real one). The wall time in milliseconds, on a journal that already holds
`rows` tasks of the last 100 days.
"""

from __future__ import annotations

import argparse
import functools
import json
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import Begun, Limits, RunContext, new_row_id
from hunyuan.journal.tables import tasks
from hunyuan.models import GenerationRequest, ImageSize, StoredImage, TaskState, TaskType

BASE_URL = "https://gateway.test"
ACCOUNT = "0123456789abcdef"
SIZE = ImageSize(1024, 1024)
DAYS = 100
LIMITS = Limits(credits_per_day=10**9, credits_per_session=10**9, max_in_flight=1000)


def _request(number: int) -> GenerationRequest:
    return GenerationRequest(
        TaskType.TEXT_TO_IMAGE, f"a lighthouse at dusk, view {number}", SIZE, number, "hunyuan-image-3"
    )


def _old_rows(count: int, now: float) -> Iterator[dict[str, Any]]:
    states = [*[TaskState.COLLECTED.value] * 18, TaskState.FAILED.value, TaskState.UNKNOWN.value]
    for number in range(count):
        created = now - (count - number) * DAYS * 86400.0 / count
        request = _request(number)
        yield {
            "id": new_row_id(),
            "fingerprint": request.fingerprint(BASE_URL),
            "task_id": f"old{number}_hunyuan3",
            "state": states[number % len(states)],
            "type": "text-to-image",
            "prompt": request.prompt * 8,
            "size": SIZE.api,
            "seed": number,
            "model": request.model,
            "base_url": BASE_URL,
            "account": ACCOUNT,
            "credits": 25,
            "session": f"session-{number // 500}",
            "owner": f"worker-{number // 500}",
            "created_at": created,
            "submitted_at": created + 1,
            "finished_at": created + 8,
            "seconds": 7.0,
            "collected_at": created + 9,
            "delivered_at": created + 10,
            "urls": json.dumps([f"https://cdn.test/{secrets.token_hex(20)}.png"]),
            "files": json.dumps([vars(StoredImage(f"old{number}.png", "image/png", 10**6, "d" * 64))]),
        }


def _fill(database: Database, count: int) -> None:
    rows = list(_old_rows(count, time.time()))
    for start in range(0, count, 5000):
        part = rows[start : start + 5000]
        database.write(functools.partial(_insert, part))


def _insert(rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(tasks.insert(), rows)


def one_task(journal: Journal, number: int) -> None:
    """Everything that is asked for and written down of one task, in a task's own order."""
    request, context = _request(number), RunContext("prompt", "7", "session-now")
    journal.admit([request.fingerprint(BASE_URL)], account=ACCOUNT, context=context, limits=LIMITS)
    outcome = journal.begin(request, base_url=BASE_URL, account=ACCOUNT, context=context, limits=LIMITS)
    assert isinstance(outcome, Begun)
    row_id, task_id = outcome.row.id, f"n{number}_hunyuan3"
    journal.mark_submitted(row_id, task_id)
    journal.mark_progress(row_id, TaskState.RUNNING)
    journal.mark_succeeded(row_id, [f"https://cdn.test/{task_id}.png"], 7.0)
    journal.mark_collected(row_id, [StoredImage(f"{task_id}_0.png", "image/png", 10**6, "d" * 64)])
    journal.mark_delivered(row_id)


def _summary(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median_ms": round(statistics.median(ordered) * 1000, 2),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 2),
        "max_ms": round(ordered[-1] * 1000, 2),
    }


def run(
    rows: int = 100_000,
    count: int = 500,
    url: str = "",
    rate: float = 0.0,
    threads: int = 8,
    filled: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Measure `count` tasks on a journal of `rows` rows; milliseconds a task.

    cpu_ms: this process's own processor time a task, which a busy machine does not lengthen.
    url: another database than SQLite; its tables must be empty. rate: tasks a second, from several threads
    (0 = one after the other). filled: called when the rows are there, before anything is measured.
    """
    with tempfile.TemporaryDirectory() as directory:
        database = Database(Path(directory), url, clock=time, announce=print)
        journal = Journal(database, worker_id=secrets.token_hex(8))
        try:
            _fill(database, rows)
            filled()
            first = rows + 1_000_000
            for number in range(first, first + 20):  # what is done once: statements compiled, caches filled
                one_task(journal, number)
            before = time.process_time()
            times = _paced(journal, first + 20, count, rate, threads) if rate else _timed(journal, first + 20, count)
            cpu = (time.process_time() - before) / count * 1000
            return {"rows": rows, "tasks": count, "rate": rate, **_summary(times), "cpu_ms": round(cpu, 2)}
        finally:
            journal.close()


def _timed(journal: Journal, first: int, count: int) -> list[float]:
    times = []
    for number in range(first, first + count):
        start = time.perf_counter()
        one_task(journal, number)
        times.append(time.perf_counter() - start)
    return times


def _paced(journal: Journal, first: int, count: int, rate: float, threads: int) -> list[float]:
    """Tasks that begin at a steady rate, whoever of the threads is free."""
    times: list[float] = []
    numbers = iter(range(count))
    guard, begin = threading.Lock(), time.perf_counter() + 0.1

    def work() -> None:
        while True:
            with guard:
                number = next(numbers, None)
            if number is None:
                return
            time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            start = time.perf_counter()
            one_task(journal, first + number)
            times.append(time.perf_counter() - start)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return times


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the journal costs a task")
    parser.add_argument("rows", type=int, nargs="?", default=100_000)
    parser.add_argument("--url", default="")
    parser.add_argument("--rate", type=float, default=0.0, help="tasks a second; 0 = one after the other")
    arguments = parser.parse_args()
    for name, value in run(arguments.rows, url=arguments.url, rate=arguments.rate).items():
        print(f"{name:>10}  {value}")


if __name__ == "__main__":
    main()
