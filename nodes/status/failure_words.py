"""A failure in a few words, for the line on a node: by its code, in English and Chinese."""

from __future__ import annotations

from ...hunyuan.errors import HunyuanError, Money

SHORT = {
    "en": {
        "error": "Failed",
        "missing_key": "No API key",
        "setup": "ComfyUI cannot carry the pack",
        "settings": "A setting is wrong",
        "invalid_request": "Not sent: an input is wrong",
        "invalid_task_id": "Not sent: no task id",
        "input_image": "Not sent: the input image has no link",
        "credit_limit": "Not sent: over your credit limit",
        "journal": "The journal cannot be used",
        "network": "Network failure",
        "dns": "Host name not found",
        "refused": "Connection refused",
        "connect_timeout": "No connection in time",
        "tls": "TLS failed",
        "proxy": "The proxy failed",
        "answer_lost": "Answer lost",
        "gateway": "The gateway refused it",
        "authentication": "The key was refused",
        "out_of_credits": "Out of credits",
        "unknown_task": "Task not known",
        "rate_limited": "Too many requests",
        "server": "The gateway failed",
        "unreadable": "Answer not readable",
        "rejected": "Refused by the gateway",
        "moderation": "Refused by moderation",
        "input_unreachable": "Input image not reachable",
        "task_failed": "Task failed",
        "task_timeout": "Not done in time",
        "billing_unknown": "May have been billed",
        "shutting_down": "ComfyUI was shutting down",
        "download": "Image not downloaded",
        "link_dead": "Image link is dead",
        "unsafe_address": "Image link not allowed",
        "too_large": "Image too large",
        "not_an_image": "What came is no image",
    },
    "zh": {
        "error": "失败",
        "missing_key": "未设置 API 密钥",
        "setup": "ComfyUI 环境有问题",
        "settings": "设置有误",
        "invalid_request": "未发送：输入有误",
        "invalid_task_id": "未发送：任务 ID 有误",
        "input_image": "未发送：输入图像没有链接",
        "credit_limit": "未发送：超过您的积分上限",
        "journal": "任务日志无法使用",
        "network": "网络故障",
        "dns": "域名无法解析",
        "refused": "连接被拒绝",
        "connect_timeout": "连接超时",
        "tls": "TLS 失败",
        "proxy": "代理失败",
        "answer_lost": "应答丢失",
        "gateway": "网关拒绝了请求",
        "authentication": "密钥未被接受",
        "out_of_credits": "账户积分不足",
        "unknown_task": "网关不认识这个任务",
        "rate_limited": "请求过于频繁",
        "server": "网关内部错误",
        "unreadable": "应答无法解析",
        "rejected": "网关拒绝了请求",
        "moderation": "内容审核未通过",
        "input_unreachable": "网关无法访问输入图像",
        "task_failed": "任务失败",
        "task_timeout": "等待超时",
        "billing_unknown": "可能已计费",
        "shutting_down": "ComfyUI 正在关闭",
        "download": "图像下载失败",
        "link_dead": "图像链接已失效",
        "unsafe_address": "图像链接不允许访问",
        "too_large": "图像过大",
        "not_an_image": "收到的内容不是图像",
    },
}
MONEY_ZH = {
    Money.NOT_SPENT: "未消耗积分。",
    Money.SPENT: "该任务的积分已消耗；之后仍可取回图像，不再计费。",
    Money.MAYBE_SPENT: "该任务可能已计费，不会自动重发。",
    Money.REFUNDED: "按网关自己的规则，失败的任务不计费。",
    Money.UNTOUCHED: "这一步不消耗积分。",
}


def short(error: BaseException, lang: str) -> str:
    """`error` in two to six words; of what is no failure of ours, only that it failed."""
    words = SHORT[lang]
    return words.get(getattr(error, "code", ""), words["error"])


def money_in_chinese(error: HunyuanError) -> str:
    """The sentence on the credits that closes a message."""
    return MONEY_ZH[error.money]
