"""The benchmark's own arithmetic and its graphs: a wrong table would be worse than none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks import __main__ as bench
from benchmarks import waiting
from benchmarks.graphs import CLIENT, OURS, PLAIN, beside, generate, listed
from benchmarks.journal import one_task
from benchmarks.lists import Listed
from benchmarks.lists import rows as list_rows
from benchmarks.table import BEGIN, END, Row, Spread, markdown, ratios, text
from hunyuan.jobs.deliveries import Deliveries
from hunyuan.journal.journal import Journal
from sandbox.links import Signer
from tests.kit.journals import open_journal
from tests.kit.rig import Rig, story

PLAN = waiting.Plan(durations=(5.5,), repeats=3)


def lanes(**whole: dict[str, list[float]]) -> dict[str, waiting.Lane]:
    """Lanes as a run leaves them: seconds by lane and scenario, each task as long as the plan says."""
    made = {}
    for kind in (OURS, CLIENT, PLAIN):
        lane = made[kind] = waiting.Lane(kind)
        for name, seconds in whole.get(kind, {}).items():
            lane.whole[name] = seconds
            tasks = PLAN.tasks(5.5) if name.startswith("5.5") else [8.0] * 3
            lane.tasks[name] = tasks[: len(seconds)]
    return made


def named(rows: list[Row], part: str) -> Row:
    (row,) = [row for row in rows if part in row.name]
    return row


class Asked:
    """A journal that notes what is asked of it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._journal, name)
        if callable(found):
            self.names.append(name)
        return found


@story(settings={"credit_limit_per_day": 10**6, "credit_limit_per_session": 10**6})
async def test_the_journal_is_measured_with_what_a_task_asks_of_it(rig: Rig, tmp_path: Path) -> None:
    asked = Asked(rig.journal)
    rig.runner.tools = replace(rig.runner.tools, journal=cast(Journal, asked))
    rig.runner.deliveries = Deliveries(rig.runner.tools)
    got = await rig.collected(rig.submit(5)[0])
    rig.runner.deliveries.mark([got.row])
    await rig.until(lambda: rig.journal.overview.undelivered() == 0, within=5)
    measured = Asked(open_journal(tmp_path, "benchmark"))
    one_task(cast(Journal, measured), 1)
    assert measured.names == asked.names


OUR_TIMES = {
    "5.5 first": [6.0, 5.6, 6.5],
    "5.5 learned": [5.7, 5.3, 5.9],
    "eight first": [8.9, 8.8, 8.7],
    "eight learned": [8.3, 8.2, 9.1],
    "count": [8.2, 8.3, 8.4],
    "blocked": [8.3, 8.2, 8.4],
}


def test_a_spread_shows_its_median_and_its_ends() -> None:
    assert str(Spread((3.0, 1.0, 2.0))) == "2.00 s (1.00 to 3.00)"
    assert str(Spread((1.234,), "ms", 1)) == "1.2 ms"
    assert Spread.of([]) is None


def test_ratios_pair_the_repeats() -> None:
    found = ratios([1.0, 4.0], [2.0, 16.0])
    assert found is not None
    assert found.values == (0.5, 0.25)
    assert ratios([1.0], []) is None


def test_seconds_added_are_what_is_beyond_each_repeats_own_task() -> None:
    theirs = {"5.5": [10.5, 10.2, 10.8], "eight": [12.0], "blocked": [15.0]}
    rows = waiting.rows(lanes(HunyuanGenerate=OUR_TIMES, BenchClient=theirs, BenchPoller=theirs), PLAN)
    first = named(rows, "5.5 s, first")
    assert isinstance(first.ours, Spread)
    assert first.ours.values == pytest.approx((0.5, 0.4, 0.7))
    assert isinstance(first.client, Spread)
    assert first.client.values == pytest.approx((5.0, 5.0, 5.0))
    assert first.client_ratio is not None
    assert first.client_ratio.values == pytest.approx((6.0 / 10.5, 5.6 / 10.2, 6.5 / 10.8))
    assert first.met, "0.7 is less than 14 % of 5.5"
    assert named(rows, "5.5 s, with history").met, "0.167 on average"
    assert named(rows, "eight nodes of 8 s in one prompt, with history").met is False, "one of 9.1 s is too long"
    assert named(rows, "count = 8").met


def test_a_comfyui_without_a_client_leaves_its_columns_empty() -> None:
    rows = waiting.rows(lanes(HunyuanGenerate=OUR_TIMES, BenchPoller={"5.5": [10.0] * 3, "blocked": [15.0] * 3}), PLAN)
    assert named(rows, "5.5 s, first").cells()[2] == "–"
    assert named(rows, "count = 8").cells()[3] == "–"


def test_the_goals_of_lists_are_judged_by_the_ideal() -> None:
    result: dict[str, Any] = {"lists": [Listed(200, 28.7, 2**20, 2**20)], "pauses_ms": [19.0, 4.0]}
    assert [row.met for row in list_rows(result)] == [True, None, True]
    result = {"lists": [Listed(200, 28.8, 2**20, 2**20)], "pauses_ms": [21.0, 4.0]}
    assert [row.met for row in list_rows(result)] == [False, None, False]


def test_the_comparisons_of_one_conversion_stand_in_one_line() -> None:
    common = {"name": "PNG to tensor", "ratio": 1.1, "spread": [1.0, 1.2]}
    result = {
        "rows": [
            {**common, "ours_ms": 50.0, "theirs_ms": 45.0, "against": "Pillow's decode", "target": 1.2, "met": True},
            {**common, "ours_ms": 52.0, "theirs_ms": 80.0, "against": "ComfyUI", "target": None, "met": None},
        ]
    }
    (row,) = bench.image_rows(result)
    assert row.cells() == [
        "image: PNG to tensor",
        "50 ms",
        "80 ms",
        "45 ms",
        "1.10 (1.00 to 1.20)",
        "1.10 (1.00 to 1.20)",
        "≤ 1.2: met",
    ]


def test_the_line_of_postgresql_names_the_rate_and_its_own_goal() -> None:
    (row,) = bench.postgres_rows({"rows": 100_000, "rate": 50.0, "median_ms": 9.9, "p95_ms": 30.0})
    assert "50 tasks a second" in row.name
    assert (row.goal, row.met) == ("≤ 25 ms", True)
    (row,) = bench.postgres_rows({"rows": 100_000, "rate": 50.0, "median_ms": 25.1, "p95_ms": 30.0})
    assert row.met is False


def test_the_journals_line_counts_the_median() -> None:
    (row,) = bench.journal_rows({"rows": 100_000, "median_ms": 10.1, "p95_ms": 7.0})
    assert row.met is False
    assert "100,000" in row.name


def test_the_table_holds_every_row_as_text_and_as_markdown() -> None:
    rows = [Row("first", Spread((1.0,)), goal="≤ 2", met=True), Row("second", "0")]
    lines = text(rows).splitlines()
    assert len(lines) == 4
    assert "≤ 2: met" in lines[2]
    marked = markdown(rows, ["a note"]).splitlines()
    assert (marked[0], marked[-1]) == (BEGIN, END)
    assert "| first | 1.00 s | – | – | – | – | ≤ 2: met |" in marked
    assert len({line.count("|") for line in marked if line.startswith("|")}) == 1


def test_no_two_tasks_of_a_graph_share_a_seed_or_a_sink() -> None:
    graph = generate(OURS, ["a prompt"] * 8)
    seeds = [node["inputs"]["seed"] for node in graph.values() if node["class_type"] == OURS]
    assert len(set(seeds)) == 8
    assert sum(node["class_type"] == "BenchSink" for node in graph.values()) == 8
    assert listed("x", 5)["0"]["inputs"]["prompt"] == ["prompts", 0]


def test_graphs_beside_each_other_keep_their_own_links() -> None:
    joined = beside(generate(OURS, ["one"]), generate(OURS, ["two"]))
    assert {name: node["inputs"]["images"] for name, node in joined.items() if name.endswith("s")} == {
        "0.0s": ["0.0", 0],
        "1.0s": ["1.0", 0],
    }
    assert [joined[f"{number}.0"]["inputs"]["prompt"] for number in (0, 1)] == ["one", "two"]


def test_every_lane_waits_for_the_same_tasks_around_the_duration() -> None:
    tasks = waiting.Plan(repeats=5).tasks(8.0)
    assert sum(tasks) / 5 == pytest.approx(8.0)
    assert len({waiting.prompt(seconds) for seconds in tasks}) == 5


def test_a_bare_link_has_nothing_that_a_client_could_rewrite() -> None:
    assert Signer(b"x").target("a1", 1, "png", harsh=True, bare=True) == "/results/a1-2.png"
    assert "%2F" in Signer(b"x").target("a1", 1, "png", harsh=False, bare=False)


def test_the_benchmarks_document_names_every_part() -> None:
    document = (Path(__file__).parents[2] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert f"one part: {', '.join(bench.SCENARIOS)}\n" in document
    assert [line.split("`")[1] for line in document.splitlines() if line.startswith("| `")] == list(bench.SCENARIOS)
