"""Runs ComfyUI's main.py: `python launch_comfyui.py <main.py> [ComfyUI's arguments]`.

PyPI's torchvision finds no compiled operators beside a CPU build of torch and fails at import
("operator torchvision::nms does not exist"). ComfyUI needs the import, not the operators: where it
fails, their schemas are declared and it is tried again.

It ends when its standard input does: with whoever started it, however that went.

With `--fork-server <main.py>` it imports what ComfyUI imports from others, and forks one ComfyUI for each line of its
standard input (see fork_server.py).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any

# Most of what a start takes, in ComfyUI 0.3.75 and in 0.33.0. Nothing of these reads a command line or a port.
PRELOADED = (
    "torch", "torchvision", "transformers", "scipy.stats", "torchsde", "einops", "safetensors.torch", "alembic.command",
    "sqlalchemy", "aiohttp.web", "av", "PIL.Image", "kornia", "spandrel", "psutil", "yaml", "pydantic",
    "pydantic_settings",
    "transformers.models.clip.tokenization_clip", "transformers.models.t5.tokenization_t5",
    "transformers.models.byt5.tokenization_byt5", "transformers.models.llama.tokenization_llama",
    "transformers.models.qwen2.tokenization_qwen2", "transformers.models.bert.tokenization_bert",
)  # fmt: skip


def _declare_missing_operators() -> None:
    import torch

    try:
        import torchvision  # noqa: F401
    except ImportError:
        return
    except RuntimeError as failure:
        if "torchvision::nms" not in str(failure):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define("nms" + schema)
        library.define("qnms" + schema)
        _keep.append(library)  # its end would take the schemas away again


_keep: list[object] = []


def _end_with_parent() -> None:
    while os.read(0, 4096):  # past sys.stdin, whose lock would abort an orderly end
        pass
    os._exit(1)


def _run(arguments: list[str]) -> None:
    main_file = Path(arguments[0]).resolve()
    sys.argv = [str(main_file), *arguments[1:]]
    # This file's own folder would shadow ComfyUI's modules, and ours must not be importable there.
    sys.path[0] = str(main_file.parent)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    _declare_missing_operators()
    runpy.run_path(str(main_file), run_name="__main__")


def _run_in_fork(arguments: list[str]) -> None:
    """As `_run`, and then all that Python does at its end but taking its modules apart: that costs two seconds of a
    core here, because a fork gets a copy of each page that is touched."""
    _exit_codes.append(1)  # an exception's
    try:
        _run(arguments)
        _exit_codes.append(0)
    except SystemExit as end:
        _exit_codes.append(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise


def _leave_fork() -> None:
    """Registered before anything else, so that it is the last thing Python does."""
    if _exit_codes:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # closed by somebody
                stream.flush()
        os._exit(_exit_codes[-1])


_exit_codes: list[int] = []  # of a fork: the last one counts


def _tend() -> dict[str, Any] | None:
    """Forks for every line of the standard input until that ends: None. In a fork: what to run."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    waiting = b""
    keep_open: list[int] = []  # the forks' standard inputs end with this process
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_the_ended()
        if 0 not in ready:
            continue
        piece = os.read(0, 1 << 20)
        if not piece:
            return None
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            inner, outer = os.pipe()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.dup2(inner, 0)
                for used in (inner, outer, woken, wake, *keep_open):
                    os.close(used)
                told: dict[str, Any] = json.loads(line)
                return told
            os.close(inner)
            keep_open.append(outer)
            _tell(started=pid)


def _tell_the_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _tell(ended=pid, code=os.waitstatus_to_exitcode(status))


def _tell(**told: int) -> None:
    os.write(1, (json.dumps(told) + "\n").encode())


def _become(told: dict[str, Any]) -> None:
    log = os.open(told["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(told["env"])
    os.chdir(told["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    run = sys.argv[1:]
    if run[0] == "--fork-server":
        atexit.register(_leave_fork)
        sys.path[0] = str(Path(run[1]).resolve().parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever started it, who ends it in order
        _declare_missing_operators()
        for name in PRELOADED:
            with contextlib.suppress(ImportError):  # not every ComfyUI needs every one
                importlib.import_module(name)
        gc.freeze()  # or each fork's collections would copy all of it
        child = _tend()
        if child is None:
            sys.exit()
        _become(child)
        _run_in_fork(child["argv"])
    else:
        _run(run)
