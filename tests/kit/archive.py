"""The archive that the registry would get: what git tracks, without what .comfyignore names.

The rules are comfy-cli's (`comfy node pack`): git's own list, patterns as in .gitignore, contents from the work tree.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from devtools.paths import ROOT


def tracked(*options: str) -> set[str]:
    """Paths that git lists with these options, deleted ones left out."""
    listed = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, text=True, check=True)
    return {path for path in listed.stdout.split("\0") if path and (ROOT / path).exists()}


def matched(pattern: str) -> set[str]:
    """The tracked files that one pattern of .comfyignore leaves out."""
    return tracked("--cached", "--ignored", "--exclude", pattern)


def patterns() -> list[str]:
    lines = (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def contents() -> list[str]:
    """The archive's files, relative to the root."""
    left_out = set().union(*(matched(pattern) for pattern in patterns()))
    return sorted(tracked("--cached") - left_out)


def build(path: Path) -> Path:
    """Writes the archive as a zip file; its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in contents():
            archive.write(ROOT / name, name)
    return path
