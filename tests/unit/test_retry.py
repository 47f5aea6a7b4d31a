"""What may be sent again, and when to poll: the promises of speed and money as arithmetic."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable, Iterator

import pytest

from hunyuan import errors
from hunyuan.jobs import poll_times, retry
from hunyuan.jobs.retry import Known, Next

OURS = Known.AS_OURS


def story(duration: float, history: list[float], phase: float) -> tuple[float, int, float]:
    """Polls one task of `duration` seconds; gives (seconds added, polls, what would be learned)."""
    times = poll_times.plan(history, phase)
    elapsed, polls, pending = 0.0, 0, None
    while True:
        elapsed = poll_times.next_poll(times, elapsed)
        polls += 1
        if elapsed >= duration:
            return elapsed - duration, polls, poll_times.measured(pending, elapsed, aimed=bool(history))
        pending = elapsed


def test_aim_without_history_adds_seven_percent_on_average_and_fourteen_at_worst() -> None:
    for seed in range(10):
        rng = random.Random(seed)
        shares, polls = [], []
        for duration in [3.0, 20.0, *(rng.uniform(3, 20) for _ in range(1000))]:
            added, count, _ = story(duration, [], rng.random())
            shares.append(added / duration)
            polls.append(count)
        assert statistics.mean(shares) <= 0.07, seed
        assert max(shares) <= 0.14, seed
        assert max(polls) <= 16, seed


def evenly(rng: random.Random) -> float:
    return rng.uniform(-0.5, 0.5)


def in_two_heaps(rng: random.Random) -> float:
    return rng.choice((-0.5, 0.5))


def around_the_middle(rng: random.Random) -> float:
    return max(-0.5, min(0.5, rng.gauss(0, 0.25)))


def with_strays(rng: random.Random) -> float:
    return 0.5 if rng.random() < 0.1 else -0.5


@pytest.mark.parametrize("spread", [evenly, around_the_middle, in_two_heaps, with_strays])
@pytest.mark.parametrize(("centre", "early"), [(3.5, 3), (8.0, 7), (11.0, 9), (15.0, 11), (20.0, 13)])
def test_aim_with_history_of_a_second_adds_a_third_of_a_second_in_eight_polls_and_the_early_ones(
    centre: float, early: int, spread: Callable[[random.Random], float]
) -> None:
    for seed in range(30):
        rng = random.Random(seed)
        history = [centre + spread(rng) for _ in range(12)]
        added, polls = [], []
        for _ in range(150):
            duration = centre + spread(rng)
            extra, count, learned = story(duration, history, rng.random())
            history = [learned, *history][:20]
            added.append(extra)
            polls.append(count)
            assert count <= 16 or duration > 11, seed
        assert statistics.mean(added) <= 0.3, seed
        assert max(polls) <= 8 + early, seed


SEEN = [[8.0] * 8, [60.5] * 3, [11.2], [20.0, 3.2, 11.0], [61.0, 90.0], [12.0 + k / 12 for k in range(12)], [30.0] * 20]


@pytest.mark.parametrize("history", SEEN, ids=lambda seen: f"{len(seen)} from {min(seen)} s")
def test_a_task_faster_than_all_before_it_is_noticed_soon(history: list[float]) -> None:
    for phase in (0.0, 0.25, 0.5, 0.75, 1.0):
        for duration in (k / 20 for k in range(20, 1201)):
            added, polls, _ = story(duration, history, phase)
            if duration < min(history):
                assert added <= 0.15 * duration + 0.4, (duration, phase)
            if duration <= min(11.0, max(history)):
                assert polls <= 16, (duration, phase)


def test_aim_follows_a_gateway_that_became_faster_or_slower() -> None:
    rng = random.Random(3)
    for before, after in ((12.0, 5.0), (5.0, 12.0)):
        history = [before + rng.uniform(-0.3, 0.3) for _ in range(12)]
        extra = 0.0
        for _ in range(40):
            extra, _, learned = story(after + rng.uniform(-0.3, 0.3), history, rng.random())
            history = [learned, *history][:12]
        assert extra <= 0.14 * after, f"{before} s to {after} s"


@pytest.mark.parametrize("duration", [0.5, 1.0, 2.0])
def test_tasks_shorter_than_the_first_poll_are_learned_too(duration: float) -> None:
    rng = random.Random(13)
    history: list[float] = []
    extra = 0.0
    for _ in range(40):
        extra, _, learned = story(duration + rng.uniform(-0.05, 0.05), history, rng.random())
        history = [learned, *history][:20]
    assert extra <= 0.3


def test_polls_grow_sparser_and_never_crowd() -> None:
    times = poll_times.plan([], 0.5)
    seen = [poll_times.next_poll(times, 0.0)]
    while seen[-1] < 600:
        seen.append(poll_times.next_poll(times, seen[-1]))
    gaps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert min(gaps) >= poll_times.SHORTEST_POLL_GAP
    assert max(gaps) <= poll_times.LONGEST_POLL_GAP + 1e-9
    assert len(seen) < 90


def test_progress_of_the_gateway_moves_the_aim() -> None:
    def after(elapsed: float, progress: float) -> float:
        return poll_times.next_poll(poll_times.plan([], 0.5), elapsed, poll_times.aim(elapsed, progress))

    assert after(6.0, 0.75) == pytest.approx(8.0)
    assert after(6.0, 0.999) == pytest.approx(6.0 + poll_times.SHORTEST_POLL_GAP)
    assert after(6.0, 0.06) == pytest.approx(9.0), "a doubtful far aim is looked at in between"


CREATE = [
    (errors.DnsError("x"), 1, Next.AGAIN),
    (errors.ConnectionRefusedByHostError("x"), 3, Next.AGAIN),
    (errors.ConnectionRefusedByHostError("x"), 4, Next.FAILED),
    (errors.ConnectTimeoutError("x"), 1, Next.AGAIN),
    (errors.TlsError("x"), 1, Next.FAILED),
    (errors.ProxyFailedError("x"), 1, Next.FAILED),
    (errors.TlsError("x", sent=True), 1, Next.UNKNOWN),
    (errors.AnswerLostError("x", sent=True), 1, Next.UNKNOWN),
    (errors.RateLimitedError("x", status=429), 99, Next.AGAIN),
    (errors.ServerError("x", status=503), 1, Next.UNKNOWN),
    (errors.UnreadableAnswerError("x", status=200), 1, Next.UNKNOWN),
    (errors.UnreadableAnswerError("x", status=405), 1, Next.FAILED),
    (errors.AuthenticationError("x", status=401), 1, Next.FAILED),
    (errors.OutOfCreditsError("x", status=402), 1, Next.FAILED),
    (errors.ModerationError("x", status=400), 1, Next.FAILED),
    (errors.HunyuanError("nobody thought of this"), 1, Next.UNKNOWN),
]


@pytest.mark.parametrize(("error", "attempt", "then"), CREATE)
def test_a_create_is_sent_again_only_when_it_certainly_did_not_arrive(
    error: errors.HunyuanError, attempt: int, then: Next
) -> None:
    assert retry.after_create(error, attempt, 0.5).next is then


def test_retry_after_is_heeded() -> None:
    assert retry.after_create(errors.RateLimitedError("x", retry_after=7), 1, 0.0).delay == 7
    assert retry.after_poll(errors.ServerError("x", retry_after=30), 1, 0.0, age=1, known=OURS).delay == 30


def test_no_outage_is_too_long_and_no_retry_after_too_wild() -> None:
    down = errors.ServerError("x", retry_after=1e9)
    assert retry.after_poll(down, 1, 0.0, age=1, known=OURS).delay == 900
    assert retry.after_create(errors.RateLimitedError("x", retry_after=1e9), 1, 0.0).delay == 900
    assert 7.5 <= retry.backoff(100_000, 0.0) <= 15


def test_what_failed_before_it_was_sent_costs_nothing() -> None:
    for error in (errors.SettingsError("x"), errors.MissingKeyError("x"), errors.InvalidRequestError("x")):
        assert retry.after_create(error, 1, 0.0).next is Next.FAILED


def test_an_unknown_id_is_said_at_once_but_a_task_of_ours_has_two_minutes_and_may_come_back() -> None:
    error = errors.UnknownTaskError("x", status=404)

    def then(attempt: int, age: float, known: Known) -> Next:
        return retry.after_poll(error, attempt, 0.5, age=age, known=known).next

    assert then(1, 2, Known.BY_NAME) is Next.GONE
    assert then(1, 2, OURS) is Next.AGAIN
    assert then(60, 119, OURS) is Next.AGAIN
    assert then(6, 121, OURS) is Next.AGAIN
    assert then(7, 121, OURS) is Next.REPORT
    assert then(7, 3599, OURS) is Next.REPORT
    assert then(7, 3601, OURS) is Next.GONE
    assert then(6, 2, Known.AS_ANOTHER_KEYS) is Next.AGAIN
    assert then(7, 2, Known.AS_ANOTHER_KEYS) is Next.GONE
    assert retry.after_poll(error, 50, 1.0, age=60, known=OURS).delay <= 6


def test_polls_are_patient_with_pages_but_not_with_shapes_nobody_reads() -> None:
    page, shape = errors.UnreadableAnswerError("html"), errors.UnreadableAnswerError("json")
    shape.is_json = True
    assert retry.after_poll(page, 50, 0.5, age=1, known=OURS).next is Next.AGAIN
    assert retry.after_poll(shape, 1, 0.5, age=1, known=OURS).next is Next.AGAIN
    assert retry.after_poll(shape, 3, 0.5, age=1, known=OURS).next is Next.REPORT


def test_downloads_wait_for_a_link_that_is_dead_at_first() -> None:
    dead = errors.LinkDeadError("x")
    assert retry.after_download(dead, 5, 0.5, since=20).next is Next.AGAIN
    assert retry.after_download(dead, 5, 0.5, since=61).next is Next.REPORT
    assert retry.after_download(errors.UnsafeAddressError("x"), 1, 0.5, since=0).next is Next.REPORT
    assert retry.after_download(errors.AnswerLostError("x"), 40, 0.5, since=500).next is Next.AGAIN
    assert retry.after_download(errors.NotAnImageError("x"), 1, 0.5, since=0).next is Next.AGAIN
    assert retry.after_download(errors.NotAnImageError("x"), 3, 0.5, since=0).next is Next.REPORT


def test_a_task_of_last_year_is_costs_no_long_count() -> None:
    elapsed, counted = 365 * 86400.0, 0

    def times() -> Iterator[float]:
        nonlocal counted
        for time in poll_times.plan([], 0.5):
            counted += 1
            yield time

    plan = times()
    for _ in range(5):
        gap = poll_times.next_poll(plan, elapsed) - elapsed
        assert 5 <= gap <= 11
        elapsed += gap
    assert counted <= 5000
