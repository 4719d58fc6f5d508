"""What is read for those who look in: lists of threads and dead letters, histories, counts, and how each is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.store.admission import OWN_KINDS
from bridge.store.lifecycle import OutboxState
from bridge.store.statuses import UNCONFIRMED as NOT_CONFIRMED
from bridge.store.takeover import UNSAID

from .. import views
from ..records import EVENT_OPEN, MESSAGE_OPEN, literal, one_of
from . import segments

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from bridge.store.looks import AccountSummary, DeadLetter, EventSummary, HistoryEntry, Place, ThreadSummary

LAST_RECEIVED: Final = f"""
SELECT account, max(received_at)
FROM (SELECT account, received_at, kind FROM inbox ORDER BY id DESC LIMIT {views.LATEST})
WHERE NOT kind {one_of(*OWN_KINDS)} GROUP BY account
"""
RAWS: Final = views.RAWS.format(before="?1", limit="?2")
OPEN_EVENTS: Final = f"""
SELECT account, events, (SELECT received_at FROM inbox WHERE id = first)
FROM (SELECT account, count(*) AS events, min(id) AS first FROM inbox INDEXED BY inbox_open WHERE {EVENT_OPEN}
      GROUP BY account)
"""
OPEN_MESSAGES: Final = f"""
SELECT account, messages, (SELECT created_at FROM outbox WHERE id = first)
FROM (SELECT account, count(*) AS messages, min(id) AS first FROM outbox INDEXED BY outbox_open WHERE {MESSAGE_OPEN}
      GROUP BY account)
"""
DEAD: Final = f"""
SELECT account, sum(dead) FROM (
    SELECT account, count(*) AS dead FROM inbox INDEXED BY inbox_dead WHERE {views.DEAD_EVENT} GROUP BY account
    UNION ALL
    SELECT account, count(*) FROM outbox INDEXED BY outbox_dead WHERE {views.DEAD_MESSAGE} GROUP BY account)
GROUP BY account
"""
"""Grouped by account, an index that begins with the account would be tempting, and reads all of history."""


def account_summaries(db: sqlite3.Connection) -> list[AccountSummary]:
    """Every account of which the store holds something that these queries find, by name."""
    return views.account_summaries(
        last=db.execute(LAST_RECEIVED),
        events=db.execute(OPEN_EVENTS),
        messages=db.execute(OPEN_MESSAGES),
        dead=db.execute(DEAD),
    )


_LATEST: Final = """
SELECT updated_at, id FROM threads INDEXED BY threads_latest
WHERE account = ? AND (updated_at, id) < (?, ?) AND (leads_to IS NULL OR last_heard IS NOT NULL)
ORDER BY updated_at DESC, id DESC LIMIT ?
"""
HELD_THREADS: Final = """
SELECT updated_at, id FROM threads INDEXED BY threads_held
WHERE note IS NOT NULL AND (?1 IS NULL OR account = ?1) AND (updated_at, id) < (?2, ?3)
ORDER BY updated_at DESC, id DESC LIMIT ?4
"""
SUMMARY: Final = f"""
SELECT {views.SUMMARY}FROM json_each(?) j CROSS JOIN threads t ON t.id = j.value
ORDER BY t.updated_at DESC, t.id DESC
"""


def summaries(
    db: sqlite3.Connection, account: str | None, limit: int, before: Place, *, held: bool
) -> list[ThreadSummary]:
    """The latest threads of an account before a place, None: of all; with `held` those that a person has."""
    latest: list[tuple[int, int]] = []
    if held:
        latest += db.execute(HELD_THREADS, (account, *before, limit))
    else:
        for name in [account] if account is not None else views.accounts(db.execute(views.ACCOUNTS)):
            latest += db.execute(_LATEST, (name, *before, limit))
    ids = [thread_id for _, thread_id in sorted(latest, reverse=True)[:limit]]
    return summaries_of(db, ids)


def summaries_of(db: sqlite3.Connection, ids: Sequence[int]) -> list[ThreadSummary]:
    """These threads, the latest first."""
    return [views.summary(row) for row in db.execute(SUMMARY, (orjson.dumps([*ids]).decode(),))]


UNCONFIRMED: Final = f"""
SELECT {views.UNCONFIRMED}
FROM outbox o NOT INDEXED CROSS JOIN threads t ON t.id = o.thread_id
WHERE o.id > max(:after, coalesce((SELECT id FROM outbox WHERE created_at < :since ORDER BY id DESC LIMIT 1), 0))
    AND o.account = :account AND o.status = {literal(OutboxState.SENT)} AND o.message_id IS NOT NULL
    AND coalesce(o.delivery, {literal(NOT_CONFIRMED)}) = {literal(NOT_CONFIRMED)}
ORDER BY o.id LIMIT :limit
"""
"""Needs no index: rows are in the order of time, so both scans end where the time asked for ends."""


_TRIES: Final = """(
    SELECT json_group_array(json_object(
        'at', at, 'attempt', attempt, 'outcome', outcome, 'reason', coalesce(reason, ''))) FROM (
        SELECT * FROM attempts WHERE outbox_id = o.id ORDER BY id DESC LIMIT 20
    )
)"""
_IN: Final = f"FROM inbox i LEFT JOIN threads t ON t.id = i.thread_id WHERE i.{views.DEAD_EVENT}"
_OUT: Final = f"FROM outbox o JOIN threads t ON t.id = o.thread_id WHERE o.{views.DEAD_MESSAGE}"
_CHOSEN: Final = """(:reason = '' OR instr(coalesce({0}error, ''), :reason) OR substr({0}error, 1, 1) = char(1))
    AND (:state IS NULL OR {0}status = :state)"""
"""A reason that is encrypted is looked at after the query: storage.views.of_reason."""
_NEWEST: Final = f"""AND (:account IS NULL OR {{0}}.account = :account) AND ({{0}}.done_at, {{0}}.id) < (:at, :number)
    AND {_CHOSEN.format("{0}.")}
ORDER BY {{0}}.done_at DESC, {{0}}.id DESC LIMIT :limit"""
DEAD_LETTERS: Final = (
    f"SELECT {views.IN_LETTER_LINE} {_IN} {_NEWEST.format('i')}",
    f"SELECT {views.OUT_LETTER_LINE} {_OUT} {_NEWEST.format('o')}",
)
"""Dead letters of each side, newest first."""
_OLDEST: Final = f"""
SELECT {{2}} FROM {{0}} INDEXED BY {{0}}_dead
WHERE {{1}} AND (:account IS NULL OR account = :account) AND (done_at, id) > (:at, :number) AND done_at <= :until
    AND {_CHOSEN.format("")}
ORDER BY done_at, id LIMIT :limit
"""
OLDEST_DEAD: Final = {
    "in": _OLDEST.format("inbox", views.DEAD_EVENT, views.LETTER_PLACE),
    "out": _OLDEST.format("outbox", views.DEAD_MESSAGE, views.LETTER_PLACE),
}
"""The places of dead letters, from the oldest on."""
DEAD_LETTER: Final = {
    "in": f"SELECT {views.IN_LETTER} {_IN} AND i.id = ?",
    "out": f"SELECT {views.OUT_LETTER}, {_TRIES} {_OUT} AND o.id = ?",
}
"""One of them."""


_HISTORY: Final = f"""
SELECT {views.HISTORY}
FROM inbox INDEXED BY inbox_past
WHERE id >> {segments.BITS} = :segment AND thread_id = :thread AND id > :after AND id < :before
    AND NOT kind {one_of(*UNSAID)} AND event >= x'01'
UNION ALL
SELECT id, 'out', kind, status, coalesce(delivery, ''), message, key, created_at
FROM outbox INDEXED BY outbox_past
WHERE id >> {segments.BITS} = :segment AND thread_id = :thread AND id > :after AND id < :before AND message >= x'01'
ORDER BY id DESC LIMIT :limit
"""


def history(db: sqlite3.Connection, thread_id: int, after: int, before: int, limit: int) -> list[HistoryEntry]:
    """The latest `limit` things said in a thread between two numbers, oldest first."""
    entries: list[HistoryEntry] = []
    span = {"thread": thread_id, "after": after, "before": before}
    for segment in segments.of_thread(db, thread_id, after, before):
        values = {**span, "segment": segment, "limit": limit - len(entries)}
        entries += map(views.history_entry, db.execute(_HISTORY, values))
        if len(entries) >= limit:
            break
    return entries[::-1]


_EVENT: Final = f"SELECT {views.EVENT} FROM inbox i WHERE i.account = ? AND i.event_key = ?"
_TIMERS: Final = (
    f"SELECT id, {views.DUE_AT} FROM timers WHERE inbox_id = ? AND name = {literal(views.LATER)} ORDER BY id"
)
_FIRST: Final = f"""
{segments.BACK} SELECT s.n FROM s CROSS JOIN {segments.KEYED} = json_extract(j.value, '$[0]') LIMIT 1
"""
MESSAGES: Final = f"""
WITH turns (keys, segment) AS MATERIALIZED (SELECT j.value, ({_FIRST}) FROM json_each(?) j)
SELECT {views.MESSAGE} FROM turns s CROSS JOIN json_each(s.keys) k CROSS JOIN outbox o INDEXED BY outbox_keys
    ON o.id >> {segments.BITS} IN (s.segment, s.segment + 1) AND o.key = k.value
"""
"""All that a turn said lies side by side: only its first message is looked for in each segment."""
_LATEST_AUDIT: Final = "(at, id) < (:at, :number) ORDER BY at DESC, id DESC LIMIT :limit"
AUDITED: Final = f"SELECT {views.AUDIT} FROM audit WHERE {_LATEST_AUDIT}"
AUDITED_OF: Final = f"SELECT {views.AUDIT} FROM audit WHERE account = :account AND {_LATEST_AUDIT}"


def event(db: sqlite3.Connection, account: str, key: str) -> EventSummary | None:
    """Where the event of a key stands."""
    row = db.execute(_EVENT, (account, key)).fetchone()
    return None if row is None else views.event_summary(row, db.execute(_TIMERS, row[:1]))


def newest_letters(db: sqlite3.Connection, values: Mapping[str, object], limit: int) -> list[DeadLetter]:
    """Dead letters, the newest first."""
    rows = (row for query in DEAD_LETTERS for row in db.execute(query, {**values, "limit": limit}))
    return views.newest([*map(views.dead_letter, rows)], limit)


def oldest_letters(db: sqlite3.Connection, values: Mapping[str, object], limit: int) -> list[views.Dead]:
    """Dead letters from the oldest on."""
    sides = {side: db.execute(query, {**values, "limit": limit}) for side, query in OLDEST_DEAD.items()}
    return views.oldest_letters(sides, limit)
