"""Credits: counted by what became of them, limits that refuse before sending, days of the user's own calendar."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hunyuan.errors import CreditLimitError, Money
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import Attached, CreditTotals, Limits, RowMoney, RunContext, new_row_id
from hunyuan.models import TaskState
from tests.kit.journals import ACCOUNT, GATEWAY, HandClock, begin, begun, collect, fresh, open_journal, request

SESSION = RunContext(session="s1")


@pytest.fixture
def shanghai() -> Iterator[None]:
    """The time zone UTC+8 for this test."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_credits_by_what_became_of_them(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    rows = {number: begun(journal, number) for number in range(7)}
    journal.mark_submitted(rows[1].id, "n1")
    journal.mark_submitted(rows[2].id, "n2")
    journal.mark_progress(rows[2].id, TaskState.RUNNING)
    collect(journal, rows[3], "n3")
    journal.mark_submitted(rows[4].id, "n4")
    journal.mark_failed(rows[4].id, "1200", "moderated", sent=True)
    journal.mark_failed(rows[5].id, "rejected", "bad size", sent=False)
    journal.mark_unknown(rows[6].id, "connection reset")
    expected = [
        RowMoney.MAYBE, RowMoney.SPENT, RowMoney.SPENT, RowMoney.SPENT, RowMoney.REFUNDED, RowMoney.NONE, RowMoney.MAYBE
    ]  # fmt: skip
    assert [fresh(journal, rows[number]).money for number in range(7)] == expected
    assert journal.overview.credits() == CreditTotals(spent=75, maybe=50, refunded=25)


def test_what_the_gateway_charged_counts_in_every_total(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    cheap, dear, free, failed = (begun(journal, number, context=SESSION) for number in range(4))
    collect(journal, cheap, "n0")
    journal.mark_submitted(dear.id, "n1")
    for row, credits in ((cheap, 15), (dear, 40), (free, 0), (failed, 30)):
        journal.mark_charged(row.id, credits)
    journal.mark_failed(failed.id, "task_failed", "no luck", sent=True)
    assert [fresh(journal, row).credits for row in (cheap, dear, free, failed)] == [15, 40, 0, 30]
    totals = CreditTotals(spent=55, refunded=30)
    shown = journal.overview
    assert shown.credits(session="s1") == shown.credits(day=shown.today()) == shown.credits() == totals
    with pytest.raises(CreditLimitError, match="55 are counted already"):
        begin(journal, 9, context=SESSION, limits=Limits(credits_per_session=79))
    adopted = journal.adopt("n9", base_url=GATEWAY, account=ACCOUNT, context=SESSION)
    journal.mark_charged(adopted.id, 15)
    assert fresh(journal, adopted).credits == 0, "paid for elsewhere"
    assert journal.mark_charged("nobody", 15) is None


def test_totals_by_session_account_and_day(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    begun(journal, 1, context=RunContext(session="s1"))
    begun(journal, 2, context=RunContext(session="s2"))
    begun(journal, 3, context=RunContext(session="s2"), account="another")
    yesterday = journal.overview.today()
    clock.now += 86400
    begun(journal, 4, context=RunContext(session="s2"))
    assert journal.overview.credits(session="s2").maybe == 75
    assert journal.overview.credits(account=ACCOUNT).maybe == 75
    assert journal.overview.credits(day=yesterday).maybe == 75
    assert journal.overview.credits(day=journal.overview.today()).maybe == 25
    assert journal.overview.credits(day=yesterday, session="s2", account=ACCOUNT).maybe == 25


def test_a_task_off_the_list_stays_counted(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    row = begun(journal)
    collect(journal, row, "n1")
    journal.mark_hidden(row.id)
    assert journal.overview.list_tasks() == []
    assert journal.overview.credits().spent == 25
    assert isinstance(begin(journal), Attached)


def test_the_limit_of_a_day_refuses_with_the_figures(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    limits = Limits(credits_per_day=60)
    begun(journal, 1, limits=limits)
    second = begun(journal, 2, limits=limits)
    with pytest.raises(CreditLimitError) as refused:
        begin(journal, 3, limits=limits)
    text = str(refused.value)
    assert "25 credits more would pass the limit of 60 credits today: 50 are counted already" in text
    assert "50 may have been billed" in text
    assert "credit_limit_per_day" in text
    assert refused.value.money is Money.NOT_SPENT
    assert sum(journal.overview.counts().values()) == 2, "nothing was written"
    journal.mark_submitted(second.id, "n2")
    journal.mark_failed(second.id, "1200", "moderated", sent=True)
    begun(journal, 3, limits=limits)


def test_a_limit_may_be_reached_but_not_passed(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    limits = Limits(credits_per_session=50)
    begun(journal, 1, limits=limits)
    begun(journal, 2, limits=limits)
    with pytest.raises(CreditLimitError, match=r"50 credits in this session.*credit_limit_per_session"):
        begin(journal, 3, limits=limits)
    begun(journal, 3, limits=limits, context=RunContext(session="s2"))


def test_what_is_attached_costs_nothing_and_passes_no_limit(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    collect(journal, begun(journal), "n1")
    assert isinstance(begin(journal, limits=Limits(credits_per_day=25, credits_per_session=25)), Attached)


def admitted(
    journal: Journal, numbers: Sequence[int], limits: Limits, *, account: str = ACCOUNT, **options: Any
) -> set[int]:
    prints = {request(number).fingerprint(GATEWAY): number for number in numbers}
    wanted = [request(number).fingerprint(GATEWAY) for number in numbers]
    context = options.pop("context", SESSION)
    return {prints[new] for new in journal.admit(wanted, account=account, context=context, limits=limits, **options)}


def test_requests_are_let_in_as_a_whole_before_anything_is_sent(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    begun(journal, 1)
    eight = range(2, 10)
    assert admitted(journal, eight, Limits(credits_per_day=225, credits_per_session=225)) == set(eight)
    with pytest.raises(CreditLimitError, match="200 credits more would pass the limit of 224 credits today: 25"):
        admitted(journal, eight, Limits(credits_per_day=224))
    with pytest.raises(CreditLimitError, match="in this session"):
        admitted(journal, eight, Limits(credits_per_session=224))
    with pytest.raises(CreditLimitError, match="25 wait to be sent"):
        admitted(journal, eight, Limits(credits_per_day=225), promised=25)
    other = RunContext(session="s2")
    assert admitted(journal, eight, Limits(224, 224), account="another", context=other) == set(eight)


def test_what_was_let_in_is_counted_once_while_it_is_written_down(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    written = begun(journal, 1)
    limits = Limits(credits_per_day=75)
    assert admitted(journal, [4], limits, promised=50, writing=[written.id, new_row_id()]) == {4}
    with pytest.raises(CreditLimitError, match=r"25 are counted already.*50 wait to be sent"):
        admitted(journal, [4], limits, promised=50)
    journal.mark_dropped(written.id)  # it goes on under another id
    with pytest.raises(CreditLimitError, match=r" 0 are counted already.*50 wait to be sent"):
        admitted(journal, [4, 5], limits, promised=50, writing=[written.id])


def test_only_what_is_new_must_fit(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    collect(journal, begun(journal, 1), "n1")
    collect(journal, begun(journal, 2), "n2")
    limits = Limits(credits_per_day=75)
    assert admitted(journal, [1, 2], Limits(credits_per_day=1)) == set()
    assert admitted(journal, [1, 3, 2], limits) == {3}
    assert admitted(journal, [3, 1, 3], limits) == {3}  # the same request twice is one task
    with pytest.raises(CreditLimitError, match="50 credits more"):
        admitted(journal, [3, 4], limits)
    with pytest.raises(CreditLimitError, match="75 credits more"):
        admitted(journal, [1, 2, 3], limits, reuse=False)
    assert admitted(journal, [], Limits(credits_per_day=1)) == set()


def test_a_day_is_the_users_own(tmp_path: Path, shanghai: None) -> None:
    """23:59 and 00:01 in Shanghai are one day in UTC."""
    before_midnight = datetime.datetime(2026, 6, 1, 15, 59, tzinfo=datetime.timezone.utc).timestamp()
    clock = HandClock(before_midnight)
    journal = open_journal(tmp_path, clock=clock)
    limits = Limits(credits_per_day=25)
    begun(journal, 1, limits=limits)
    with pytest.raises(CreditLimitError):
        begin(journal, 2, limits=limits)
    assert journal.overview.today() == datetime.date(2026, 6, 1)
    clock.now += 120
    begun(journal, 2, limits=limits)
    assert journal.overview.today() == datetime.date(2026, 6, 2)
    assert journal.overview.credits(day=datetime.date(2026, 6, 1)).maybe == 25


def test_a_day_of_25_hours_is_one_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        end_of_summer_time = datetime.date(2026, 10, 25)
        last_hour = datetime.datetime(2026, 10, 25, 22, 30, tzinfo=datetime.timezone.utc).timestamp()
        journal = open_journal(tmp_path, clock=HandClock(last_hour))
        begun(journal)
        assert journal.overview.credits(day=end_of_summer_time).maybe == 25
    finally:
        monkeypatch.undo()
        time.tzset()
