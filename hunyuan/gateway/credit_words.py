"""Whether a refusal means that the account is empty: gateways say it with many codes and words, not only with 402."""

from __future__ import annotations

import re
from collections.abc import Collection

from .answer_images import fold

# As fold() gives them: `insufficient_user_quota`, `InsufficientBalance`, `OUT-OF-CREDITS`.
_CODES = frozenset(
    {"insufficientuserquota", "insufficientquota", "insufficientcredits", "insufficientcredit", "insufficientbalance"}
    | {"insufficientfunds", "outofcredits", "nocredits", "creditsexhausted", "billinghardlimitreached", "arrearage"}
    | {"notenoughcredits", "notenoughcredit", "notenoughbalance", "creditinsufficient", "creditsinsufficient"}
    | {"balanceinsufficient", "balancenotenough", "quotainsufficient", "quotaexhausted", "paymentrequired"}
)
_OVERDRAWN_CODES = frozenset({"quotaexceeded"})
_HELD = r"(?:credits?|balance|funds?|quota|(?:account|user|api|credit) points)"  # what an account has
_FEW = r"(?:\(?\w+\)? ){0,4}"  # words between
_WORDS = re.compile(
    rf"\binsufficient[ _](?:\w+[ _]){{0,2}}{_HELD}\b"
    rf"|(?:\bnot|n['\u2019]t) (?:have |got )?(?:enough|sufficient) (?:\w+ ){{0,2}}{_HELD}\b"
    rf"|\b{_HELD} {_FEW}(?:insufficient|(?:not|n['\u2019]t) (?:enough|sufficient)|too low|negative)\b"
    rf"|\b{_HELD} {_FEW}(?:exhausted|used up|depleted)\b"
    r"|\b(?:has|have) (?:only )?0 (?:\w+ )?credits\b"
    rf"|\bexhausted (?:your |the )?(?:\w+ )?{_HELD}\b|\bused (?:up )?all (?:of )?(?:your|the) (?:\w+ )?{_HELD}\b"
    # "No credits were charged" says the contrary.
    r"|\bno (?:more |remaining |available )?credits\b"
    r"(?! (?:are|were|was|is|will|have|has|consumed|deducted|used|charged|taken|spent)\b)"
    r"|\bout of (?:api )?credits?\b(?! cards?\b)|exceeded your current quota|payment required"
    r"|(?:余额|餘額|额度|額度|积分|積分|配额|配額|点数|點數)\s*[已经經]{0,2}\s*(?:不足|不够|不夠|用完|耗尽|耗盡|用尽|用盡|用光)"
    r"|欠费|欠費",
    re.IGNORECASE,
)
_OVERDRAWN = re.compile(r"\bquota (?:has been |is |was )?exceeded\b", re.IGNORECASE)  # of a rate too, beside a 429
# A 429 with these words is over in a while, whatever it calls its quota.
_TOO_MANY = (
    r"\b(?:per|this|a) (?:second|minute|hour|day)\b|rate limit|requests? too (?:fast|often|many)|too many requests"
    r"|每(?:秒|分钟|分鐘|小时|小時|天)|请求过多|請求過多|频繁|頻繁"
)
_TOO_MANY_QUESTIONS = re.compile(_TOO_MANY, re.IGNORECASE)
_SOON_AGAIN = re.compile(rf"{_TOO_MANY}|\b(?:re)?try (?:again )?(?:in|after|later|shortly)\b|稍后|稍後", re.IGNORECASE)
# What stands in quotation marks is mostly the user's own prompt.
_QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|\u201c[^\u201d]*\u201d|\u2018[^\u2019]*\u2019(?!\w)|「[^」]*」")


def says_too_many(words: str) -> bool:
    """Whether the words are of too many questions in a time, and of nothing else: a task's failure, too, may end with
    "try again later"."""
    return bool(_TOO_MANY_QUESTIONS.search(words))


def says_soon_again(words: str) -> bool:
    """Whether a refusal is for too many questions in a time, and over in a while."""
    return bool(_SOON_AGAIN.search(words))


def says_no_credits(number: int, codes: Collection[str], words: str) -> bool:
    """number: HTTP's status or the body's code, 0 for none; of no failure of the server."""
    if number == 429 and says_soon_again(words):
        return False
    if number == 402 or any(fold(code) in _CODES for code in codes):
        return True
    said = _QUOTED.sub(" ", words)
    overdrawn = bool(_OVERDRAWN.search(said)) or any(fold(code) in _OVERDRAWN_CODES for code in codes)
    return bool(_WORDS.search(said)) or (number != 429 and overdrawn)
