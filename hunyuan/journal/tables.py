"""The journal's tables, their version, and how an older version becomes this one. SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    inspect,
    select,
    text,
)

from ..limits import CREDITS_PER_TASK

VERSION = 5

metadata = MetaData()


def _time(name: str, *, nullable: bool = True) -> Column[float]:
    """Unix seconds, with the fractions kept on every database."""
    return Column(name, Float(53), nullable=nullable)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    _text("fingerprint"),
    Column("task_id", Text),
    Column("state", Text, nullable=False),
    _text("type"),
    _text("prompt"),
    _text("size"),
    Column("seed", Integer),
    _text("model"),
    _text("base_url"),
    _text("account"),
    _text("images"),
    Column("credits", Integer, nullable=False, server_default="0"),
    # Of a model that has parameters of its own: JSON of these, of each image's field, and what its durations go by.
    _text("parameters"),
    _text("image_fields"),
    _text("choices"),
    Column("variation", Integer, nullable=False, server_default="0"),
    # What one task costs by its model's entry; `credits` are what it cost as far as that is known.
    Column("price", Integer, nullable=False, server_default=str(CREDITS_PER_TASK)),
    _text("prompt_id"),
    _text("node_id"),
    _text("session"),
    _text("owner"),
    _text("user_id"),
    _time("created_at", nullable=False),
    _time("submitted_at"),
    _time("polled_at"),
    _time("finished_at"),
    _time("seconds"),
    _time("collected_at"),
    _time("delivered_at"),
    _time("lost_at"),
    _time("evicted_at"),
    _text("error_code"),
    _text("error_text"),
    _text("error_said"),  # JSON of how error_text was said, where that is a sentence of ours (see hunyuan/sentences.py)
    _text("urls"),
    _text("files"),
    Column("hidden", Boolean, nullable=False, server_default=text("false")),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    _time("heartbeat_at", nullable=False),
    _text("account"),
)

links = Table(
    "links",
    metadata,
    Column("key", Text, primary_key=True),
    Column("url", Text, nullable=False),
    _text("way"),
    _time("expires_at"),
    _time("created_at", nullable=False),
)

# Until when an account's creates rest after a 429, for all workers.
pauses = Table("pauses", metadata, Column("account", Text, primary_key=True), _time("until", nullable=False))

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

Index("tasks_by_fingerprint", tasks.c.fingerprint, tasks.c.created_at)
Index("tasks_by_task_id", tasks.c.task_id)
Index("tasks_by_state", tasks.c.state, tasks.c.created_at, tasks.c.hidden, tasks.c.credits)
Index("tasks_by_time", tasks.c.created_at)
# These hold all that the credit limits sum, so that the sums are read from the index alone.
Index("tasks_by_account", tasks.c.account, tasks.c.state, tasks.c.created_at, tasks.c.credits)
Index("tasks_by_session", tasks.c.session, tasks.c.state, tasks.c.credits)
_timed = tasks.c.seconds.is_not(None)
Index(
    "tasks_by_duration",
    tasks.c.model,
    tasks.c.type,
    tasks.c.size,
    tasks.c.choices,
    tasks.c.finished_at,
    sqlite_where=_timed,
    postgresql_where=_timed,
)

_waiting = tasks.c.delivered_at.is_(None)
# In the order of the list, so that a page of it is read from its first row on.
Index(
    "tasks_waiting",
    *(tasks.c.state, tasks.c.hidden, tasks.c.created_at, tasks.c.id),
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)
_evictable = and_(tasks.c.delivered_at.is_not(None), tasks.c.evicted_at.is_(None))
Index("tasks_evictable", tasks.c.delivered_at, sqlite_where=_evictable, postgresql_where=_evictable)

# From the version before it to the version that is the key. Statements that both databases read.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: (
        "ALTER TABLE tasks ADD COLUMN lost_at DOUBLE PRECISION",
        "ALTER TABLE tasks ADD COLUMN evicted_at DOUBLE PRECISION",
        "CREATE TABLE pauses (account TEXT PRIMARY KEY, until DOUBLE PRECISION NOT NULL)",
        "DROP INDEX tasks_by_state",
        "CREATE INDEX tasks_by_state ON tasks (state, created_at, hidden, credits)",
        "DROP INDEX tasks_by_account",
        "CREATE INDEX tasks_by_account ON tasks (account, state, created_at, credits)",
        "CREATE INDEX tasks_waiting ON tasks (state, hidden) WHERE delivered_at IS NULL",
        "CREATE INDEX tasks_evictable ON tasks (delivered_at) WHERE delivered_at IS NOT NULL AND evicted_at IS NULL",
    ),
    3: (
        "ALTER TABLE tasks ADD COLUMN parameters TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE tasks ADD COLUMN image_fields TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE tasks ADD COLUMN choices TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE tasks ADD COLUMN variation INTEGER NOT NULL DEFAULT 0",
        f"ALTER TABLE tasks ADD COLUMN price INTEGER NOT NULL DEFAULT {CREDITS_PER_TASK}",
        "DROP INDEX tasks_by_duration",
        "CREATE INDEX tasks_by_duration ON tasks (model, type, size, choices, finished_at) WHERE seconds IS NOT NULL",
    ),
    4: (
        "ALTER TABLE tasks ADD COLUMN user_id TEXT NOT NULL DEFAULT ''",
        "DROP INDEX tasks_waiting",
        "CREATE INDEX tasks_waiting ON tasks (state, hidden, created_at, id) WHERE delivered_at IS NULL",
    ),
    5: ("ALTER TABLE tasks ADD COLUMN error_said TEXT NOT NULL DEFAULT ''",),
}


class NewerSchemaError(Exception):
    """The journal was written by a newer version of this pack. args[0]: its version."""


def version_of(connection: Connection) -> int:
    """The schema's version; 0 where there is no journal yet."""
    if not inspect(connection).has_table(meta.name):
        return 0
    found = connection.execute(select(meta.c.value).where(meta.c.key == "version")).scalar()
    if found and not found.isdecimal():
        raise NewerSchemaError(found)  # none of ours so far
    return int(found) if found else 0


def bring_up(connection: Connection) -> None:
    """Create the tables or migrate them, inside the caller's transaction. Raises NewerSchemaError."""
    version = version_of(connection)
    if version > VERSION:
        raise NewerSchemaError(version)
    if version == VERSION:
        return
    if version == 0:
        metadata.create_all(connection)
        connection.execute(meta.insert().values(key="version", value=str(VERSION)))
        return
    for step in range(version + 1, VERSION + 1):
        for statement in MIGRATIONS[step]:
            connection.exec_driver_sql(statement)
    connection.execute(meta.update().where(meta.c.key == "version").values(value=str(VERSION)))
