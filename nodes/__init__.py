"""The graph's face: schema, validation, one call, conversion.

Only what reading the schemas needs is imported here; torch, requests and the database come at first use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfy_api.latest import ComfyExtension, io

from .comfyui.one_copy import FOLDER, serving_copy

if TYPE_CHECKING:
    from ..hunyuan.gateway.models.catalogue import Catalogue

LOG = logging.getLogger("hunyuan")


class HunyuanExtension(ComfyExtension):
    """What ComfyUI loads: the nodes, and at the server's start the sweeper behind them."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        from ..hunyuan.gateway.models.catalogue import Catalogue

        super().__init__()
        self._catalogue = catalogue or Catalogue()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .edit import HunyuanEdit
        from .generate import HunyuanGenerate
        from .image_url import HunyuanImageFromURL, HunyuanImageToURL
        from .model_nodes import model_node
        from .prompt_list import HunyuanPromptList
        from .task_wait import HunyuanTaskWait

        images = [HunyuanImageToURL, HunyuanImageFromURL]
        others = [model_node(family) for family in self._catalogue.others]
        return [HunyuanGenerate, HunyuanEdit, HunyuanTaskWait, *images, HunyuanPromptList, *others]


class _Nothing(ComfyExtension):
    """What ComfyUI gets of a copy that stands aside."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return []


def stands_aside() -> bool:
    """Whether another copy of the pack serves in this ComfyUI."""
    return serving_copy() is not None


async def comfy_entrypoint() -> ComfyExtension:
    """Called once by ComfyUI when it loads the pack."""
    if (first := serving_copy()) is not None:
        LOG.warning(
            "Hunyuan Image 3 is installed twice: %s serves, %s stands aside. Remove one of the two folders.",
            first,
            FOLDER,
        )
        return _Nothing()
    from server import PromptServer

    catalogue = _catalogue()
    hook_into(PromptServer.instance, catalogue)
    return HunyuanExtension(catalogue)


def _catalogue() -> Catalogue:
    """The models, with what the studio's file adds; its mistakes are told in ComfyUI's log."""
    from ..hunyuan.gateway.models.catalogue import STUDIO_FILES, Catalogue
    from .comfyui.paths import private_directory

    directory = private_directory()
    if not any((directory / name).is_file() for name in STUDIO_FILES):
        return Catalogue()
    from ..hunyuan.gateway.models.studio_file import read_catalogue

    found = read_catalogue(directory)
    for mistake in found.mistakes:
        LOG.error("%s", mistake)
    return found


def hook_into(server: Any, catalogue: Catalogue) -> None:
    """Called while ComfyUI loads the pack: hooks the routes and the start of the sweeper into the server."""
    from .comfyui import prompt_origin, queue_faults
    from .comfyui.consoles import make_lenient
    from .routes import handlers
    from .runtime import Holder

    make_lenient()
    holder = Holder()
    prompt_origin.install(server, [family.node for family in catalogue.others])
    queue_faults.install(server, _tell_refusal)
    handlers.register(server, holder.get, catalogue)

    async def on_startup(_: object) -> None:
        holder.process_end.watch(asyncio.get_running_loop())
        make_lenient()  # the streams as the other packs have left them
        holder.start()

    server.app.on_startup.append(on_startup)
    server.hunyuan = holder  # last: by this another copy knows that this one serves


def _tell_refusal(client: str, workflow: str, faults: Mapping[str, str]) -> None:
    from .status.run_events import tell_refusal

    tell_refusal(client, workflow, faults)
