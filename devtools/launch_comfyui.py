"""Runs ComfyUI's main.py: `python launch_comfyui.py <main.py> [ComfyUI's arguments]`.

PyPI's torchvision finds no compiled operators beside a CPU build of torch and fails at import
("operator torchvision::nms does not exist"). ComfyUI needs the import, not the operators: where it
fails, their schemas are declared and it is tried again.

It ends when its standard input does: with whoever started it, however that went.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from pathlib import Path


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
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main_file = Path(sys.argv[1]).resolve()
    sys.argv = [str(main_file), *sys.argv[2:]]
    # This file's own folder would shadow ComfyUI's modules, and ours must not be importable there.
    sys.path[0] = str(main_file.parent)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    _declare_missing_operators()
    runpy.run_path(str(main_file), run_name="__main__")
