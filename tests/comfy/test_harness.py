"""The ground the other tests stand on: a real ComfyUI runs core nodes and tells what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from devtools.comfy_server import PromptRejected
from devtools.process import ServerFailed
from tests.kit.comfy_fixtures import PaidServer, ServerFactory

GREY = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 2, "color": 0x336699}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "grey"}},
}


def test_a_workflow_runs_to_its_pixels(comfy: PaidServer) -> None:
    entry = comfy.run(GREY)
    comfy.succeeded(entry)
    pictures = comfy.images(entry, "2")
    assert [picture.size for picture in pictures] == [(64, 48)] * 2
    assert pictures[0].getpixel((5, 5)) == (0x33, 0x66, 0x99)


def test_an_uploaded_picture_comes_back(comfy: PaidServer) -> None:
    name = comfy.upload(Image.new("RGB", (40, 30), (10, 20, 30)), "harness.png")
    entry = comfy.run(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": name}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        }
    )
    (picture,) = comfy.images(entry, "2")
    assert picture.size == (40, 30)
    assert picture.getpixel((0, 0)) == (10, 20, 30)


def test_a_workflow_with_a_fault_is_refused(comfy: PaidServer) -> None:
    with pytest.raises(PromptRejected) as refused:
        comfy.queue({"1": {"class_type": "NoSuchNode", "inputs": {}}})
    assert "NoSuchNode" in str(refused.value)


def test_a_pack_that_does_not_load_is_no_server(comfy_server: ServerFactory, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("raise RuntimeError('on purpose')\n", encoding="utf-8")
    with pytest.raises(ServerFailed, match="on purpose"):
        comfy_server(pack=tmp_path)
