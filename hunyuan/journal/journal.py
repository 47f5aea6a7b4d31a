"""The journal: every paid task, written down before and after each step. What cannot be written is not sent.

Durability. What money hangs on is durable: when the method returns, it is on the disk itself and outlives a power cut.
These are `begin`, `adopt`, `claim`, `recover`, `restore`, and how a create ended: `mark_submitted`, `mark_failed`,
`mark_unknown`, `mark_dropped`. Everything else outlives the process: the gateway or the disk would say it again.
How a create ended is written later where it could not be at once: see `_mark_ended`, and `PendingIds` for task ids.

The rooms below it: `statements.py` the SQL, `workers.py` who lives, `credits.py` the limits, `pending_ids.py` ids that
could not be written, `database.py` the transactions. What is only shown is read by `overview.py`.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection, TextClause, select

from ..errors import JournalError, Money
from ..limits import CREDITS_PER_TASK, LONGEST_RETRY_AFTER, SLOT_PATIENCE
from ..models import GenerationRequest, StoredImage, TaskState, check_task_id
from ..sentences import Sentence, say
from ..task_ids import check_given_id
from . import statements as sql
from .credits import check_limits
from .database import Database
from .links import Links
from .overview import Overview
from .pending_ids import PendingIds
from .record_codec import columns_of, files_json, row_from, said_json, storable, texts_json
from .records import Attached, Begun, Busy, Limits, RunContext, Survey, TaskRow, new_row_id
from .tables import tasks
from .workers import Workers

T = TypeVar("T")

_USUALLY_IN_FLIGHT = 8  # where nothing limits them
_SET_BACK = 60.0  # seconds by which a clock may be set back in the time that a request waits
_MAX_ERROR_TEXT = 2000  # characters
_NO_ROOM = {errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quotas by that name
_LOST_ANSWER = say("The process that sent this request ended before its answer came. It may have been billed.")


class Journal:
    """Every paid task. Blocking and thread-safe; every failure is a JournalError.

    A worker (one process) is known by its worker_id, unique for each start of the process. It must call
    `heartbeat` at least every 10 seconds; one silent for 30 seconds, or whose process ended, is dead, and
    its tasks go to who claims them. hash_prompts: store prompts as their hashes only.
    """

    def __init__(
        self,
        database: Database,
        *,
        worker_id: str,
        hash_prompts: Callable[[], bool] = lambda: False,
        pending_ids: PendingIds | None = None,
    ) -> None:
        self._db = database
        self.workers = Workers(database, worker_id)
        self._hash_prompts = hash_prompts
        self._pending_ids = pending_ids or PendingIds(database.directory)
        self._unwritten: dict[str, Callable[[], object]] = {}
        self._warned: set[str] = set()
        self.links = Links(database)
        self.overview = Overview(database, self.workers)

    # Into a paid task.

    def find_reusable(self, fingerprint: str) -> TaskRow | None:
        """The newest task of the same request that may be attached to: open or collected, or about to be sent by a
        living worker."""

        def work(connection: Connection) -> TaskRow | None:
            now = self._db.backend.now(connection)
            return self._same_request(connection, fingerprint, self._living(connection, now), now, now)[0]

        return self._db.read(work, money=Money.NOT_SPENT)

    def begin(
        self,
        request: GenerationRequest,
        *,
        base_url: str,
        account: str,
        context: RunContext,
        limits: Limits,
        reuse: bool = True,
        waited: float = 0.0,
        row_id: str = "",
        check: Callable[[], None] = lambda: None,
    ) -> Begun | Attached | Busy:
        """Write a task down before its create is sent, in one transaction with the look-up of the same request
        (unless `reuse` is off), the credit limits and the slots. Durable.

        waited: seconds since it was asked for. A same request whose answer was lost in that time is attached to, in
        state `unknown`: whoever asked did not know of it, and is to decide whether it is sent anew.
        row_id: the id to write it under, from `new_row_id`; for who has to know it before.
        check: called when it is this transaction's turn, which may take seconds; what it raises leaves all as it was.
        Raises CreditLimitError, with the figures, and JournalError; nothing may be sent then.
        """
        fingerprint, row_id = request.fingerprint(base_url), row_id or new_row_id()

        def work(connection: Connection, now: float) -> Begun | Attached | Busy:
            check()
            living = self._living(connection, now)
            if reuse:
                found, orphans = self._same_request(connection, fingerprint, living, now - waited, now)
                given_up = _give_up(connection, orphans, now)
                if found is None and waited > 0 and given_up:
                    found = given_up[0]
                if found is not None:
                    return Attached(found)
            check_limits(connection, limits, request.credits, account, context.session, now)
            busy = _busy(connection, limits.max_in_flight, account, living, now) if limits.max_in_flight else None
            if busy is not None:
                return busy
            row = self._new_row(context, now, id=row_id, fingerprint=fingerprint, base_url=base_url, account=account)
            row = replace(row, **self._asked_for(request))
            connection.execute(tasks.insert(), columns_of(row))
            return Begun(row)

        self._make_room(limits.max_in_flight or _USUALLY_IN_FLIGHT)
        try:
            self._write_pending()
        except JournalError as failure:
            raise JournalError(failure.what, why=failure.why, do=failure.do, money=Money.NOT_SPENT) from None
        # The account before the request, here as everywhere, so that two never wait for each other.
        locks = (f"account:{account}", f"request:{fingerprint}")
        try:
            return self._write(work, durable=True, locks=locks, money=Money.NOT_SPENT)
        except JournalError:
            # Its commit may have failed half-way: the row may be there, but it was certainly never sent.
            self._unwritten[row_id] = lambda: self.mark_dropped(row_id)
            raise

    def admit(
        self,
        fingerprints: Sequence[str],
        *,
        account: str,
        context: RunContext,
        limits: Limits,
        reuse: bool = True,
        prices: Sequence[int] = (),
        promised: int = 0,
        writing: Sequence[str] = (),
    ) -> set[str]:
        """Which of these requests would be new tasks: those that `find_reusable` knows nothing for, or all of them
        with `reuse` off.

        prices: the credits of each request; none: each is Hunyuan Image 3's.
        Raises CreditLimitError, with the figures, where the new ones do not all fit beside the `promised` credits of
        tasks that were let in and not written down yet; `writing`: the row ids of those of them that are being written
        just now.
        """

        def work(connection: Connection) -> set[str]:
            now = self._db.backend.now(connection)
            living = self._living(connection, now)
            new = set(fingerprints)
            if reuse:
                new = {each for each in new if self._same_request(connection, each, living, now, now)[0] is None}
            price_of = dict(zip(fingerprints, prices or [CREDITS_PER_TASK] * len(fingerprints), strict=True))
            if new:
                written = connection.execute(sql.CREDITS_OF, {"row_ids": list(writing)}).scalar_one() if writing else 0
                wanted, waiting = sum(price_of[each] for each in new), promised - int(written)
                check_limits(connection, limits, wanted, account, context.session, now, waiting)
            return new

        return self._db.read(work, money=Money.NOT_SPENT) if fingerprints else set()

    def adopt(self, task_id: str, *, base_url: str, account: str, context: RunContext) -> TaskRow:
        """The row of a task id that the user typed: the one there is, else a new one with 0 credits (paid elsewhere),
        in state `submitted`. Durable. Raises InvalidTaskIdError for what cannot be an id."""
        checked = check_task_id(task_id)

        def work(connection: Connection, now: float) -> TaskRow:
            found = _row_of_task(connection, checked, base_url)
            if found is not None:
                return found
            row = self._new_row(context, now, id=new_row_id(), task_id=checked, base_url=base_url, account=account)
            row = replace(row, state=TaskState.SUBMITTED, submitted_at=now)
            connection.execute(tasks.insert(), columns_of(row))
            return row

        return self._write(work, durable=True, locks=(f"task:{checked}",))

    # A task's steps. Each may come late, twice or from two processes: none takes anything back. Each gives the row as
    # it stands then; None where the journal has no such row (any more).

    def mark_submitted(self, row_id: str, task_id: str) -> TaskRow | None:
        """The gateway accepted the task under this id. Durable. The id proves it: a row that was given up as `unknown`
        becomes `submitted` again. Where it cannot be written now, the next start of a worker with this directory
        writes it (`recover`), if the caller's own further tries do not. `begin` has taken room for it on the disk."""
        checked = check_given_id(task_id)
        try:
            steps = (sql.TO_SUBMITTED, sql.LATE_TASK_ID)
            return self._mark(row_id, *steps, durable=True, about=checked, task_id=checked)
        except JournalError:
            self.keep_task_id(row_id, checked)
            raise

    def keep_task_id(self, row_id: str, task_id: str) -> None:
        """Write a task id beside the journal, for the next start: the process ends before the journal has it."""
        with suppress(OSError):  # the caller has told of it, or nobody is left who could be told
            self._pending_ids.add(row_id, check_given_id(task_id))

    def mark_charged(self, row_id: str, credits: int) -> TaskRow | None:
        """The gateway named what the task cost. One that was paid for elsewhere stays at 0."""
        return self._mark(row_id, sql.TO_CHARGED, credits=credits)

    def mark_progress(self, row_id: str, state: TaskState) -> TaskRow | None:
        """What a poll said. Written only when it is the first that says `running`."""
        return self._mark(row_id, *([sql.TO_RUNNING] if state is TaskState.RUNNING else []))

    def mark_stalled(self, row_id: str, text: str) -> TaskRow | None:
        """The gateway says nothing usable of the task, for the reason `text`: open, but not in flight."""
        return self._mark(row_id, sql.TO_STALLED, **_said(text))

    def mark_set_aside(self, row_id: str, code: str, text: str) -> TaskRow | None:
        """The task's image is only asked for when the user wants it; code: ENDED_PROCESS or GIVEN_UP."""
        return self._mark(row_id, sql.TO_SET_ASIDE, code=code, **_said(text))

    def mark_resumed(self, row_id: str) -> TaskRow | None:
        """The gateway works on the task after all: in flight again."""
        return self._mark(row_id, sql.TO_RESUMED)

    def mark_succeeded(
        self, row_id: str, urls: Sequence[str], seconds: float | None, only_here: bool = False
    ) -> TaskRow | None:
        """The gateway has the image at these URLs; the task took `seconds`. Again: newer URLs.

        Data URIs are kept only where no task id could fetch the image again. only_here: no task id leads to
        them either. Durable then, and with data URIs: until the image is stored, this row is all there is of it.
        """
        remote = [url for url in urls if not url.startswith("data:")]
        has_data = len(remote) < len(urls)
        row = self.get(row_id) if has_data else None
        kept = remote if row is None or row.task_id else list(urls)
        steps = (sql.TO_SUCCEEDED, sql.NEW_URLS) if kept else (sql.TO_SUCCEEDED,)
        return self._mark(row_id, *steps, durable=has_data or only_here, urls=texts_json(kept), seconds=seconds)

    def take_answer(self, row_id: str, urls: Sequence[str]) -> TaskRow | None:
        """As mark_succeeded, of an image that was kept beside the journal; None where it has no such row, told once."""
        if self.get(row_id) is not None:  # else no writer is held up for it every few seconds
            return self.mark_succeeded(row_id, urls, None, True)
        self._warn_once(f"The image of task {row_id} is paid for and kept, but its row is in another journal, or lost.")
        return None

    def mark_collected(self, row_id: str, files: Sequence[StoredImage], only_here: bool = False) -> TaskRow | None:
        """The original files are on disk, verified. only_here: no task id leads to them; durable then."""
        return self._mark(row_id, sql.TO_COLLECTED, durable=only_here, files=files_json(files))

    def mark_delivered(self, row_id: str) -> TaskRow | None:
        """A node gave the image to the graph."""
        return self._mark(row_id, sql.TO_DELIVERED)

    def mark_evicted(self, row_id: str) -> TaskRow | None:
        """Its files were removed to make room; its URLs may still fetch them again."""
        return self._mark(row_id, sql.TO_EVICTED)

    def mark_lost(self, row_id: str, text: str) -> TaskRow | None:
        """The image can no longer be had (link dead, file gone): not attached to and not collected any more, but
        still counted."""
        return self._mark(row_id, sql.TO_LOST, **_said(text))

    def mark_hidden(self, row_id: str, *, hidden: bool = True) -> TaskRow | None:
        """Take a task off the list, or put it back. It stays counted and attached to, and its files stay."""
        return self._mark(row_id, sql.TO_HIDDEN, hidden=hidden)

    def mark_failed(self, row_id: str, code: str, text: str, sent: bool) -> TaskRow | None:
        """The task failed. sent: the gateway had accepted it, so its credits count as refunded; False: the create
        certainly did not arrive or was refused, and it counts nothing. A task that succeeded stays so. Durable."""
        steps = (sql.TO_FAILED,) if sent else (sql.TO_NEVER_SENT, sql.TO_FAILED)
        money = Money.REFUNDED if sent else Money.NOT_SPENT
        return self._mark_ended(row_id, *steps, money=money, code=code, **_said(text))

    def mark_unknown(self, row_id: str, text: str) -> TaskRow | None:
        """The create was sent and its answer is lost: it may have been billed. Durable."""
        return self._mark_ended(row_id, sql.TO_UNKNOWN, money=Money.MAYBE_SPENT, **_said(text))

    def mark_dropped(self, row_id: str) -> TaskRow | None:
        """The create was certainly never sent: `failed` with 0 credits, and not on the list. Durable."""
        return self._mark_ended(row_id, sql.TO_DROPPED, money=Money.NOT_SPENT)

    def restore(self, row: TaskRow) -> None:
        """Write a row anew that went with a damaged or deleted journal; one that is there stays as it is. Durable."""

        def work(connection: Connection, now: float) -> None:
            if _row(connection, row.id) is None:
                connection.execute(tasks.insert(), columns_of(row))

        self._write(work, durable=True, locks=(f"row:{row.id}",))

    # Looking up.

    def now(self) -> float:
        """Unix seconds by the clock that the rows' times were written by; this machine's own may differ by years."""
        return self._db.read(self._db.backend.now)

    def get(self, row_id: str) -> TaskRow | None:
        """The row of a local id."""
        return self._db.read(lambda connection: _row(connection, row_id))

    def by_task_id(self, task_id: str, base_url: str = "") -> TaskRow | None:
        """The newest row of the gateway's id, at that gateway if one is given."""
        return self._db.read(lambda connection: _row_of_task(connection, task_id, base_url))

    def lost_answer(self, fingerprint: str, account: str) -> TaskRow | None:
        """The newest row of a request whose create was never answered."""

        def work(connection: Connection) -> TaskRow | None:
            asked = {"fingerprint": fingerprint, "account": account}
            found = connection.execute(sql.LOST_ANSWER, asked).mappings().first()
            return row_from(found) if found else None

        return self._db.read(work)

    def survey(self, account: str) -> Survey:
        """All that a round of the sweeper looks at, read at once."""

        def work(connection: Connection) -> Survey:
            now = self._db.backend.now(connection)
            others = self.workers.others(connection, now)
            open_rows = connection.execute(sql.OPEN_ROWS, {"others": others}).mappings()
            return Survey(now, _pause_left(connection, account, now), [row_from(row) for row in open_rows])

        return self._db.read(work)

    def evictable(self, limit: int = 100, *, everywhere: bool = False) -> list[TaskRow]:
        """Delivered tasks that still have files, the longest delivered first.

        everywhere: all of them, also those whose files one machine removed: another may have its own.
        """
        t = tasks.c
        wanted = select(tasks).where(t.delivered_at.is_not(None), t.files != "").order_by(t.delivered_at)
        wanted = wanted if everywhere else wanted.where(t.evicted_at.is_(None)).limit(limit)
        return self._db.read(lambda connection: [row_from(row) for row in connection.execute(wanted).mappings()])

    # This worker and the others.

    def heartbeat(self, account: str = "") -> None:
        """Say that this worker lives, and write what the database could not take before. At least every 10 seconds."""
        self._write_pending()

        def work(connection: Connection) -> float:
            now = self._db.backend.now(connection)
            self.workers.beat(connection, now, account)
            return now

        self.workers.note_beat(self._db.write(work, money=Money.UNTOUCHED))

    def _take_kept(self, row_id: str, task_id: str) -> bool:
        """Writes down a task's id that was kept beside the journal; whether it stands in the journal now."""
        if self.get(row_id) is None:  # of another journal: no writer is held up for it every few seconds
            self._warn_once(
                f"Task {task_id} is paid for, but its row is in another journal, or was lost with one. Its id is kept; "
                "the node Hunyuan Task Wait fetches its image."
            )
            return False
        row = self.mark_submitted(row_id, task_id)
        return row is not None and row.task_id == task_id

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._db.announce(text)

    def recover(self) -> list[TaskRow]:
        """`intended` rows of dead workers become `unknown` (sent or not, nobody knows), unless their task id was kept
        on this machine; returns the unknown ones. At start and every now and then. Durable."""
        self._write_pending()
        try:
            self._pending_ids.flush(self._take_kept, self._warn_once)
        except OSError as failure:
            what = say("The task ids kept in {folder} cannot be read.", folder=self._db.directory)
            raise _folder_fails(what, failure, Money.UNTOUCHED) from failure

        def orphans(connection: Connection, now: float) -> Sequence[str]:
            return connection.execute(sql.ORPHANS, {"living": self._living(connection, now)}).scalars().all()

        def work(connection: Connection, now: float) -> list[TaskRow]:
            return _give_up(connection, orphans(connection, now), now)

        # There is nearly never anything to write: no writer is held up for it every few seconds.
        found = self._db.read(lambda connection: orphans(connection, self._db.backend.now(connection)))
        return self._write(work, durable=True) if found else []

    def release(self, row_ids: Sequence[str]) -> None:
        """Leave these open tasks to whichever worker has their key."""
        values = {"row_ids": list(row_ids), "owner": self.workers.me}
        self._write(lambda connection, _: connection.execute(sql.RELEASE, values).close())

    def claim(self, row_id: str) -> bool:
        """Take an open task over from a dead worker; False if a living one has it or it is no longer open. Durable."""

        def work(connection: Connection, now: float) -> bool:
            others = self.workers.others(connection, now)
            claimed = {"row_id": row_id, "owner": self.workers.me, "others": others}
            return connection.execute(sql.CLAIM, claimed).rowcount == 1

        return self._write(work, durable=True)

    def pause(self, account: str, seconds: float) -> None:
        """After a 429: no worker begins a task of this account for so long. A longer pause is not shortened."""

        def work(connection: Connection, now: float) -> None:
            values = {"account": account, "until": now + seconds, "longest": now + LONGEST_RETRY_AFTER}
            connection.execute(sql.PAUSE, values)

        self._write(work)

    def close(self) -> None:
        """The orderly end of this worker: how its tasks ended is written, and they are free for others at once."""
        try:
            self._write_pending()
        finally:
            try:
                self.workers.leave()
            finally:
                self._db.close()

    # What the methods above are made of.

    def _write(
        self,
        work: Callable[[Connection, float], T],
        *,
        durable: bool = False,
        locks: tuple[str, ...] = (),
        money: Money = Money.UNTOUCHED,
        task_id: str | None = None,
    ) -> T:
        """One writing transaction with its "now", which is a heartbeat too when one is due."""

        def whole(connection: Connection) -> tuple[T, float | None]:
            now = self._db.backend.now(connection)
            beats = self.workers.is_beat_due(now)
            if beats:
                self.workers.beat(connection, now)
            return work(connection, now), now if beats else None

        result, beaten = self._db.write(whole, durable=durable, locks=locks, money=money, task_id=task_id)
        if beaten is not None:
            self.workers.note_beat(beaten)
        return result

    def _mark(
        self,
        row_id: str,
        *steps: TextClause,
        durable: bool = False,
        money: Money = Money.SPENT,
        about: str | None = None,
        **values: Any,
    ) -> TaskRow | None:
        """Take the first of these steps that changes the row. about: the task id that a failure names."""

        def work(connection: Connection, now: float) -> TaskRow | None:
            given: dict[str, Any] = {"row_id": row_id, "now": now, **values}
            any(connection.execute(step, given).rowcount for step in steps)
            return _row(connection, row_id)

        return self._write(work, durable=durable, money=money, task_id=about)

    def _mark_ended(self, row_id: str, *steps: TextClause, money: Money, **values: Any) -> TaskRow | None:
        """How a create ended. A task that ended while the database was away would stay `intended` as long as this
        process lives, and the same request would wait for it: so it is written before the next begin or heartbeat."""

        def write() -> TaskRow | None:
            return self._mark(row_id, *steps, durable=True, money=money, **values)

        try:
            return write()
        except JournalError:
            self._unwritten[row_id] = write
            raise

    def _write_pending(self) -> None:
        for row_id, write in dict(self._unwritten).items():  # a copy: other threads add to it
            write()
            self._unwritten.pop(row_id, None)

    def _make_room(self, ids: int) -> None:
        """Before a create is sent: its id can be kept even if the disk is full when it comes.

        Where this user may not write at all, on a machine whose journal is elsewhere, there is nothing to keep it in.
        """
        try:
            self._pending_ids.make_room(ids)
        except OSError as failure:
            if failure.errno in _NO_ROOM:
                what = say("There is no room for task ids in {folder}.", folder=self._db.directory)
                raise _folder_fails(what, failure, Money.NOT_SPENT) from failure

    def _living(self, connection: Connection, now: float) -> list[str]:
        return [self.workers.me, *self.workers.others(connection, now)]

    def _same_request(
        self, connection: Connection, fingerprint: str, living: Collection[str], asked: float, now: float
    ) -> tuple[TaskRow | None, list[str]]:
        """The newest task to attach to, or one whose answer was lost after `asked`; the ids of the
        `intended` ones before it whose worker is dead."""
        lost: TaskRow | None = None
        orphans: list[str] = []
        values = {"fingerprint": fingerprint, "asked": asked, "latest": now + _SET_BACK}
        for row in map(row_from, connection.execute(sql.SAME_REQUEST, values).mappings()):
            if row.state is TaskState.UNKNOWN:
                lost = lost or row
            elif row.state is TaskState.INTENDED and row.owner not in living:
                orphans.append(row.id)
            else:
                return row, orphans
        return lost, orphans

    def _new_row(self, context: RunContext, now: float, **known: Any) -> TaskRow:
        return TaskRow(
            state=TaskState.INTENDED,
            prompt_id=context.prompt_id,
            node_id=context.node_id,
            session=context.session,
            user_id=context.user or "",
            owner=self.workers.me,
            created_at=now,
            **known,
        )

    def _asked_for(self, request: GenerationRequest) -> dict[str, Any]:
        """What a row says of its request."""
        prompt = storable(request.prompt)
        if self._hash_prompts():
            prompt = f"sha256:{hashlib.sha256(prompt.encode()).hexdigest()}"
        same = ("type", "size", "seed", "model", "images", "image_fields", "choices", "variation", "credits")
        return {
            **{name: getattr(request, name) for name in same},
            "prompt": prompt,
            "parameters": () if self._hash_prompts() else request.parameters,  # a negative prompt may be among them
            "price": request.credits,
        }


def _row(connection: Connection, row_id: str) -> TaskRow | None:
    found = connection.execute(sql.TASK, {"row_id": row_id}).mappings().first()
    return row_from(found) if found else None


def _row_of_task(connection: Connection, task_id: str, base_url: str) -> TaskRow | None:
    wanted = select(tasks).where(tasks.c.task_id == task_id)
    if base_url:
        wanted = wanted.where(tasks.c.base_url == base_url)
    found = connection.execute(wanted.order_by(tasks.c.created_at.desc()).limit(1)).mappings().first()
    return row_from(found) if found else None


def _give_up(connection: Connection, row_ids: Sequence[str], now: float) -> list[TaskRow]:
    """`intended` rows of dead workers become `unknown`; returns those that are it now."""
    for row_id in row_ids:
        connection.execute(sql.TO_UNKNOWN, {"row_id": row_id, "now": now, **_said(_LOST_ANSWER)})
    rows = [_row(connection, row_id) for row_id in row_ids]
    return [row for row in rows if row is not None and row.state is TaskState.UNKNOWN]


def _busy(connection: Connection, most: int, account: str, living: Collection[str], now: float) -> Busy | None:
    """Why a task has no slot, if it has none."""
    asked = {"account": account, "begun_since": now - SLOT_PATIENCE}
    taken = [each for each in connection.execute(sql.IN_FLIGHT, asked) if each.owner in living]
    in_flight = sum(each.tasks for each in taken)
    if in_flight >= most:
        return Busy(in_flight, oldest=max(0.0, now - min(each.oldest for each in taken)))
    rest = _pause_left(connection, account, now)
    return Busy(in_flight, rest) if rest > 0 else None


def _pause_left(connection: Connection, account: str, now: float) -> float:
    """Seconds of a pause after a 429 that are left; one longer than any was written by a clock that was wrong."""
    until = connection.execute(sql.PAUSED_UNTIL, {"account": account}).scalar()
    return until - now if until is not None and 0.0 < until - now <= LONGEST_RETRY_AFTER else 0.0


def _said(text: str) -> dict[str, Any]:
    """The columns of a text that users read; of one that is too long the beginning, which is no sentence."""
    kept = text if len(text) <= _MAX_ERROR_TEXT else text[:_MAX_ERROR_TEXT]
    return {"text": storable(kept), "said": said_json(kept)}


def _folder_fails(what: Sentence, failure: OSError, money: Money) -> JournalError:
    return JournalError(
        what,
        why=say("{reason}.", reason=failure.strerror or type(failure).__name__),
        do=say("Check the folder, its rights and its free space, then run again."),
        money=money,
    )
