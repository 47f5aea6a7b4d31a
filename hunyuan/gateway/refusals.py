"""What the gateway's refusals and unreadable answers become: one error, one sentence each.

Texts of the gateway are quoted shortened and redacted. Codes: the vendor's docs for 401 to 5xx, the upstream's
for 1200 (moderation), 1401 (invalid parameter), 1402 (input not reachable) and 5004 (timeout).
"""

from __future__ import annotations

import html
import math
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from ..errors import (
    AuthenticationError,
    GatewayError,
    InputUnreachableError,
    ModerationError,
    Money,
    OutOfCreditsError,
    RateLimitedError,
    RejectedRequestError,
    ServerError,
    UnknownTaskError,
    UnreadableAnswerError,
)
from ..http.retry_after import retry_after
from ..limits import LONGEST_RETRY_AFTER
from ..models import TaskState
from ..sentences import Sentence, say, together
from . import answers
from .answer_ids import given_id, task_id
from .answer_parts import parse
from .credit_words import says_no_credits, says_soon_again
from .status_words import state_of

_UPSTREAM_CODES = ("1200", "1401", "1402", "5004")
_CODE_IN_WORDS = re.compile(r"\b(?:code|error)\W{0,3}(1200|1401|1402|5004)\b", re.IGNORECASE)
_LONGEST_WORDS, _LONGEST_BODY = 400, 600  # characters quoted
_SIGNATURE = re.compile(r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]+")
_INLINE = re.compile(r"(data:[\w./+\-]{0,60}[^,\"']{0,40},)?[A-Za-z0-9+/_\-]{200,}={0,2}")
_TITLE = re.compile(r"<title[^>]*>([^<]{1,400})", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer\s+)[^\s\"',]+", re.IGNORECASE)
# ComfyUI's page opens comfy.org's login or shop for errors with these words, whoever said them.
_DIALOG_WORDS = (
    ("Unauthorized: Please login first to use this node", "unauthorized, please log in first"),
    ("Payment Required: Please add credits", "payment required, please top up"),
)

# A poll is told in many ways that its task is not there, and by few with 404.
_NO_SUCH_TASK = re.compile(
    r"(task|prediction|job|record)(\b|_|id|info).{0,40}"
    r"(not[ _]?(be[ _])?(found|exist)|n['\u2019]t exist|is null|expired)"
    r"|\b(no such|unknown|invalid|no|cannot find|can't find)[ _](the[ _])?(task|prediction|job|record)"
    r"|record not found|任务.{0,20}(不存在|未找到|无效)|(找不到|未找到|无效).{0,6}任务|任務.{0,20}(不存在|無效)",
    re.IGNORECASE,
)

# The same where a failed state stands beside it: a task, too, may fail over something that was not found.
_TASK_MISSING = re.compile(
    r"\b(task|prediction|job|record)([ _\-]?(id|info))?([ :]+\S*\d\S*)?[ _:]{1,2}"
    r"((was|is|could|can|does|do|has)[ _]?)?(not|n['\u2019]t)[ _](be[ _]|been[ _])?(found|exist)"
    r"|\b(no such|cannot find|can't find)[ _](the[ _])?(task|prediction|job|record)\b"
    r"|任务\S{0,3}(不存在|未找到)|(找不到|未找到)(该|此|这个)?任务|任務\S{0,3}不存在",
    re.IGNORECASE,
)

Failure = TypeVar("Failure", bound=GatewayError)


@dataclass(frozen=True)
class Reply:
    """One answer of the gateway, with what its errors are worded from."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]
    redact: Callable[[str], str]
    is_create: bool
    request_inputs: Collection[str] = ()  # the request's own values: of a create its texts too
    asked: str = ""  # the id that a poll asks for

    @cached_property
    def json(self) -> answers.Json | None:
        return parse(self.body, self.request_inputs, self.asked)

    @cached_property
    def words(self) -> str:
        """The gateway's own words, safe to show; of what is no JSON object a short text, or a page's title."""
        if self.json is not None:
            return self.shown(answers.words(self.json), _LONGEST_WORDS)
        text = self.body[:20_000].decode("utf-8", "replace").strip()
        if _is_page(self):
            title = _TITLE.search(text)
            text = html.unescape(title[1]) if title else ""
        return self.shown(text.strip('"'), _LONGEST_WORDS) if len(text) <= _LONGEST_WORDS else ""

    @cached_property
    def code(self) -> str:
        """The code in the body; upstream's also from the words, where gateways put it."""
        code = answers.code(self.json) if self.json else ""
        if code in _UPSTREAM_CODES:
            return code
        if self.json is None:
            return ""  # a page's "Error 1200" is of whoever stands before the gateway
        if match := _CODE_IN_WORDS.search(self.words):
            return match[1]
        return "1402" if "unable to access the provided media url" in self.words.lower() else self.shown(code, 40)

    @property
    def task_code(self) -> str:
        """The code of a failed task: what only repeats HTTP's is none."""
        return "" if self.code == str(self.status) else self.code

    def shown(self, text: str, longest: int) -> str:
        """The text on one line, without secrets, signatures and inline images, shortened."""
        text = self.redact(text[:20_000])
        text = _SIGNATURE.sub(r"\1?...", _BEARER.sub(r"\1***", text))
        text = _INLINE.sub("...", text)
        for trigger, harmless in _DIALOG_WORDS:
            text = re.sub(re.escape(trigger), harmless, text, flags=re.IGNORECASE)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= longest else f"{text[:longest]}..."

    @cached_property
    def retry_after(self) -> float | None:
        return retry_after(self.headers, time.time())


def unreadable(reply: Reply, why: Sentence) -> UnreadableAnswerError:
    """An answer of which nobody can say what it means; quotes it."""
    text = reply.shown(reply.body[:20_000].decode("utf-8", "replace"), _LONGEST_BODY)
    safe = 400 <= reply.status < 500
    failure = _made(
        UnreadableAnswerError,
        reply,
        say(
            "The gateway's answer (HTTP {status}) cannot be read: {why}. It began: {beginning}",
            status=reply.status,
            why=why,
            beginning=text or say("(empty)"),
        ),
        do=say("Check the base URL in the settings; if it is right, report this answer."),
        money=Money.NOT_SPENT if safe else Money.MAYBE_SPENT,
    )
    failure.is_json = reply.json is not None
    return failure


def refused(reply: Reply) -> GatewayError:
    """The error for an answer that is not about a task: by upstream's code, else HTTP's status, else the code."""
    if reply.code in _UPSTREAM_CODES:
        return _upstream(reply)
    number = number_of(reply)
    if 300 <= number < 400 and reply.status >= 300:
        return _redirected(reply)
    if is_out_of_credits(reply):
        return _out_of_credits(reply, number)
    if number in (401, 403, 404, 408, 410, 413, 429):
        return _by_number(reply, number)
    if _is_the_servers(number):
        return _server(reply, number)
    if 400 <= number < 500 or 1000 <= number < 2000:
        return _rejected(reply, number)
    if reply.json is None:
        return unreadable(reply, _what_it_is(reply))
    if failed := failed_question(reply, reply.json):
        return failed
    said = (
        say('it reports the error "{words}"', words=reply.words or reply.code)
        if answers.has_error(reply.json)
        else say("it is empty")
    )
    return unreadable(reply, said)


def failed_question(reply: Reply, root: answers.Json) -> GatewayError | None:
    """What a poll's answer without a code means that says nothing of the task but that something failed: the question
    did, and is asked again. None for any other answer."""
    if reply.is_create or answers.images(root, reply.request_inputs):
        return None
    if given_id(root) and not answers.status_word(root):
        return None
    if _NO_SUCH_TASK.search(reply.words):
        return _not_found(reply, 404)
    if says_soon_again(reply.words):
        return _by_number(reply, 429)
    return _server(reply, reply.status) if state_of(answers.status_word(root)) is TaskState.FAILED else None


def says_missing(words: str) -> bool:
    """Whether a failure's words say that the task itself is not known (yet)."""
    return _TASK_MISSING.search(words) is not None


def _what_it_is(reply: Reply) -> Sentence:
    if _is_page(reply):
        return say("it is a web page (HTML) instead of JSON; a login page, a firewall or a wrong address answers so")
    return say("it is not JSON") if reply.body.strip() else say("it is empty")


def _is_page(reply: Reply) -> bool:
    return reply.json is None and (reply.body[:2000].lstrip()[:1] == b"<" or "html" in reply.content_type.lower())


def _made(
    kind: type[Failure], reply: Reply, what: str, *, why: str = "", do: str = "", money: Money = Money.NOT_SPENT
) -> Failure:
    """money: what it means for a create; a poll never costs anything."""
    said = say('The gateway says: "{words}".', words=reply.words) if reply.words and reply.words not in what else ""
    return kind(
        what,
        status=reply.status,
        gateway_code=reply.code,
        words=reply.words,
        retry_after=reply.retry_after,
        why=together(why, said),
        do=do,
        money=money if reply.is_create else Money.UNTOUCHED,
    )


def _upstream(reply: Reply) -> GatewayError:
    if reply.code == "1200":
        return _made(
            ModerationError,
            reply,
            say("Content moderation refused the request (code 1200)."),
            do=say("Change the prompt or the input image."),
        )
    if reply.code == "1402":
        return _made(
            InputUnreachableError,
            reply,
            say("The gateway could not fetch an input image (code 1402)."),
            why=say("This is not moderation: the image's address does not answer from outside."),
            do=say(
                "Set up an upload way that the gateway can reach (settings: S3 or HTTP upload), or give a public URL."
            ),
        )
    if reply.code == "5004":
        return _server(reply, 5004)
    return _rejected(reply, 1401)


def is_refusal(reply: Reply) -> bool:
    """Whether the answer's JSON says by any field but the status that something went wrong."""
    if reply.json is None or not answers.has_error(reply.json):
        return False
    root, given = reply.json, reply.request_inputs
    if answers.has_failure(root):
        return True
    names = bool(task_id(root, given) or answers.images(root, given))
    if not answers.has_record(root) and (answers.words(root) or not names):
        return True
    return not re.fullmatch(r"\d{1,2}|0+", reply.code)  # such a number is a success to some


def is_out_of_credits(reply: Reply) -> bool:
    """Whether a refusal means that the account is empty. A 5xx may speak of the gateway's own account upstream."""
    number = number_of(reply)
    codes = answers.codes(reply.json) if reply.json is not None else ()
    return not _is_the_servers(number) and says_no_credits(number, codes, reply.words)


def number_of(reply: Reply) -> int:
    """HTTP's status, or of a success the code in the body; 0 where that is no number."""
    return reply.status if reply.status >= 300 else int(reply.code) if re.fullmatch(r"\d{1,6}", reply.code) else 0


def _is_the_servers(number: int) -> bool:
    return 499 <= number < 600 or 5000 <= number < 6000


def _out_of_credits(reply: Reply, number: int) -> GatewayError:
    return _made(
        OutOfCreditsError,
        reply,
        say("The gateway account has no credits left ({code}).", code=number or reply.code or reply.status),
        do=say("Top up the account at the gateway."),
    )


def _wait_asked(reply: Reply) -> str:
    """The wait that is kept to, in whole seconds: never less than what was asked, unless that is too long."""
    if not reply.retry_after:
        return ""
    return say("It asks to wait {seconds:.0f} seconds.", seconds=math.ceil(min(reply.retry_after, LONGEST_RETRY_AFTER)))


def _by_number(reply: Reply, number: int) -> GatewayError:
    if number == 403 and reply.json is None:
        return unreadable(
            reply, say("access was denied with a page of its own, as a firewall or a region block does it")
        )
    if number == 403 and not reply.is_create and says_missing(reply.words):
        return _not_found(reply, number)
    if number in (401, 403):
        return _made(
            AuthenticationError,
            reply,
            say("The gateway did not accept the API key ({number}).", number=number),
            why=say("It is wrong, expired, or not allowed to do this.")
            if number == 401
            else say("It may not do this."),
            do=say("Check the key in the settings (or HUNYUAN_API_KEY) against your account at the gateway."),
        )
    if number == 429:
        return _made(
            RateLimitedError,
            reply,
            together(say("The gateway takes no more requests at the moment (429)."), _wait_asked(reply)),
            do=say("Wait, or lower max_in_flight in the settings."),
        )
    if number == 413:
        return _made(
            RejectedRequestError,
            reply,
            say("The request is too large for the gateway (413)."),
            why=say("Input images sent inline make it large."),
            do=say("Set up an upload way (settings: S3 or HTTP upload), or lower upload_max_side."),
        )
    if number in (404, 410) and not reply.is_create and _is_page(reply):
        return unreadable(reply, _what_it_is(reply))  # a proxy's page says nothing of the task
    return _not_found(reply, number) if number in (404, 410) else _server(reply, number)


def _not_found(reply: Reply, number: int) -> GatewayError:
    if reply.is_create:
        return _made(
            RejectedRequestError,
            reply,
            say("The gateway knows no such address or model ({number}).", number=number),
            do=say(
                "Check the base URL and the model in the settings; what the other models' nodes send is "
                "corrected in models.json in the pack's folder of the user directory."
            ),
        )
    return _made(
        UnknownTaskError,
        reply,
        say("The gateway does not know this task ({number}).", number=number),
        why=say("The id is wrong, belongs to another account, or the task is too old."),
        do=say("Check the id, the API key and the base URL."),
    )


def _server(reply: Reply, number: int) -> ServerError:
    what = say("timed out (code 5004)") if number == 5004 else say("failed ({number})", number=number)
    return _made(
        ServerError,
        reply,
        say("The gateway, or a proxy before it, {what}.", what=what),
        why="" if reply.json else say("Its answer was no JSON."),
        do=say("Wait a moment and look at the gateway's status page."),
        money=Money.MAYBE_SPENT,
    )


def _rejected(reply: Reply, number: int) -> GatewayError:
    if reply.json is None:
        return unreadable(reply, _what_it_is(reply))
    if not reply.is_create and any(map(_NO_SUCH_TASK.search, (reply.words, *answers.codes(reply.json)))):
        return _not_found(reply, number)
    return _made(
        RejectedRequestError,
        reply,
        say("The gateway refused the request (code {number}).", number=number)
        if number >= 1000
        else say("The gateway refused the request ({number}).", number=number),
        do=say("Change what it names; if it names nothing, check the model in the settings."),
    )


def _redirected(reply: Reply) -> GatewayError:
    given = {name.lower(): value for name, value in reply.headers.items()}
    place = reply.shown(given.get("location", ""), 200) or say("another address")
    what = say(
        "The gateway's address redirects to {place} (HTTP {status}), which is not followed with the key.",
        place=place,
        status=reply.status,
    )
    do = (
        say("Log in to the network that you are in, if it asks for that. The key is never sent to an http address.")
        if place.lower().startswith("http://")
        else say("Set the base URL to the gateway's final address; behind a public network, log in to it first.")
    )
    if reply.is_create and reply.status != 303:
        return _made(RejectedRequestError, reply, what, do=do)
    # "See other": what was asked for may have been done (RFC 9110, 15.4.4).
    return _made(UnreadableAnswerError, reply, what, do=do, money=Money.MAYBE_SPENT)
