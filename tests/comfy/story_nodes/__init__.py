"""Custom nodes of the tests, put beside the pack in the tests' own ComfyUI: what its core has not."""

from __future__ import annotations

import time


class StoryFreeze:
    """Synchronous, as KSampler is: freezes ComfyUI's event loop for `seconds`."""

    CATEGORY = "tests"
    INPUT_TYPES = classmethod(lambda cls: {"required": {"seconds": ("FLOAT", {"default": 1.0, "max": 60.0})}})
    RETURN_TYPES = ("STRING",)
    FUNCTION = "freeze"

    def freeze(self, seconds: float) -> tuple[str]:
        time.sleep(seconds)  # the point of this node, not a synchronisation
        return (f"froze {seconds} s",)


class StoryLines:
    """A list of texts, one a line: what hangs on it runs once for each."""

    CATEGORY = "tests"
    INPUT_TYPES = classmethod(lambda cls: {"required": {"lines": ("STRING", {"multiline": True})}})
    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "split"

    def split(self, lines: str) -> tuple[list[str]]:
        return (lines.splitlines(),)


NODE_CLASS_MAPPINGS = {"StoryFreeze": StoryFreeze, "StoryLines": StoryLines}
