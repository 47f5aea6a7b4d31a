"""A disk that has read nothing yet: STORY_IMPORT_SECONDS pass before the pack's way to the network is loaded."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

SECONDS = float(os.environ.get("STORY_IMPORT_SECONDS", "0"))


class _ColdDisk(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.endswith("hunyuan.http.requests_transport"):
            time.sleep(SECONDS)
        return None  # whoever is asked next finds it


if SECONDS:
    sys.meta_path.insert(0, _ColdDisk())
