"""`dev.py test` and `dev.py check`: linters, types, the other Pythons, and every test."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import browser, postgres, pythons
from .paths import CACHE, ROOT, venv_python
from .process import clean_environment, run_child

# The pack is checked under a package name of its own, as ComfyUI loads it: its relative imports climb to it.
PACK_NAME = "hunyuan_image_3"
_PACK_PARTS = ("__init__.py", "hunyuan", "nodes")
_TYPED = ("dev.py", "devtools", "hunyuan", "sandbox", "benchmarks", "tests")


def lint() -> list[str]:
    """Ruff, mypy and the JavaScript syntax check; the names of those that failed."""
    ruff = [str(venv_python()), "-m", "ruff"]
    mypy = [str(venv_python()), "-m", "mypy"]
    failed = []
    for name, command, extra in (
        ("ruff check", [*ruff, "check", "."], {}),
        ("ruff format", [*ruff, "format", "--check", "."], {}),
        ("mypy", [*mypy, *(part for part in _TYPED if _holds_python(ROOT / part))], {}),
        ("mypy on the pack", [*mypy, *_staged_pack()], {"MYPYPATH": str(CACHE / "types")}),
        ("javascript syntax", _javascript(), {}),
    ):
        if command and not _passes(name, command, extra):
            failed.append(name)
    return failed


# On several workers, each with servers of its own, in the order of tests/conftest.py, which mixes what waits with what
# works. Four are more than small machines have cores, because much of it waits. Pages do not: with more of them than
# cores each test takes longer, and all of them together no less.
_SPREAD = ("--dist", "loadfile", "--no-loadscope-reorder")
_PAGES = "tests/browser"
_INTERRUPTED = 2  # pytest's exit code after Ctrl+C
_WHOLE = (
    ("-n", "4", *_SPREAD, f"--ignore={_PAGES}"),
    ("-n", str(min(4, max(2, os.cpu_count() or 2))), *_SPREAD, _PAGES),
)


def test(arguments: Sequence[str]) -> int:
    """Everything; 0 only if all of it passed. Linters and the other Pythons run beside pytest.

    With arguments only what they ask for: they are pytest's."""
    postgres.ensure()
    environment = {**clean_environment(), "CHROMIUM_PATH": str(browser.ensure())}
    if arguments:
        return run_child([str(venv_python()), "-m", "pytest", *arguments], environment)
    with ThreadPoolExecutor(max_workers=2) as beside:
        others = [beside.submit(lint), beside.submit(_other_pythons)]
        code = _every_test(environment)
        failed = [name for other in others for name in other.result()]
    if failed:
        print(f"FAILED beside the tests: {', '.join(failed)}", flush=True)
    return code or (1 if failed else 0)


def _every_test(environment: Mapping[str, str]) -> int:
    """pytest's exit code of the first part that failed; 0 where none did."""
    codes = []
    for part in _WHOLE:
        codes.append(run_child([str(venv_python()), "-m", "pytest", *part], environment))
        if codes[-1] == _INTERRUPTED:
            break
    return next(filter(None, codes), 0)


def _other_pythons() -> list[str]:
    """The library's tests under the other Pythons; the names of those that failed."""
    failed = []
    for name, seconds, ran in pythons.run_all(clean_environment()):
        _report(name, ran.returncode == 0, seconds, _last_line(ran.stdout))
        if ran.returncode:
            print(ran.stdout + ran.stderr, flush=True)
            failed.append(name)
    return failed


def _passes(name: str, command: Sequence[str], extra: dict[str, str]) -> bool:
    began = time.monotonic()
    environment = {**clean_environment(), **extra}
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    _report(name, ran.returncode == 0, time.monotonic() - began, _last_line(ran.stdout))
    if ran.returncode:
        print(ran.stdout, flush=True)
    return ran.returncode == 0


def _report(name: str, passed: bool, seconds: float, said: str) -> None:
    print(f"{'ok    ' if passed else 'FAILED'} {name} ({seconds:.1f} s) {said}", flush=True)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _holds_python(place: Path) -> bool:
    return place.is_file() or next(place.rglob("*.py"), None) is not None


def _staged_pack() -> list[str]:
    """The pack's modules under PACK_NAME, for mypy; empty while there are none."""
    parts = [part for part in _PACK_PARTS if (ROOT / part).exists() and _holds_python(ROOT / part)]
    stage = CACHE / "types" / PACK_NAME
    if stage.exists():
        shutil.rmtree(stage)
    stage.mkdir(parents=True)
    for part in parts:
        _link(ROOT / part, stage / part)
    return [str(stage / part) for part in parts if part != "hunyuan"]


def _link(source: Path, place: Path) -> None:
    try:
        os.symlink(source, place, target_is_directory=source.is_dir())
    except OSError:  # Windows without the right to make links
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            shutil.copyfile(source, place)


def _javascript() -> list[str]:
    """node's own parser over web/; empty where there is no node or nothing to parse."""
    node = shutil.which("node")
    files = sorted(str(path) for path in (ROOT / "web").rglob("*.js"))
    if not node or not files:
        return []
    each = (
        "const {execFileSync} = require('node:child_process');"
        "const {readFileSync} = require('node:fs');"
        "for (const file of process.argv.slice(1)) execFileSync(process.execPath,"
        "['--input-type=module', '--check'], {input: readFileSync(file), stdio: ['pipe', 'inherit', 'inherit']});"
    )
    return [node, "-e", each, *files]
