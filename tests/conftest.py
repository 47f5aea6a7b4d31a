"""What holds for every test: nobody's real key, no proxy, a loopback gateway only."""

from __future__ import annotations

import os


def pytest_configure() -> None:
    """Forget what the surroundings say about keys and proxies, before anything is imported."""
    for name in list(os.environ):
        if name.startswith("HUNYUAN_") or name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}:
            del os.environ[name]
