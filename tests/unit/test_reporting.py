"""What `info` says of the images that came, and of what they cost."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.kit.pack import load

models, rows, handle = load("hunyuan.models"), load("hunyuan.journal.records"), load("hunyuan.jobs.handle")
reporting = load("nodes.status.reporting")


@dataclass(frozen=True)
class Came:
    """An image of this size."""

    width: int
    height: int


def collected(size: tuple[int, int] | None, *came: tuple[int, int], credits: int = 25, task_id: str = "n1") -> Any:
    row = rows.TaskRow(
        id="r", fingerprint="f", task_id=task_id, state=models.TaskState.COLLECTED, type=None, prompt="", seed=1,
        size=models.ImageSize(*size) if size else None, model="", base_url="", account="", images=(), credits=credits,
        prompt_id="", node_id="", session="", owner="", created_at=0.0,
    )  # fmt: skip
    return handle.Collected(row, tuple(Came(*each) for each in came), paid=True)


def test_a_size_that_was_not_asked_for_is_noted() -> None:
    notes = reporting.size_notes(
        [
            collected((1024, 1024), (1024, 1024)),
            collected((1280, 768), (1280, 720), task_id="n2"),
            collected(None, (5, 5)),
            collected((512, 512), (512, 512), (256, 256), task_id="n4"),
        ]
    )
    assert notes == [
        "Image 2 (task n2) came as 1280*720 pixels, asked for was 1280*768.",
        "Image 5 (task n4) came as 256*256 pixels, asked for was 512*512.",
    ]


@pytest.mark.parametrize(
    ("asked", "came", "missed"),
    [
        ({"aspect_ratio": "16:9"}, (1344, 768), ""),
        ({"aspect_ratio": "3:2"}, (1216, 832), ""),
        ({"aspect_ratio": "4:3"}, (1152, 896), ""),
        ({"aspect_ratio": "21:9"}, (1536, 640), ""),
        ({"aspect_ratio": "16:9"}, (1024, 1024), "16:9"),
        ({"size": "9:16"}, (1344, 768), "9:16"),
        ({"size": "4:3"}, (1280, 1024), "4:3"),
        ({"aspect_ratio": "auto", "n": 2, "style": "2:1:1"}, (1024, 512), ""),
        ({"resolution": "2K"}, (2048, 1152), ""),
        ({"resolution": "2K"}, (2730, 1536), ""),
        ({"resolution": "1k"}, (1568, 672), ""),
        ({"resolution": "2K"}, (1024, 1024), "2K"),
        ({"resolution": "1K"}, (2048, 2048), "1K"),
        ({"resolution": "2K", "aspect_ratio": "9:16"}, (1344, 768), "2K and 9:16"),
    ],
)
def test_a_ratio_or_a_resolution_that_was_not_asked_for_is_noted(
    asked: dict[str, str | int], came: tuple[int, int], missed: str
) -> None:
    task = collected(None, came)
    task = handle.Collected(dataclasses.replace(task.row, parameters=tuple(asked.items())), task.images)
    text = f"Image 1 (task n1) came as {came[0]}*{came[1]} pixels, asked for was {missed}."
    assert reporting.size_notes([task]) == ([text] if missed else [])


def test_the_credits_of_a_run_are_those_that_the_gateway_charged() -> None:
    tasks = [collected((512, 512), (512, 512), credits=credits) for credits in (15, 25, 0)]
    outcomes = [reporting.Outcome(1, each.row, each, paid=True) for each in tasks]
    reused = reporting.Outcome(1, tasks[1].row, tasks[1], paid=False)
    info = json.loads(reporting.info_json([*outcomes, reused], []))
    assert (info["credits"], info["reused"]) == (40, 1)


def test_the_status_line_counts_what_was_charged_as_far_as_it_is_known() -> None:
    done, created, waiting, free = (handle.Handle(60.0) for _ in range(4))
    done.mark_done(collected((512, 512), (512, 512), credits=15))
    created.mark_created(collected((512, 512), credits=40).row, paid=True)
    free.mark_created(collected((512, 512)).row, paid=False)
    assert [reporting.cost_of(each, 25) for each in (done, created, waiting, free)] == [15, 40, 25, 0]
    assert reporting.cost_of(waiting, 7) == 7
    assert reporting.cost_of(created, 0) == 0


def test_links_that_were_not_fetched_are_noted() -> None:
    task = collected(None, (5, 5), (5, 5))
    urls = tuple(f"https://cdn.test/{number}" for number in range(20))
    more = handle.Collected(dataclasses.replace(task.row, urls=urls), task.images)
    assert reporting.size_notes([task]) == []
    assert reporting.size_notes([more]) == [
        "The gateway gave 20 links for task n1, of which the first 2 were fetched. image_urls has them all."
    ]
