"""Everything at once, by dice: nodes come and go, processes die, the gateway misbehaves. The sums must be right."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from hunyuan.jobs.handle import Handle
from hunyuan.journal.records import TaskRow
from hunyuan.models import TaskState
from tests.kit.rig import Rig, story

FAULTS: list[dict[str, Any]] = [
    {"on": "create", "status": 429, "retry_after": 2},
    {"on": "create", "status": 503},
    {"on": "create", "status": 502, "billed": True, "body": "html"},
    {"on": "create", "drop": "before_answer"},
    {"on": "create", "drop": "before_read"},
    {"on": "create", "delay_s": 4},
    {"on": "create", "task": {"fail": "by the dice"}},
    {"on": "create", "task": {"shape": "direct_b64"}},
    {"on": "create", "task": {"shape": "direct_url"}},
    {"on": "create", "status": 401},
    {"on": "poll", "status": 503, "times": 2},
    {"on": "poll", "status": 404},
    {"on": "poll", "status": 429},
    {"on": "poll", "drop": "mid_body"},
    {"on": "poll", "delay_s": 12},
    {"on": "download", "status": 404, "times": 2},
    {"on": "download", "drop": "before_answer"},
    {"on": "download", "image": "garbage"},
    {"on": "download", "delay_s": 5},
]


class Chaos:
    """Two processes at a time on one directory, and what the dice do to them."""

    def __init__(self, rig: Rig, dice: random.Random) -> None:
        self.dice, self.rigs, self.started = dice, [rig], 1
        self.handles: list[Handle] = []
        rig.runner.start_sweeper()
        self.start()

    def start(self) -> None:
        self.started += 1
        self.rigs.append(self.rigs[0].another(f"worker-{self.started}"))
        self.rigs[-1].runner.start_sweeper()

    def kill(self) -> None:
        """SIGKILL: what it does ends in the middle."""
        dead = self.rigs.pop(self.dice.randrange(len(self.rigs)))
        for task in list(dead.background._tasks):
            task.cancel()
        self.start()

    async def settled(self) -> list[TaskRow]:
        """All rows once nothing is under way any more, an hour later at most."""
        for _ in range(60):
            await self.rigs[0].clock.sleep(60)
            rows = self.rigs[0].rows()
            under_way = [row for row in rows if row.state is TaskState.INTENDED or row.state.is_open]
            if not under_way and not any(rig.runner._jobs for rig in self.rigs):
                break
        return rows

    def act(self) -> None:
        what = self.dice.random()
        if what < 0.45:
            rig = self.dice.choice(self.rigs)
            self.handles += rig.submit(
                *self.dice.sample(range(6), self.dice.randint(1, 3)),
                timeout_s=self.dice.choice([3.0, 20.0, 600.0]),
                node=str(self.dice.randrange(4)),
                prompt_id=str(self.dice.randrange(3)),
            )
        elif what < 0.7 and self.handles:
            self.handles.pop(self.dice.randrange(len(self.handles))).detach()
        elif what < 0.95:
            self.rigs[0].gateway.script.add(self.dice.choice(FAULTS))
        else:
            self.kill()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 12))])
@story(latency=0.3, task={"seconds": [4, 14]}, settings={"max_in_flight": 3})
async def test_the_sums_are_right_whatever_happens(rig: Rig, seed: int) -> None:
    dice = random.Random(seed)
    chaos = Chaos(rig, dice)
    for _ in range(60):
        chaos.act()
        await rig.clock.sleep(dice.expovariate(0.8))
    rig.gateway.script.clear()
    rows = await chaos.settled()
    living = chaos.rigs[0]
    ended = Counter(row.state for row in rows)
    assert set(ended) <= {TaskState.COLLECTED, TaskState.FAILED, TaskState.UNKNOWN}, ended

    accepted = {task["task_id"] for task in rig.state["tasks"]}
    failed = {task["task_id"] for task in rig.state["tasks"] if task["failed"]}
    direct = sum(row.task_id is None and row.state is TaskState.COLLECTED for row in rows)
    ours = {row.task_id for row in rows if row.state is TaskState.COLLECTED and row.task_id}
    assert ours <= accepted - failed
    lost = len(accepted - failed) - len(ours) - direct
    assert 0 <= lost <= ended[TaskState.UNKNOWN], "an image is missing only where the answer was lost"

    for number in range(6):
        mine = [row.state for row in rows if row.seed == number]
        assert mine.count(TaskState.COLLECTED) <= 1, "the same request is paid for once"
    totals = living.journal.overview.credits()
    assert totals.spent == 25 * ended[TaskState.COLLECTED]
    assert totals.maybe == 25 * ended[TaskState.UNKNOWN]
    assert totals.spent <= int(rig.state["credits"]) <= totals.spent + totals.maybe
    assert all(each.limiter.in_flight == 0 for each in chaos.rigs)
    assert all(each.limiter.waiting == 0 for each in chaos.rigs)
    assert rig.state["key_leaks"] == []
