"""Lists for a person who looks in, in the SQL of SQLite; see storage.looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import views
from ..looking import CANDIDATE, EVENT_SAID, IS_LISTED, TO_COME, Looks
from ..records import EVENT_HELD, EVENT_OPEN, MESSAGE_OPEN
from ..timers import WAITING
from . import segments
from .queries import SUMMARY

if TYPE_CHECKING:
    import sqlite3

_BEFORE: Final = f"""
(t.updated_at, t.id) < (?2, ?3) AND {IS_LISTED} ORDER BY t.updated_at DESC, t.id DESC LIMIT ?4
"""
_DEAD: Final = """
SELECT thread_id FROM (
    SELECT thread_id FROM {0} INDEXED BY {0}_dead WHERE {1} ORDER BY done_at DESC, id DESC LIMIT ?1)
WHERE thread_id IS NOT NULL
"""
_LAST: Final = f"""
coalesce((SELECT id FROM {{0}} INDEXED BY {{0}}_past
          WHERE id >> {segments.BITS} = s.n AND thread_id = j.value AND id > 0 AND {{1}} ORDER BY id DESC LIMIT 1), 0)
"""
_SAID_IN: Final = _LAST.format("inbox", f"{EVENT_SAID} AND event >= x'01'")
_SAID_OUT: Final = _LAST.format("outbox", "message >= x'01'")
LOOKS: Final = Looks(
    latest=f"SELECT {CANDIDATE} FROM threads t INDEXED BY threads_latest WHERE t.account = ?1 AND {_BEFORE}",
    held=f"""
SELECT {CANDIDATE} FROM threads t INDEXED BY threads_held WHERE t.note IS NOT NULL AND t.account = ?1 AND {_BEFORE}
""",
    of_ids=f"SELECT {CANDIDATE} FROM json_each(?1) j CROSS JOIN threads t ON t.id = j.value WHERE {IS_LISTED}",
    named=f"""
SELECT DISTINCT {CANDIDATE} FROM identities d
CROSS JOIN threads t ON t.contact_id = d.contact_id AND t.contact_id IS NOT NULL
WHERE d.value IN (?, ?) AND {IS_LISTED} ORDER BY t.updated_at DESC, t.id DESC
""",
    waiting=f"""
SELECT thread_id FROM inbox INDEXED BY inbox_work WHERE {EVENT_OPEN}
UNION SELECT thread_id FROM inbox INDEXED BY inbox_held WHERE {EVENT_HELD}
UNION SELECT thread_id FROM outbox INDEXED BY outbox_work WHERE {MESSAGE_OPEN} LIMIT ?1
""",
    dead=f"{_DEAD.format('inbox', views.DEAD_EVENT)} UNION {_DEAD.format('outbox', views.DEAD_MESSAGE)}",
    summaries=SUMMARY,
    to_come=f"""
SELECT {TO_COME} FROM timers r INDEXED BY timers_due CROSS JOIN threads t ON t.id = r.thread_id
WHERE r.{WAITING} AND r.account = ?1 AND r.due_at >= ?2 AND (r.due_at, r.id) > (?2, ?3)
ORDER BY r.due_at, r.id LIMIT ?4
""",
    last_said=f"""
WITH RECURSIVE s (n) AS (
    SELECT ({segments.NEWEST}) >> {segments.BITS} UNION ALL SELECT n - 1 FROM s WHERE n > 0),
last (thread_id, id) AS (
    SELECT j.value, (SELECT id FROM (SELECT max({_SAID_IN}, {_SAID_OUT}) AS id FROM s) WHERE id > 0 LIMIT 1)
    FROM json_each(?1) j)
SELECT thread_id, id FROM last WHERE id IS NOT NULL
""",
    entries=f"""
SELECT {views.HISTORY} FROM inbox WHERE id IN (SELECT value FROM json_each(?1))
UNION ALL SELECT {views.SAID} FROM outbox o WHERE o.id IN (SELECT value FROM json_each(?1))
""",
)
_POSITIONS: Final = f"""
SELECT id, 'in' FROM inbox INDEXED BY inbox_past
WHERE id >> {segments.BITS} = :segment AND thread_id = :thread AND id > 0 AND id < :before
UNION ALL
SELECT id, 'out' FROM outbox INDEXED BY outbox_past
WHERE id >> {segments.BITS} = :segment AND thread_id = :thread AND id > 0 AND id < :before
ORDER BY id DESC LIMIT :limit
"""


def positions(db: sqlite3.Connection, thread_id: int, before: int, limit: int) -> list[tuple[int, str]]:
    """The ids of a thread's latest rows below one, newest first; each with its side."""
    found: list[tuple[int, str]] = []
    for segment in segments.of_thread(db, thread_id, 0, before):
        values = {"segment": segment, "thread": thread_id, "before": before, "limit": limit - len(found)}
        found += db.execute(_POSITIONS, values).fetchall()
        if len(found) >= limit:
            break
    return found
