"""The command line of dev.py."""

from __future__ import annotations

import argparse
import sys

from . import comfyui, environment
from .console import Stop


def prepare(*groups: str) -> None:
    """What demo and test share: `.venv` with the groups, and a ComfyUI."""
    comfyui.check_given()
    wanted = [group for group in groups if not (group == "comfyui" and comfyui.given())]
    if needed := environment.missing(wanted):
        environment.install(needed)
    if "comfyui" in wanted:
        comfyui.ensure_copy()


def _setup(arguments: argparse.Namespace) -> int:
    prepare(*(arguments.group or environment.GROUPS))
    print("Everything is installed.")
    return 0


def main(argv: list[str]) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="dev.py", description="Hunyuan Image 3 for ComfyUI: development commands")
    commands = parser.add_subparsers(dest="command", required=True)
    setup = commands.add_parser("setup", help="make .venv and install into it")
    setup.add_argument("--group", action="append", choices=environment.GROUPS, help="only this group (repeatable)")
    setup.set_defaults(run=_setup)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except Stop as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
