"""The ways in which ComfyUI shows itself, of which each test of the page may want all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Face:
    """One way ComfyUI shows itself: language, renderer, front-end (`pinned` by this ComfyUI, or `new`)."""

    locale: str = "en"
    vue_nodes: bool = False
    frontend: str = "pinned"

    def __str__(self) -> str:
        return f"{self.frontend}-{'vue' if self.vue_nodes else 'canvas'}-{self.locale}"


# Every value of each, and every pair of front-end and renderer: what the fixture `face_tab` goes through.
FACES = (
    Face("en", False, "pinned"),
    Face("zh", True, "pinned"),
    Face("zh", False, "new"),
    Face("en", True, "new"),
)
