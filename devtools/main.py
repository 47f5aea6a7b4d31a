"""The command line of dev.py."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from . import check, clients, comfyui, environment, postgres, pythons
from .console import Stop, lenient_output
from .paths import venv_python
from .process import clean_environment, run_child


def prepare(*groups: str) -> None:
    """What every command shares: `.venv` with the groups, and with `comfyui` a ComfyUI, unless one is given."""
    comfyui.check_given()
    if needed := environment.missing(groups):
        environment.install(needed)
    if "comfyui" in groups and not comfyui.given():
        comfyui.ensure_copy()


def _setup(arguments: argparse.Namespace) -> int:
    prepare(*(arguments.group or environment.GROUPS))
    print("Everything is installed.")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    prepare("base", *([] if comfyui.given() else ["comfyui"]))
    options = ["--serve"] if arguments.serve else []
    return run_child([str(venv_python()), "-m", "devtools.demo", *options], os.environ)


def _check(_: argparse.Namespace) -> int:
    prepare("base", "test")
    return 1 if check.lint() else 0


def _test(arguments: argparse.Namespace) -> int:
    prepare(*environment.GROUPS)
    comfyui.ensure_new_frontend()
    if not arguments.rest:  # else the tests that run them fetch them
        clients.ensure()
    return check.test(arguments.rest)


def _library(_: argparse.Namespace) -> int:
    return pythons.run_own(clean_environment())


def _bench(arguments: argparse.Namespace) -> int:
    prepare(*environment.GROUPS)
    postgres.ensure()
    return run_child([str(venv_python()), "-m", "benchmarks", *arguments.rest], clean_environment())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py", description="Hunyuan Image 3 for ComfyUI: development commands")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser("demo", help="run a workflow in a real ComfyUI, from prompt to saved PNGs")
    demo.add_argument("--serve", action="store_true", help="leave ComfyUI open in the browser with the workflow loaded")
    demo.set_defaults(run=_demo)
    test = commands.add_parser("test", help="install what is missing, lint, type-check, run every test")
    test.set_defaults(run=_test)
    library = commands.add_parser("library", help="only the library's tests, under this Python: needs no ComfyUI")
    library.set_defaults(run=_library)
    checks = commands.add_parser("check", help="only lint and type-check")
    checks.set_defaults(run=_check)
    bench = commands.add_parser("bench", help="run the benchmarks")
    bench.set_defaults(run=_bench)
    setup = commands.add_parser("setup", help="only make .venv and install into it")
    setup.add_argument("--group", action="append", choices=environment.GROUPS, help="only this group (repeatable)")
    setup.set_defaults(run=_setup)
    return parser


def hear_interrupts() -> None:
    """A shell starts background jobs deaf to SIGINT, which their children inherit: the servers here are ended by it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main(argv: list[str]) -> int:
    """Run one command; its exit code."""
    hear_interrupts()
    lenient_output()
    # What follows `test` and `bench` is pytest's and the benchmarks' own, options too.
    passed_on = argv[1:] if argv[:1] in (["test"], ["bench"]) and argv[1:] not in (["-h"], ["--help"]) else []
    arguments = _parser().parse_args(argv[: len(argv) - len(passed_on)])
    arguments.rest = passed_on
    try:
        return int(arguments.run(arguments))
    except Stop as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
