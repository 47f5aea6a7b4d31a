"""Tasks that are not asked for by themselves any more: told in the list, and fetched when the user asks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hunyuan.addresses import Address
from hunyuan.errors import NotAnImageError, TooLargeError
from hunyuan.http.transport import Exchange
from hunyuan.journal.records import ENDED_PROCESS, GIVEN_UP
from hunyuan.models import TaskState
from hunyuan.storage.decode_markers import DecodingMarks
from tests.kit.rig import Picture8, Rig, Wire, decode, story
from tests.unit.test_tasks_bounds import answers_large
from tests.unit.test_tasks_sweeper import gone, sleep_through

ROOT = Path(__file__).resolve().parents[2]
DAY = 86400.0


async def later(rig: Rig, *seconds: float) -> None:
    """So much later each, with a few rounds of the sweeper."""
    for each in seconds:
        sleep_through(rig, each)
        await rig.clock.sleep(12)


async def by_id(rig: Rig) -> object:
    """Task Wait, or Collect in the list."""
    return await rig.collected(rig.attach(str(rig.rows()[0].task_id)))


async def by_request(rig: Rig) -> object:
    """The same workflow, run again."""
    return await rig.collected(rig.submit(5)[0])


ASKED = pytest.mark.parametrize("ask", [by_id, by_request])


@ASKED
@story
async def test_a_task_whose_file_killed_the_process_is_fetched_when_the_user_asks(
    rig: Rig, ask: Callable[[Rig], Awaitable[object]]
) -> None:
    await gone(rig, 5)
    (row,) = rig.rows()
    (rig.directory / "decoding").mkdir()
    (rig.directory / "decoding" / row.id).touch()  # as a killed process leaves it, see below
    other = rig.another()
    other.runner.start_sweeper()
    await later(rig, 3, DAY)
    assert rig.count("downloads") == 0
    (row,) = other.rows()
    assert (row.error_code, row.lost_at) == (ENDED_PROCESS, None)
    assert ENDED_PROCESS in [change.error_code for change in other.changes], "the list is told"
    third = rig.another("worker-3")
    third.runner.start_sweeper()
    await later(rig, 40, 600)
    assert rig.count("downloads") == 0, "nor by the next start"
    assert await ask(third)
    (row,) = third.rows()
    assert (row.state, row.error_code, rig.billed) == (TaskState.COLLECTED, "", 1)
    assert list((rig.directory / "decoding").iterdir()) == []


DIES = """
import os, sys
from dataclasses import replace
from pathlib import Path
from tests.kit.rig import play
async def told(rig):
    rig.runner.tools = replace(rig.runner.tools, decode=lambda data, most: os._exit(137))
    await rig.collected(rig.submit(5)[0])
play(told, Path(sys.argv[1]))
"""


@pytest.fixture
def died_of_a_file(tmp_path: Path) -> None:
    """A process that ended while it decoded its first task's file, on the test's directory."""
    done = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 137


@pytest.mark.usefixtures("died_of_a_file")
@story
async def test_a_process_that_dies_of_a_file_is_told_of_at_the_next_start(rig: Rig) -> None:
    other = rig.another()
    other.runner.start_sweeper()
    await rig.clock.sleep(60)
    assert [row.error_code for row in other.rows()] == [ENDED_PROCESS]
    assert rig.count("requests") == 0


KILLED = """
import os, sys
from pathlib import Path
from hunyuan.storage.decode_markers import DecodingMarks
marks = DecodingMarks(Path(sys.argv[1]))
with marks.hold("other"):
    pass
with marks.hold("task"):
    {ending}
"""


@pytest.mark.parametrize(
    ("ending", "left"),
    [("os._exit(9)", True), ("raise ValueError", False), ("marks.close(); os._exit(0)", False)],
)
def test_only_what_was_killed_leaves_a_mark(tmp_path: Path, ending: str, left: bool) -> None:
    command = [sys.executable, "-c", KILLED.format(ending=ending), str(tmp_path / "decoding")]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    marks = DecodingMarks(tmp_path / "decoding")
    assert (marks.is_left("task"), marks.is_left("other")) == (left, False)
    marks.clear("task")
    assert not marks.is_left("task")


def test_a_mark_lasts_until_the_last_of_a_tasks_images_is_decoded(tmp_path: Path) -> None:
    marks = DecodingMarks(tmp_path)
    with marks.hold("task"):
        with marks.hold("task"):
            pass
        assert (tmp_path / "task").exists()
        assert not marks.is_left("task"), "this process has it in hand"
    assert list(tmp_path.iterdir()) == []


@story
async def test_the_mark_stands_while_a_file_is_decoded(rig: Rig) -> None:
    seen: list[Path] = []

    def looking(data: bytes, max_pixels: int) -> Picture8:
        seen.extend((rig.directory / "decoding").iterdir())
        return decode(data)

    rig.runner.tools = replace(rig.runner.tools, decode=looking)
    got = await rig.collected(rig.submit(5)[0])
    assert [path.name for path in seen] == [got.row.id]
    assert list((rig.directory / "decoding").iterdir()) == []


def refusing(error: type[NotAnImageError | TooLargeError]) -> Callable[[bytes, int], Picture8]:
    def refuse(data: bytes, max_pixels: int) -> Picture8:
        raise error("The file is none that can be read.")

    return refuse


@ASKED
@pytest.mark.parametrize("error", [NotAnImageError, TooLargeError])
@story
async def test_a_file_that_is_never_an_image_is_asked_for_a_handful_of_times(
    rig: Rig, error: type[NotAnImageError | TooLargeError], ask: Callable[[Rig], Awaitable[object]]
) -> None:
    await gone(rig, 5)
    other = rig.another()
    other.runner.tools = replace(other.runner.tools, decode=refusing(error))
    other.runner.sweeper._tools = other.runner.tools
    other.runner.start_sweeper()
    await later(rig, 2, 120, 420, 1200)
    assert rig.count("downloads") == 3, "a file server may be ill for a while"
    await later(rig, 2000, 5000, 10000, DAY, 4 * DAY, 4 * DAY)
    assert rig.count("downloads") == 5
    (row,) = other.rows()
    assert (row.state, row.error_code, row.lost_at) == (TaskState.SUCCEEDED, GIVEN_UP, None)
    assert row.error_text == "The file is none that can be read."
    third = rig.another("worker-3")
    assert await ask(third)
    assert (third.rows()[0].error_code, rig.billed) == ("", 1)


@story
async def test_an_answer_that_is_never_read_whole_is_asked_for_a_handful_of_times(rig: Rig) -> None:
    await gone(rig, 5)
    large = answers_large(rig)
    other = rig.another()
    other.wire = rig.wire
    other.client._transport = rig.wire
    other.runner.start_sweeper()
    await later(rig, *[10_000.0] * 12)
    assert len(large.caps) <= 15
    (row,) = other.rows()
    assert (row.state, row.error_code) == (TaskState.SUBMITTED, GIVEN_UP)
    assert await by_id(other)
    assert other.rows()[0].state is TaskState.COLLECTED


class Misleading(Wire):
    """Has a page at the gateway that is no image, and says that it is one."""

    def fetch(self, address: Address, *, headers: Mapping[str, str], **given: object) -> Exchange:
        if address.target == "/status":
            return Exchange(200, {"content-type": "application/json"}, b'{"status": "IN_PROGRESS"}')
        return super().fetch(address, headers=headers, **given)


MISLED = {"on": "poll", "body": {"data": {"status": "SUCCESS", "url": "http://sandbox.invalid/status"}}}


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("seconds", [0.5, 40.0])
@story(MISLED, task=lambda seconds: {"seconds": seconds})
async def test_a_link_that_is_no_image_is_asked_for_once_more(rig: Rig, seconds: float, waits: bool) -> None:
    rig.client._transport = rig.wire = Misleading(rig.gateway)
    rig.runner.start_sweeper()
    handle = rig.submit(5)[0]
    if waits:
        assert (await rig.collected(handle)).paid
    else:
        await rig.clock.sleep(0.2)
        handle.detach()
        await rig.until(lambda: rig.rows()[0].state is TaskState.COLLECTED, within=1200)
    (row,) = rig.rows()
    assert (rig.billed, row.error_code) == (1, "")
    assert row.urls == tuple(file.url for file in row.files), "the node gives the link that led to the image"
