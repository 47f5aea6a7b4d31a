"""The ground the other browser tests stand on: each face of ComfyUI comes up and runs a workflow."""

from __future__ import annotations

import pytest

from tests.browser.conftest import TabFactory
from tests.browser.harness import FACES, Face

RUN = {"en": "Run", "zh": "运行"}


@pytest.mark.parametrize(("number", "face"), list(enumerate(FACES)), ids=[str(face) for face in FACES])
def test_each_face_comes_up_and_runs_a_workflow(open_tab: TabFactory, number: int, face: Face) -> None:
    tab = open_tab(face)
    tab.load_api(
        {
            # a colour of its own, or ComfyUI's cache would answer
            "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 2, "color": number}},
            "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": str(face)}},
        }
    )
    assert {node["type"] for node in tab.graph()["nodes"]} == {"EmptyImage", "SaveImage"}
    assert bool(tab.page.evaluate("() => window.LiteGraph.vueNodesMode")) is face.vue_nodes
    run = tab.page.get_by_role("button", name=RUN[face.locale], exact=True).first
    run.click()
    tab.page.wait_for_function(
        "() => Object.values(window.app.nodeOutputs).some(output => output.images?.length === 2)"
    )
    assert len(list(tab.server.output_directory.glob(f"{face}_*.png"))) == 2
    assert tab.errors() == []
