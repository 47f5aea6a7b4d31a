"""`python -m sandbox`: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from .gateway import Gateway
from .plan import PICTURES, SHAPES, Plan
from .server import SandboxServer
from .settings import Settings


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    keys = [*asked.key]
    if asked.key_file:
        keys += [line.strip() for line in Path(asked.key_file).read_text("utf-8").splitlines() if line.strip()]
    settings = Settings(
        keys=tuple(keys),
        models=tuple(asked.model or Settings.models),
        task=Plan(seconds=_seconds(asked.seconds), shape=asked.shape, picture=asked.picture),
        seed=asked.seed,
        max_in_flight=asked.max_in_flight,
        per_second=asked.per_second,
    )
    tls = (asked.tls_cert, asked.tls_key) if asked.tls_cert else None
    done = threading.Event()
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: done.set())
    with SandboxServer(Gateway(settings=settings), asked.host, asked.port, tls) as server:
        print(f"sandbox listening on {server.url}", flush=True)
        if asked.until_stdin_closes:
            threading.Thread(target=_set_at_eof, args=(done,), daemon=True).start()
        while not done.wait(3600):
            pass
    return 0


def _set_at_eof(done: threading.Event) -> None:
    sys.stdin.buffer.read()
    done.set()


def _seconds(text: str) -> float | tuple[float, float]:
    low, dash, high = text.partition("-")
    return (float(low), float(high)) if dash else float(low)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A stand-in for the paid image gateway.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free port")
    parser.add_argument("--seconds", default="2-4", help="how long a task runs: 3 or 2-4 (default)")
    parser.add_argument("--key", action="append", default=[], help="a good key; without any, every aio_… key is")
    parser.add_argument("--key-file", help="good keys, one a line")
    parser.add_argument("--model", action="append", help="a known model (default: hunyuan-image-3)")
    parser.add_argument("--shape", choices=SHAPES, default="documented")
    parser.add_argument("--picture", choices=PICTURES, default="marked")
    parser.add_argument("--seed", type=int, default=1, help="of the durations and random seeds")
    parser.add_argument("--max-in-flight", type=int, help="running tasks; above it 429")
    parser.add_argument("--per-second", type=float, help="creates and polls; above it 429")
    parser.add_argument("--tls-cert", help="PEM certificate: serve https (with --tls-key)")
    parser.add_argument("--tls-key", help="PEM key of the certificate")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
