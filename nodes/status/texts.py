"""What the server itself says to the user, in English and Chinese. The page's own texts stand in locales/ and web/.

A failure's sentences come as values (hunyuan/sentences.py) and have their Chinese in locales/zh/errors.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...hunyuan.errors import HunyuanError
from ...hunyuan.jobs.handle import Phase, Progress
from ...hunyuan.sentences import Sentence, Sentences
from ..comfyui.prompt_origin import language
from .failure_words import short

_PHASES = {
    "en": {
        Phase.LOOKING: "looking for a paid image",
        Phase.PREPARING: "uploading inputs",
        Phase.QUEUED: "waiting for a slot",
        Phase.RESERVING: "reserving",
        Phase.SENDING: "sending",
        Phase.WAITING: "running",
        Phase.FOLLOWING: "running elsewhere",
        Phase.DOWNLOADING: "downloading",
        Phase.ENDED: "done",
    },
    "zh": {
        Phase.LOOKING: "查找已付费的图像",
        Phase.PREPARING: "上传输入图像",
        Phase.QUEUED: "等待空位",
        Phase.RESERVING: "正在登记",
        Phase.SENDING: "正在提交",
        Phase.WAITING: "生成中",
        Phase.FOLLOWING: "由另一进程处理中",
        Phase.DOWNLOADING: "下载中",
        Phase.ENDED: "完成",
    },
}
_WORDS = {
    "en": {
        "of": "{done} of {all} done",
        "about": "{s} of about {usual} s",
        "longer": "{s} s, usually about {usual} s",
        "paused": "gateway busy, {s} s",
        "unspent": "nothing spent so far",
        "crowd": "{n} in flight, the oldest for {age}; more at once: max_in_flight in the settings",
        "credits": "{n} credits",
        "seconds": "{n} s",
        "minutes": "{n} min",
        "hours": "{n} h",
    },
    "zh": {
        "of": "已完成 {done}/{all}",
        "about": "{s} 秒，通常约 {usual} 秒",
        "longer": "{s} 秒，通常约 {usual} 秒",
        "paused": "网关繁忙，{s} 秒",
        "unspent": "目前未消耗积分",
        "crowd": "{n} 个任务进行中，最早的已 {age}；可在设置中提高 max_in_flight",
        "credits": "{n} 积分",
        "seconds": "{n} 秒",
        "minutes": "{n} 分钟",
        "hours": "{n} 小时",
    },
}
LONGEST_WORDS = 120  # characters of the gateway's own words on a node


def translate(error: HunyuanError) -> str:
    """The whole message in the user's language; empty for English, in which the error itself speaks."""
    return whole(error, "zh") if language() == "zh" else ""


def whole(error: HunyuanError, lang: str) -> str:
    """All of it in `en` or `zh`: what was wrong, why, what to do, the task, and what it means for the credits."""
    return f"{_before(error, lang)}{said(error.message, lang)}"


def headline(error: HunyuanError, lang: str) -> str:
    """What was wrong, in one sentence of `en` or `zh`, without task id and credits."""
    return f"{_before(error, lang)}{said(error.what, lang)}"


def said(text: str, lang: str) -> str:
    """A sentence of ours in `en` or `zh`; somebody else's words stay as they are."""
    if lang != "zh":
        return str(text)
    from .chinese import in_chinese  # not while ComfyUI loads the pack

    return in_chinese(text)


def _before(error: HunyuanError, lang: str) -> str:
    """Where nobody can say it in Chinese, at least what kind of failure it is."""
    return "" if lang != "zh" or isinstance(error.what, (Sentence, Sentences)) else f"{short(error, lang)}。"


def status_line(views: Sequence[Progress], done: Sequence[bool], credits: int, lang: str) -> str:
    """State, seconds and credits of a running node's tasks in one line (how it ended: see run_end)."""
    words = _WORDS[lang]
    open_views = [view for view, ended in zip(views, done, strict=True) if not ended]
    seconds = int(max(view.seconds for view in views))
    phase = _active(open_views) if open_views else Phase.ENDED
    parts = [_PHASES[lang][phase], _time(phase, seconds, max(view.usual for view in views), words)]
    if len(views) > 1:
        parts.insert(0, words["of"].format(done=sum(done), all=len(views)))
    parts.extend(_what_it_waits_for(open_views, words))
    parts.append(words["credits"].format(n=credits))
    return " · ".join(parts)


def _time(phase: Phase, seconds: int, usual: float, words: Mapping[str, str]) -> str:
    """Seconds, and while the gateway works how many there usually are."""
    if phase is not Phase.WAITING or not usual:
        return words["seconds"].format(n=seconds)
    return words["about" if seconds <= usual else "longer"].format(s=seconds, usual=round(usual))


def _what_it_waits_for(views: Sequence[Progress], words: Mapping[str, str]) -> list[str]:
    """A pause after a 429, with the gateway's own words; else the tasks that have the slots."""
    queued = [view for view in views if view.phase is Phase.QUEUED]
    paused = max((view.paused_for for view in views), default=0.0)
    if paused > 0:
        refusal = next((view.refusal for view in views if view.refusal), "")
        said = [f'"{_shortened(refusal)}"'] if refusal else []
        unspent = [words["unspent"]] if len(queued) == len(views) else []
        return [words["paused"].format(s=int(paused) + 1), *said, *unspent]
    if len(queued) < len(views):
        return []  # something of this node is under way: the line tells of that
    crowd = max(queued, key=lambda view: view.in_flight, default=None)
    if crowd is None or not crowd.in_flight:
        return []
    return [words["crowd"].format(n=crowd.in_flight, age=_age(crowd.oldest, words))]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}…"


def _age(seconds: float, words: Mapping[str, str]) -> str:
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return words[unit].format(n=int(seconds // size))
    return words["seconds"].format(n=int(seconds))


def _active(views: Sequence[Progress]) -> Phase:
    """The phase to name for several tasks: the furthest that is still under way."""
    order = (
        Phase.DOWNLOADING,
        Phase.WAITING,
        Phase.FOLLOWING,
        Phase.SENDING,
        Phase.RESERVING,
        Phase.QUEUED,
        Phase.PREPARING,
    )
    return next((phase for phase in order if any(view.phase is phase for view in views)), Phase.LOOKING)
