"""Task ids that a gateway gave with commas, blanks or any letters in them: a node put them out, so nodes take them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..hunyuan.errors import HunyuanError, InvalidTaskIdError
from ..hunyuan.models import check_task_id
from ..hunyuan.task_ids import check_given_id
from .input_values import MAX_TASK_IDS, split_ids

PATIENCE = 1.0  # seconds for a look-up while a prompt is queued

if TYPE_CHECKING:
    from .runtime import Runtime


def known_ids(given: str, runtime: Runtime) -> frozenset[str]:
    """The lines that are whole ids of tasks in the journal, of those that would be parted or refused. Blocking.

    Raises JournalError."""
    return frozenset(line for line in _odd_lines(given) if runtime.journal.by_task_id(line) is not None)


async def known_at_queue(given: str) -> frozenset[str]:
    """The same while a prompt is queued, where nothing may be waited for long: what cannot be looked up counts as
    known, and is judged when the node runs."""
    from .runtime import ready_runtime

    odd, here = _odd_lines(given), ready_runtime()
    if odd and here is not None:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(here.call(known_ids, given, here)), PATIENCE)
        except (HunyuanError, asyncio.TimeoutError):
            pass
    return frozenset(odd)


def _odd_lines(given: str) -> list[str]:
    lines = dict.fromkeys(line.strip() for line in given.splitlines())
    return [line for line in lines if line and not _is_plain(line) and _may_be_given(line)][:MAX_TASK_IDS]


def _may_be_given(line: str) -> bool:
    try:
        return check_given_id(line) == line
    except InvalidTaskIdError:
        return False


def _is_plain(line: str) -> bool:
    try:
        return split_ids(line) == [check_task_id(line)]
    except InvalidTaskIdError:
        return False
