"""What the journal costs a task on PostgreSQL over loopback: `python -m benchmarks.journal_postgres [rows] [--rate N]`.

The same work as in journal.py, at a steady rate from eight threads, against a server that is started for it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from devtools.postgres_server import PostgresServer

from . import journal


def run(rows: int = 100_000, count: int = 500, rate: float = 50.0) -> dict[str, Any]:
    """Measure `count` tasks at `rate` a second (0 = one after the other) on a journal of `rows` rows."""
    directory = Path(tempfile.mkdtemp(prefix="hunyuan-postgres-"))  # the server runs as another user
    try:
        server = PostgresServer(directory)
        server.create()
        server.start()
        try:
            # What autovacuum does by itself within a minute, or it would begin in the middle of the measurement.
            return journal.run(rows, count, server.url(), rate, filled=lambda: server.run_sql("VACUUM ANALYZE"))
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the journal costs a task on PostgreSQL")
    parser.add_argument("rows", type=int, nargs="?", default=100_000)
    parser.add_argument("--rate", type=float, default=50.0, help="tasks a second; 0 = one after the other")
    arguments = parser.parse_args()
    for name, value in run(arguments.rows, rate=arguments.rate).items():
        print(f"{name:>10}  {value}")


if __name__ == "__main__":
    main()
