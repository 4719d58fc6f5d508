"""Databases with a long past, written in bulk: to measure what history costs, without living through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg

from bridge.store.admission import place_of
from bridge.store.lifecycle import InboxState, OutboxState, Outcome, TimerState
from bridge.units import SECOND

from ..records import literal
from .connection import LOST, address_of, connect, translate
from .migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK: Final = 50_000
"""Messages in one transaction."""
_DAY: Final = 86_400 * SECOND
_PATIENT: Final = 600.0
_FAST: Final = "SET synchronous_commit = off"
_NUMBERS: Final = "FROM generate_series($1::bigint, $2::bigint) i"
_AT: Final = "$3::bigint + i * $4::bigint"
_KEY: Final = "gen_random_uuid()::text"
_EXCHANGE: Final = (
    '{"request":{"method":"POST","url":"https://gateway.example/messages","headers":{"content-type":"application/json"'
    '},"body":"{\\"to\\":\\"628120000001\\",\\"type\\":\\"text\\",\\"text\\":\\"It is on its way.\\"}"},'
    '"response":{"status":200,"headers":{"content-type":"application/json"},"body":"{\\"id\\":\\"8d0f3b52\\"}"}}'
)
_CONTACT: Final = "'62812' || lpad((i % $5)::text, 9, '0')"
_PLACES: Final = "CREATE TEMP TABLE past_places (contact INT PRIMARY KEY, place TEXT NOT NULL)"
_PLACE: Final = "(SELECT place FROM past_places WHERE contact = i % $5)"
_THREADS: Final = f"""
INSERT INTO threads (id, account, provider, channel, conversation, contact, version, last_heard, created_at, updated_at)
SELECT i + 1, 'shop', 'konnek', 'whatsapp', {_CONTACT},
       convert_to('{{"id":"' || {_CONTACT} || '","name":"Bayu Prakoso"}}', 'UTF8'), 1, {_AT}, {_AT}, {_AT} {_NUMBERS}
"""
_EVENTS: Final = f"""
INSERT INTO inbox
    (id, account, event_key, thread_id, seq, kind, event, raw, channel, status, attempt, received_at, done_at)
SELECT 2 * i + 1, 'shop', {_PLACE} || '/' || {_KEY}, 1 + i % $5, 2 * i + 1, 'message',
       convert_to('{{"id":"' || i || '","contact":{{"id":"' || {_CONTACT} || '","name":"Bayu Prakoso","phone":null,'
                  || '"email":null,"avatar":null}},"at":"2026-01-01T12:00:00+00:00","text":"Where is order ' || i
                  || '?","kind":"text","media":null,"location":null,"reply_to":null}}', 'UTF8'),
       convert_to('{{"from":{{"avatar":"","description":"","name":"Bayu Prakoso","username":"' || {_CONTACT}
                  || '"}},"message":{{"id":"' || i || '","type":"text","text":"Where is order ' || i
                  || '?","media":null,"location":null,"postback":null,"interactive":null}}}}', 'UTF8'),
       'whatsapp', {literal(InboxState.DONE)}, 1, {_AT}, {_AT} {_NUMBERS}
"""
_MESSAGES: Final = f"""
INSERT INTO outbox
    (id, key, account, thread_id, inbox_id, seq, kind, message, status, outcome, message_id, attempt, created_at,
     done_at)
SELECT 2 * i + 2, {_KEY}, 'shop', 1 + i % $5, 2 * i + 1, 2 * i + 2, 'text',
       convert_to('{{"kind":"text","text":"Order ' || i || ' is on its way."}}', 'UTF8'), {literal(OutboxState.SENT)},
       {literal(Outcome.SENT)}, {_KEY}, 1, {_AT}, {_AT} {_NUMBERS}
"""
_ATTEMPTS: Final = f"""
INSERT INTO attempts (outbox_id, attempt, at, outcome, exchange)
SELECT 2 * i + 2, 1, {_AT}, {literal(Outcome.SENT)}, convert_to('{_EXCHANGE}', 'UTF8') {_NUMBERS}
WHERE $5::bigint > 0
"""
_TIMERS: Final = f"""
INSERT INTO timers (account, thread_id, name, due_at, set_at, since, arguments, handler, status)
SELECT 'shop', 1 + i % $5, 'reminder', {_AT}, {_AT}, 0, '{{}}', 'bot:remind', {literal(TimerState.FIRED)}
{_NUMBERS} WHERE i % 10 = 0
"""
_SEQUENCES: Final = (
    "SELECT setval('places', {rows}, false)",
    "SELECT setval(pg_get_serial_sequence('threads', 'id'), {threads} + 1, false)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a database remembers: `messages` answered in `threads` over the `days` before `until` (microseconds).

    Threads take turns, so that the rows of one lie far apart.
    """

    messages: int
    threads: int
    until: int
    days: int = 365


async def write_past(url: str, past: Past, progress: Callable[[int], None] = lambda _: None) -> None:
    """Give an empty database that past, and its planner statistics. `progress` hears how many messages are written."""
    connection = await connect(address_of(url), read_only=False)
    try:
        await migrate(connection)
        await connection.execute(_FAST)
        await connection.execute(_PLACES)
        places = ((contact, place_of("whatsapp", f"62812{contact:09}")) for contact in range(past.threads))
        await connection.copy_records_to_table("past_places", records=places)
        for first in range(0, past.threads, CHUNK):
            await _write(connection, past, first, min(first + CHUNK, past.threads), _THREADS)
        for first in range(0, past.messages, CHUNK):
            last = min(first + CHUNK, past.messages)
            await _write(connection, past, first, last, _EVENTS, _MESSAGES, _ATTEMPTS, _TIMERS)
            progress(last)
        for statement in _SEQUENCES:
            await connection.execute(statement.format(rows=2 * past.messages + 1, threads=past.threads))
        await connection.execute("VACUUM ANALYZE", timeout=_PATIENT)
        await connection.execute("CHECKPOINT", timeout=_PATIENT)
    except (asyncpg.PostgresError, *LOST) as error:
        raise translate(error) from error
    finally:
        await connection.close()


async def _write(connection: asyncpg.Connection, past: Past, first: int, end: int, *statements: str) -> None:
    span = past.days * _DAY
    since, step = past.until - span, span // max(past.messages, past.threads)
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement, first, end - 1, since, step, past.threads, timeout=_PATIENT)
