"""What a gateway's word for a task's state means, in any spelling.

Words of the vendor's pages, of the sites with its envelope, of a third party's client and of the upstream, then what
such APIs use elsewhere. A word that stands nowhere here means nothing: nobody may call a paid task ended for it.
"""

from __future__ import annotations

import re

from ..models import TaskState

_WORDS = {
    TaskState.SUCCEEDED: (
        "completed complete success succeeded succeed successful finished finish done ready ok generated"
    ),
    TaskState.FAILED: (
        "failed fail failure error errored cancelled canceled aborted expired rejected timeout timed_out blocked"
    ),
    TaskState.SUBMITTED: (
        "created pending queued queue queuing queueing in_queue waiting wait submitted submitting accepted scheduled "
        "not_started not_start init initialized initializing preparing prepared"
    ),
    TaskState.RUNNING: (
        "in_progress processing process in_process running generating started starting working retrying executing "
        "rendering uploading"
    ),
}
_STATES = {word.replace("_", ""): state for state, words in _WORDS.items() for word in words.split()}
# Numbers, in the fields whose numbers are known: what each stands for.
NUMBERS = {
    "taskstatus": {1: "queued", 2: "running", 3: "success", 4: "failed"},
    "successflag": {0: "generating", 1: "success", 2: "failed", 3: "failed"},
}


def plain(word: str) -> str:
    """The word as it is compared and shown: `IN-PROGRESS` and `TASK_STATUS_IN_PROGRESS` are `in_progress`."""
    word = re.sub(r"[\s\-]+", "_", word.strip().lower())
    return re.sub(r"^(task_)?((status|state)_)?(?=.)", "", word)


def state_of(word: str) -> TaskState | None:
    """What a word means; None for one that is not known, or for no word."""
    word = plain(word)
    if re.search(r"_(failed|failure)$", word):
        return TaskState.FAILED
    return _STATES.get(word.replace("_", ""))
