"""What the pack costs while nobody uses it: ComfyUI's start, and the list of nodes that the page asks for."""

from __future__ import annotations

from benchmarks.servers import add_baseline, import_seconds
from benchmarks.start import fresh, look
from tests.comfy.harness_fixtures import PaidServer, ServerFactory

OURS = ["HunyuanGenerate", "HunyuanEdit", "HunyuanTaskWait", "HunyuanImageToURL", "HunyuanImageFromURL"]
SHOWN = 0.05  # seconds: from here on ComfyUI's "Import times" say 0.1


def watched(comfy_server: ServerFactory) -> PaidServer:
    """A ComfyUI whose main thread can be watched for what it opens."""
    server = comfy_server(start=False)
    add_baseline(server.base)
    server.start()
    return server


def test_loading_the_pack_imports_nothing_heavy() -> None:
    loaded = fresh()
    assert loaded["nodes"] == OURS
    assert loaded["heavy"] == []


def test_comfyui_shows_no_import_time_for_the_pack(comfy: PaidServer, comfy_server: ServerFactory) -> None:
    """The best of four starts: on a busy machine one start says little, but four slow ones say that it is ours."""
    shown = list(import_seconds(comfy.log()))
    while min(shown) >= SHOWN and len(shown) < 4:
        shown += import_seconds(comfy_server().log())
    assert min(shown) < SHOWN


def test_object_info_of_our_nodes_opens_nothing_and_calls_nobody(comfy_server: ServerFactory) -> None:
    server = watched(comfy_server)
    assert look(server, ["LoadImage"]), "the watch must see ComfyUI list its input folder, or it sees nothing at all"
    assert look(server, OURS) == []
    assert server.sandbox.requests() == []
