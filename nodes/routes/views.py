"""What the page sees: a task's row, and the totals. Plain values, no key in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from ...hunyuan.models import TaskState

if TYPE_CHECKING:
    from ...hunyuan.journal.records import CreditTotals, TaskRow
    from ..runtime import Runtime

SHOWN_PROMPT = 400  # characters; the list shows two lines
OPEN = (TaskState.INTENDED, TaskState.SUBMITTED, TaskState.RUNNING, TaskState.SUCCEEDED)
FILTERS: dict[str, tuple[TaskState, ...] | None] = {
    "all": None,
    "open": OPEN,
    "done": (TaskState.COLLECTED,),
    "undelivered": (TaskState.COLLECTED,),
    "failed": (TaskState.FAILED,),
    "unknown": (TaskState.UNKNOWN,),
}


def public_row(row: TaskRow, awaited: Collection[str]) -> dict[str, Any]:
    """One task of the list. Times in unix seconds, `version` changes with the picture.

    awaited: ids of rows whose images a node is about to give to a graph; they are delivered as far as a page goes.
    """
    return {
        "id": row.id,
        "task_id": row.task_id,
        "state": row.state.value,
        "type": row.type.value if row.type else None,
        "prompt": row.prompt[:SHOWN_PROMPT],
        "size": row.size.api if row.size else None,
        "seed": row.seed,
        "model": row.model,
        "credits": row.credits,
        "money": row.money.value,
        "created_at": row.created_at,
        "seconds": row.seconds,
        "delivered": row.delivered_at is not None or row.id in awaited,
        "lost": row.lost_at is not None,
        "error_code": row.error_code,
        "error_text": row.error_text,
        "images": len(row.files),
        "links": sum(not url.startswith("data:") for url in row.urls),
        "version": row.files[0].digest[:12] if row.files else "",
        "session": row.session,
        "run": row.prompt_id,
        "hidden": row.hidden,
    }


def summary(runtime: Runtime, users: Sequence[str] | None = None) -> dict[str, Any]:
    """Counts, credits of today and of this session, limits, and what was paid for and not used. Blocking.

    users: whose tasks count, None: everybody's. The credits are the account's, and everybody's.

    left_behind: how many of the undelivered are of earlier starts. as_of: seconds of a clock that only goes forward,
    taken before anything is read: of two summaries of a session the one with the higher number knows more.
    """
    as_of = runtime.background.clock.monotonic()
    journal, settings, awaited = runtime.journal, runtime.settings_store.load(), runtime.runner.deliveries.awaited()
    counts = {state.value: count for state, count in journal.overview.counts(users).items()}
    return {
        "counts": counts,
        "total": sum(counts.values()),
        "undelivered": journal.overview.undelivered(users, awaited),
        "left_behind": journal.overview.left_behind(runtime.session, users, awaited),
        "credits": {
            "today": _totals(journal.overview.credits(day=journal.overview.today(), account=settings.account or None)),
            "session": _totals(journal.overview.credits(session=runtime.session)),
        },
        "limits": {"today": settings.credit_limit_per_day, "session": settings.credit_limit_per_session},
        "session": runtime.session,
        "as_of": as_of,
        "key_set": bool(settings.api_key),
    }


def _totals(credits: CreditTotals) -> dict[str, int]:
    return {"spent": credits.spent, "maybe": credits.maybe, "refunded": credits.refunded}
