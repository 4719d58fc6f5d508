"""The way of one event, in the SQL of PostgreSQL; see storage.tracing."""

from __future__ import annotations

from typing import Final

from bridge.store.lifecycle import TIMERS, TimerMove
from bridge.store.traces import LOOKED_THROUGH, NEWS

from ..records import one_of
from ..tracing import EVENT, EVENT_LINE, HEARD, MESSAGE, TIMER, TRY, Queries
from . import segments

_EVENT: Final = f"SELECT {EVENT} FROM inbox i LEFT JOIN threads t ON t.id = i.thread_id"
_MESSAGE: Final = f"SELECT {MESSAGE} FROM outbox o JOIN threads t ON t.id = o.thread_id"
_IDS: Final = "ANY(ARRAY(SELECT json_array_elements_text($1::json)::bigint))"
_ON: Final = f"""
WITH RECURSIVE s (n) AS (
    SELECT $2::bigint >> {segments.BITS} UNION ALL
    SELECT n + 1 FROM s WHERE n < ({segments.NEWEST}) >> {segments.BITS})
"""
_IN_SEGMENT: Final = f"id >> {segments.BITS} = s.n AND thread_id = $1 AND id > $2"
QUERIES: Final = Queries(
    event=f"{_EVENT} WHERE i.id = $1",
    event_keyed="SELECT id FROM inbox WHERE account = $1 AND event_key = $2",
    message=f"{_MESSAGE} WHERE o.id = $1",
    message_keyed="SELECT id FROM outbox WHERE key = $1",
    named=f"""
{segments.back_to("0")}
SELECT m.id FROM s CROSS JOIN LATERAL (
    SELECT o.id FROM outbox o
    WHERE o.id >> {segments.BITS} = s.n AND o.account = $1 AND o.message_id = $2 AND o.message_id IS NOT NULL) m
""",
    heard=HEARD.format(account="$1", name="$2::text"),
    said=f"""
{_ON}
SELECT {MESSAGE} FROM s CROSS JOIN LATERAL (
    SELECT * FROM outbox WHERE {_IN_SEGMENT} AND created_at >= $3 ORDER BY id LIMIT $4) o
JOIN threads t ON t.id = $1 LIMIT $4
""",
    events=f"""
{_ON}
SELECT {EVENT} FROM s CROSS JOIN LATERAL (SELECT * FROM inbox WHERE {_IN_SEGMENT} ORDER BY id LIMIT $3) i
JOIN threads t ON t.id = $1 LIMIT $3
""",
    news=f"""
{_ON}
SELECT {EVENT} FROM (
    SELECT w.* FROM s CROSS JOIN LATERAL (
        SELECT * FROM inbox WHERE {_IN_SEGMENT} ORDER BY id LIMIT {LOOKED_THROUGH}) w LIMIT {LOOKED_THROUGH}) i
JOIN threads t ON t.id = $1 WHERE i.kind {one_of(*NEWS)} ORDER BY i.id
""",
    tries=f"SELECT {TRY} FROM attempts a WHERE a.outbox_id = {_IDS} ORDER BY a.id",
    timers=f"""
SELECT {TIMER} FROM timers
WHERE thread_id = $1 AND status {one_of(*TIMERS.before(TimerMove.CANCELLED))} AND set_at = $2 ORDER BY due_at, id
""",
    events_of=f"""{_EVENT.replace(EVENT, EVENT_LINE)} WHERE i.id = {_IDS}""",
    messages_of=f"{_MESSAGE} WHERE o.id = {_IDS}",
)
