"""How a node's run ended, in codes and numbers, and the line that says so: what happened, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ...hunyuan.errors import Money
from ...hunyuan.jobs.handle import Handle, Phase
from ...hunyuan.journal.records import TaskRow
from .failure_words import short

_WORDS = {
    "en": {
        "done": "Done",
        "of": "{done} of {all} done",
        "failed": "{n} {why}",
        "reused": "Already paid",
        "handed_in": "Handed in · {n} tasks",
        "handed_in_one": "Handed in · 1 task",
        "stopped": "Stopped",
        "arrives": "the image arrives in Hunyuan tasks",
        "arrive": "{n} images arrive in Hunyuan tasks",
        "may_arrive": "it may have been sent: look at Hunyuan tasks",
        "unsent": "nothing was sent",
        "seconds": "{n} s",
        "credits": "{n} credits",
        "maybe": "{n} credits in doubt",
        "not_billed": "not billed",
    },
    "zh": {
        "done": "完成",
        "of": "已完成 {done}/{all}",
        "failed": "{n} 个{why}",
        "reused": "已付费",
        "handed_in": "已提交 · {n} 个任务",
        "handed_in_one": "已提交 · 1 个任务",
        "stopped": "已停止",
        "arrives": "图像稍后出现在混元任务中",
        "arrive": "{n} 张图像稍后出现在混元任务中",
        "may_arrive": "可能已提交：请查看混元任务",
        "unsent": "未发送任何请求",
        "seconds": "{n} 秒",
        "credits": "{n} 积分",
        "maybe": "{n} 积分待定",
        "not_billed": "未计费",
    },
}


class Ending(str, Enum):
    """What became of one task, as its node saw it last."""

    DONE = "done"
    FAILED = "failed"
    HANDED_IN = "handed_in"  # accepted; nobody waits for it
    UNDER_WAY = "under_way"  # accepted; the node was stopped, the image still comes
    MAYBE_SENT = "maybe_sent"  # stopped while the create was out
    UNSENT = "unsent"  # stopped before anything went out


@dataclass(frozen=True)
class TaskEnd:
    """One task. credits: what it cost this run; maybe: what it may have cost. seed: that was sent, where one was."""

    ending: Ending
    seconds: float
    paid: bool
    credits: int = 0
    maybe: int = 0
    task_id: str | None = None
    error: BaseException | None = None
    seed: int | None = None

    @classmethod
    def of(cls, handle: Handle, price: int, *, wait: bool) -> TaskEnd:
        """Reads a handle whose node ends now. price: credits it may cost. wait: whether the node waits for images."""
        accepted = handle.created.result() if handle.created.done() and not handle.created.exception() else None
        return replace(cls._of(handle, accepted, price, wait), seed=accepted.seed if accepted else None)

    @classmethod
    def _of(cls, handle: Handle, accepted: TaskRow | None, price: int, wait: bool) -> TaskEnd:
        view = handle.progress()
        error = _error(handle, wait)
        known = view.task_id or (accepted.task_id if accepted else None)
        if error is not None:
            known = getattr(error, "task_id", None) or known
            spent, maybe = _cost_of_failure(error, accepted.credits if accepted and handle.paid else 0, price)
            return cls(Ending.FAILED, view.seconds, handle.paid, spent, maybe, known, error)
        credits = accepted.credits if accepted and handle.paid else 0
        if handle.done.done() and handle.done.exception() is None:
            collected = handle.done.result()
            cost = collected.row.credits if handle.paid else 0
            return cls(Ending.DONE, view.seconds, handle.paid, cost, 0, collected.row.task_id)
        if accepted:
            ending = Ending.UNDER_WAY if wait else Ending.HANDED_IN
            return cls(ending, view.seconds, handle.paid, credits, 0, known)
        if view.phase.is_free or view.phase in (Phase.RESERVING, Phase.ENDED):
            return cls(Ending.UNSENT, view.seconds, False)
        if view.phase is Phase.SENDING:
            return cls(Ending.MAYBE_SENT, view.seconds, False, 0, price, known)
        return cls(Ending.UNDER_WAY, view.seconds, False, 0, 0, known)


def _error(handle: Handle, wait: bool) -> BaseException | None:
    for future in (handle.done, handle.created) if wait else (handle.created,):
        if future.done() and future.exception() is not None:
            return future.exception()
    return None


def _cost_of_failure(error: BaseException, accepted: int, price: int) -> tuple[int, int]:
    """What is spent for sure, and what perhaps."""
    money = getattr(error, "money", Money.MAYBE_SPENT)
    if money is Money.MAYBE_SPENT:
        return 0, accepted or price
    return (accepted if money in (Money.SPENT, Money.UNTOUCHED) else 0), 0


@dataclass(frozen=True)
class RunEnd:
    """All tasks of a node's run. costs: whether the node creates tasks, or only collects them."""

    tasks: tuple[TaskEnd, ...]
    costs: bool = True

    @classmethod
    def of(cls, handles: Sequence[Handle], prices: Sequence[int], *, wait: bool) -> RunEnd:
        ended = (TaskEnd.of(handle, price, wait=wait) for handle, price in zip(handles, prices, strict=True))
        return cls(tuple(ended), any(prices))

    def count(self, *endings: Ending) -> int:
        """How many tasks ended so."""
        return sum(task.ending in endings for task in self.tasks)

    @property
    def outcome(self) -> str:
        """One word for the whole: `stopped`, `failed`, `partial`, `handed_in`, `reused` or `done`."""
        if self.count(Ending.UNDER_WAY, Ending.MAYBE_SENT, Ending.UNSENT):
            return "failed" if self.count(Ending.FAILED) else "stopped"
        if failed := self.count(Ending.FAILED):
            return "failed" if failed == len(self.tasks) else "partial"
        if self.count(Ending.HANDED_IN):
            return "handed_in"
        return "reused" if self.costs and not any(task.paid for task in self.tasks) else "done"

    @property
    def credits(self) -> int:
        return sum(task.credits for task in self.tasks)

    @property
    def maybe(self) -> int:
        return sum(task.maybe for task in self.tasks)

    def values(self) -> dict[str, Any]:
        """What the page is told: codes and numbers."""
        failures = [task for task in self.tasks if task.error is not None]
        return {
            "outcome": self.outcome,
            "tasks": len(self.tasks),
            "done": self.count(Ending.DONE),
            "reused": sum(task.ending is Ending.DONE and not task.paid for task in self.tasks),
            "credits": self.credits,
            "maybe": self.maybe,
            "seconds": round(max((task.seconds for task in self.tasks), default=0.0), 2),
            "seed": self.tasks[0].seed if self.tasks else None,
            "task_ids": [task.task_id for task in self.tasks if task.task_id],
            "failures": [_failure(task) for task in failures],
        }

    def line(self, lang: str) -> str:
        """The same in one line of `en` or `zh`."""
        words = _WORDS[lang]
        parts = _WHAT[self.outcome](self, words, lang)
        return " · ".join([*parts, *self._cost(words)])

    def _cost(self, words: dict[str, str]) -> list[str]:
        cost = [words["credits"].format(n=self.credits)] if self.credits or not self.maybe else []
        if self.outcome == "failed" and not self.credits and not self.maybe:
            return [words["not_billed"]]
        if self.maybe:
            alone = len(self.tasks) == 1 and self.outcome == "failed"  # "May have been billed · 25 credits"
            cost.append(words["credits" if alone else "maybe"].format(n=self.maybe))
        return cost

    def _done(self, words: dict[str, str], lang: str) -> list[str]:
        done, all_ = self.count(Ending.DONE), len(self.tasks)
        said = words["of"].format(done=done, all=all_) if all_ > 1 else words["done"]
        return [said, words["seconds"].format(n=self._seconds)]

    def _partial(self, words: dict[str, str], lang: str) -> list[str]:
        said = words["of"].format(done=self.count(Ending.DONE, Ending.HANDED_IN), all=len(self.tasks))
        return [said, *self._whys(words, lang)]

    def _failed(self, words: dict[str, str], lang: str) -> list[str]:
        if self.count(Ending.FAILED) < len(self.tasks):
            return self._partial(words, lang)
        whys = list(dict.fromkeys(short(task.error, lang) for task in self.tasks if task.error))
        return whys if len(whys) == 1 else self._partial(words, lang)

    def _whys(self, words: dict[str, str], lang: str) -> list[str]:
        counted = Counter(short(task.error, lang) for task in self.tasks if task.error)
        return [words["failed"].format(n=n, why=_inside(why, lang)) for why, n in counted.items()]

    def _reused(self, words: dict[str, str], lang: str) -> list[str]:
        of = [words["of"].format(done=len(self.tasks), all=len(self.tasks))] if len(self.tasks) > 1 else []
        return [*of, words["reused"]]

    def _handed_in(self, words: dict[str, str], lang: str) -> list[str]:
        n = len(self.tasks)
        return [words["handed_in_one"] if n == 1 else words["handed_in"].format(n=n)]

    def _stopped(self, words: dict[str, str], lang: str) -> list[str]:
        coming = self.count(Ending.UNDER_WAY)
        said = [words["stopped"]]
        if done := self.count(Ending.DONE):
            said.append(words["of"].format(done=done, all=len(self.tasks)))
        if coming:
            said.append(words["arrives"] if coming == 1 else words["arrive"].format(n=coming))
        elif self.count(Ending.MAYBE_SENT):
            said.append(words["may_arrive"])
        elif not done:
            said.append(words["unsent"])
        return said

    @property
    def _seconds(self) -> int:
        return int(max((task.seconds for task in self.tasks), default=0.0))


_WHAT = {
    "done": RunEnd._done,
    "partial": RunEnd._partial,
    "failed": RunEnd._failed,
    "reused": RunEnd._reused,
    "handed_in": RunEnd._handed_in,
    "stopped": RunEnd._stopped,
}


def _inside(why: str, lang: str) -> str:
    """In the middle of a line an English word begins small, but not an abbreviation."""
    return why if lang == "zh" or why[:2].isupper() else f"{why[0].lower()}{why[1:]}"


def _failure(task: TaskEnd) -> dict[str, Any]:
    money = getattr(task.error, "money", Money.MAYBE_SPENT)
    return {"code": getattr(task.error, "code", "error"), "money": money.value, "task_id": task.task_id}


def refusal_line(error: BaseException, lang: str) -> str:
    """The line of a run that ended before it had any task, and so any price."""
    if getattr(error, "money", Money.MAYBE_SPENT) is Money.MAYBE_SPENT:
        return short(error, lang)
    return RunEnd((TaskEnd(Ending.FAILED, 0.0, False, error=error),)).line(lang)
