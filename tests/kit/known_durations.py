"""A journal that has seen quick tasks: the first poll of a test then comes when its task is done, not after 3 s."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hunyuan.journal.database import Database
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import Begun, Limits, RunContext
from hunyuan.models import GenerationRequest, ImageSize, TaskType

TEXT = ("256*256", "320*256", "512*384", "1024*1024", "1280*720")
EDIT = ("256*256", "304*408", "400*300", "300*260", "320*256", "768*768", "1344*960", "1536*768", "256*384", "1536*256")
OTHERS = {  # model: its choices, as the templates have them
    "flux-2": "pro 1K 1:1",
    "gpt-image-1-5": "1:1 medium",
    "ideogram-v3-turbo": "1:1 Design",
    "seedream/4.5-edit": "1:1 basic",
    "seedream/4.5-text-to-image": "1:1 basic",
}
LONG_AGO = 1_600_000_000.0  # unix seconds: of no day and no session that a test looks at


class _LongAgo:
    def time(self) -> float:
        return LONG_AGO


def remember_quick_tasks(state_directory: Path, seconds: float = 0.4, url: str = "") -> None:
    """Three tasks of each kind and size that took so long; hidden, and counted long ago.

    url: another journal than the directory's own."""
    state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock = _LongAgo()
    journal = Journal(Database(state_directory, url, clock=clock, announce=_never), worker_id="before the tests")
    for request in [*_of_hunyuan(), *_of_others()]:
        begun = journal.begin(request, base_url="http://long.ago", account="", context=RunContext(), limits=Limits())
        assert isinstance(begun, Begun)
        journal.mark_succeeded(begun.row.id, ["http://long.ago/result.png"], seconds)
        journal.mark_collected(begun.row.id, [])
        journal.mark_hidden(begun.row.id)
    journal.close()


def _of_hunyuan() -> Iterator[GenerationRequest]:
    kinds = [(TaskType.TEXT_TO_IMAGE, size) for size in TEXT] + [(TaskType.EDIT, size) for size in EDIT]
    for kind, size in kinds:
        for seed in range(3):
            images = ("url:http://long.ago/input.png",) if kind is TaskType.EDIT else ()
            yield GenerationRequest(kind, "long ago", ImageSize.parse(size), seed, "hunyuan-image-3", images)


def _of_others() -> Iterator[GenerationRequest]:
    for model, choices in OTHERS.items():
        for number in range(3):
            yield GenerationRequest(None, "long ago", None, None, model, choices=choices, variation=number)


def _never(text: str) -> None:
    raise AssertionError(text)
