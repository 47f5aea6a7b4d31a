"""What one kind of database does its own way, and what is asked of a transaction: the seam below `Database`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from ..sentences import Sentence


class HasTime(Protocol):
    """The part of the clock that the journal needs."""

    def time(self) -> float:
        """Unix seconds."""
        ...


@dataclass(frozen=True)
class Writing:
    """What a transaction that writes asks for.

    durable: on the disk itself (power cut), not only safe against the end of the process.
    locks: names that nobody else holds until it ends; everybody names them in the same order.
    """

    durable: bool = False
    locks: tuple[str, ...] = ()


class Backend(ABC):
    """What one kind of database does its own way."""

    name: str  # how messages call it: a path, or a URL without its password

    @abstractmethod
    def open(self) -> Engine:
        """Connect, create or migrate the tables."""

    @abstractmethod
    def transaction(self, engine: Engine, writing: Writing | None) -> AbstractContextManager[Connection]:
        """One transaction. A writing one sees no other writer between its reads and its writes."""

    @abstractmethod
    def now(self, connection: Connection) -> float:
        """Unix seconds by the one clock that all workers share, whatever this machine's clock says."""

    @abstractmethod
    def moved(self) -> bool:
        """Whether what was opened is no longer what lies there."""

    def reopen(self, opened: Engine) -> Engine:
        """Open what lies there now, with all that only the connections opened before still see. When it raises,
        what was opened stays in use."""
        self.close(opened)
        return self.open()

    def close(self, engine: Engine) -> None:
        """Close all its connections."""
        engine.dispose()

    @abstractmethod
    def repair(self, engine: Engine, failure: BaseException, *, committing: bool) -> bool:
        """Whether opening again and doing it all once more helps: damage that was set aside, a connection that was cut.

        committing: it failed at the end, so that what was done may stand.
        """

    @abstractmethod
    def explain(self, failure: BaseException) -> tuple[Sentence, Sentence]:
        """Why it failed, and what to do: one sentence each, without secrets."""

    def enter(self, worker_id: str) -> None:  # noqa: B027 - optional
        """Let other processes see at once when this worker's process ends, where that is possible."""

    def leave(self, worker_id: str) -> None:  # noqa: B027 - optional
        """The end of `enter`."""

    def gone(self, worker_id: str) -> bool:
        """Whether that worker's process certainly ended; False where only its heartbeat can tell."""
        return False


def driver_words(failure: Any) -> str:
    """The driver's own first line, without SQLAlchemy's statement and parameters."""
    original = getattr(failure, "orig", None) or failure
    lines = str(original).strip().splitlines()
    return lines[0][:300] if lines else type(original).__name__
