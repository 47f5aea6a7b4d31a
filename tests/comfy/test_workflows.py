"""Workflows in a real ComfyUI, from the prompt to the pixels, with the gateway's own count of what was billed."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from devtools.comfy_server import PromptRejected
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.comfy_stories import (
    SMALL,
    asked,
    assert_drawn,
    assert_edited,
    edit,
    generate,
    grey,
    info_of,
    rows,
    save,
    saved,
    show,
    state_is,
    task_wait,
    text_of,
    value,
)
from tests.kit.waiting import until

JPEG = 4  # how far a pixel may be off that went to the gateway as JPEG


def test_generate_gives_the_gateways_pixels(comfy: PaidServer) -> None:
    entry = comfy.run(saved("a lighthouse in the fog", seed=41, width=320, height=256))
    comfy.succeeded(entry)
    (picture,) = comfy.images(entry, "2")
    assert_drawn(picture, "a lighthouse in the fog", 41, (320, 256))
    (shown,) = entry["outputs"]["1"]["hunyuan_previews"]  # the node's own picture on the page
    assert_drawn(comfy.image(shown, type="temp"), "a lighthouse in the fog", 41, (320, 256))
    info = info_of(entry)
    task = comfy.sandbox.task()
    assert (info["seeds"], info["sizes"], info["credits"], info["failures"]) == ([41], ["320*256"], 25, [])
    assert info["task_ids"] == [task["task_id"]]
    assert comfy.sandbox.billed == 1


def test_only_the_prompt_is_needed(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": {"class_type": "HunyuanGenerate", "inputs": {"prompt": "nothing but a prompt"}},
            "2": save(["1", 0]),
            "3": show(["1", 3]),
        }
    )
    comfy.succeeded(entry)
    (seed,) = info_of(entry)["seeds"]
    assert 0 <= seed <= 2**31 - 1
    assert_drawn(comfy.images(entry, "2")[0], "nothing but a prompt", seed, (1024, 1024))


def test_an_edit_shows_its_input(comfy: PaidServer) -> None:
    name = comfy.upload(Image.new("RGB", (400, 300), (200, 40, 90)), "edit-input.png")
    entry = comfy.run(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": name}},
            "2": edit("make it dusk", image=["1", 0]),
            "3": show(["2", 3]),
            "4": save(["2", 0]),
        }
    )
    comfy.succeeded(entry)
    (picture,) = comfy.images(entry, "4")
    source = Image.new("RGB", (400, 300), (200, 40, 90))
    assert_edited(picture, "make it dusk", 7, (400, 300), [(source, JPEG)])
    assert info_of(entry)["sizes"] == ["400*300"]
    assert comfy.sandbox.task()["type"] == "edit"


def test_generate_then_a_local_node_then_edit(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": generate("a red lantern", seed=3, width=512, height=384),
            "2": {
                "class_type": "ImageCrop",
                "inputs": {"image": ["1", 0], "width": 320, "height": 256, "x": 0, "y": 64},
            },
            "3": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
            "4": edit("make it night", image=["3", 0], seed=5),
            "5": save(["3", 0]),
            "6": save(["4", 0]),
        }
    )
    comfy.succeeded(entry)
    (local,) = comfy.images(entry, "5")
    (edited,) = comfy.images(entry, "6")
    assert_edited(edited, "make it night", 5, (320, 256), [(local, 12)])
    (sent,) = comfy.sandbox.task(2)["inputs"]
    assert (sent["way"], sent["size"]) == ("data", [320, 256])
    assert comfy.sandbox.billed == 2


def test_an_edit_of_a_result_uploads_nothing(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": generate("a paper boat", seed=3),
            "2": edit("put it on a pond", image=["1", 0], seed=5),
            "3": save(["2", 0]),
            "4": save(["1", 0]),
        }
    )
    comfy.succeeded(entry)
    (source,) = comfy.images(entry, "4")
    assert_edited(comfy.images(entry, "3")[0], "put it on a pond", 5, (256, 256), [(source, 1)])
    (given,) = comfy.sandbox.task(2)["inputs"]
    assert given["way"] == "own"


def test_a_batch_of_two_is_two_inputs(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": grey(300, 260, colour=0xC02040),
            "2": grey(300, 260, colour=0x20C040),
            "3": {"class_type": "ImageBatch", "inputs": {"image1": ["1", 0], "image2": ["2", 0]}},
            "4": edit("merge a batch", image=["3", 0]),
            "5": save(["4", 0]),
        }
    )
    comfy.succeeded(entry)
    inputs = [(Image.new("RGB", (300, 260), colour), JPEG) for colour in ((0xC0, 0x20, 0x40), (0x20, 0xC0, 0x40))]
    assert_edited(comfy.images(entry, "5")[0], "merge a batch", 7, (300, 260), inputs)


def test_image_and_image_2_keep_their_order(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": grey(300, 260, colour=0x1040C0),
            "2": grey(260, 300, colour=0xC0A010),
            "3": edit("merge two", image=["1", 0], image_2=["2", 0], seed=9),
            "4": save(["3", 0]),
        }
    )
    comfy.succeeded(entry)
    first, second = Image.new("RGB", (300, 260), (0x10, 0x40, 0xC0)), Image.new("RGB", (260, 300), (0xC0, 0xA0, 0x10))
    assert_edited(comfy.images(entry, "4")[0], "merge two", 9, (300, 260), [(first, JPEG), (second, JPEG)])


TOO_MANY = {
    "a batch and image_2": {"image": ["2", 0], "image_2": ["1", 0]},
    "a batch and a URL": {"image": ["2", 0], "image_urls": "http://127.0.0.1:1/x.png"},
    "three URLs": {"image_urls": "http://a.example/1.png\nhttp://a.example/2.png\nhttp://a.example/3.png"},
    "none": {"image_urls": " "},
}


@pytest.mark.parametrize("inputs", TOO_MANY.values(), ids=TOO_MANY)
def test_a_wrong_number_of_inputs_is_refused_before_anything_is_sent(
    comfy: PaidServer, inputs: dict[str, object]
) -> None:
    workflow = {"1": grey(64, 64), "2": grey(64, 64, batch=2), "3": edit("too many", **inputs), "4": save(["3", 0])}
    if "image_urls" in inputs:
        workflow |= {"5": value(inputs["image_urls"])}
        workflow["3"]["inputs"]["image_urls"] = ["5", 0]
    told = comfy.error(comfy.run(workflow))
    assert told is not None
    assert "An edit takes one or two input images in all, got " in told["exception_message"]
    assert "No credits were spent." in told["exception_message"]
    assert asked(comfy) == []


def test_image_urls_go_to_the_gateway_as_they_are(comfy: PaidServer) -> None:
    source = comfy.run({**saved("the source of a URL", seed=1, width=320), "4": show(["1", 1])})
    url = text_of(source, "4").strip()
    entry = comfy.run({"1": edit("by its URL", image_urls=f"\n {url} \n"), "2": save(["1", 0]), "3": show(["1", 3])})
    comfy.succeeded(entry)
    assert comfy.sandbox.state()["creates"][1]["body"]["images"] == [url]
    assert_edited(
        comfy.images(entry, "2")[0], "by its URL", 7, (320, 256), [(comfy.images(source, "2")[0], 1)]
    )  # the size came from the image behind the URL
    assert info_of(entry)["sizes"] == ["320*256"]


SIZES = {
    "as it is": ((400, 300), (400, 300), ""),
    "scaled down in its ratio": ((3072, 1536), (1536, 768), "same ratio"),
    "scaled up in its ratio": ((128, 192), (256, 384), "same ratio"),
    "a ratio the API has not": ((2000, 100), (1536, 256), "the ratio differs"),
}


@pytest.mark.parametrize(("given", "wanted", "note"), SIZES.values(), ids=SIZES)
def test_match_input_takes_the_nearest_size_and_says_so(
    comfy: PaidServer, given: tuple[int, int], wanted: tuple[int, int], note: str
) -> None:
    entry = comfy.run({"1": grey(*given), "2": edit("match", image=["1", 0]), "3": show(["2", 3]), "4": save(["2", 0])})
    comfy.succeeded(entry)
    assert comfy.images(entry, "4")[0].size == wanted
    notes = " ".join(info_of(entry)["notes"])
    assert note in notes
    assert bool(notes) == bool(note)


def test_a_count_of_four_is_one_batch_with_seeds_in_order(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)
    prompt_id = comfy.queue(saved("four of them", seed=100, count=4))
    comfy.sandbox.wait("billed", 4)
    for number in (4, 3, 2, 1):  # the last is done first
        comfy.sandbox.finish(number=number)
        comfy.sandbox.wait("delivered", number=number)
    entry = comfy.wait(prompt_id)
    comfy.succeeded(entry)
    pictures = comfy.images(entry, "2")
    assert len(pictures) == 4
    for picture, seed in zip(pictures, range(100, 104), strict=True):
        assert_drawn(picture, "four of them", seed, (256, 256))
    info = info_of(entry)
    assert (info["seeds"], info["credits"]) == ([100, 101, 102, 103], 100)
    assert comfy.sandbox.state()["max_in_flight"] == 4
    ids = {task["seed"]: task["task_id"] for task in comfy.sandbox.state()["tasks"]}
    assert info["task_ids"] == [ids[seed] for seed in range(100, 104)]


def test_a_64_bit_seed_is_folded_and_told(comfy: PaidServer) -> None:
    entry = comfy.run(saved("a big seed", seed=2**64 - 1, count=2))
    comfy.succeeded(entry)
    info = info_of(entry)
    assert info["seeds"] == [2**31 - 1, 0]
    assert any(str(2**64 - 1) in note and str(2**31 - 1) in note for note in info["notes"])
    assert [task["seed"] for task in comfy.sandbox.state()["tasks"]] in ([2**31 - 1, 0], [0, 2**31 - 1])
    assert_drawn(comfy.images(entry, "2")[0], "a big seed", 2**31 - 1, (256, 256))


@pytest.mark.parametrize("linked", [False, True], ids=["typed", "linked"])
def test_seed_minus_one_draws_anew_at_every_run_and_is_known(comfy: PaidServer, linked: bool) -> None:
    workflow = saved(f"a drawn seed, {'linked' if linked else 'typed'}", seed=["9", 0] if linked else -1)
    if linked:
        workflow["9"] = {"class_type": "PrimitiveInt", "inputs": {"value": -1}}
    seeds = [info_of(comfy.run(workflow))["seeds"][0] for _ in range(2)]
    assert [task["seed"] for task in comfy.sandbox.state()["tasks"]] == seeds
    assert seeds[0] != seeds[1]


def test_wait_off_gives_the_ids_at_once_and_task_wait_collects(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)  # until told
    entry = comfy.run(
        {
            "1": generate("for later", seed=20, count=2, wait=False),
            "2": save(["1", 0]),
            "3": show(["1", 2]),
            "4": show(["1", 3]),
        }
    )
    outputs = comfy.succeeded(entry)
    assert "2" not in outputs, "what hangs on the images stops"
    ids = text_of(entry, "3")
    assert len(ids.splitlines()) == 2
    assert info_of(entry, "4")["credits"] == 50
    waiting = comfy.queue({"1": task_wait(ids), "2": save(["1", 0]), "3": show(["1", 3])})
    comfy.sandbox.finish()
    entry = comfy.wait(waiting)
    comfy.succeeded(entry)
    for picture, seed in zip(comfy.images(entry, "2"), (20, 21), strict=True):
        assert_drawn(picture, "for later", seed, (256, 256))
    assert info_of(entry)["credits"] == 0
    assert comfy.sandbox.billed == 2


def test_wait_off_linked_to_task_wait_in_one_graph(comfy: PaidServer) -> None:
    entry = comfy.run(
        {
            "1": generate("through a link", wait=False),
            "2": task_wait(["1", 2]),
            "3": save(["2", 0]),
        }
    )
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "3")[0], "through a link", 7, (256, 256))
    assert comfy.sandbox.billed == 1


def test_two_prompts_queued_one_after_the_other(comfy: PaidServer) -> None:
    first, second = comfy.queue(saved("queued first")), comfy.queue(saved("queued second"))
    for prompt_id, prompt in ((first, "queued first"), (second, "queued second")):
        entry = comfy.wait(prompt_id)
        comfy.succeeded(entry)
        assert_drawn(comfy.images(entry, "2")[0], prompt, 7, (256, 256))
    assert comfy.sandbox.billed == 2


def test_a_list_of_prompts_runs_at_the_same_time(comfy: PaidServer) -> None:
    lines = ["one at the same time", "two at the same time", "three at the same time"]
    comfy.sandbox.tasks(seconds=None)
    prompt_id = comfy.queue(
        {
            "1": {"class_type": "StoryLines", "inputs": {"lines": "\n".join(lines)}},
            "2": {"class_type": "HunyuanGenerate", "inputs": {"prompt": ["1", 0], "seed": 7, **SMALL}},
            "3": save(["2", 0]),
        }
    )
    comfy.sandbox.wait("answered", 3)  # all three are there before any of them ends
    comfy.sandbox.finish()
    entry = comfy.wait(prompt_id)
    comfy.succeeded(entry)
    for picture, line in zip(comfy.images(entry, "3"), lines, strict=True):
        assert_drawn(picture, line, 7, (256, 256))
    assert comfy.sandbox.billed == 3


def test_two_nodes_of_one_prompt_run_at_the_same_time(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(seconds=None)
    prompt_id = comfy.queue({"1": generate("left"), "2": save(["1", 0]), "3": generate("right"), "4": save(["3", 0])})
    comfy.sandbox.wait("answered", 2)
    comfy.sandbox.finish()
    entry = comfy.wait(prompt_id)
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "left", 7, (256, 256))
    assert_drawn(comfy.images(entry, "4")[0], "right", 7, (256, 256))


def test_a_node_that_freezes_the_loop_loses_nothing(comfy: PaidServer) -> None:
    """It is frozen until the task is polled, and then until the gateway has sent the image."""
    comfy.sandbox.tasks(seconds=None)
    control = f"{comfy.sandbox.url}/_sandbox"
    which = "prompt=while+it+is+frozen&timeout=50"
    steps = [f"GET {control}/wait?event=poll&{which}", f"POST {control}/finish"]
    steps.append(f"GET {control}/wait?event=delivered&{which}")
    entry = comfy.run(
        {
            "1": generate("while it is frozen"),
            "2": save(["1", 0]),
            "3": {"class_type": "StoryFreeze", "inputs": {"requests": "\n".join(steps)}},
            "4": show(["3", 0]),
        },
        timeout=120,
    )
    comfy.succeeded(entry)
    assert_drawn(comfy.images(entry, "2")[0], "while it is frozen", 7, (256, 256))


def test_another_branch_ends_well_when_one_blocks(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", prompt="the bad branch", task={"fail": "the paint ran out"}, times="always")
    workflow = {
        "1": generate("the bad branch", on_failure="block"),
        "2": save(["1", 0]),
        "3": generate("the good branch"),
        "4": save(["3", 0]),
    }
    entry = comfy.run(workflow)
    outputs = comfy.succeeded(entry)
    assert "2" not in outputs
    assert_drawn(comfy.images(entry, "4")[0], "the good branch", 7, (256, 256))
    told = [message.data for message in comfy.messages("execution_error", entry["prompt"][1])]
    assert ["the paint ran out" in each["exception_message"] for each in told] == [True]
    assert (comfy.sandbox.billed, comfy.sandbox.refunded) == (2, 1)


def test_a_failure_that_raises_stops_the_prompt_and_keeps_the_other_branchs_image(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", prompt="the raising branch", task={"fail": "no paint", "seconds": 0.3})
    comfy.sandbox.script(on="create", prompt="the slow branch", task={"seconds": None})
    entry = comfy.run(
        {
            "1": generate("the raising branch"),
            "2": save(["1", 0]),
            "3": generate("the slow branch"),
            "4": save(["3", 0]),
        }
    )
    told = comfy.error(entry)
    assert told is not None and told["node_id"] == "1"
    comfy.sandbox.finish()
    until("the other branch's image on disk", state_is(comfy, "the slow branch", "collected"))
    again = comfy.run({"3": generate("the slow branch"), "4": save(["3", 0])})
    comfy.succeeded(again)
    assert comfy.sandbox.billed == 2


def test_a_failed_task_says_the_gateways_words_by_default(comfy: PaidServer) -> None:
    comfy.sandbox.tasks(fail={"message": "flagged by the filter", "code": 1200})
    told = comfy.error(comfy.run(saved("something moderated")))
    assert told is not None
    assert "flagged by the filter" in told["exception_message"]
    assert "moderation" in told["exception_message"]
    assert comfy.sandbox.task()["task_id"] in told["exception_message"]
    assert [row["state"] for row in rows(comfy, "something moderated")] == ["failed"]


def test_bar_and_text_reach_the_submitting_client_only(comfy: PaidServer) -> None:
    comfy.socket("bystander")
    comfy.sandbox.tasks(seconds=3)  # a bar between its ends is told of, also by a machine that stalls for a second
    entry = comfy.run(saved("who sees it"), client_id="submitter")
    comfy.succeeded(entry)
    task_id = comfy.sandbox.task()["task_id"]
    texts = [message.data["text"] for message in comfy.messages("progress_text", client_id="submitter")]
    assert any("25 credits" in text and " s" in text for text in texts)
    (end,) = [message.data for message in comfy.messages("hunyuan.run", client_id="submitter")]
    assert (end["outcome"], end["credits"], end["task_ids"]) == ("done", 25, [task_id])
    assert end["text"] == texts[-1]
    bars = [
        message.data["nodes"]["1"]
        for message in comfy.messages("progress_state", client_id="submitter")
        if "1" in message.data["nodes"]
    ]
    values = [bar["value"] / bar["max"] for bar in bars if bar["max"] == 100]
    assert values == sorted(values)
    assert values[-1] == 1.0
    assert any(0 < value < 1 for value in values)
    assert len(set(values)) <= 4 * end["seconds"] + 2, "each move of the bar makes a page draw the node anew"
    assert not json.dumps([bars, texts]).count(comfy.sandbox.key)
    seen = comfy.messages(client_id="bystander")
    assert not [message for message in seen if message.type in ("progress_text", "progress_state", "hunyuan.run")]
    assert task_id not in json.dumps([message.data for message in seen if not message.type.startswith("hunyuan.")])


def test_a_size_out_of_range_is_refused_by_comfyui(comfy: PaidServer) -> None:
    with pytest.raises(PromptRejected):
        comfy.queue(saved("too small", width=64))
    with pytest.raises(PromptRejected):
        comfy.queue(saved("too many", count=9))
    assert asked(comfy) == []


BAD_PROMPTS = {"empty": " \n ", "too long": "x" * 2001, "half a character": "\ud83d in the middle"}


@pytest.mark.parametrize("prompt", BAD_PROMPTS.values(), ids=BAD_PROMPTS)
def test_a_prompt_the_api_cannot_take_is_refused_before_anything_is_sent(comfy: PaidServer, prompt: str) -> None:
    told = comfy.error(comfy.run({"1": generate(["v", 0]), "2": save(["1", 0]), "v": value(prompt)}))
    assert told is not None
    assert "No credits were spent." in told["exception_message"]
    assert asked(comfy) == []


def test_one_item_of_a_list_blocks_and_the_others_are_saved(comfy: PaidServer) -> None:
    lines = ["good item", "bad item of the list", "good item too"]
    comfy.sandbox.script(on="create", prompt="bad item", task={"fail": "not this one"})
    workflow = {
        "1": {"class_type": "StoryLines", "inputs": {"lines": "\n".join(lines)}},
        "2": {
            "class_type": "HunyuanGenerate",
            "inputs": {"prompt": ["1", 0], "seed": 7, "on_failure": "block", **SMALL},
        },
        "3": save(["2", 0]),
    }
    entry = comfy.run(workflow)
    comfy.succeeded(entry)
    for picture, line in zip(comfy.images(entry, "3"), (lines[0], lines[2]), strict=True):
        assert_drawn(picture, line, 7, (256, 256))
    again = comfy.run(workflow)
    comfy.succeeded(again)
    assert len(comfy.images(again, "3")) == 3, "the next run makes the one that failed"
    assert (comfy.sandbox.billed, comfy.sandbox.refunded) == (4, 1)


def test_a_node_with_a_blocked_input_is_not_run(comfy: PaidServer) -> None:
    comfy.sandbox.script(on="create", prompt="the first of a chain", task={"fail": "no"})
    entry = comfy.run(
        {
            "1": generate("the first of a chain", on_failure="block"),
            "2": edit("the second of a chain", image=["1", 0]),
            "3": save(["2", 0]),
            "4": task_wait(["1", 2]),
            "5": save(["4", 0]),
        }
    )
    assert not comfy.succeeded(entry)
    assert [task["type"] for task in comfy.sandbox.state()["tasks"]] == ["text-to-image"]


def test_a_prompt_of_no_client_tells_no_other_client_of_it(comfy: PaidServer) -> None:
    comfy.socket("onlooker")
    answer = comfy.http.post(f"{comfy.url}/prompt", json={"prompt": saved("queued by a script")}, timeout=30).json()
    until("the prompt's end", lambda: answer["prompt_id"] in comfy.get_json(f"/history/{answer['prompt_id']}"))
    comfy.succeeded(comfy.history(answer["prompt_id"]))
    assert comfy.messages("progress_text", client_id="onlooker") == []
    assert comfy.sandbox.billed == 1


def test_chinese_and_emoji_prompts_arrive_as_they_are(comfy: PaidServer) -> None:
    prompt = '一盏红灯笼，清晨的阳光 🏮 "quoted" \\ back\nsecond line\t<b>&amp;</b> %s {x}'
    entry = comfy.run(saved(prompt))
    comfy.succeeded(entry)
    assert comfy.sandbox.task()["prompt"] == prompt
    assert_drawn(comfy.images(entry, "2")[0], prompt, 7, (256, 256))


def test_linked_values_are_checked_too(comfy: PaidServer) -> None:
    """ComfyUI checks no range of a linked value: the node does, before anything is sent."""
    for name, number in (("width", 99), ("count", 9), ("seed", -5)):
        workflow = {
            **saved("linked badly", **{name: ["9", 0]}),
            "9": {"class_type": "PrimitiveInt", "inputs": {"value": number}},
        }
        told = comfy.error(comfy.run(workflow))
        assert told is not None
        assert name in told["exception_message"]
        assert str(number) in told["exception_message"]
    assert asked(comfy) == []
