"""What importing the client costs: nothing that is not needed before the first exchange."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("requests", "urllib3", "certifi", "ssl", "http.client", "sqlalchemy", "torch", "numpy", "PIL")


def test_client_imports_nothing_heavy() -> None:
    program = f"import sys, hunyuan.gateway.client, hunyuan.settings; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
