"""What the pack costs while nobody uses it: ComfyUI's start, and the list of nodes that the page asks for."""

from __future__ import annotations

from benchmarks.servers import import_seconds
from benchmarks.start import fresh, look
from hunyuan.gateway.models.catalogue import Catalogue
from tests.kit.comfy_fixtures import PaidServer

OURS = [
    *("HunyuanGenerate", "HunyuanEdit", "HunyuanTaskWait"),
    *("HunyuanImageToURL", "HunyuanImageFromURL", "HunyuanPromptList"),
    *(family.node for family in Catalogue().others),
]
SHOWN = 0.05  # seconds: from here on ComfyUI's "Import times" say 0.1


def test_loading_the_pack_imports_nothing_heavy() -> None:
    loaded = fresh()
    assert loaded["nodes"] == OURS
    assert loaded["heavy"] == []


def test_comfyui_shows_no_import_time_for_the_pack(comfy: PaidServer) -> None:
    """What it shows is time by the clock: on a busy machine others' too. There the pack's own must be as short."""
    shown = import_seconds(comfy.log())
    assert min(shown) < SHOWN or min(fresh()["busy_ms"] for _ in range(5)) < SHOWN * 1000


def test_object_info_of_our_nodes_opens_nothing_and_calls_nobody(comfy: PaidServer) -> None:
    assert look(comfy, ["LoadImage"]), "the watch must see ComfyUI list its input folder, or it sees nothing at all"
    assert look(comfy, OURS) == []
    asked = {request["event"] for request in comfy.sandbox.requests()}
    assert asked <= {"poll"}, "at most the sweeper, for what an earlier test left behind"
