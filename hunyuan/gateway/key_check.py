"""What the answer to "ask for a task that cannot exist" says of the key, the address and the way there."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import (
    AuthenticationError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    DnsError,
    GatewayError,
    HunyuanError,
    OutOfCreditsError,
    ProxyFailedError,
    RateLimitedError,
    RejectedRequestError,
    SettingsError,
    TlsError,
    UnknownTaskError,
    UnreadableAnswerError,
    UnsafeAddressError,
)
from ..sentences import Sentence, say, together

IMPOSSIBLE_TASK_ID = "hunyuan-key-test-no-such-task"

_FAULTS: tuple[tuple[type[HunyuanError], str], ...] = (
    (SettingsError, "key"),
    (AuthenticationError, "key"),
    (DnsError, "dns"),
    (ProxyFailedError, "proxy"),
    (TlsError, "tls"),
    (ConnectionRefusedByHostError, "connection"),
    (ConnectTimeoutError, "connection"),
    (UnreadableAnswerError, "address"),
    (GatewayError, "gateway"),
)


@dataclass(frozen=True)
class KeyCheck:
    """fault: empty, or which is to blame: `key`, `dns`, `proxy`, `tls`, `connection`, `address`, `gateway`,
    `closed` (it may not be asked).

    message: for the user, without the key. ok: the key was accepted. said: which sentence the message is, where it is
    one of ours that the page has in other languages too.
    """

    ok: bool
    fault: str
    message: str
    said: str = ""


def judge_failure(failure: HunyuanError) -> KeyCheck:
    """No answer came."""
    if isinstance(failure, UnsafeAddressError):
        return KeyCheck(False, "closed", closed(), "closed")
    return KeyCheck(False, _fault(failure), failure.message)


def closed() -> Sentence:
    """What is said of an address that the check may not go to."""
    return say(
        "This leads to a closed address (private, loopback, link-local or metadata), which is "
        "not asked before it is set up. Save it first, or add its host to allowed_hosts."
    )


def judge_answer(failure: GatewayError | None, base_url: str, *, is_json: bool) -> KeyCheck:
    """An answer came; failure: what it reads as, None for a task's. is_json: a gateway's answer, whatever it says.

    Nothing of the answer is told: whoever may ask for this check could have anything on the server's network read out.
    A gateway that looks for the task before it looks at the key would let a wrong key pass: ours answers 401 first.
    """
    may_be_anybodys = failure is None or isinstance(failure, UnknownTaskError)
    if (may_be_anybodys and not is_json) or isinstance(failure, UnreadableAnswerError):
        message = say(
            "{base_url} answers, but not as the gateway does. Check the base URL in the settings.", base_url=base_url
        )
        return KeyCheck(False, "address", message, "not_the_gateway")
    if isinstance(failure, OutOfCreditsError):
        message = say(
            "The gateway at {base_url} accepts the key, but its account has no credits left.", base_url=base_url
        )
        return KeyCheck(True, "", message, "no_credits")
    if failure is None or isinstance(failure, (UnknownTaskError, RejectedRequestError)):
        message = say("The gateway at {base_url} answers and accepts the key.", base_url=base_url)
        if base_url.startswith("https:"):
            return KeyCheck(True, "", message, "accepted")
        note = say("Note that the address begins with http: the key travels without encryption.")
        return KeyCheck(True, "", together(message, note), "accepted_plain")
    if isinstance(failure, AuthenticationError):
        message = say(
            "The gateway at {base_url} does not accept the key. Copy it again from your account there.",
            base_url=base_url,
        )
        return KeyCheck(False, "key", message, "key_refused")
    if isinstance(failure, RateLimitedError):
        message = say(
            "The gateway at {base_url} takes no more requests at the moment (429). Try again later.", base_url=base_url
        )
        return KeyCheck(False, "gateway", message, "gateway_busy")
    message = say("The gateway at {base_url} fails at the moment. Try again later.", base_url=base_url)
    return KeyCheck(False, _fault(failure), message, "gateway_failing")


def _fault(failure: HunyuanError) -> str:
    return next((fault for kind, fault in _FAULTS if isinstance(failure, kind)), "connection")
