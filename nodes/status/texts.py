"""What the server itself says to the user, in English and Chinese. The page's own texts stand in locales/ and web/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...hunyuan.errors import HunyuanError, Money
from ...hunyuan.jobs.handle import Phase, Progress
from ..comfyui.prompt_origin import language
from .failure_words import money_in_chinese, short

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
_ERRORS_ZH = {
    "missing_key": "未设置 API 密钥：请用命令“Hunyuan：设置 API 密钥”或环境变量 HUNYUAN_API_KEY 设置。未消耗积分。",
    "setup": "ComfyUI 的 Python 缺少软件包，或其用户文件夹无法使用。未发送任何请求，未消耗积分。",
    "settings": "设置缺失或有误，未发送任何请求，未消耗积分。",
    "invalid_request": "输入不符合接口要求，未发送，未消耗积分。",
    "invalid_task_id": "任务 ID 格式不正确，未发送，未消耗积分。",
    "input_image": "输入图像无法变成网关可访问的链接，未发送，未消耗积分。",
    "credit_limit": "超过了您设置的积分上限，未发送，未消耗积分。",
    "journal": "任务日志无法读写；无法记录的请求不会发送。",
    "dns": "域名无法解析，请检查网关地址、DNS 与网络。",
    "refused": "连接被拒绝或无法到达，请检查网关地址与网络。",
    "connect_timeout": "连接超时，请检查网络或代理。",
    "tls": "TLS 握手或证书校验失败，请检查代理与 CA 证书。",
    "proxy": "代理无法连接或拒绝了请求，请检查代理设置。",
    "answer_lost": "请求已发出，但没有收到完整的应答。",
    "authentication": "API 密钥无效或没有权限，请检查密钥。",
    "out_of_credits": "账户积分不足，请充值。",
    "unknown_task": "网关不认识这个任务 ID。",
    "rate_limited": "请求过于频繁，网关暂时拒绝。",
    "server": "网关内部错误（5xx）。",
    "unreadable": "网关的应答无法解析。",
    "rejected": "网关拒绝了该请求，未消耗积分。",
    "moderation": "内容审核未通过，请修改提示词或输入图像。",
    "input_unreachable": "网关无法访问输入图像的链接（并非内容审核）。",
    "task_failed": "任务失败。",
    "task_timeout_unsent": "等待超时；请求尚未被网关接受，未消耗积分。",
    "task_timeout": "等待超时；任务会在后台继续收取，可凭任务 ID 取回图像。",
    "billing_unknown": "提交后未收到应答：可能已计费，不会自动重发。",
    "shutting_down": "ComfyUI 正在关闭；已提交的任务会在下次启动后继续收取。",
    "download": "图像下载失败。",
    "link_dead": "图像链接已失效。",
    "unsafe_address": "图像链接指向不允许访问的地址。",
    "too_large": "图像超过大小上限。",
    "not_an_image": "下载的内容不是可读取的图像。",
}


def translate(error: HunyuanError) -> str:
    """The message in the user's language to stand before the English one, which has the details; empty for English."""
    return in_chinese(error) if language() == "zh" else ""


def in_chinese(error: HunyuanError) -> str:
    """The failure in Chinese: what happened, the task, and what it means for the credits."""
    sentence = headline(error, "zh")
    task = f"任务 ID：{error.task_id}。" if error.task_id else ""
    money = money_in_chinese(error)
    said = money.rstrip("。") in sentence or (error.money is Money.MAYBE_SPENT and "可能已计费" in sentence)
    return f"{sentence}{task}{'' if said else money}"


def headline(error: HunyuanError, lang: str) -> str:
    """The failure in one sentence of `en` or `zh`, without task id and credits."""
    if lang != "zh":
        return error.what
    unsent = f"{error.code}_unsent" if error.money is Money.NOT_SPENT else ""
    return _ERRORS_ZH.get(unsent) or _ERRORS_ZH.get(error.code) or f"{short(error, 'zh')}。"


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
