"""Every shipped workflow runs in a real ComfyUI, costs what its note says, and saves the right pixels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from devtools.paths import ROOT, comfyui_path
from devtools.process import PACK
from sandbox.pictures import TINT, background, prompt_colour, tile_boxes
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.workflow_files import TEMPLATES, Api, template, to_api

Change = Callable[[Api], None]


@dataclass
class Done:
    """A workflow after its run. `saved`: the pictures by the file name prefix of their SaveImage."""

    api: Api
    saved: dict[str, list[Image.Image]]
    infos: list[dict[str, Any]]
    billed: int

    def given(self, class_type: str) -> dict[str, Any]:
        """What the first node of that class was given."""
        return inputs_of(self.api, class_type)


def inputs_of(api: Api, class_type: str) -> dict[str, Any]:
    return next(node["inputs"] for node in api.values() if node["class_type"] == class_type)


@pytest.fixture
def shipped(comfy: PaidServer) -> PaidServer:
    """The session's server with example.png in its input folder, as ComfyUI's installation leaves it.

    No other test uses the prompts of the shipped workflows: what they cost is what they cost at first.
    """
    shutil.copyfile(comfyui_path() / "input" / "example.png", comfy.input_directory / "example.png")
    return comfy


def run(
    server: PaidServer,
    name: str,
    *,
    unmute: bool = False,
    change: Change | None = None,
    meanwhile: Callable[[], object] = bool,
) -> Done:
    """`meanwhile` is called when the workflow is queued."""
    api = to_api(template(name), unmute=unmute)
    if change:
        change(api)
    before = server.sandbox.billed
    queued = server.queue(api)
    meanwhile()
    entry = server.wait(queued)
    outputs = server.succeeded(entry)
    saved = {
        str(node["inputs"]["filename_prefix"]): server.images(entry, number)
        for number, node in api.items()
        if node["class_type"] == "SaveImage" and number in outputs
    }
    texts = ["".join(output["text"]) for output in outputs.values() if "text" in output]
    infos = [json.loads(text) for text in texts if text.startswith("{")]
    return Done(api, saved, infos, server.sandbox.billed - before)


def is_result(picture: Image.Image, prompt: str, seed: int) -> bool:
    """Whether these are the sandbox's pixels for a prompt and a seed."""
    corner = picture.getpixel((picture.width - 4, 3))
    return picture.getpixel((3, 3)) == background(seed) and corner == prompt_colour(prompt)


def shows(picture: Image.Image, inputs: list[Image.Image], seed: int) -> bool:
    """Whether an edit shows its inputs, each in its place: compared at 8*8 pixels, after JPEG and the seed's tint."""
    boxes = tile_boxes(picture.size, [each.size for each in inputs])
    for source, box in zip(inputs, boxes, strict=True):
        tinted = means(source) * (1 - TINT) + np.array(background(seed)) * TINT
        if np.abs(means(picture.crop(box)) - tinted).max() > 8:
            return False
    return True


def means(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((8, 8), Image.Resampling.BOX), dtype=float)


def example(server: PaidServer) -> Image.Image:
    return Image.open(server.input_directory / "example.png").convert("RGB")


def test_text_to_image(shipped: PaidServer) -> None:
    done = run(shipped, "01 Text to image")
    (picture,) = done.saved["hunyuan/image"]
    assert picture.size == (1280, 720)
    assert is_result(picture, done.given("HunyuanGenerate")["prompt"], 11)
    assert (done.billed, done.infos[0]["credits"], done.infos[0]["seeds"]) == (1, 25, [11])


def test_edit_an_image(shipped: PaidServer) -> None:
    done = run(shipped, "02 Edit an image")
    (picture,) = done.saved["hunyuan/edit"]
    assert picture.size == (768, 768)
    assert is_result(picture, done.given("HunyuanEdit")["prompt"], 12)
    assert shows(picture, [example(shipped)], 12)
    assert done.billed == 1


def test_merge_two_images(shipped: PaidServer) -> None:
    done = run(shipped, "05 Merge two images")
    (picture,) = done.saved["hunyuan/merged"]
    assert picture.size == (768, 768)
    assert is_result(picture, done.given("HunyuanEdit")["prompt"], 13)
    assert shows(picture, [example(shipped), example(shipped).crop((0, 192, 768, 576))], 13)
    assert done.billed == 1


def test_generate_then_edit_and_its_next_edit_pays_one_image(shipped: PaidServer) -> None:
    done = run(shipped, "06 Generate then edit")
    (first,), (edited,) = done.saved["hunyuan/generated"], done.saved["hunyuan/edited"]
    assert (first.size, edited.size, done.billed) == ((1024, 1024), (1344, 960), 2)
    assert is_result(first, done.given("HunyuanGenerate")["prompt"], 7)
    assert is_result(edited, done.given("HunyuanEdit")["prompt"], 7)
    assert shows(edited, [coloured(first)], 7)

    def other(api: Api) -> None:
        inputs_of(api, "HunyuanEdit")["prompt"] = "Make it evening instead"

    again = run(shipped, "06 Generate then edit", change=other)
    assert again.billed == 1
    assert is_result(again.saved["hunyuan/edited"][0], "Make it evening instead", 7)


def coloured(first: Image.Image) -> Image.Image:
    """What the local nodes make of the first image: 7:5 out of its middle, and 0.4 of a warm multiply."""
    high = 1024 * 960 / 1344
    box = (0, (1024 - high) / 2, 1024, (1024 + high) / 2)
    pixels = np.asarray(first.resize((1344, 960), Image.Resampling.LANCZOS, box), dtype=float)
    warm = np.array([0xFF, 0xB0, 0x60]) / 255
    return Image.fromarray(np.rint(pixels * 0.6 + pixels * warm * 0.4).astype(np.uint8))


def test_grid_of_seeds_and_one_of_its_seeds_again_for_free(shipped: PaidServer) -> None:
    done = run(shipped, "08 Grid of seeds")
    prompt, singles = done.given("HunyuanGenerate")["prompt"], done.saved["hunyuan/seed"]
    (grid,) = done.saved["hunyuan/grid"]
    assert done.infos[0]["seeds"] == [100, 101, 102, 103]
    assert all(is_result(picture, prompt, 100 + k) for k, picture in enumerate(singles))
    assert (len(singles), grid.size, done.billed) == (4, (1032, 1032), 4)
    cells = [(2, 2), (522, 2), (2, 522), (522, 522)]
    assert [grid.getpixel(place) for place in cells] == [background(100 + k) for k in range(4)]

    def only_the_third(api: Api) -> None:
        inputs_of(api, "HunyuanGenerate").update(seed=102, count=1)

    again = run(shipped, "08 Grid of seeds", change=only_the_third)
    assert again.billed == 0
    assert again.saved["hunyuan/seed"][0].tobytes() == singles[2].tobytes()


def test_list_of_prompts_runs_in_parallel_and_a_line_more_pays_one(shipped: PaidServer) -> None:
    lines = inputs_of(to_api(template("09 List of prompts")), "HunyuanPromptList")["text"].splitlines()
    shipped.sandbox.tasks(seconds=None)

    def all_at_once() -> None:
        shipped.sandbox.wait("billed", len(lines))  # none of them ends before all are there
        shipped.sandbox.finish()

    done = run(shipped, "09 List of prompts", meanwhile=all_at_once)
    shipped.sandbox.tasks(seconds=0.3)
    pictures = done.saved["hunyuan/prompt"]
    assert [is_result(picture, line, 20) for picture, line in zip(pictures, lines, strict=True)] == [True] * len(lines)
    assert (done.billed, shipped.sandbox.state()["max_in_flight"]) == (len(lines), len(lines))

    def another(api: Api) -> None:
        inputs_of(api, "HunyuanPromptList")["text"] = "\n".join(["A harbour at noon", "", *lines[1:3]])

    again = run(shipped, "09 List of prompts", change=another)
    assert (len(again.saved["hunyuan/prompt"]), again.billed) == (3, 1)


def test_submit_now_collect_later_pays_once(shipped: PaidServer) -> None:
    done = run(shipped, "10 Submit now collect later")
    assert (done.saved, done.billed) == ({}, 2)
    later = run(shipped, "10 Submit now collect later", unmute=True)
    prompt, pictures = later.given("HunyuanGenerate")["prompt"], later.saved["hunyuan/collected"]
    assert [is_result(picture, prompt, 30 + k) for k, picture in enumerate(pictures)] == [True, True]
    assert (later.billed, later.infos[0]["seeds"]) == (0, [30, 31])


def test_product_shot(shipped: PaidServer) -> None:
    done = run(shipped, "07 Product shot")
    (picture,) = done.saved["hunyuan/product"]
    source = np.array(example(shipped))
    source[source[..., 0] <= 0.6 * 255] = 0xC8  # dark in the red channel: the screen behind the product
    assert is_result(picture, done.given("HunyuanEdit")["prompt"], 40)
    assert shows(picture, [Image.fromarray(source)], 40)
    assert done.billed == 1


def test_edit_and_compare_puts_both_side_by_side(shipped: PaidServer) -> None:
    done = run(shipped, "03 Edit and compare")
    (edited,), (both,) = done.saved["hunyuan/compared"], done.saved["hunyuan/before_after"]
    assert both.size == (768 + 16 + 768, 768)
    assert both.crop((0, 0, 768, 768)).tobytes() == example(shipped).tobytes()
    assert both.crop((784, 0, 1552, 768)).tobytes() == edited.tobytes()
    assert done.billed == 1


def test_edit_inside_a_mask_changes_nothing_else(shipped: PaidServer) -> None:
    done = run(shipped, "04 Edit inside a mask")
    (picture,) = done.saved["hunyuan/inside_mask"]
    x, y, width, height = (done.given("ImageCrop")[side] for side in ("x", "y", "width", "height"))
    (sent,) = shipped.sandbox.task()["inputs"]
    assert (sent["size"], done.billed) == ([width, height], 1)
    before, after = np.asarray(example(shipped), dtype=int), np.asarray(picture.convert("RGB"), dtype=int)
    off = np.abs(before - after).max(axis=-1)
    dress = (before == (0xFF, 0xA6, 0xD6)).all(axis=-1)
    assert [part.max() for part in (off[:y], off[y + height :], off[:, :x], off[:, x + width :])] == [0] * 4
    assert np.median(off[dress]) > 20
    assert (off[dress] > 0).mean() > 0.9
    assert off[~grown(dress, 24)].max() == 0


def grown(mask: np.ndarray, by: int) -> np.ndarray:
    """The mask and all that is at most `by` pixels off, in rows and columns."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(2 * by + 1))) > 0


def test_one_prompt_four_models(shipped: PaidServer) -> None:
    done = run(shipped, "11 One prompt four models")
    models = sorted(create["body"]["model"] for create in shipped.sandbox.requests("create"))
    assert models == ["flux-2", "gpt-image-1-5", "hunyuan-image-3", "seedream/4.5-text-to-image"]
    (grid,) = done.saved["hunyuan/four_models"]
    colour = prompt_colour(inputs_of(done.api, "PrimitiveStringMultiline")["value"])
    corners = [(x - 12, y + 3) for x in (grid.width // 2, grid.width + 8) for y in (0, 1024 + 8)]
    pixels = np.asarray(grid.convert("RGB"), dtype=int)
    assert all(np.abs(pixels[y, x] - colour).max() < 12 for x, y in corners)
    assert (done.billed, shipped.sandbox.state()["credits"]) == (4, 52)
    assert run(shipped, "11 One prompt four models").billed == 0


def test_seedream_edit(shipped: PaidServer) -> None:
    done = run(shipped, "12 Seedream edit")
    (create,) = shipped.sandbox.requests("create")
    assert (create["body"]["model"], len(create["body"]["image_urls"])) == ("seedream/4.5-edit", 1)
    assert (len(done.saved["hunyuan/seedream"]), done.infos[0]["credits"]) == (1, 12)


def test_ideogram_poster_with_a_mask(shipped: PaidServer) -> None:
    done = run(shipped, "13 Ideogram poster with a mask")
    (create,) = shipped.sandbox.requests("create")
    assert create["body"]["model"] == "ideogram-v3-turbo"
    assert {"image", "mask_image"} <= set(create["body"])
    assert (len(done.saved["hunyuan/poster"]), done.infos[0]["credits"]) == (1, 8)


@pytest.mark.parametrize("name", TEMPLATES)
def test_only_core_nodes_and_ours(shipped: PaidServer, name: str) -> None:
    known = shipped.object_info()
    for node in to_api(template(name), unmute=True).values():
        told = known[node["class_type"]]
        module = str(told["python_module"])
        assert module in ("nodes", "custom_nodes.hunyuan-image-3") or module.startswith("comfy_extras."), module
        # ImageCrop's successor takes a bounding box, which ComfyUI 0.3.75 does not know.
        assert not told.get("deprecated") or node["class_type"] == "ImageCrop"
        given = {**told["input"].get("required", {}), **told["input"].get("optional", {})}
        assert set(node["inputs"]) <= set(given), node["class_type"]


def test_the_template_browser_is_offered_them_with_their_pictures(comfy: PaidServer) -> None:
    assert sorted(comfy.get_json("/workflow_templates")[PACK]) == TEMPLATES
    for name in TEMPLATES:
        picture = comfy.http.get(f"{comfy.url}/api/workflow_templates/{PACK}/{name}.jpg", timeout=30)
        assert picture.status_code == 200
        assert picture.headers["Content-Type"] == "image/jpeg"


def test_every_workflow_has_a_test_and_a_thumbnail() -> None:
    for name in TEMPLATES:
        begin = "test_" + name.partition(" ")[2].lower().replace(" ", "_")
        assert any(test.startswith(begin) for test in globals()), name
        thumbnail = ROOT / "workflows" / f"{name}.jpg"
        with Image.open(thumbnail) as picture:
            assert (picture.format, picture.size) == ("JPEG", (640, 640))
        assert thumbnail.stat().st_size <= 60_000
