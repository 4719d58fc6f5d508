"""The way of one event, in the SQL of SQLite; see storage.tracing."""

from __future__ import annotations

from typing import Final

from bridge.store.lifecycle import TIMERS, TimerMove
from bridge.store.traces import LOOKED_THROUGH, NEWS

from ..records import one_of
from ..tracing import EVENT, EVENT_LINE, HEARD, MESSAGE, TIMER, TRY, Queries
from . import segments

_EVENT: Final = f"SELECT {EVENT} FROM inbox i LEFT JOIN threads t ON t.id = i.thread_id"
_MESSAGE: Final = f"SELECT {MESSAGE} FROM outbox o JOIN threads t ON t.id = o.thread_id"
_ON: Final = f"""
WITH RECURSIVE s (n) AS (
    SELECT ?2 >> {segments.BITS} UNION ALL SELECT n + 1 FROM s WHERE n < ({segments.NEWEST}) >> {segments.BITS})
"""
QUERIES: Final = Queries(
    event=f"{_EVENT} WHERE i.id = ?",
    event_keyed="SELECT id FROM inbox WHERE account = ? AND event_key = ?",
    message=f"{_MESSAGE} WHERE o.id = ?",
    message_keyed=f"{segments.BACK} SELECT o.id FROM s CROSS JOIN {segments.KEYED} = ?",
    named=f"""
{segments.BACK} SELECT o.id FROM s CROSS JOIN outbox o INDEXED BY outbox_named
    ON o.id >> {segments.BITS} = s.n AND o.account = ? AND o.message_id = ? AND o.message_id IS NOT NULL
""",
    heard=HEARD.format(account="?1", name="?2"),
    said=f"""
{_ON} SELECT {MESSAGE}
FROM s CROSS JOIN outbox o INDEXED BY outbox_past ON o.id >> {segments.BITS} = s.n AND o.thread_id = ?1 AND o.id > ?2
CROSS JOIN threads t ON t.id = o.thread_id WHERE o.created_at >= ?3 LIMIT ?4
""",
    events=f"""
{_ON} SELECT {EVENT}
FROM s CROSS JOIN inbox i INDEXED BY inbox_past ON i.id >> {segments.BITS} = s.n AND i.thread_id = ?1 AND i.id > ?2
CROSS JOIN threads t ON t.id = i.thread_id LIMIT ?3
""",
    news=f"""
{_ON} SELECT {EVENT} FROM (
    SELECT w.id FROM s CROSS JOIN inbox w INDEXED BY inbox_past
        ON w.id >> {segments.BITS} = s.n AND w.thread_id = ?1 AND w.id > ?2 LIMIT {LOOKED_THROUGH}) behind
CROSS JOIN inbox i ON i.id = behind.id CROSS JOIN threads t ON t.id = i.thread_id WHERE i.kind {one_of(*NEWS)}
""",
    tries=f"SELECT {TRY} FROM json_each(?) j CROSS JOIN attempts a ON a.outbox_id = j.value ORDER BY a.id",
    timers=f"""
SELECT {TIMER} FROM timers
WHERE thread_id = ? AND status {one_of(*TIMERS.before(TimerMove.CANCELLED))} AND set_at = ? ORDER BY due_at, id
""",
    events_of=f"""
SELECT {EVENT_LINE} FROM json_each(?) j CROSS JOIN inbox i ON i.id = j.value
LEFT JOIN threads t ON t.id = i.thread_id
""",
    messages_of=f"""
SELECT {MESSAGE} FROM json_each(?) j CROSS JOIN outbox o ON o.id = j.value CROSS JOIN threads t ON t.id = o.thread_id
""",
)
