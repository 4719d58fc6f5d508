"""Databases with a long past, written in bulk: to measure what history costs, without living through it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.store.admission import place_of
from bridge.store.lifecycle import InboxState, OutboxState, Outcome, TimerState
from bridge.units import SECOND

from ..records import literal
from .connection import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK: Final = 50_000
"""Messages in one transaction."""
_DAY: Final = 86_400 * SECOND
_FAST: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1048576")
_KEY: Final = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(10)))"
"""As random as those of gateways, and about as long."""
_NUMBERS: Final = "WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
_AT: Final = ":since + i * :step"
_THREAD: Final = "1 + i % :threads"
_IS_OPEN: Final = "i >= :done"
_STATES: Final = {
    "inbox": (literal(InboxState.OPEN), literal(InboxState.DONE)),
    "outbox": (literal(OutboxState.OPEN), literal(OutboxState.SENT)),
}
_STATUS: Final = {
    table: f"CASE WHEN {_IS_OPEN} THEN {is_open} ELSE {done} END" for table, (is_open, done) in _STATES.items()
}
_EXCHANGE: Final = (
    '{"request":{"method":"POST","url":"https://gateway.example/messages","headers":{"content-type":"application/json"'
    '},"body":"{\\"to\\":\\"628120000001\\",\\"type\\":\\"text\\",\\"text\\":\\"It is on its way.\\"}"},'
    '"response":{"status":200,"headers":{"content-type":"application/json"},"body":"{\\"id\\":\\"8d0f3b52\\"}"}}'
)
_THREADS: Final = f"""
{_NUMBERS} INSERT OR IGNORE INTO threads
    (id, account, provider, channel, conversation, contact, version, last_heard, created_at, updated_at)
SELECT i + 1, :account, :provider, :channel, printf('62812%09d', i),
       CAST(printf('{{"id":"62812%09d","name":"Bayu Prakoso"}}', i) AS BLOB), 1, {_AT}, {_AT}, {_AT} FROM n
"""
_EVENTS: Final = f"""
{_NUMBERS} INSERT INTO inbox
    (id, account, event_key, thread_id, seq, kind, event, raw, channel, status, attempt, received_at, done_at)
SELECT 2 * i + 1, :account, place_of(:channel, printf('62812%09d', i % :threads)) || '/' || {_KEY}, {_THREAD},
       2 * i + 1, 'message',
       CAST(printf('{{"id":"%016d","contact":{{"id":"62812%09d","name":"Bayu Prakoso","phone":null,"email":null,'
                   || '"avatar":null}},"at":"2026-01-01T12:00:00+00:00","text":"Where is order %d?","kind":"text",'
                   || '"media":null,"location":null,"reply_to":null}}', i, i % :threads, i) AS BLOB),
       CAST(printf('{{"from":{{"avatar":"","description":"","name":"Bayu Prakoso","username":"62812%09d"}},"message":'
                   || '{{"id":"%016d","type":"text","text":"Where is order %d?","media":null,"location":null,'
                   || '"postback":null,"interactive":null}}}}', i % :threads, i, i) AS BLOB),
       :channel, {_STATUS["inbox"]}, NOT ({_IS_OPEN} AND i >= :done + :threads), {_AT},
       CASE WHEN {_IS_OPEN} THEN NULL ELSE {_AT} END FROM n
"""
_MESSAGES: Final = f"""
{_NUMBERS} INSERT INTO outbox
    (id, key, account, thread_id, inbox_id, seq, kind, message, status, outcome, message_id, attempt, created_at,
     done_at)
SELECT 2 * i + 2, {_KEY}, :account, {_THREAD}, 2 * i + 1, 2 * i + 2, 'text',
       CAST(printf('{{"kind":"text","text":"Order %d is on its way."}}', i) AS BLOB), {_STATES["outbox"][1]},
       {literal(Outcome.SENT)}, {_KEY}, 1, {_AT}, {_AT} FROM n WHERE NOT {_IS_OPEN}
"""
_ATTEMPTS: Final = f"""
{_NUMBERS} INSERT INTO attempts (outbox_id, attempt, at, outcome, exchange)
SELECT 2 * i + 2, 1, {_AT}, {literal(Outcome.SENT)}, CAST(:exchange AS BLOB) FROM n WHERE NOT {_IS_OPEN}
"""
_TIMERS: Final = f"""
{_NUMBERS} INSERT INTO timers (account, thread_id, name, due_at, set_at, arguments, handler, status)
SELECT :account, {_THREAD}, 'reminder', {_AT}, {_AT}, CAST('{{}}' AS BLOB), 'bot:remind', {literal(TimerState.FIRED)}
FROM n WHERE i % 10 = 0 AND NOT {_IS_OPEN}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a database remembers: `messages` answered in `threads` over the `days` before `until` (microseconds).

    `waiting` events stand open behind them. Threads take turns, so that the rows of one lie far apart.
    """

    messages: int
    threads: int
    waiting: int = 0
    until: int
    days: int = 365
    account: str = "shop"
    provider: str = "konnek"
    channel: str = "whatsapp"


def write_past(file: Path, past: Past, progress: Callable[[int], None] = lambda _: None) -> None:
    """Make a database at `file` with that past. `progress` hears how many messages are written.

    It takes about 15 seconds and 2 GB for each million. A file that a crash leaves half written is of no use.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        prepare(db)
        db.create_function("place_of", 2, place_of, deterministic=True)
        for setting in _FAST:
            db.execute(f"PRAGMA {setting}").fetchone()
        for first in range(0, past.threads, CHUNK):
            _write(db, past, first, min(first + CHUNK, past.threads), _THREADS)
        total = past.messages + past.waiting
        for first in range(0, total, CHUNK):
            last = min(first + CHUNK, total)
            _write(db, past, first, last, _EVENTS, _MESSAGES, _ATTEMPTS, _TIMERS)
            progress(last)


def _write(db: sqlite3.Connection, past: Past, first: int, end: int, *statements: str) -> None:
    span = past.days * _DAY
    step = span // max(past.messages + past.waiting, past.threads)
    values = {
        "first": first,
        "last": end - 1,
        "done": past.messages,
        "threads": past.threads,
        "since": past.until - span,
        "step": step,
        "account": past.account,
        "provider": past.provider,
        "channel": past.channel,
        "exchange": _EXCHANGE,
    }
    db.execute("BEGIN")
    for statement in statements:
        db.execute(statement, values)
    db.execute("COMMIT")
