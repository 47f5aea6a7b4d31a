"""The end of the process, as everybody in it sees it: from its first sign on nothing new begins."""

from __future__ import annotations

# Seconds from the first sign to the end. After Ctrl+C nobody kills, and a second Ctrl+C ends it at once; a service
# manager or Docker kills ten seconds after its signal.
PATIENCE, FORCED_PATIENCE = 20.0, 8.0


class Closing:
    """Plain fields and no lock: a signal handler sets them between any two instructions, and any thread reads them.

    begun_at: monotonic seconds of the first sign, None before it. patience: seconds from it to the end. hurried: a
    second sign came; nothing is waited for.
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
        """The first sign; forced: of somebody who kills soon. A later one changes nothing."""
        if self.begun_at is None:
            self.patience = FORCED_PATIENCE if forced else PATIENCE
            self.begun_at = now

    def left(self, now: float) -> float:
        """Seconds that may still be waited; all of them before the first sign."""
        if self.hurried:
            return 0.0
        return self.patience if self.begun_at is None else max(0.0, self.begun_at + self.patience - now)
