"""Lists for a person who looks in, in the SQL of PostgreSQL; see storage.looking."""

from __future__ import annotations

from typing import Final

from .. import views
from ..looking import CANDIDATE, EVENT_SAID, IS_LISTED, TO_COME, Looks
from ..records import EVENT_HELD, EVENT_OPEN, MESSAGE_OPEN
from ..timers import WAITING
from . import segments
from .queries import SUMMARY

_IDS: Final = "ANY(ARRAY(SELECT json_array_elements_text($1::json)::bigint))"
_BEFORE: Final = f"""
(t.updated_at, t.id) < ($2, $3) AND {IS_LISTED} ORDER BY t.updated_at DESC, t.id DESC LIMIT $4
"""
_DEAD: Final = """
SELECT thread_id FROM (SELECT thread_id FROM {0} WHERE {1} ORDER BY done_at DESC, id DESC LIMIT $1) r
WHERE thread_id IS NOT NULL
"""
_LAST: Final = f"""
(SELECT w.id FROM {{0}} w WHERE w.id >> {segments.BITS} = s.n AND w.thread_id = j.id AND w.id > 0 AND w.{{1}}
 ORDER BY w.id DESC LIMIT 1)
"""
_SAID_IN: Final = _LAST.format("inbox", f"{EVENT_SAID} AND w.event >= '\\x01'::bytea")
_SAID_OUT: Final = _LAST.format("outbox", "message >= '\\x01'::bytea")
LOOKS: Final = Looks(
    latest=f"SELECT {CANDIDATE} FROM threads t WHERE t.account = $1 AND {_BEFORE}",
    held=f"SELECT {CANDIDATE} FROM threads t WHERE t.note IS NOT NULL AND t.account = $1 AND {_BEFORE}",
    of_ids=f"SELECT {CANDIDATE} FROM threads t WHERE t.id = {_IDS} AND {IS_LISTED}",
    named=f"""
SELECT DISTINCT {CANDIDATE} FROM identities d JOIN threads t ON t.contact_id = d.contact_id
WHERE d.value IN ($1, $2) AND t.contact_id IS NOT NULL AND {IS_LISTED}
ORDER BY t.updated_at DESC, t.id DESC
""",
    waiting=f"""
SELECT thread_id FROM inbox WHERE {EVENT_OPEN}
UNION SELECT thread_id FROM inbox WHERE {EVENT_HELD}
UNION SELECT thread_id FROM outbox WHERE {MESSAGE_OPEN} LIMIT $1
""",
    dead=f"{_DEAD.format('inbox', views.DEAD_EVENT)} UNION {_DEAD.format('outbox', views.DEAD_MESSAGE)}",
    summaries=SUMMARY.replace("ANY($1::bigint[])", _IDS),
    to_come=f"""
SELECT {TO_COME} FROM timers r JOIN threads t ON t.id = r.thread_id
WHERE r.{WAITING} AND r.account = $1 AND r.due_at >= $2 AND (r.due_at, r.id) > ($2, $3)
ORDER BY r.due_at, r.id LIMIT $4
""",
    last_said=f"""
{segments.back_to("0")}
SELECT j.id, h.id FROM (SELECT json_array_elements_text($1::json)::bigint AS id) j CROSS JOIN LATERAL (
    SELECT h.id FROM s CROSS JOIN LATERAL ({_SAID_IN} UNION ALL {_SAID_OUT} ORDER BY id DESC LIMIT 1) h LIMIT 1) h
""",
    entries=f"""
SELECT {views.HISTORY} FROM inbox WHERE id = {_IDS} UNION ALL SELECT {views.SAID} FROM outbox o WHERE o.id = {_IDS}
""",
)
_IN_SEGMENT: Final = f"w.id >> {segments.BITS} = s.n AND w.thread_id = $1 AND w.id < $2"
POSITIONS: Final = f"""
{segments.back_to("0", "$2::bigint")}
SELECT h.* FROM s CROSS JOIN LATERAL (
    SELECT id, 'in' AS side FROM inbox w WHERE {_IN_SEGMENT}
    UNION ALL SELECT id, 'out' FROM outbox w WHERE {_IN_SEGMENT}
    ORDER BY id DESC LIMIT $3) h
LIMIT $3
"""
