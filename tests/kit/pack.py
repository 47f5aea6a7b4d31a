"""The pack as ComfyUI sees it: a package of some other name, so that relative imports from `nodes/` work.

The `__init__.py` of the root and of `nodes/` are not run (they need ComfyUI). Classes found here are not those of
`import hunyuan`: a test of `nodes/` takes errors and models from here too.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

NAME = "pack_under_test"


def load(module: str) -> ModuleType:
    """`load("nodes.images.tensors")` gives that module of the pack."""
    if NAME not in sys.modules:
        root = Path(__file__).resolve().parents[2]
        for name, folder in ((NAME, root), (f"{NAME}.nodes", root / "nodes")):
            package = ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
    return importlib.import_module(f"{NAME}.{module}")
