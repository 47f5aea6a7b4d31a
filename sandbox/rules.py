"""The script: rules that say which requests are treated how. README.md is its reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from .odd_bodies import WRAPPINGS
from .plan import Plan, build, known_names, one_of

EVENTS = ("connect", "create", "poll", "download", "other", "any")
DROPS = ("before_read", "before_answer", "mid_body")
IMAGES = ("truncated", "html", "wrong_type", "bomb", "empty", "garbage")


@dataclasses.dataclass(frozen=True)
class Match:
    """Which requests a rule is for. What is None matches everything."""

    on: str = "any"
    nth: int | list[int] | None = None
    task_id: str | None = None
    number: int | None = None
    prompt: str | None = None
    seed: int | None = None
    type: str | None = None

    def __post_init__(self) -> None:
        one_of("on", self.on, EVENTS)


@dataclasses.dataclass(frozen=True)
class Drip:
    """A slow body: `bytes` at a time, `every_s` seconds."""

    bytes: int = 1024
    every_s: float = 0.05


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is done to the answer. All fields empty: nothing."""

    status: int | None = None
    code: int | str | None = None
    message: str | None = None
    body: Any = None  # "error", "envelope", "html", "empty", any other string as it is, or a JSON value
    body_b64: str | None = None
    headers: Mapping[str, str] | None = None
    retry_after: str | int | float | None = None
    redirect: str | None = None
    image: str | None = None
    wrapped: str | None = None
    pad_bytes: int = 0
    chunked: bool = False
    drip: Drip | None = None
    delay_s: float = 0.0
    hang: bool = False
    drop: Literal["before_read", "before_answer", "mid_body"] | None = None
    reset: bool = False
    close_after: bool = False
    billed: bool | None = None

    def __post_init__(self) -> None:
        one_of("drop", self.drop, (None, *DROPS))
        one_of("image", self.image, (None, *IMAGES))
        one_of("wrapped", self.wrapped, (None, *WRAPPINGS))

    @property
    def answers(self) -> bool:
        """Whether the fault brings an answer of its own in place of the gateway's."""
        return any(value is not None for value in (self.status, self.code, self.body, self.body_b64, self.redirect))

    @property
    def processes(self) -> bool:
        """Whether the gateway does its work (accepts, bills) before the fault strikes, once the request was read."""
        if self.billed is not None:
            return self.billed
        return not self.answers


NO_FAULT = Fault()


@dataclasses.dataclass
class Rule:
    """One line of the script, with the count of how often it was used."""

    match: Match
    fault: Fault
    task: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    times: int | None = 1  # None: always
    after: int = 0
    name: str | None = None
    seen: int = 0
    used: int = 0

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Rule:
        """A rule from its flat JSON form; ValueError for a name or a value that is not in the vocabulary."""
        own = {"times", "after", "name", "task"}
        match_names = {field.name for field in dataclasses.fields(Match)}
        match = {key: value for key, value in given.items() if key in match_names}
        fault = {key: value for key, value in given.items() if key not in own | match_names}
        known_names(Fault, fault, "rule")
        if isinstance(fault.get("drip"), Mapping):
            fault["drip"] = build(Drip, fault["drip"], "drip")
        elif fault.get("drip") is True:
            fault["drip"] = Drip()
        task = dict(given.get("task") or {})
        Plan().changed(task)
        times = given.get("times", 1 if given.get("nth") is None else "always")
        if times != "always" and not (isinstance(times, int) and times > 0):
            raise ValueError(f'times: expected a positive integer or "always", got {times!r}')
        return cls(
            match=Match(**match),
            fault=Fault(**fault),
            task=task,
            times=None if times == "always" else times,
            after=int(given.get("after", 0)),
            name=given.get("name"),
        )

    @property
    def strikes(self) -> bool:
        """Whether the rule carries a fault (and not only a plan)."""
        return self.fault != NO_FAULT

    @property
    def spent(self) -> bool:
        return self.times is not None and self.used >= self.times

    def as_dict(self) -> dict[str, Any]:
        given = {**dataclasses.asdict(self.match), **dataclasses.asdict(self.fault)}
        given = {key: value for key, value in given.items() if value not in (None, False, 0)}
        return {**given, "name": self.name, "task": dict(self.task), "times": self.times or "always", "used": self.used}


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is known of a request when the rules are asked: the event, its number, its task."""

    event: str
    nth: int
    task_id: str | None = None
    number: int | None = None
    prompt: str | None = None
    seed: int | None = None
    type: str | None = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the script says of one request."""

    fault: Fault
    task: Mapping[str, Any]
    rules: tuple[str, ...] = ()


class Script:
    """The rules in their order. Not thread-safe: the gateway's lock guards it."""

    def __init__(self, *rules: Mapping[str, Any]) -> None:
        self._start = [dict(rule) for rule in rules]
        self.rules: list[Rule] = []
        self.reset()

    def reset(self) -> None:
        self.rules = [Rule.parse(rule) for rule in self._start]

    @staticmethod
    def check(given: Mapping[str, Any]) -> None:
        """ValueError for what is not in the vocabulary."""
        Rule.parse(given)

    def add(self, given: Mapping[str, Any]) -> Rule:
        rule = Rule.parse(given)
        rule.name = rule.name or f"rule {len(self.rules) + 1}"
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        self.rules.clear()

    def judge(self, subject: Subject, *, unread: bool = False) -> Verdict:
        """Use up what matches: plans of all matching rules are merged in order, the first fault strikes.

        With `unread` only rules with `drop: before_read` are asked (the body is not there yet), else only the others.
        """
        struck: Rule | None = None
        plan: dict[str, Any] = {}
        names: list[str] = []
        for rule in self.rules:
            if (rule.fault.drop == "before_read") is not unread or not matches(rule.match, subject):
                continue
            if rule.spent or (struck is not None and rule.strikes):
                continue
            rule.seen += 1
            if rule.seen <= rule.after:
                continue
            rule.used += 1
            names.append(rule.name or "rule")
            plan.update(rule.task)
            if rule.strikes:
                struck = rule
        return Verdict(struck.fault if struck else NO_FAULT, plan, tuple(names))


def matches(match: Match, subject: Subject) -> bool:
    if match.on not in (subject.event, "any") or (match.on == "any" and subject.event == "connect"):
        return False
    if match.nth is not None and subject.nth not in ([match.nth] if isinstance(match.nth, int) else match.nth):
        return False
    if match.prompt is not None and match.prompt not in (subject.prompt or ""):
        return False
    exact = ("task_id", "number", "seed", "type")
    return all(getattr(match, name) in (None, getattr(subject, name)) for name in exact)
