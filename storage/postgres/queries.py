"""What is read for those who look in: lists of threads and dead letters, histories, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.admission import OWN_KINDS
from bridge.store.lifecycle import OutboxState
from bridge.store.statuses import UNCONFIRMED as NOT_CONFIRMED
from bridge.store.takeover import UNSAID

from .. import views
from ..records import EVENT_OPEN, MESSAGE_OPEN, literal, one_of
from . import segments

if TYPE_CHECKING:
    from bridge.store.looks import AccountSummary, Place, ThreadSummary

    from .connection import Fetch

LAST_RECEIVED: Final = f"""
SELECT account, max(received_at)
FROM (SELECT account, received_at, kind FROM inbox ORDER BY id DESC LIMIT {views.LATEST}) r
WHERE NOT kind {one_of(*OWN_KINDS)} GROUP BY account
"""
RAWS: Final = views.RAWS.format(before="$1", limit="$2")
OPEN_EVENTS: Final = f"""
SELECT account, events, (SELECT received_at FROM inbox WHERE id = first)
FROM (SELECT account, count(*) AS events, min(id) AS first FROM inbox WHERE {EVENT_OPEN} GROUP BY account) r
"""
OPEN_MESSAGES: Final = f"""
SELECT account, messages, (SELECT created_at FROM outbox WHERE id = first)
FROM (SELECT account, count(*) AS messages, min(id) AS first FROM outbox WHERE {MESSAGE_OPEN} GROUP BY account) r
"""
DEAD: Final = f"""
SELECT account, sum(dead)::bigint FROM (
    SELECT account, count(*) AS dead FROM inbox WHERE {views.DEAD_EVENT} GROUP BY account UNION ALL
    SELECT account, count(*) FROM outbox WHERE {views.DEAD_MESSAGE} GROUP BY account) r
GROUP BY account
"""


async def account_summaries(fetch: Fetch) -> list[AccountSummary]:
    """Every account of which the store holds something that these queries find, by name."""
    return views.account_summaries(
        last=await fetch(LAST_RECEIVED),
        events=await fetch(OPEN_EVENTS),
        messages=await fetch(OPEN_MESSAGES),
        dead=await fetch(DEAD),
    )


_LATEST: Final = """
SELECT updated_at, id FROM threads
WHERE account = $1 AND (updated_at, id) < ($2, $3) AND (leads_to IS NULL OR last_heard IS NOT NULL)
ORDER BY updated_at DESC, id DESC LIMIT $4
"""
HELD_THREADS: Final = """
SELECT updated_at, id FROM threads
WHERE note IS NOT NULL AND ($1::text IS NULL OR account = $1) AND (updated_at, id) < ($2, $3)
ORDER BY updated_at DESC, id DESC LIMIT $4
"""
SUMMARY: Final = f"""
SELECT {views.SUMMARY}FROM threads t WHERE t.id = ANY($1::bigint[])
ORDER BY t.updated_at DESC, t.id DESC
"""


async def summaries(fetch: Fetch, account: str | None, limit: int, before: Place, *, held: bool) -> list[ThreadSummary]:
    """The latest threads of an account before a place, None: of all; with `held` those that a person has."""
    latest: list[tuple[int, int]] = []
    if held:
        latest += [(at, row_id) for at, row_id in await fetch(HELD_THREADS, account, *before, limit)]
    else:
        for name in [account] if account is not None else views.accounts(await fetch(views.ACCOUNTS)):
            latest += [(at, row_id) for at, row_id in await fetch(_LATEST, name, *before, limit)]
    ids = [thread_id for _, thread_id in sorted(latest, reverse=True)[:limit]]
    return [views.summary(row) for row in await fetch(SUMMARY, ids)]


UNCONFIRMED: Final = f"""
SELECT {views.UNCONFIRMED}
FROM outbox o JOIN threads t ON t.id = o.thread_id
WHERE o.id > greatest($2, coalesce((SELECT id FROM outbox WHERE created_at < $3 ORDER BY id DESC LIMIT 1), 0))
    AND o.account = $1 AND o.status = {literal(OutboxState.SENT)} AND o.message_id IS NOT NULL
    AND coalesce(o.delivery, {literal(NOT_CONFIRMED)}) = {literal(NOT_CONFIRMED)}
ORDER BY o.id LIMIT $4
"""
"""Needs no index: rows are in the order of time, so both scans end where the time asked for ends."""

_TRIES: Final = """(
    SELECT coalesce(json_agg(json_build_object(
        'at', at, 'attempt', attempt, 'outcome', outcome, 'reason', coalesce(reason, '')) ORDER BY id DESC), '[]')::text
    FROM (SELECT * FROM attempts WHERE outbox_id = o.id ORDER BY id DESC LIMIT 20) r
)"""
_IN: Final = f"FROM inbox i LEFT JOIN threads t ON t.id = i.thread_id WHERE i.{views.DEAD_EVENT}"
_OUT: Final = f"FROM outbox o JOIN threads t ON t.id = o.thread_id WHERE o.{views.DEAD_MESSAGE}"
_CHOSEN: Final = """($2::text = '' OR position($2 IN coalesce({0}error, '')) > 0 OR left({0}error, 1) = chr(1))
    AND ($3::text IS NULL OR {0}status = $3)"""
"""A reason that is encrypted is looked at after the query: storage.views.of_reason."""
_NEWEST: Final = f"""AND ($1::text IS NULL OR {{0}}.account = $1) AND ({{0}}.done_at, {{0}}.id) < ($5, $6)
    AND {_CHOSEN.format("{0}.")}
ORDER BY {{0}}.done_at DESC, {{0}}.id DESC LIMIT $4"""
DEAD_LETTERS: Final = (
    f"SELECT {views.IN_LETTER_LINE} {_IN} {_NEWEST.format('i')}",
    f"SELECT {views.OUT_LETTER_LINE} {_OUT} {_NEWEST.format('o')}",
)
"""Dead letters of each side, newest first."""
_OLDEST: Final = f"""
SELECT {{2}} FROM {{0}}
WHERE {{1}} AND ($1::text IS NULL OR account = $1) AND (done_at, id) > ($5, $6) AND done_at <= $7
    AND {_CHOSEN.format("")}
ORDER BY done_at, id LIMIT $4
"""
OLDEST_DEAD: Final = {
    "in": _OLDEST.format("inbox", views.DEAD_EVENT, views.LETTER_PLACE),
    "out": _OLDEST.format("outbox", views.DEAD_MESSAGE, views.LETTER_PLACE),
}
"""The places of dead letters, from the oldest on."""
DEAD_LETTER: Final = {
    "in": f"SELECT {views.IN_LETTER} {_IN} AND i.id = $1",
    "out": f"SELECT {views.OUT_LETTER}, {_TRIES} {_OUT} AND o.id = $1",
}
"""One of them."""

_IN_SEGMENT: Final = f"w.id >> {segments.BITS} = s.n AND w.thread_id = $1 AND w.id > $2 AND w.id < $3"
HISTORY: Final = f"""
{segments.back_to("$2::bigint", "$3::bigint")}
SELECT h.* FROM s CROSS JOIN LATERAL (
    SELECT {views.HISTORY}
    FROM inbox w WHERE {_IN_SEGMENT} AND NOT kind {one_of(*UNSAID)} AND event >= '\\x01'::bytea
    UNION ALL
    SELECT id, 'out', kind, status, coalesce(delivery, ''), message, key, created_at FROM outbox w
    WHERE {_IN_SEGMENT} AND message >= '\\x01'::bytea
    ORDER BY id DESC LIMIT $4) h
LIMIT $4
"""
"""The latest things said in a thread between two numbers, newest first; what is emptied says nothing."""

EVENT: Final = f"SELECT {views.EVENT} FROM inbox i WHERE i.account = $1 AND i.event_key = $2"
TIMERS: Final = (
    f"SELECT id, {views.DUE_AT} FROM timers WHERE inbox_id = $1 AND name = {literal(views.LATER)} ORDER BY id"
)
MESSAGES: Final = f"SELECT {views.MESSAGE} FROM outbox o WHERE o.key = ANY($1::text[])"
_LATEST_AUDIT: Final = "(at, id) < ($1, $2) ORDER BY at DESC, id DESC LIMIT $3"
AUDITED: Final = f"SELECT {views.AUDIT} FROM audit WHERE {_LATEST_AUDIT}"
AUDITED_OF: Final = f"SELECT {views.AUDIT} FROM audit WHERE account = $4 AND {_LATEST_AUDIT}"
