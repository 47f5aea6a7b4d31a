"""What a node says when its run has ended: what happened, and what it cost; in codes, and in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.pack import load
from tests.unit.test_reporting import collected

errors, handles = load("hunyuan.errors"), load("hunyuan.jobs.handle")
run_end, words, last_runs = (
    load("nodes.status.run_end"),
    load("nodes.status.failure_words"),
    load("nodes.status.last_runs"),
)
Phase, Money = handles.Phase, errors.Money


def handle(phase: Any = Phase.WAITING, seconds: float = 8.4) -> Any:
    return handles.Handle(60.0, progress=lambda: handles.Progress(phase, seconds))


def done(paid: bool = True, credits: int = 25) -> Any:
    made, came = handle(Phase.ENDED), collected((512, 512), (512, 512), credits=credits)
    made.mark_done(handles.Collected(came.row, came.images, paid=paid))
    return made


def accepted(paid: bool = True) -> Any:
    made = handle()
    made.mark_created(collected((512, 512)).row, paid=paid)
    return made


def failed(error: BaseException, *, after_create: bool = False) -> Any:
    made = accepted() if after_create else handle(Phase.ENDED)
    made.fail(error)
    return made


def end(*held: Any, wait: bool = True, costs: bool = True) -> Any:
    return run_end.RunEnd.of(held, [25 if costs else 0] * len(held), wait=wait)


MODERATED = errors.ModerationError("Refused.", money=Money.NOT_SPENT)
LOST = errors.BillingUnknownError("The answer is lost.")
STORIES: dict[str, tuple[Any, str, str]] = {
    "done": (lambda: end(done()), "Done · 8 s · 25 credits", "完成 · 8 秒 · 25 积分"),
    "all of several": (lambda: end(done(), done()), "2 of 2 done · 8 s · 50 credits", "已完成 2/2 · 8 秒 · 50 积分"),
    "moderated": (lambda: end(failed(MODERATED)), "Refused by moderation · not billed", "内容审核未通过 · 未计费"),
    "partly": (
        lambda: end(done(), done(), done(), failed(MODERATED)),
        "3 of 4 done · 1 refused by moderation · 75 credits",
        "已完成 3/4 · 1 个内容审核未通过 · 75 积分",
    ),
    "stopped": (
        lambda: end(accepted()),
        "Stopped · the image arrives in Hunyuan tasks · 25 credits",
        "已停止 · 图像稍后出现在混元任务中 · 25 积分",
    ),
    "stopped before": (
        lambda: end(handle(Phase.QUEUED), handle(Phase.RESERVING)),
        "Stopped · nothing was sent · 0 credits",
        "已停止 · 未发送任何请求 · 0 积分",
    ),
    "stopped while it was sent": (
        lambda: end(handle(Phase.SENDING)),
        "Stopped · it may have been sent: look at Hunyuan tasks · 25 credits in doubt",
        "已停止 · 可能已提交：请查看混元任务 · 25 积分待定",
    ),
    "stopped in the middle": (
        lambda: end(done(), accepted(), accepted()),
        "Stopped · 1 of 3 done · 2 images arrive in Hunyuan tasks · 75 credits",
        "已停止 · 已完成 1/3 · 2 张图像稍后出现在混元任务中 · 75 积分",
    ),
    "handed in": (
        lambda: end(accepted(), accepted(), wait=False),
        "Handed in · 2 tasks · 50 credits",
        "已提交 · 2 个任务 · 50 积分",
    ),
    "handed in, found": (
        lambda: end(accepted(paid=False), wait=False),
        "Handed in · 1 task · 0 credits",
        "已提交 · 1 个任务 · 0 积分",
    ),
    "reused": (lambda: end(done(paid=False)), "Already paid · 0 credits", "已付费 · 0 积分"),
    "collected": (lambda: end(done(paid=False), costs=False), "Done · 8 s · 0 credits", "完成 · 8 秒 · 0 积分"),
    "in doubt": (lambda: end(failed(LOST)), "May have been billed · 25 credits", "可能已计费 · 25 积分"),
    "late": (
        lambda: end(failed(errors.TaskTimeoutError("Not done."), after_create=True)),
        "Not done in time · 25 credits",
        "等待超时 · 25 积分",
    ),
    "a defect": (lambda: end(failed(RuntimeError("x"))), "Failed · 25 credits", "失败 · 25 积分"),
}


@pytest.mark.parametrize(("make", "english", "chinese"), STORIES.values(), ids=STORIES)
def test_the_line_says_what_happened_and_what_it_cost(make: Any, english: str, chinese: str) -> None:
    told = make()
    assert (told.line("en"), told.line("zh")) == (english, chinese)


OUTCOMES = {
    "done": "done", "all of several": "done", "moderated": "failed", "partly": "partial", "stopped": "stopped",
    "stopped before": "stopped", "handed in": "handed_in", "reused": "reused", "collected": "done",
    "in doubt": "failed",
}  # fmt: skip


@pytest.mark.parametrize(("story", "outcome"), OUTCOMES.items())
def test_the_page_gets_the_same_in_codes_and_numbers(story: str, outcome: str) -> None:
    assert STORIES[story][0]().values()["outcome"] == outcome
    told = STORIES["partly"][0]().values()
    assert (told["tasks"], told["done"], told["credits"], told["maybe"]) == (4, 3, 75, 0)
    assert told["failures"] == [{"code": "moderation", "money": "not_spent", "task_id": None}]
    assert told["task_ids"] == ["n1", "n1", "n1"]


def test_a_refusal_before_anything_was_sent_reads_as_clearly() -> None:
    limit = errors.CreditLimitError("25 credits more would pass the limit.")
    assert run_end.refusal_line(limit, "en") == "Not sent: over your credit limit · not billed"
    assert run_end.refusal_line(limit, "zh") == "未发送：超过您的积分上限 · 未计费"


def test_the_seed_of_the_first_task_is_told_for_the_next_run() -> None:
    made = done()
    seed = made.done.result().row.seed
    assert isinstance(seed, int)
    assert end(made, failed(MODERATED)).values()["seed"] == seed
    assert end(accepted(), wait=False).values()["seed"] == seed
    assert end(failed(MODERATED), done()).values()["seed"] is None, "the second one's is another"
    assert run_end.RunEnd(()).values()["seed"] is None


def test_a_run_without_a_task_names_no_price() -> None:
    lost = errors.UnknownTaskError("Nobody knows this task.", money=Money.MAYBE_SPENT)
    assert run_end.refusal_line(lost, "en") == words.SHORT["en"]["unknown_task"]
    assert run_end.refusal_line(lost, "zh") == words.SHORT["zh"]["unknown_task"]


def test_every_failure_has_its_few_words_in_both_languages() -> None:
    codes = {each.code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")}
    assert set(words.SHORT["en"]) == set(words.SHORT["zh"]) == codes


def told(prompt_id: str, node: str = "1", workflow: str = "w", **more: Any) -> dict[str, Any]:
    return {"prompt_id": prompt_id, "node": node, "workflow": workflow, **more}


def test_the_last_word_on_a_node_holds_its_end_and_its_failure() -> None:
    runs = last_runs.LastRuns()
    runs.add(told("p1", text="Done", failure=None))
    runs.add(told("p2", text="Refused", failure=None))
    whole = runs.add(told("p2", failure={"code": "moderation"}))
    assert (whole["text"], whole["failure"]) == ("Refused", {"code": "moderation"})
    assert runs.all() == [whole], "one for a node"
    assert runs.has_line("p2", "1", "w")
    assert not runs.has_line("p3", "1", "w"), "another run of the same node"
    runs.add(told("p4", workflow="other", text="Done", failure=None))
    assert len(runs.all()) == 2, "a node of another workflow may have the same id"


def test_only_so_many_runs_are_remembered() -> None:
    runs = last_runs.LastRuns()
    for number in range(last_runs.KEPT + 1):
        runs.add(told("p", node=str(number)))
    assert [len(runs.all()), runs.all()[0]["node"]] == [last_runs.KEPT, "1"]
