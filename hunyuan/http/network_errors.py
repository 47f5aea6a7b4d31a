"""What failed below HTTP, in one sentence each: by the stage the exchange had come to, not by foreign texts.

No message quotes a foreign exception whole: those may hold headers, and proxy addresses with passwords.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

from ..errors import (
    AnswerLostError,
    AnswerTooLargeError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    DnsError,
    ProxyFailedError,
    TlsError,
    TransportError,
)
from ..sentences import say, together
from .address_guard import is_closed, is_name
from .proxy_and_ca import CA_SETTING, proxy_place
from .traced_connections import Call, Stage

_CHECK_ADDRESS = say("Check the address in the settings, the internet connection, and a VPN or proxy if you use one.")
_CHECK_PROXY = say("Check the proxy in the settings or in HTTPS_PROXY, or name the host in NO_PROXY to go without it.")
_CHECK_CA = say(
    "If a company proxy or a virus scanner looks into TLS, give its CA certificate as "
    "ca_file in the settings (or REQUESTS_CA_BUNDLE); otherwise check this computer's date "
    "and the address."
)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")  # OpenSSL's, by its version


def describe(call: Call, problem: BaseException) -> TransportError:
    """The failure as one of ours, `sent` as the call noted it."""
    if call.stage >= Stage.SENT:
        return _lost(call, problem)
    if call.proxy and call.stage is Stage.PROXY_HANDSHAKE:
        return _no_tls_proxy(call, problem)
    if call.proxy and call.stage in (Stage.RESOLVE, Stage.DIAL, Stage.TUNNEL):
        return _proxy_failed(call, problem)
    place = call.address.place
    if call.stage is Stage.RESOLVE:
        return DnsError(
            say("The name {host} could not be resolved.", host=call.address.host),
            why=say("DNS knows no address for it."),
            do=_CHECK_ADDRESS,
        )
    if call.stage is Stage.DIAL:
        return _not_connected(call, problem)
    if call.stage is Stage.HANDSHAKE and call.address.scheme == "https":
        return _handshake(call, problem)
    if call.stage is Stage.START:
        return _not_begun(problem)
    return ConnectionRefusedByHostError(
        say("{place} closed the connection before the request had gone out.", place=place),
        why=_short(problem),
        do=say("Try again."),
    )


def answer_cut(call: Call) -> AnswerLostError:
    """The answer ended before its announced length, or its time was up."""
    return _lost(call, ConnectionError())


def answer_too_large(call: Call) -> AnswerTooLargeError:
    """An answer that no such gateway gives."""
    return AnswerTooLargeError(
        say(
            "{place} sent an answer larger than {size:.0f} MiB, which was not read.",
            place=call.address.place,
            size=call.max_bytes / 2**20,
        ),
        sent=True,
        do=say("Check the address in the settings."),
    )


def proxy_wants_login(call: Call) -> ProxyFailedError:
    """407. `sent` is False: a proxy that wants a login first forwards nothing."""
    return ProxyFailedError(
        say("The proxy {proxy} wants a user name and a password (407).", proxy=proxy_place(call.proxy)),
        do=say("Write the proxy as http://user:password@host:port in the settings or in HTTPS_PROXY."),
    )


def _rounded(seconds: float) -> str:
    """What is left of a deadline reads as the deadline that was set: 0.497 as 0.5."""
    return f"{round(seconds, 1) or seconds:.3g}"


def _lost(call: Call, problem: BaseException) -> AnswerLostError:
    place = call.address.place
    if call.expired or _is_timeout(problem):
        seconds = call.total_seconds if call.expired else call.read_timeout
        what = say("{place} gave no whole answer within {seconds} seconds.", place=place, seconds=_rounded(seconds))
    else:
        what = say("The connection to {place} broke before the whole answer was here.", place=place)
    why = say("The request had gone out, so it may have been worked on.") if call.body is not None else ""
    return AnswerLostError(
        what, sent=call.sent, why=why, do=say("Check the internet connection, or the proxy if you use one.")
    )


def _proxy_failed(call: Call, problem: BaseException) -> ProxyFailedError:
    proxy = proxy_place(call.proxy)
    refused = re.search(r"Tunnel connection failed: (\d{3})", " ".join(str(cause) for cause in _causes(problem)))
    if refused and refused[1] == "407":
        return proxy_wants_login(call)
    if refused:
        what = say(
            "The proxy {proxy} refused to connect to {place} (it answered {status}).",
            proxy=proxy,
            place=call.address.place,
            status=refused[1],
        )
    elif call.stage is Stage.RESOLVE:
        what = say("The name of the proxy {proxy} could not be resolved.", proxy=proxy)
    elif _is_timeout(problem):
        what = say(
            "The proxy {proxy} did not answer within {seconds} seconds.",
            proxy=proxy,
            seconds=_rounded(call.connect_timeout),
        )
    elif call.stage is Stage.DIAL:
        what = say("The proxy {proxy} refused the connection or cannot be reached.", proxy=proxy)
    else:
        what = say(
            "The proxy {proxy} closed the connection instead of connecting to {place}.",
            proxy=proxy,
            place=call.address.place,
        )
    return ProxyFailedError(what, why=_short(problem), do=_CHECK_PROXY)


def _no_tls_proxy(call: Call, problem: BaseException) -> ProxyFailedError:
    """The proxy's address begins with https, and TLS with the proxy itself failed."""
    proxy = proxy_place(call.proxy)
    for cause in _causes(problem):
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = say("The certificate of the proxy {proxy} is not trusted.", proxy=proxy)
            return ProxyFailedError(what, why=_sentence(cause.verify_message), do=_check_ca(call))
    if _is_timeout(problem):
        what = say(
            "The proxy {proxy} did not finish the TLS handshake within {seconds} seconds.",
            proxy=proxy,
            seconds=_rounded(call.connect_timeout),
        )
    else:
        what = say("The proxy {proxy} does not speak TLS, though its address begins with https://.", proxy=proxy)
    do = say(
        "Nearly all proxies are written with http://, for https addresses too: set the proxy to "
        "http://{proxy}. An https connection stays encrypted through it.",
        proxy=proxy,
    )
    return ProxyFailedError(what, why=_short(problem), do=do)


def _not_connected(call: Call, problem: BaseException) -> TransportError:
    place = call.address.place
    if _is_timeout(problem):
        return ConnectTimeoutError(
            say(
                "{place} accepted no connection within {seconds} seconds.",
                place=place,
                seconds=_rounded(call.connect_timeout),
            ),
            do=_CHECK_ADDRESS,
        )
    return ConnectionRefusedByHostError(
        say("{place} refused the connection or cannot be reached.", place=place), why=_short(problem), do=_CHECK_ADDRESS
    )


def _handshake(call: Call, problem: BaseException) -> TransportError:
    place = call.address.place
    if _is_timeout(problem):
        return ConnectTimeoutError(
            say(
                "{place} did not finish the TLS handshake within {seconds} seconds.",
                place=place,
                seconds=_rounded(call.connect_timeout),
            ),
            do=_CHECK_ADDRESS,
        )
    for cause in _causes(problem):
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = say("The certificate of {place} is not trusted.", place=place)
            return TlsError(what, why=_sentence(cause.verify_message), do=_check_ca(call))
        if isinstance(cause, ssl.SSLError) and cause.reason in _NOT_TLS:
            do: str = say("Check the host and the port of the address.")
            if _is_own(call.address.host):  # nobody is to be asked to send the key over the internet in clear
                do = together(do, say("A server of your own without TLS is written with http://."))
            return TlsError(say("{place} does not speak TLS.", place=place), why=_sentence(cause.reason), do=do)
    return TlsError(say("The TLS handshake with {place} failed.", place=place), why=_short(problem), do=_check_ca(call))


def _check_ca(call: Call) -> str:
    if not call.ca_source:
        return _CHECK_CA
    check = say(
        "Check whether {source} holds the authority that this computer meets here (a company proxy or a virus scanner "
        "may have changed it), this computer's date, and the address.",
        source=call.ca_source,
    )
    return check if call.ca_source == CA_SETTING else together(check, say("ca_file in the settings goes over it."))


def _is_own(host: str) -> bool:
    return host == "localhost" or (not is_name(host) and is_closed(host))


def _not_begun(problem: BaseException) -> TransportError:
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(problem)) or isinstance(problem, OSError):
        return TlsError(
            say("The CA certificates could not be read."),
            why=_short(problem),
            do=say("Check ca_file in the settings and REQUESTS_CA_BUNDLE: it must be a file in PEM format."),
        )
    return TransportError(say("The request could not be built."), why=_short(problem), do=_CHECK_ADDRESS)


def _is_timeout(problem: BaseException) -> bool:
    return any(isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__ for cause in _causes(problem))


def _short(problem: BaseException) -> str:
    """The innermost system error's own few words: those never hold what was sent."""
    for cause in reversed(list(_causes(problem))):
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return _sentence(cause.reason)
        if isinstance(cause, OSError) and cause.strerror:
            return _sentence(cause.strerror)
    return ""


def _sentence(text: str) -> str:
    text = text.replace("_", " ").strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """The exception and all that stands behind it, outermost first."""
    seen: list[BaseException] = []
    waiting: list[object] = [problem]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or any(cause is known for known in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
