"""Every failure this pack can report, drawn as one tree.

HunyuanError
├── SetupError                    ComfyUI's Python or its user folder cannot carry the pack; nothing was sent
├── SettingsError                 a setting is missing or wrong; nothing was sent
│   └── MissingKeyError             no API key
├── InvalidRequestError           refused here, before anything was sent
│   ├── InvalidTaskIdError          not a task id
│   └── InputImageError             an input image could not become a URL
├── CreditLimitError              the user's own limit; nothing was sent
├── JournalError                  the journal cannot be written or read; nothing was sent
├── TransportError                one HTTP exchange failed below HTTP (`sent` says how far it came)
│   ├── DnsError
│   ├── ConnectionRefusedByHostError
│   ├── ConnectTimeoutError
│   ├── TlsError
│   ├── ProxyFailedError
│   └── AnswerLostError             the request went out, no whole answer came back
│       └── AnswerTooLargeError       it was over what such an answer may have
├── GatewayError                  the gateway answered something else than what was asked for
│   ├── AuthenticationError         401, 403
│   ├── OutOfCreditsError           402, or other refusals that say so
│   ├── UnknownTaskError            404 for a task
│   ├── RateLimitedError            429
│   ├── ServerError                 5xx
│   ├── UnreadableAnswerError       HTML, broken JSON, a shape nobody documented
│   └── RejectedRequestError        400, 1401 and other refusals
│       ├── ModerationError           1200
│       └── InputUnreachableError     1402: the gateway could not fetch an input image
├── TaskFailedError               the task ended as failed, with the gateway's own words
├── TaskTimeoutError              not done within timeout_s; stays collectable
├── BillingUnknownError           sent, answer lost: may have been billed, not sent again
├── ShuttingDownError             ComfyUI ends; what was sent is collected at its next start
└── DownloadError                 a finished image could not be fetched or read
    ├── LinkDeadError               the link is gone (403, 404, 410)
    ├── UnsafeAddressError          the link points where no download may go
    ├── TooLargeError               over the cap on bytes or pixels
    └── NotAnImageError             truncated, HTML, or no format that is read here

Each one says what was wrong, why, what to do, and whether money moved. No message holds the key. All of it is said with
`say` (sentences.py), so that it can be said in another language too.
Once raised an error does not change any more: `but` gives a copy that says something else.
"""

from __future__ import annotations

import copy
from enum import Enum
from typing import Any, ClassVar, TypeVar

from .sentences import Sentence, Sentences, say, together

E = TypeVar("E", bound="HunyuanError")


class Money(str, Enum):
    """What a failure means for the user's credits."""

    NOT_SPENT = "not_spent"
    SPENT = "spent"
    MAYBE_SPENT = "maybe_spent"
    REFUNDED = "refunded"
    UNTOUCHED = "untouched"  # the failed step itself never costs anything

    @property
    def sentence(self) -> Sentence:
        """The sentence that closes an error message."""
        return _MONEY_SENTENCES[self]


_MONEY_SENTENCES = {
    Money.NOT_SPENT: say("No credits were spent."),
    Money.SPENT: say("The credits of this task are spent; its image can still be collected at no further cost."),
    Money.MAYBE_SPENT: say("This task may have been billed, not sent again."),
    Money.REFUNDED: say("A failed task is not billed by the gateway's own rule (billed per successful request)."),
    Money.UNTOUCHED: say("This step costs no credits."),
}


class HunyuanError(Exception):
    """Base of all failures.

    what: what was wrong, got and expected. why: the cause where it is known. do: what to do now.
    money: whether credits may have been spent. task_id: the gateway's id where one is known.
    translation: `message` in the user's language, set where that is known.
    """

    code: ClassVar[str] = "error"
    default_money: ClassVar[Money] = Money.NOT_SPENT
    # Python and whoever shows an exception's type put its module before the name, but for those of Python itself.
    # The module's name is a folder of the machine where ComfyUI has loaded it.
    __module__ = "builtins"

    def __init_subclass__(cls) -> None:
        cls.__module__ = "builtins"

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        do: str = "",
        money: Money | None = None,
        task_id: str | None = None,
    ) -> None:
        self.what = what
        self.why = why
        self.do = do
        self.money = money or self.default_money
        self.task_id = task_id
        self.translation = ""
        super().__init__(what)

    @property
    def message(self) -> Sentences:
        """All of it in a row, in English."""
        task = (
            say("Task id: {task_id}.", task_id=self.task_id) if self.task_id and self.task_id not in self.what else ""
        )
        return together(self.what, self.why, self.do, task, self.money.sentence)

    def __str__(self) -> str:
        return self.translation or str(self.message)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuses what would change an error that somebody may hold already (AttributeError)."""
        if self.__traceback__ is not None and not name.startswith("__"):
            raise AttributeError(f"{type(self).__name__}.{name}: an error that was raised stays as it is; see but().")
        super().__setattr__(name, value)

    def but(self: E, **changes: Any) -> E:
        """A copy with these fields changed. Whoever hands an error on to several nodes gives each a copy of its own."""
        twin = copy.copy(self)
        for name, value in changes.items():
            if not hasattr(self, name):
                raise AttributeError(f"{type(self).__name__} has no field {name}.")
            setattr(twin, name, value)
        twin.args = (twin.what,)
        # Raised where the first one is being handled, it must not read as a second failure.
        twin.__cause__, twin.__suppress_context__ = self.__cause__, True
        return twin.with_traceback(self.__traceback__)


class SetupError(HunyuanError):
    """ComfyUI's Python lacks a package, or its user folder cannot be used. Nothing was sent."""

    code = "setup"


class SettingsError(HunyuanError):
    """A setting is missing or cannot be used. Nothing was sent."""

    code = "settings"


class MissingKeyError(SettingsError):
    """No API key is set."""

    code = "missing_key"


class InvalidRequestError(HunyuanError):
    """The request was refused here, before anything was sent."""

    code = "invalid_request"


class InvalidTaskIdError(InvalidRequestError):
    """A text that cannot be a task id; it never becomes part of a request path."""

    code = "invalid_task_id"


class InputImageError(InvalidRequestError):
    """An input image could not be turned into a URL for the gateway.

    words: the beginning of what the upload service answered, redacted; not part of the message.
    """

    code = "input_image"
    words: str = ""


class CreditLimitError(HunyuanError):
    """The user's own credit limit refuses the request. Nothing was sent."""

    code = "credit_limit"


class JournalError(HunyuanError):
    """The journal cannot be written or read; what cannot be written down is not sent."""

    code = "journal"


class TransportError(HunyuanError):
    """One HTTP exchange failed below HTTP.

    sent: False where the request certainly did not arrive (no byte of its body went out).
    """

    code = "network"
    default_money = Money.UNTOUCHED

    def __init__(
        self, what: str, *, sent: bool = False, why: str = "", do: str = "", money: Money | None = None
    ) -> None:
        super().__init__(what, why=why, do=do, money=money)
        self.sent = sent


class DnsError(TransportError):
    """The host's name could not be resolved."""

    code = "dns"


class ConnectionRefusedByHostError(TransportError):
    """The host refused the connection or cannot be reached."""

    code = "refused"


class ConnectTimeoutError(TransportError):
    """No connection within the time allowed."""

    code = "connect_timeout"


class TlsError(TransportError):
    """The TLS handshake or the certificate check failed."""

    code = "tls"


class ProxyFailedError(TransportError):
    """The configured proxy could not be reached or refused."""

    code = "proxy"


class AnswerLostError(TransportError):
    """The request went out, but no whole answer came back (dropped, timed out, cut).

    status, body: what came of it, unpacked as far as that went; 0 and empty where nothing did.
    """

    code = "answer_lost"
    status: int = 0
    body: bytes = b""


class AnswerTooLargeError(AnswerLostError):
    """The answer was over what such an answer may have, and not read on."""


class GatewayError(HunyuanError):
    """The gateway answered something else than what was asked for.

    status: the HTTP status. gateway_code: the code in the body, if any. words: the gateway's own, redacted.
    retry_after: seconds the gateway asked to wait, if it did.
    """

    code = "gateway"
    default_money = Money.UNTOUCHED

    def __init__(
        self,
        what: str,
        *,
        status: int = 0,
        gateway_code: str = "",
        words: str = "",
        retry_after: float | None = None,
        why: str = "",
        do: str = "",
        money: Money | None = None,
        task_id: str | None = None,
    ) -> None:
        super().__init__(what, why=why, do=do, money=money, task_id=task_id)
        self.status = status
        self.gateway_code = gateway_code
        self.words = words
        self.retry_after = retry_after


class AuthenticationError(GatewayError):
    """401 or 403: the key is wrong, expired or not allowed."""

    code = "authentication"


class OutOfCreditsError(GatewayError):
    """The account has no credits left: 402, or another refusal that says so."""

    code = "out_of_credits"


class UnknownTaskError(GatewayError):
    """404, or another refusal that says so, for a task: the gateway does not know this id (any more)."""

    code = "unknown_task"


class RateLimitedError(GatewayError):
    """429: too many requests; certainly not accepted."""

    code = "rate_limited"


class ServerError(GatewayError):
    """5xx: the gateway or a proxy before it failed."""

    code = "server"


class UnreadableAnswerError(GatewayError):
    """HTML instead of JSON, broken JSON, or a shape that cannot be read; never guessed.

    is_json: the body was whole JSON of a shape nobody documented, so asking again will not change it.
    """

    code = "unreadable"
    is_json: bool = False


class RejectedRequestError(GatewayError):
    """400, 1401 and other refusals of the request's content."""

    code = "rejected"


class ModerationError(RejectedRequestError):
    """1200: refused by content moderation."""

    code = "moderation"


class InputUnreachableError(RejectedRequestError):
    """1402: the gateway could not fetch an input image's URL. Not moderation."""

    code = "input_unreachable"


class TaskFailedError(HunyuanError):
    """The task ended as failed. Carries the gateway's own words; never retried."""

    code = "task_failed"
    default_money = Money.REFUNDED


class TaskTimeoutError(HunyuanError):
    """The task was not done within timeout_s. It stays collectable by its id."""

    code = "task_timeout"
    default_money = Money.SPENT


class BillingUnknownError(HunyuanError):
    """A create was sent and its answer is lost: may have been billed, not sent again."""

    code = "billing_unknown"
    default_money = Money.MAYBE_SPENT


class ShuttingDownError(HunyuanError):
    """ComfyUI ends while a node waits. What was sent is collected at its next start."""

    code = "shutting_down"


class DownloadError(HunyuanError):
    """A finished image could not be fetched or read. Its task stays collectable."""

    code = "download"
    default_money = Money.SPENT


class LinkDeadError(DownloadError):
    """The link is gone (403, 404, 410)."""

    code = "link_dead"


class UnsafeAddressError(DownloadError):
    """The link points at an address no download may go to."""

    code = "unsafe_address"


class TooLargeError(DownloadError):
    """The file is over the cap on bytes or pixels."""

    code = "too_large"


class NotAnImageError(DownloadError):
    """The bytes are not an image that can be read here.

    body: what came, where it was refused before anybody else had it.
    """

    code = "not_an_image"
    body: bytes = b""
