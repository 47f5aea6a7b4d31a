"""A journal on a slow disk: each of its transactions takes STORY_JOURNAL_SECONDS longer to be written."""

from __future__ import annotations

import os
import time
from typing import Any

SECONDS = float(os.environ.get("STORY_JOURNAL_SECONDS", "0"))


def slow_down() -> None:
    """For every database of the process that is named as the journal is."""
    from sqlalchemy import Engine, event

    def wait(connection: Any) -> None:
        if str(connection.engine.url.database).endswith("journal.sqlite3"):
            time.sleep(SECONDS)

    event.listen(Engine, "commit", wait)


if SECONDS:
    slow_down()
