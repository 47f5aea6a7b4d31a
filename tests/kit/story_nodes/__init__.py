"""Custom nodes of the tests, put beside the pack in the tests' own ComfyUI: what its core has not."""

from __future__ import annotations

import urllib.request

from . import cold_disk, end_listeners, slow_journal

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StoryFreeze:
    """Synchronous, as KSampler is: freezes ComfyUI's event loop until all requests, one a line, have been answered."""

    CATEGORY = "tests"
    INPUT_TYPES = classmethod(lambda cls: {"required": {"requests": ("STRING", {"multiline": True})}})
    RETURN_TYPES = ("STRING",)
    FUNCTION = "freeze"

    def freeze(self, requests: str) -> tuple[str]:
        for line in requests.splitlines():
            method, url = line.split()
            _DIRECT.open(urllib.request.Request(url, method=method), timeout=60).close()  # HTTPError past its own time
        return ("froze",)


class StoryLines:
    """A list of texts, one a line: what hangs on it runs once for each."""

    CATEGORY = "tests"
    INPUT_TYPES = classmethod(lambda cls: {"required": {"lines": ("STRING", {"multiline": True})}})
    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "split"

    def split(self, lines: str) -> tuple[list[str]]:
        return (lines.splitlines(),)


class _Anything(str):
    """A type that may be linked to every input, as the switches and calculators of other packs have it."""

    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return False


class StoryValue:
    """Any value at all, as JSON; `{"latent": …}` and `{"images": […]}` hold tensors of these shapes."""

    CATEGORY = "tests"
    INPUT_TYPES = classmethod(lambda cls: {"required": {"json": ("STRING", {"multiline": True})}})
    RETURN_TYPES = (_Anything("*"),)
    FUNCTION = "give"

    def give(self, json: str) -> tuple[object]:
        import json as reader

        import torch

        value = reader.loads(json)
        if isinstance(value, dict) and "latent" in value:
            return ({"samples": torch.zeros(value["latent"])},)
        if isinstance(value, dict) and "images" in value:
            return ([torch.zeros(shape) for shape in value["images"]],)
        return (value,)


__all__ = ["NODE_CLASS_MAPPINGS", "cold_disk", "end_listeners", "slow_journal"]

NODE_CLASS_MAPPINGS = {"StoryFreeze": StoryFreeze, "StoryLines": StoryLines, "StoryValue": StoryValue}
