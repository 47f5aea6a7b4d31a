"""The journal's SQL, each statement whole, for SQLite and PostgreSQL alike. Only lists with filters are elsewhere.

A transition names the states it may come from: one that comes late, twice or from two processes takes nothing back.
"""

from __future__ import annotations

import re
from textwrap import dedent

from sqlalchemy import Text, TextClause, bindparam, text


def _sql(statement: str) -> TextClause:
    """A statement. What it names after IN is a list of texts, which may be empty."""
    lists = (bindparam(name, type_=Text, expanding=True) for name in re.findall(r"IN :(\w+)", statement))
    return text(dedent(statement).strip()).bindparams(*lists)


# One task by its local id.
TASK = _sql("SELECT * FROM tasks WHERE id = :row_id")

# The newest tasks of a request that may be attached to, whose worker may have died, or that were lost after :asked;
# not much later than now, or one that a clock ahead wrote down would hold up its request till then.
SAME_REQUEST = _sql("""
    SELECT * FROM tasks
    WHERE fingerprint = :fingerprint AND lost_at IS NULL
      AND (state = 'intended'
           OR state = 'unknown' AND finished_at > :asked AND finished_at <= :latest
           OR state IN ('submitted', 'running', 'succeeded', 'collected')
              AND (task_id IS NOT NULL OR urls <> '' OR files <> ''))
    ORDER BY created_at DESC, id DESC LIMIT 50
""")

# The newest task of a request whose create was never answered.
LOST_ANSWER = _sql("""
    SELECT * FROM tasks
    WHERE fingerprint = :fingerprint AND account = :account AND state = 'unknown' AND task_id IS NULL
    ORDER BY created_at DESC, id DESC LIMIT 1
""")

# How many tasks of an account each worker has in flight, and the oldest's time. What stalls has an error code.
IN_FLIGHT = _sql("""
    SELECT owner, count(*) AS tasks, min(created_at) AS oldest FROM tasks
    WHERE account = :account AND state IN ('intended', 'submitted', 'running')
      AND created_at > :begun_since AND error_code = ''
    GROUP BY owner
""")

# The credits of some tasks.
CREDITS_OF = _sql("SELECT coalesce(sum(credits), 0) FROM tasks WHERE id IN :row_ids")

# What is to be fetched and no other living worker drives, oldest first; not what is set aside for its user.
OPEN_ROWS = _sql("""
    SELECT * FROM tasks
    WHERE state IN ('submitted', 'running', 'succeeded') AND lost_at IS NULL AND owner NOT IN :others
      AND error_code NOT IN ('ended_process', 'given_up')
      AND (task_id IS NOT NULL OR urls <> '' OR files <> '')
    ORDER BY created_at
""")

# What dead workers were about to send, or had sent without an answer yet.
ORPHANS = _sql("SELECT id FROM tasks WHERE state = 'intended' AND owner NOT IN :living")

# An open task gets a new worker, unless another living one has it.
CLAIM = _sql("""
    UPDATE tasks SET owner = :owner
    WHERE id = :row_id AND state IN ('submitted', 'running', 'succeeded') AND owner NOT IN :others
""")

# Its worker has not got its key any more.
RELEASE = _sql("""
    UPDATE tasks SET owner = ''
    WHERE id IN :row_ids AND state IN ('submitted', 'running', 'succeeded') AND owner = :owner
""")

# The gateway accepted it under this id, which also proves wrong who gave it up.
TO_SUBMITTED = _sql("""
    UPDATE tasks
    SET state = 'submitted', task_id = :task_id, submitted_at = :now, credits = price, finished_at = NULL,
        hidden = false, error_code = '', error_text = ''
    WHERE id = :row_id AND state IN ('intended', 'unknown', 'failed') AND task_id IS NULL
""")

# The id of a task that has gone further without one.
LATE_TASK_ID = _sql("UPDATE tasks SET task_id = :task_id WHERE id = :row_id AND task_id IS NULL")

# What the task cost. One that was adopted, which has no fingerprint, was paid elsewhere.
TO_CHARGED = _sql("UPDATE tasks SET credits = :credits WHERE id = :row_id AND fingerprint <> ''")

# The first poll that says so.
TO_RUNNING = _sql("""
    UPDATE tasks SET state = 'running', polled_at = :now WHERE id = :row_id AND state = 'submitted'
""")

# Open, but not in flight any more.
TO_STALLED = _sql("""
    UPDATE tasks SET error_code = 'stalled', error_text = :text, error_said = :said
    WHERE id = :row_id AND state IN ('submitted', 'running') AND lost_at IS NULL AND error_code = ''
""")

# Open, and only asked for when its user wants it.
TO_SET_ASIDE = _sql("""
    UPDATE tasks SET error_code = :code, error_text = :text, error_said = :said
    WHERE id = :row_id AND state IN ('submitted', 'running', 'succeeded')
""")

# In flight again.
TO_RESUMED = _sql("UPDATE tasks SET error_code = '', error_text = '' WHERE id = :row_id AND error_code = 'stalled'")

# The gateway has the image, whatever was thought of the task before.
TO_SUCCEEDED = _sql("""
    UPDATE tasks
    SET state = 'succeeded', urls = :urls, seconds = :seconds, submitted_at = coalesce(submitted_at, :now),
        polled_at = :now, finished_at = :now, error_code = '', error_text = ''
    WHERE id = :row_id AND state NOT IN ('succeeded', 'collected')
""")

# Fresh links to an image that is not fetched yet.
NEW_URLS = _sql("UPDATE tasks SET urls = :urls, polled_at = :now WHERE id = :row_id AND state = 'succeeded'")

# The files are on disk; image data that stood in for a URL is not needed any more.
TO_COLLECTED = _sql("""
    UPDATE tasks
    SET state = 'collected', files = :files, collected_at = :now, submitted_at = coalesce(submitted_at, :now),
        finished_at = coalesce(finished_at, :now), urls = CASE WHEN urls LIKE '%"data:%' THEN '' ELSE urls END,
        lost_at = NULL, evicted_at = NULL, error_code = '', error_text = ''
    WHERE id = :row_id
""")

# The create certainly did not arrive, or was refused: it costs nothing.
TO_NEVER_SENT = _sql("""
    UPDATE tasks SET state = 'failed', credits = 0, error_code = :code, error_text = :text, error_said = :said,
        finished_at = :now
    WHERE id = :row_id AND state IN ('intended', 'unknown', 'submitted', 'running')
      AND submitted_at IS NULL AND task_id IS NULL
""")

# A task that was accepted failed: its credits count as refunded.
TO_FAILED = _sql("""
    UPDATE tasks SET state = 'failed', error_code = :code, error_text = :text, error_said = :said, finished_at = :now
    WHERE id = :row_id AND state IN ('intended', 'unknown', 'submitted', 'running')
""")

# Sent or not, nobody knows: it may have been billed.
TO_UNKNOWN = _sql("""
    UPDATE tasks SET state = 'unknown', error_code = 'billing_unknown', error_text = :text, error_said = :said,
        finished_at = :now
    WHERE id = :row_id AND state = 'intended'
""")

# Never sent; also where another worker, who could not know that, has made it `unknown`.
TO_DROPPED = _sql("""
    UPDATE tasks SET state = 'failed', credits = 0, hidden = true, error_code = 'dropped', finished_at = :now
    WHERE id = :row_id AND state IN ('intended', 'unknown') AND task_id IS NULL
""")

# A node gave it to the graph; the first time counts.
TO_DELIVERED = _sql("UPDATE tasks SET delivered_at = :now WHERE id = :row_id AND delivered_at IS NULL")

# Its image can no longer be had.
TO_LOST = _sql("""
    UPDATE tasks SET lost_at = :now, error_code = 'lost', error_text = :text, error_said = :said
    WHERE id = :row_id AND lost_at IS NULL
""")

# Its files made room for others.
TO_EVICTED = _sql("UPDATE tasks SET evicted_at = :now WHERE id = :row_id")

# Off the list, or on it again.
TO_HIDDEN = _sql("UPDATE tasks SET hidden = :hidden WHERE id = :row_id")

# A worker lives.
BEAT = _sql("""
    INSERT INTO workers (worker_id, heartbeat_at, account) VALUES (:worker_id, :now, :account)
    ON CONFLICT (worker_id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at, account = excluded.account
""")

# The workers that gave a sign of life.
FRESH_WORKERS = _sql("SELECT worker_id FROM workers WHERE heartbeat_at > :since")

# Workers that were silent for long are forgotten.
FORGET_WORKERS = _sql("DELETE FROM workers WHERE heartbeat_at < :before")

# A worker ends.
LEAVE = _sql("DELETE FROM workers WHERE worker_id = :worker_id")

# An account's creates rest. A pause that is longer stays, unless no answer can have asked for it.
PAUSE = _sql("""
    INSERT INTO pauses (account, until) VALUES (:account, :until)
    ON CONFLICT (account) DO UPDATE SET until = excluded.until
    WHERE pauses.until < excluded.until OR pauses.until > :longest
""")

# Until when an account's creates rest.
PAUSED_UNTIL = _sql("SELECT until FROM pauses WHERE account = :account")

# A remembered URL that has not expired.
LINK = _sql("SELECT * FROM links WHERE key = :key AND (expires_at IS NULL OR expires_at > :now)")

# A URL is remembered, in place of an older one.
SAVE_LINK = _sql("""
    INSERT INTO links (key, url, way, expires_at, created_at) VALUES (:key, :url, :way, :expires_at, :now)
    ON CONFLICT (key) DO UPDATE
    SET url = excluded.url, way = excluded.way, expires_at = excluded.expires_at, created_at = excluded.created_at
""")

# URLs that expired are forgotten.
DROP_EXPIRED_LINKS = _sql("DELETE FROM links WHERE expires_at < :now")

# A URL is forgotten.
DROP_LINK = _sql("DELETE FROM links WHERE key = :key")
