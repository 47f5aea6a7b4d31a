"""When to poll next, and what a poll tells of how long a task took. Pure arithmetic in seconds after the create.

Randomness comes in as a number (`phase`, 0..1), so that every decision can be shown in a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ..limits import LONGEST_RETRY_AFTER

# Polling without history. Steps in a constant ratio bound what a poll adds to that ratio at any duration:
# from 3 s to 20 s with 1.135 it is 13.5 % at worst, half of that on average, in 16 polls.
FIRST_POLL, POLL_RATIO = 3.1, 1.135
# Polls before the ones that history aims: a task of 1 s or more that ends before all that were seen is noticed within
# 15 % of its time + 0.4 s. Nine of them before a task of 11 s.
EARLY_POLL, EARLY_RATIO, EARLY_STEP = 1.4, 1.145, 0.395
EARLY_SPREAD = 0.13  # seconds of the first one's, for tasks that began together
NEAR = 0.6  # seconds; an early poll so shortly before the second aimed one does the work of the first
LONGEST_POLL_GAP = 10.0
SHORTEST_POLL_GAP = 0.05  # seconds after an answer; well under LEARNED_STEP, or the time that answers take skips polls
LEARNED_STEP = 0.12  # seconds; the finest aim that is worth a request
TAIL_STEP = 0.2  # seconds; the first step past that window
LEARNED_POLLS = 3  # steps across the window in which recent tasks ended: 8 polls reach a second past its strays
# A task that was done at its first poll may have been done long before: look earlier next time, and much earlier
# where that first poll was not aimed by history.
EARLIER, MUCH_EARLIER = 0.93, 0.7


def plan(history: Sequence[float], phase: float) -> Iterator[float]:
    """Seconds after the create at which to poll, without end.

    history: recent durations of such tasks in seconds, newest first (empty: a prior of 3 to 20 s).
    phase: 0..1, spreads the polls of tasks that began together.
    """
    aimed = _aimed(history, phase)
    early = _early(aimed[0], phase) if history else []
    if early and len(aimed) > 1 and aimed[1] - early[-1] < NEAR:
        del aimed[0]
    yield from early
    yield from aimed
    last = aimed[-1]
    gap = max(aimed[-1] - aimed[-2], TAIL_STEP) if len(aimed) > 1 else last
    while gap < last * (POLL_RATIO - 1):  # past the window: soon sparser
        last += gap
        yield last
        gap *= 1.5
    for _ in itertools.count():
        last += min(LONGEST_POLL_GAP, last * (POLL_RATIO - 1))
        yield last


def _early(until: float, phase: float) -> list[float]:
    """The polls before the aimed ones."""
    times, time = [], EARLY_POLL + EARLY_SPREAD * phase
    while time < until:
        times.append(time)
        time = time * EARLY_RATIO + EARLY_STEP
    return times


def _aimed(history: Sequence[float], phase: float) -> list[float]:
    """The polls where such tasks ended lately; one alone where that is not known or too wide to aim."""
    window = _window(history)
    if window is None:
        # Tasks may be shorter than the first poll without history: once seen, they are looked for earlier.
        shortest = EARLIER * min(history[:12]) if history else FIRST_POLL
        return [min(FIRST_POLL, shortest) * (0.97 + 0.06 * phase)]
    low, high, step = window
    shift = 0.3 * step * phase  # just after the times at which such tasks ended, not just before
    times = [low + shift + step * k for k in range(-1, int((high - low) / step + 1.5))]
    return [time for time in times[:-1] if time > 0] + times[-1:]


def _window(history: Sequence[float]) -> tuple[float, float, float] | None:
    """The span in which such tasks ended lately and the step across it; None where it is too wide to aim."""
    recent = sorted(history[:12])
    if not recent:
        return None
    if len(recent) >= 8:
        recent = recent[1:-1]  # one stray each way does not widen the aim
    low, high = recent[0], recent[-1]
    step = max(LEARNED_STEP, (high - low) / LEARNED_POLLS)
    wide = step > max(LEARNED_STEP, low * (POLL_RATIO - 1))
    return None if wide else (low, high, step)


def aim(elapsed: float, progress: float | None) -> float | None:
    """When the task ends by the gateway's own progress (0..1), in seconds after the create; None where it says none."""
    return elapsed / progress if progress is not None and 0.05 <= progress < 1 else None


def next_poll(
    times: Iterator[float], elapsed: float, aimed: float | None = None, retry_after: float | None = None
) -> float:
    """The next time to poll, in seconds after the create, later than now.

    aimed: when the task ends by the gateway's progress, as long as that has not aimed too early. retry_after: seconds
    from now before which the gateway does not want to be asked.
    """
    earliest = elapsed + max(SHORTEST_POLL_GAP, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
    # Of a task of last year the plan is far behind, and would take seconds to come up with it.
    planned = next((time for time in itertools.islice(times, 1000) if time >= earliest), earliest + LONGEST_POLL_GAP)
    if aimed is None:
        return planned
    longest = elapsed + min(LONGEST_POLL_GAP, max(elapsed * 0.5, 1.0))
    return max(earliest, min(aimed, longest))


def measured(last_pending: float | None, done: float, *, aimed: bool) -> float:
    """How long a task took, in seconds: between the last poll that said no and the one that said yes.

    aimed: whether history told when to poll first.
    """
    if last_pending is not None:  # early polls lie too far apart for the middle between them
        return max((last_pending + done) / 2, done * EARLIER)
    return done * (EARLIER if aimed else MUCH_EARLIER)


def quiet_gap(age: float) -> float:
    """Seconds between polls that nobody waits for: sparse, and sparser with the task's age."""
    return min(600.0, max(5.0, age * 0.1))
