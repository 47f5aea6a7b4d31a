"""The part of ComfyUI's `comfy_api.latest` that schemas are made of, as 0.3.75 and as 0.33.0 have it.

Only the keywords' names are theirs (comfy_api/latest/_io.py): these classes take what their version takes, refuse
anything else with a TypeError as the real ones do, and remember it.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_SCHEMA = (
    "node_id display_name category inputs outputs hidden description is_input_list is_output_node is_deprecated "
    "is_experimental is_api_node not_idempotent enable_expand"
)
_NEWER_SCHEMA = "search_aliases is_dev_only price_badge accept_all_inputs essentials_category has_intermediate_output"
_WIDGET = "id display_name optional tooltip lazy default socketless force_input"
_INPUTS = {
    "String": f"{_WIDGET} multiline placeholder dynamic_prompts",
    "Int": f"{_WIDGET} min max step control_after_generate display_mode",
    "Float": f"{_WIDGET} min max step round display_mode",
    "Boolean": f"{_WIDGET} label_on label_off",
    "Combo": f"{_WIDGET} options control_after_generate upload image_folder remote",
    "Image": "id display_name optional tooltip lazy extra_dict",
    "Mask": "id display_name optional tooltip lazy extra_dict",
}
_NEWER_INPUT = "extra_dict raw_link advanced"
_OUTPUT = "id display_name tooltip is_output_list"


def _taker(name: str, keywords: str) -> type:
    """A class that takes these keywords, the first one positionally, and keeps what it was given."""
    names = list(dict.fromkeys(keywords.split()))
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(each, kind, default=None) for each in names])

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__dict__.update(signature.bind(*args, **kwargs).arguments)

    made = type(name, (), {"__init__": __init__})
    made.__signature__ = signature  # type: ignore[attr-defined]
    return made


def api(*, newer: bool) -> ModuleType:
    """`comfy_api.latest` with the keywords of 0.3.75, or with those of 0.33.0."""
    io = SimpleNamespace(ComfyNode=type("ComfyNode", (), {}), NodeOutput=tuple, Input=object, Output=object)
    io.Hidden = SimpleNamespace(extra_pnginfo="EXTRA_PNGINFO")
    io.Schema = _taker("Schema", f"{_SCHEMA} {_NEWER_SCHEMA}" if newer else _SCHEMA)
    for kind, keywords in _INPUTS.items():
        given = f"{keywords} {_NEWER_INPUT}" if newer else keywords
        parts = {"Input": _taker("Input", given), "Output": _taker("Output", _OUTPUT)}
        setattr(io, kind, type(kind, (), {**parts, "io_type": kind.upper()}))
    module = ModuleType("comfy_api.latest")
    module.io = io  # type: ignore[attr-defined]
    module.ComfyExtension = type("ComfyExtension", (), {})  # type: ignore[attr-defined]
    return module


@contextmanager
def importable(*, newer: bool) -> Iterator[None]:
    """Within it `comfy_api.latest` can be imported; what was imported with it stays."""
    faked = {"comfy_api": ModuleType("comfy_api"), "comfy_api.latest": api(newer=newer)}
    before = {key: sys.modules.get(key) for key in faked}
    sys.modules.update(faked)
    try:
        yield
    finally:
        for key, module in before.items():
            sys.modules.pop(key, None)
            if module is not None:
                sys.modules[key] = module


def schemas(*, newer: bool) -> dict[str, Any]:
    """Every node's schema by its id, as the pack gives it to that version."""
    name = f"pack_for_{'newer' if newer else 'older'}_schemas"
    try:
        with importable(newer=newer):
            package = ModuleType(name)
            package.__path__ = [str(ROOT)]
            sys.modules[name] = package
            extension = importlib.import_module(f"{name}.nodes").HunyuanExtension()
            nodes = asyncio.run(extension.get_node_list())
            return {schema.node_id: schema for schema in (node.define_schema() for node in nodes)}
    finally:
        for key in [key for key in sys.modules if key.split(".")[0] == name]:
            del sys.modules[key]


def ids(parts: Iterable[Any]) -> list[str]:
    return [part.id for part in parts]


def output_names(schema: Any) -> list[str]:
    """The names of the outputs: they are the contract, their ids are not."""
    return [output.display_name or output.id for output in schema.outputs]
