"""Four pack processes, two of them ComfyUI, on one PostgreSQL and one key, killed at random moments.

What must hold, whatever is killed when, by the sandbox's own record and the journal:

- Every distinct request ends with its image on disk, or as `unknown`.
- A request that did not end as `unknown` was billed exactly once, however many asked for it.
- A kill (or a commit the database could not answer for) may leave a create whose answer nobody knows. Its row becomes
  `unknown`: billed once or not at all, told to everybody who still asks for it, never sent again by itself. The test
  does as a user would who reads the task list: such a request is not asked for again.
- No more than MAX_IN_FLIGHT tasks run at the gateway, and the day's credits stay under the limit, which is set to what
  the distinct requests cost and not a credit more: one request created twice would be refused or seen.

A dead worker's slots and half-sent requests are held for 30 s (its lease), which is most of the test's time.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devtools.postgres_server import PostgresServer
from hunyuan.limits import CREDITS_PER_TASK
from hunyuan.storage.results import ResultStore
from sandbox.client import Sandbox, start_process
from sandbox.pictures import expected_png
from tests.kit.comfy_fixtures import ServerFactory
from tests.kit.journals import open_journal
from tests.kit.known_durations import remember_quick_tasks
from tests.kit.packs import ComfyPack, Died, Pack, PlainPack
from tests.kit.studio_worker import PROMPT, SIZE
from tests.kit.waiting import until

REQUESTS, DISTINCT = 200, 134
MAX_IN_FLIGHT = 14
SEED = 20260101
HELD = 1  # the seed of the request whose sender is certainly killed in its create
KILLS = {"plain 1": 1, "plain 2": 2, "comfy 1": 1, "comfy 2": 1, "database": 2}
DEATHS = Counter(KILLS) + Counter({"plain 1": 1})  # once more, in the create of HELD
ROUNDS = 40  # in which one process must have brought home all it is asked for


@dataclass
class Studio:
    """The processes, what each is asked for, and what it was told."""

    postgres: PostgresServer
    database: str
    sandbox: Sandbox
    packs: list[Pack]
    database_guard: threading.Lock = field(default_factory=threading.Lock)  # held while the database is down
    told: list[tuple[str, int, str]] = field(default_factory=list)  # pack, seed, code
    struck: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)  # noticed by who asked, who then started it again

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        """From the journal's tasks; waits while the database is down."""
        with self.database_guard:
            return self.postgres.run_sql(f"SELECT {columns} FROM tasks WHERE NOT hidden", self.database)

    def seeds(self, *states: str) -> tuple[set[int], ...]:
        """Those in each of these states at one moment: an `intended` one may become `unknown` in the next."""
        found = self.rows("seed, state")
        return tuple({seed for seed, state in found if state == wanted} for wanted in states)

    def left(self, wanted: frozenset[int]) -> tuple[frozenset[int], frozenset[int]] | None:
        """What is still wanted, and what of it may be asked for now; None while all of it has a create under way."""
        unknown, intended = self.seeds("unknown", "intended")
        wanted -= unknown
        ready = wanted - intended
        return (wanted, ready) if ready or not wanted else None

    def ask(self, pack: Pack, seeds: list[int]) -> None:
        """What a user does at one machine: asks for all, and again for what did not come, unless it may be billed.

        While nobody knows yet whether it may be (somebody's create is under way), it is not asked for again either.
        """
        wanted = ready = frozenset(seeds)
        for _ in range(ROUNDS):
            try:
                told = pack.run(sorted(ready))
            except Died:
                pack.start()
                self.deaths[pack.name] += 1
            else:
                self.told += [(pack.name, seed, code) for seed, code in told.items()]
                wanted -= {seed for seed, code in told.items() if not code}
            wanted, ready = until("creates under way", partial(self.left, wanted), every=0.5)
            if not wanted and self.deaths[pack.name] == DEATHS[pack.name]:
                return
            if not wanted:  # brought home before its last death, after which it asks for one that it had
                until("its death", partial(self.is_struck, pack.name, DEATHS[pack.name]), 200)
                wanted = ready = frozenset([self.had(pack)])
        raise AssertionError(f"{pack.name} still wants {wanted}; it was told {self.told[-5:]}")

    def is_struck(self, victim: str, times: int) -> bool:
        return self.struck[victim] == times

    def had(self, pack: Pack) -> int:
        """A seed whose image that process was given."""
        return next(seed for name, seed, code in self.told if name == pack.name and not code)

    def strike(self, victim: str) -> None:
        """Kills one that has recovered from its last death, or crashes the database and starts it again."""
        if victim != "database":
            until("it runs again", lambda: self.is_struck(victim, self.deaths[victim]), 200)
            next(pack for pack in self.packs if pack.name == victim).kill()
            self.struck[victim] += 1
            return
        with self.database_guard:
            self.postgres.stop("immediate")
            self.postgres.start()
        self.deaths["database"] += 1

    def billed(self) -> Counter[int]:
        return Counter(task["seed"] for task in self.sandbox.state()["tasks"])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with start_process(arguments=("--seconds", "1-2")) as running:
        yield running


@pytest.fixture
def studio(
    tmp_path: Path, postgres: PostgresServer, database: str, url: str, sandbox: Sandbox, comfy_server: ServerFactory
) -> Iterator[Studio]:
    remember_quick_tasks(tmp_path / "before", 1.2, url)
    common = {
        "HUNYUAN_API_KEY": sandbox.key,
        "HUNYUAN_BASE_URL": sandbox.url,
        "HUNYUAN_JOURNAL_URL": url,
        "HUNYUAN_RESULTS_DIR": str(tmp_path / "results"),
        "HUNYUAN_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT),
        "HUNYUAN_ALLOWED_HOSTS": "127.0.0.1",
    }
    packs: list[Pack] = [PlainPack(f"plain {number}", tmp_path / f"plain{number}", common) for number in (1, 2)]
    for number in (1, 2):
        server = comfy_server(sandbox=sandbox, environment=common, start=False)
        packs.append(ComfyPack(f"comfy {number}", server))
    made = Studio(postgres, database, sandbox, packs)
    made.packs = packs
    try:
        with ThreadPoolExecutor(len(packs)) as pool:
            list(pool.map(lambda pack: pack.start(), packs))
        yield made
    finally:
        for pack in packs:
            pack.kill()


def shares(rng: random.Random) -> dict[str, list[int]]:
    """Which process is asked for which seeds: 200 requests, 134 of them different, the rest asked for twice or more."""
    seeds = list(range(1, DISTINCT + 1))
    asked = [seed for seed in seeds if seed != HELD] + rng.choices(seeds, k=REQUESTS - DISTINCT - 1)
    rng.shuffle(asked)
    names = sorted(set(KILLS) - {"database"})
    dealt = {name: asked[start :: len(names)] for start, name in enumerate(names)}
    for name in ("plain 1", "comfy 1"):
        dealt[name] = [HELD, *(seed for seed in dealt[name] if seed != HELD)]
    return dealt


def plan(rng: random.Random) -> list[tuple[int, str]]:
    """(after so many creates, who is struck), in order; nobody's last moment is known beforehand."""
    victims = [name for name, times in KILLS.items() for _ in range(times)]
    rng.shuffle(victims)
    return list(zip(sorted(rng.sample(range(10, 100), len(victims))), victims, strict=True))


@pytest.mark.timeout(400)
def test_nothing_is_lost_or_billed_twice_whoever_dies_when(studio: Studio, tmp_path: Path, url: str) -> None:
    rng, sandbox = random.Random(SEED), studio.sandbox
    sandbox.script(on="create", seed=HELD, hang=True)
    sandbox.script(on="create", delay_s=0.1, times="always")
    for pack in studio.packs:
        # What a killed process had begun counts until somebody knows better.
        pack.save(credit_limit_per_day=(DISTINCT + DEATHS.total()) * CREDITS_PER_TASK)
    dealt = shares(rng)
    with ThreadPoolExecutor(len(studio.packs)) as pool:
        asking = [start(pool, studio.ask, studio.packs[0], dealt["plain 1"])]
        sandbox.wait("held", timeout=30)
        studio.strike("plain 1")
        sandbox.release()
        asking += [start(pool, studio.ask, pack, dealt[pack.name]) for pack in studio.packs[1:]]
        for creates, victim in plan(rng):
            sandbox.wait("create", creates, timeout=120)
            studio.strike(victim)
        for asked in asking:
            asked.result(timeout=200)

    check_deaths(studio)
    (unknown,), billed = studio.seeds("unknown"), studio.billed()
    assert HELD in unknown
    assert billed[HELD] == 1
    assert ("comfy 1", HELD, "") not in studio.told
    for seed in range(1, DISTINCT + 1):
        told = [(pack, code) for pack, of, code in studio.told if of == seed]
        assert billed[seed] == 1 or (billed[seed] == 0 and seed in unknown), f"{seed}: {billed[seed]} times, {told}"
    assert sandbox.state()["max_in_flight"] <= MAX_IN_FLIGHT
    check_images(studio, tmp_path, url, unknown)
    check_the_credit_limit(studio)
    assert sandbox.state()["key_leaks"] == []


def start(pool: ThreadPoolExecutor, call: Callable[..., None], *arguments: Any) -> Future[None]:
    return pool.submit(call, *arguments)


def check_deaths(studio: Studio) -> None:
    """All that were to be killed were, and nothing but the database's absence and lost answers was ever told."""
    assert studio.deaths == DEATHS
    codes = Counter(code for _, _, code in studio.told)
    assert set(codes) <= {"", "blocked", "journal", "billing_unknown"}, codes


def check_images(studio: Studio, directory: Path, url: str, unknown: set[int]) -> None:
    """Every request that is not unknown has its own picture, whole, in the folder that all share."""
    collected = {row.seed: row for row in open_journal(directory, url=url).overview.list_tasks(limit=1000) if row.files}
    assert set(collected) == set(range(1, DISTINCT + 1)) - unknown
    store = ResultStore(directory / "results", lambda: 0, open_journal(directory, url=url))
    for seed, row in collected.items():
        assert seed is not None
        assert store.read(row.files[0]) == expected_png(PROMPT, seed, (SIZE.width, SIZE.height))


def check_the_credit_limit(studio: Studio) -> None:
    """Room for five more: of twelve that are asked for at the same time, exactly five are created."""
    before = studio.sandbox.billed
    counted = sum(credits for credits, state in studio.rows("credits, state") if state != "failed")
    for pack in studio.packs:
        pack.save(credit_limit_per_day=counted + 5 * CREDITS_PER_TASK)
    with ThreadPoolExecutor(len(studio.packs)) as pool:
        asked = [
            pool.submit(pack.run, [1000 + 3 * number + k for k in range(3)]) for number, pack in enumerate(studio.packs)
        ]
        codes = Counter(code for each in asked for code in each.result(timeout=60).values())
    assert studio.sandbox.billed - before == codes[""] == 5, codes
