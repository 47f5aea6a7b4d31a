"""The pack as ComfyUI sees it: a package of some other name, so that relative imports from `nodes/` work.

The root's `__init__.py` is not run (it needs ComfyUI). Classes found here are not those of `import hunyuan`: a test of
`nodes/` takes errors and models from here too.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

NAME = "pack_under_test"


def load(module: str) -> ModuleType:
    """`load("nodes.images")` gives that module of the pack."""
    if NAME not in sys.modules:
        root = ModuleType(NAME)
        root.__path__ = [str(Path(__file__).resolve().parent.parent)]
        sys.modules[NAME] = root
    return importlib.import_module(f"{NAME}.{module}")
