"""ComfyUI's folders that we use."""

from __future__ import annotations

from pathlib import Path

SYSTEM_USER = "hunyuan"


def private_directory() -> Path:
    """ComfyUI's directory for what no HTTP route serves: `<user>/__hunyuan`. It need not be there yet."""
    import folder_paths

    if hasattr(folder_paths, "get_system_user_directory"):  # from 0.3.76
        return Path(folder_paths.get_system_user_directory(SYSTEM_USER))
    return Path(folder_paths.get_user_directory()) / f"__{SYSTEM_USER}"
