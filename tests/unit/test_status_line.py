"""The line on a running node: what it says of a task that has to wait, in both languages."""

from __future__ import annotations

from typing import Any

from tests.kit.pack import load

texts, handle = load("nodes.status.texts"), load("hunyuan.jobs.handle")
Phase = handle.Phase
BUSY = "The farm is at capacity"


def view(phase: Any = Phase.QUEUED, **told: Any) -> Any:
    return handle.Progress(phase, 12.0, **told)


def line(*views: Any, lang: str = "en") -> str:
    said = texts.status_line(views, [False] * len(views), 25, lang)
    assert isinstance(said, str)
    return said


def test_who_waits_for_a_slot_reads_for_whom_and_what_to_do() -> None:
    waiting = view(in_flight=8, oldest=250.0)
    assert "waiting for a slot" in line(waiting)
    assert "8 in flight, the oldest for 4 min" in line(waiting)
    assert "max_in_flight" in line(waiting)
    assert "8 个任务进行中，最早的已 4 分钟" in line(waiting, lang="zh")
    assert "the oldest for 59 s" in line(view(in_flight=1, oldest=59.9))
    assert "the oldest for 2 h" in line(view(in_flight=1, oldest=7300.0))
    assert "in flight" not in line(view()), "nobody has one: it is granted in this moment"


def test_a_node_of_which_something_runs_does_not_speak_of_the_slots() -> None:
    assert "in flight" not in line(view(Phase.WAITING), view(in_flight=8, oldest=250.0))


def test_a_429_reads_in_the_gateways_words_and_that_nothing_is_spent() -> None:
    refused = view(paused_for=7.2, refusal=BUSY)
    assert f'gateway busy, 8 s · "{BUSY}" · nothing spent so far' in line(refused)
    assert f'网关繁忙，8 秒 · "{BUSY}" · 目前未消耗积分' in line(refused, lang="zh")
    running = view(Phase.WAITING, paused_for=7.2, refusal=BUSY)
    assert BUSY in line(running)
    assert "nothing spent" not in line(running)
    assert "gateway busy, 8 s" in line(view(paused_for=7.2, refusal="")), "a gateway without words"
    assert len(line(view(paused_for=7.2, refusal="x" * 400))) < 250


def test_who_waits_reads_how_long_it_usually_takes() -> None:
    running = view(Phase.WAITING, usual=18.2, task_id="n68_hunyuan3")
    assert line(running) == "running · 12 of about 18 s · 25 credits", "the task id is in the details"
    assert line(running, lang="zh") == "生成中 · 12 秒，通常约 18 秒 · 25 积分"
    assert "12 s, usually about 8 s" in line(view(Phase.WAITING, usual=8.0))
    assert "12 s ·" in line(view(Phase.WAITING)), "a task of unknown kind"
    assert "about" not in line(view(Phase.DOWNLOADING, usual=18.0))


def test_a_failure_in_chinese_says_all_of_it_and_nothing_twice() -> None:
    errors, say = load("hunyuan.errors"), load("hunyuan.sentences").say
    late = say("Not done within timeout_s = {seconds:g} s", seconds=2.5)
    unsent = errors.TaskTimeoutError(say("{late}.", late=late), money=errors.Money.NOT_SPENT)
    assert texts.whole(unsent, "zh") == "等待超时，2.5 秒（timeout_s）内没有完成。未消耗积分。"
    words = say('"{words}"', words="no GPU left")
    failed = errors.TaskFailedError(say("The task failed: {words}", words=words), task_id="n68")
    assert texts.whole(failed, "zh") == (
        "任务失败：“no GPU left”。任务 ID：n68。按网关自己的规则，失败的任务不计费（只对成功的请求计费）。"
    )
    assert texts.whole(failed, "en") == str(failed)
    assert (texts.headline(failed, "en"), texts.headline(failed, "zh")) == (failed.what, "任务失败：“no GPU left”。")


def test_of_what_nobody_can_say_in_chinese_the_kind_of_failure_and_the_credits_are_told() -> None:
    errors = load("hunyuan.errors")
    assert texts.headline(errors.TaskFailedError("It failed."), "zh") == "任务失败。It failed."
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")]
    assert len(kinds) > 30
    said = [texts.whole(each("x"), "zh") for each in kinds]
    assert [each for each in said if "积分" not in each and "计费" not in each] == []
