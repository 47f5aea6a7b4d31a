"""PostgreSQL's programs for the studio tests: found where they are, installed on Debian where there are none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import apt
from .console import stop


def found() -> bool:
    """POSTGRES_BIN, initdb on the PATH, or Debian's place for it."""
    if os.environ.get("POSTGRES_BIN") or shutil.which("initdb"):
        return True
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def ensure() -> None:
    """Stop with what to do if there is no PostgreSQL and none can be installed."""
    if found():
        return
    said = apt.install("PostgreSQL for the tests", "postgresql") if apt.may_install() else ""
    if not found():
        stop(
            "No PostgreSQL server was found, and none could be installed:\n"
            f"{said[-1500:]}\n"
            "Install it (Debian: apt-get install postgresql), or set POSTGRES_BIN to the folder of initdb and pg_ctl."
        )
