"""The end of the process, as everybody in it sees it: from its first sign on nothing new begins."""

from __future__ import annotations

# Seconds from the first sign to the end. After Ctrl+C nobody kills; a service manager or Docker kills ten seconds after
# its signal, and a second one of theirs leaves two.
PATIENCE, FORCED_PATIENCE, HURRIED_PATIENCE = 20.0, 8.0, 1.0


class Closing:
    """Plain fields and no lock: a signal handler sets them between any two instructions, and any thread reads them.

    begun_at: monotonic seconds of the first sign, None before it. patience: seconds from it to the end. hurried: a
    second sign came; no create is waited for that has no answer yet.
    """

    def __init__(self) -> None:
        self.begun_at: float | None = None
        self.patience = PATIENCE
        self.hurried = False

    @property
    def begun(self) -> bool:
        """Whether the process is about to end."""
        return self.begun_at is not None

    def begin(self, now: float, *, forced: bool = False) -> None:
        """A sign; forced: of somebody who kills soon. After the first only such a one changes anything."""
        if self.begun_at is None:
            self.begun_at = now
            self.patience = FORCED_PATIENCE if forced else PATIENCE
        elif forced:
            self._end_by(now + FORCED_PATIENCE)

    def hurry(self, now: float, *, forced: bool = False) -> None:
        """A second sign, after `begin`."""
        self.hurried = True
        if forced:
            self._end_by(now + HURRIED_PATIENCE)

    def take_back(self) -> None:
        """The process goes on after all."""
        self.begun_at, self.hurried, self.patience = None, False, PATIENCE

    def left(self, now: float) -> float:
        """Seconds that may still be waited; all of them before the first sign."""
        return self.patience if self.begun_at is None else max(0.0, self.begun_at + self.patience - now)

    def _end_by(self, moment: float) -> None:
        if self.begun_at is not None:
            self.patience = min(self.patience, moment - self.begun_at)
