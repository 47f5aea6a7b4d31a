"""The failure that a row of the journal tells of."""

from __future__ import annotations

from ..errors import (
    BillingUnknownError,
    HunyuanError,
    InputUnreachableError,
    ModerationError,
    Money,
    TaskFailedError,
)
from ..models import TaskState
from ..sentences import say
from .records import RowMoney, TaskRow


def error_of_row(row: TaskRow) -> HunyuanError:
    """The failure that a row of the journal tells of, in the gateway's own words."""
    words = say('"{words}"', words=row.error_text) if row.error_text else say("the gateway gave no reason")
    task_id = row.task_id
    if row.state is TaskState.UNKNOWN:
        return BillingUnknownError(
            say(
                "The create of this task was sent and its answer is lost: {reason}",
                reason=row.error_text or say("the process ended"),
            ),
            do=say("Look at your usage at the gateway; running again sends it anew."),
        )
    if row.error_code == "1200":
        return ModerationError(
            say("Refused by the gateway's content moderation: {words}", words=words),
            do=say("Change the prompt or the input image."),
            money=Money.REFUNDED,
            task_id=task_id,
        )
    if row.error_code == "1402":
        return InputUnreachableError(
            say("The gateway could not fetch an input image: {words}", words=words),
            why=say("This is not moderation: the image's address does not answer from outside."),
            do=say(
                "Set up an upload way that the gateway can reach (settings: S3 or HTTP upload), or give a public URL."
            ),
            money=Money.REFUNDED,
            task_id=task_id,
        )
    money = Money.NOT_SPENT if row.money is RowMoney.NONE and not task_id else Money.REFUNDED
    return TaskFailedError(say("The task failed: {words}", words=words), money=money, task_id=task_id)
