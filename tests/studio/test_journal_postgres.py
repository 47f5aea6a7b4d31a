"""The journal on a real PostgreSQL: the same promises across machines, clocks and restarts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from devtools.postgres_server import PASSWORD, PostgresServer
from hunyuan.errors import CreditLimitError, JournalError, Money
from hunyuan.journal.journal import Journal
from hunyuan.journal.postgres import PostgresBackend
from hunyuan.journal.records import Attached, Begun, Busy, Limits, RunContext
from hunyuan.journal.tables import VERSION
from hunyuan.models import ImageSize, TaskState, TaskType
from tests.kit.journals import (
    ACCOUNT,
    GATEWAY,
    ROOT,
    VERSION_1,
    HandClock,
    Worker,
    begin,
    begun,
    collect,
    fresh,
    open_journal,
    request,
    stored,
)


def silence(postgres: PostgresServer, database: str, worker: str, seconds: float) -> None:
    """Make a worker's last heartbeat so much older, by the server's own clock."""
    statement = f"UPDATE workers SET heartbeat_at = heartbeat_at - {seconds} WHERE worker_id = '{worker}'"
    postgres.run_sql(statement, database)


def test_a_whole_life(tmp_path: Path, url: str) -> None:
    journal = open_journal(tmp_path, url=url)
    row = begun(journal, request=request(1, "夜 \0 a prompt"))
    journal.mark_submitted(row.id, "n1")
    journal.mark_progress(row.id, TaskState.RUNNING)
    journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 6.25)
    journal.mark_collected(row.id, [stored()])
    journal.mark_delivered(row.id)
    end = fresh(open_journal(tmp_path, "worker-2", url=url), row)
    assert (end.state, end.task_id, end.prompt, end.seconds) == (TaskState.COLLECTED, "n1", "夜 \ufffd a prompt", 6.25)
    assert (end.files, end.urls, end.hidden) == ((stored(),), ("https://cdn.test/a.png",), False)
    assert isinstance(begin(journal, request=request(1, "夜 \0 a prompt")), Attached)
    assert journal.overview.durations(TaskType.TEXT_TO_IMAGE, ImageSize(1024, 1024)) == [6.25]
    assert [found.id for found in journal.overview.list_tasks(search="夜 PROMPT")] == [row.id]
    assert journal.overview.counts()[TaskState.COLLECTED] == 1
    assert journal.overview.credits(day=journal.overview.today(), account=ACCOUNT).spent == 25
    assert [found.id for found in journal.evictable()] == [row.id]
    on_this_machine = [file.read_bytes() for file in tmp_path.iterdir()]
    assert all(content.isspace() for content in on_this_machine), "nothing of it, only room for ids"


def test_each_step_gives_the_row_as_it_stands_then(tmp_path: Path, postgres: PostgresServer) -> None:
    """Also in a database that is not in UTF-8, and to the type of each value."""
    postgres.run_sql("CREATE DATABASE gb ENCODING 'EUC_CN' LOCALE 'C' TEMPLATE template0")
    journal = open_journal(tmp_path, url=postgres.url("gb"))
    row = begun(journal, request=request(1, '夜里的"灯塔"'))
    for step in (
        lambda: journal.mark_submitted(row.id, "n1"),
        lambda: journal.mark_progress(row.id, TaskState.RUNNING),
        lambda: journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 7.0),
        lambda: journal.mark_collected(row.id, [stored()]),
        lambda: journal.mark_delivered(row.id),
        lambda: journal.mark_lost(row.id, "找不到"),
    ):
        assert repr(step()) == repr(journal.get(row.id))


def test_what_is_new_is_let_in_within_the_limits(tmp_path: Path, url: str) -> None:
    journal = open_journal(tmp_path, url=url)
    known, written = begun(journal, 1), begun(journal, 2)
    wanted = [request(number).fingerprint(GATEWAY) for number in (1, 3, 4)]
    asked: dict[str, Any] = {"account": ACCOUNT, "context": RunContext(), "promised": 25, "writing": [written.id]}
    assert journal.admit(wanted, limits=Limits(credits_per_day=100), **asked) == set(wanted) - {known.fingerprint}
    with pytest.raises(CreditLimitError, match="50 credits more would pass the limit of 99 credits today: 50"):
        journal.admit(wanted, limits=Limits(credits_per_day=99), **asked)
    with pytest.raises(CreditLimitError, match="25 wait to be sent"):
        journal.admit(wanted, limits=Limits(credits_per_day=100), **{**asked, "writing": []})


def test_the_rest_of_the_transitions(tmp_path: Path, url: str) -> None:
    journal = open_journal(tmp_path, url=url)
    refused, dropped, lost, unknown = (begun(journal, number) for number in range(4))
    journal.mark_failed(refused.id, "rejected", "bad size", sent=False)
    journal.mark_dropped(dropped.id)
    collect(journal, lost, "n3")
    journal.mark_evicted(lost.id)
    journal.mark_lost(lost.id, "404")
    journal.mark_unknown(unknown.id, "lone \ud800")
    assert journal.find_reusable(lost.fingerprint) is None
    assert journal.overview.credits().maybe == 25
    assert journal.overview.credits().spent == 25
    foreign = journal.adopt("m1", base_url=GATEWAY, account=ACCOUNT, context=RunContext())
    assert journal.adopt("m1", base_url=GATEWAY, account=ACCOUNT, context=RunContext()) == foreign
    journal.mark_hidden(foreign.id)
    assert foreign.id not in {row.id for row in journal.overview.list_tasks()}
    journal.links.save("k", "https://store.test/1", "s3", None)
    journal.links.save("k", "https://store.test/2", "s3", None)
    link = journal.links.find("k")
    assert link is not None
    assert link.url == "https://store.test/2"


def test_clocks_of_the_machines_do_not_matter(tmp_path: Path, url: str) -> None:
    """Two machines whose clocks are a day apart agree on who lives and what is newest."""
    early = open_journal(tmp_path, "early", HandClock(1_000_000_000.0), url=url)
    late = open_journal(tmp_path, "late", HandClock(3_000_000_000.0), url=url)
    row = begun(early)
    outcome = begin(late)
    assert isinstance(outcome, Attached)
    assert outcome.row.id == row.id
    assert late.recover() == []
    second = begun(late, 2)
    assert abs(second.created_at - row.created_at) < 60
    assert early.overview.today() == late.overview.today()


def test_a_silent_worker_loses_its_slots_and_its_tasks(
    tmp_path: Path, postgres: PostgresServer, database: str, url: str
) -> None:
    limits = Limits(max_in_flight=2)
    dead, living = open_journal(tmp_path, "dead", url=url), open_journal(tmp_path, "living", url=url)
    intended, submitted = begun(dead, 1, limits=limits), begun(dead, 2, limits=limits)
    dead.mark_submitted(submitted.id, "n2")
    assert begin(living, 3, limits=limits) == Busy(2)
    assert not living.claim(submitted.id)
    silence(postgres, database, "dead", 31)
    assert isinstance(begin(living, 3, limits=limits), Begun)
    assert [row.id for row in living.survey(ACCOUNT).open_rows] == [submitted.id]
    assert living.claim(submitted.id)
    assert [(row.id, row.state) for row in living.recover()] == [(intended.id, TaskState.UNKNOWN)]
    dead.mark_submitted(intended.id, "n1")
    assert fresh(living, intended).state is TaskState.SUBMITTED, "it was not dead after all: its id is the proof"


def test_servers_that_want_the_same_create_it_once_and_keep_to_the_limits(tmp_path: Path, url: str) -> None:
    script = """
limits = Limits(credits_per_day=15 * 25)
say("ready")
sys.stdin.readline()
made = []
for number in range(10):
    made.append(type(begin(journal, number, limits=limits)).__name__)
refused = 0
for number in range(100, 110):
    try:
        begin(journal, number, limits=limits, reuse=False)
    except Exception as error:
        assert type(error).__name__ == "CreditLimitError", error
        refused += 1
say(" ".join(made))
say(str(10 - refused))
sys.stdin.readline()
"""
    workers = [Worker(tmp_path, f"worker-{k}", script, url) for k in range(4)]
    for worker in workers:
        assert worker.hear() == "ready"
    for worker in workers:
        worker.tell("go")
    answers = [worker.hear().split() for worker in workers]
    extra = sum(int(worker.hear()) for worker in workers)
    for worker in workers:
        worker.tell("end")
        assert worker.end() == 0
    for number in range(10):
        assert sorted(answer[number] for answer in answers) == ["Attached"] * 3 + ["Begun"]
    assert extra == 5
    with pytest.raises(CreditLimitError, match="375 are counted already"):
        begin(open_journal(tmp_path, url=url), 999, limits=Limits(credits_per_day=375))


def test_the_database_away_sends_nothing_and_works_on_when_it_is_back(
    tmp_path: Path, postgres: PostgresServer, url: str
) -> None:
    journal = open_journal(tmp_path, url=url)
    row = begun(journal, 1)
    postgres.stop("immediate")
    try:
        with pytest.raises(JournalError, match=r"cannot be reached.*No credits were spent") as away:
            begin(journal, 2)
        with pytest.raises(JournalError, match=r"n1_hunyuan3") as paid:
            journal.mark_submitted(row.id, "n1_hunyuan3")
        with pytest.raises(JournalError, match="cannot be reached"):
            begin(open_journal(tmp_path, "new", url=url), 2)
    finally:
        postgres.start()
    assert PASSWORD not in str(away.value)
    assert paid.value.money is Money.SPENT
    journal.mark_submitted(row.id, "n1_hunyuan3")
    assert isinstance(begin(journal, 2), Begun)
    assert fresh(journal, row).state is TaskState.SUBMITTED


@pytest.fixture
def lazy_server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """One that writes nothing to its disk of its own accord while a test looks."""
    postgres.run_sql("ALTER SYSTEM SET wal_writer_delay = '10s'")
    postgres.run_sql("SELECT pg_reload_conf()")
    yield postgres
    postgres.run_sql("ALTER SYSTEM RESET wal_writer_delay")
    postgres.run_sql("SELECT pg_reload_conf()")


@pytest.mark.parametrize("step", ["submitted", "unknown", "failed", "dropped", "progress"])
def test_what_money_hangs_on_survives_a_crash_of_the_server(
    tmp_path: Path, lazy_server: PostgresServer, url: str, step: str
) -> None:
    journal = open_journal(tmp_path, url=url)
    row = begun(journal)
    if step == "progress":
        journal.mark_submitted(row.id, "n1")
    before = fresh(journal, row)
    after = {
        "submitted": lambda: journal.mark_submitted(row.id, "n1"),
        "unknown": lambda: journal.mark_unknown(row.id, "the answer is lost"),
        "failed": lambda: journal.mark_failed(row.id, "400", "refused", False),
        "dropped": lambda: journal.mark_dropped(row.id),
        "progress": lambda: journal.mark_progress(row.id, TaskState.RUNNING),
    }[step]()
    lazy_server.stop("immediate")
    lazy_server.start()
    assert before != after
    # What the next poll says again may be lost: nobody waits for the disk for it.
    assert fresh(journal, row) == (before if step == "progress" else after)


def test_a_task_costs_few_round_trips(tmp_path: Path, url: str) -> None:
    """What a task costs over a network is counted in statements, limits and slots among them."""
    journal = open_journal(tmp_path, url=url)
    limits = Limits(10_000, 10_000, 8)
    begun(journal, 1, limits=limits)
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        wanted = [request(2).fingerprint(GATEWAY)]
        assert journal.admit(wanted, account=ACCOUNT, context=RunContext(), limits=limits) == set(wanted)
        row = begun(journal, 2, limits=limits)
        journal.mark_submitted(row.id, "n2")
        journal.mark_progress(row.id, TaskState.RUNNING)
        journal.mark_succeeded(row.id, ["https://cdn.test/a.png"], 5.0)
        journal.mark_collected(row.id, [stored()])
        journal.mark_delivered(row.id)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    # The look's, begin's, and each step's: what opens it, the time, its UPDATE and the row (COMMIT is not told here).
    assert len(sent) == 5 + 9 + 5 * 4, sent


def test_each_connection_gives_up_in_time_and_plans_once(url: str) -> None:
    engine = PostgresBackend(url).open()
    wanted = {
        "lock_timeout": "15s",
        "statement_timeout": "1min",
        "idle_in_transaction_session_timeout": "30s",
        "synchronous_commit": "off",
        "plan_cache_mode": "force_generic_plan",
    }
    with engine.connect() as connection:
        assert {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in wanted} == wanted
    engine.dispose()


def test_a_connection_that_was_cut_is_made_anew_without_a_word(
    tmp_path: Path, postgres: PostgresServer, database: str, url: str
) -> None:
    journal = open_journal(tmp_path, url=url)
    begun(journal, 1)
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    assert (True,) in postgres.run_sql(cut)
    begun(journal, 2)
    postgres.run_sql(cut)
    assert journal.overview.counts()[TaskState.INTENDED] == 2


def refusal(journal: Journal) -> str:
    """One sentence each, before anything is spent, without the password."""
    with pytest.raises(JournalError) as refused:
        begin(journal)
    text = str(refused.value)
    assert text.endswith("No credits were spent.")
    assert PASSWORD not in text
    assert "p%40ss" not in text
    assert refused.value.__cause__ is None
    return text


def test_a_wrong_password(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    text = refusal(open_journal(tmp_path, url=postgres.url(database, password="hunter2")))
    assert "refused the user or the password" in text
    assert "hunter2" not in text


def test_a_database_that_is_not_there(tmp_path: Path, postgres: PostgresServer) -> None:
    assert "no such database" in refusal(open_journal(tmp_path, url=postgres.url("nowhere")))


def test_a_server_that_is_not_there(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    text = refusal(open_journal(tmp_path, url=postgres.url(database, port=9)))
    assert "cannot be reached" in text
    assert "127.0.0.1:9" in text


def test_a_read_only_database(tmp_path: Path, postgres: PostgresServer, database: str, url: str) -> None:
    begun(open_journal(tmp_path, url=url))
    postgres.run_sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    assert "is read-only" in refusal(open_journal(tmp_path, url=url))


def test_a_user_without_rights(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    postgres.run_sql(f"CREATE ROLE guest_{database} LOGIN PASSWORD 'guest'")
    guest = postgres.url(database, user=f"guest_{database}", password="guest")
    assert "may not write there" in refusal(open_journal(tmp_path, url=guest))


def test_a_missing_driver(tmp_path: Path, url: str) -> None:
    script = f"""
import sys
sys.modules["psycopg"] = None
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.kit.journals import begin, open_journal
try:
    begin(open_journal(Path({str(tmp_path)!r}), url={url!r}))
except Exception as error:
    print(type(error).__name__, error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.startswith("JournalError ")
    assert 'Install "psycopg[binary]"' in told
    assert "No credits were spent." in told
    assert "p%40ss" not in told


def test_a_newer_schema_is_left_alone(tmp_path: Path, postgres: PostgresServer, database: str, url: str) -> None:
    begun(open_journal(tmp_path, url=url))
    postgres.run_sql("UPDATE meta SET value = '99' WHERE key = 'version'", database)
    assert f"version 99; this version of the pack knows up to {VERSION}" in refusal(open_journal(tmp_path, url=url))
    postgres.run_sql("UPDATE meta SET value = '3.1-beta' WHERE key = 'version'", database)
    assert f"version 3.1-beta; this version of the pack knows up to {VERSION}" in refusal(
        open_journal(tmp_path, url=url)
    )


def test_an_older_schema_is_migrated_with_its_rows(
    tmp_path: Path, postgres: PostgresServer, database: str, url: str
) -> None:
    postgres.run_sql(VERSION_1, database)
    postgres.run_sql(
        "INSERT INTO tasks (id, fingerprint, task_id, state, type, size, seed, credits, created_at)"
        f" VALUES ('old', '{request(1).fingerprint(GATEWAY)}', 'n1', 'succeeded', 'text-to-image', '1024*1024', 1, 25,"
        " 1770000000.5)",
        database,
    )
    journal = open_journal(tmp_path, url=url)
    outcome = begin(journal)
    assert isinstance(outcome, Attached)
    assert (outcome.row.id, outcome.row.created_at) == ("old", 1770000000.5)
    journal.mark_lost("old", "gone")
    assert isinstance(begin(journal), Begun)
    indexes = "SELECT indexname FROM pg_indexes WHERE tablename = 'tasks' ORDER BY 1"
    migrated = postgres.run_sql(indexes, database)
    postgres.run_sql(f"CREATE DATABASE {database}_new")
    begun(open_journal(tmp_path, url=postgres.url(f"{database}_new")))
    assert migrated == postgres.run_sql(indexes, f"{database}_new")


def test_a_url_without_the_drivers_name_and_with_options_of_its_own(
    tmp_path: Path, postgres: PostgresServer, url: str
) -> None:
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    begun(open_journal(tmp_path, url=f"{plain}?connect_timeout=3&application_name=studio&sslmode=prefer"))
    text = refusal(open_journal(tmp_path, url=f"{plain}?sslmode=require"))
    assert "SSL" in text
