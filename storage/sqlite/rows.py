"""Between SQL rows and the engine's row types: the column lists and how each is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Contact, ThreadRef, decode_event
from bridge.messages import decode_message
from bridge.planning.choices import Choice
from bridge.store.records import (
    DeadLetter,
    HistoryEntry,
    Hold,
    InboxRow,
    OutboxRow,
    ThreadRow,
    ThreadSummary,
    Unconfirmed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = tuple[Any, ...]

REF: Final = "t.account, t.provider, t.channel, t.conversation"
THREAD: Final = (
    f"t.id, {REF}, t.state, t.step, t.version, t.choices, t.address, t.last_heard, t.heard, t.dialog, t.note, "
    "t.spoken, t.silenced, t.taken"
)
INBOX: Final = (
    f"i.id, i.seq, i.thread_id, {REF}, i.event_key, i.kind, i.event, i.raw, i.attempt, "
    "i.replay, i.available_at, i.address, i.received_at"
)
OUTBOX: Final = (
    f"o.id, o.seq, o.thread_id, {REF}, o.key, o.message, o.attempt, o.address, o.created_at, o.available_at, "
    "o.expires_at, o.outcome = 'claimed'"
)


def pack(value: Mapping[str, str] | Sequence[str]) -> bytes | None:
    """A small mapping or list as JSON; None when empty."""
    return orjson.dumps(value) if value else None


def unpack(value: bytes | None) -> dict[str, str]:
    """The inverse of `pack` for mappings."""
    return orjson.loads(value) if value else {}


def pack_choices(choices: Sequence[Choice]) -> bytes:
    """Open choices as JSON."""
    return orjson.dumps([[each.number, each.key, each.title] for each in choices])


def unpack_choices(value: bytes | str) -> tuple[Choice, ...]:
    """The inverse of `pack_choices`."""
    if len(value) == len("[]"):
        return ()
    return tuple(Choice(number=number, key=key, title=title) for number, key, title in orjson.loads(value))


def thread_row(row: Row) -> ThreadRow:
    """From the columns THREAD."""
    state = row[5]
    return ThreadRow(
        id=row[0],
        ref=ThreadRef(*row[1:5]),
        state=state.encode() if isinstance(state, str) else state,
        step=row[6],
        version=row[7],
        choices=unpack_choices(row[8]),
        address=unpack(row[9]),
        last_heard=row[10],
        heard=row[11],
        dialog=row[12],
        hold=Hold(note=row[13], taken_seq=row[14], silenced_seq=row[15], at_gateway=bool(row[16])),
    )


def inbox_row(row: Row) -> InboxRow:
    """From the columns INBOX."""
    return InboxRow(
        id=row[0],
        seq=row[1],
        thread_id=row[2],
        ref=ThreadRef(*row[3:7]),
        key=row[7],
        event=decode_event(row[8], row[9], raw_json(row[10])),
        attempt=row[11],
        replay=row[12],
        available_at=row[13],
        address=unpack(row[14]),
        received_at=row[15],
    )


def outbox_row(row: Row) -> OutboxRow:
    """From the columns OUTBOX."""
    return OutboxRow(
        id=row[0],
        seq=row[1],
        thread_id=row[2],
        ref=ThreadRef(*row[3:7]),
        key=row[7],
        message=decode_message(row[8]),
        attempt=row[9],
        address=unpack(row[10]),
        created_at=row[11],
        available_at=row[12],
        expires_at=row[13],
        claimed=bool(row[14]),
    )


def raw_json(raw: bytes) -> dict[str, Any]:
    """A stored webhook body as the mapping it was: read as the door read it, where orjson would not."""
    if not raw:
        return {}
    try:
        return orjson.loads(raw)  # type: ignore[no-any-return] # the door takes objects only
    except orjson.JSONDecodeError:
        return json.loads(raw)  # type: ignore[no-any-return] # half a surrogate pair in a field that nobody reads


SUMMARY: Final = f"""
SELECT t.id, {REF}, t.contact, t.step, t.version,
       (SELECT count(*) FROM inbox i WHERE i.thread_id = t.id AND i.status = 'open'),
       (SELECT count(*) FROM outbox o WHERE o.thread_id = t.id AND o.status = 'open'),
       t.updated_at,
       coalesce(
           (SELECT o.error FROM outbox o WHERE o.thread_id = t.id AND o.status = 'open' ORDER BY o.seq LIMIT 1),
           (SELECT i.error FROM inbox i WHERE i.thread_id = t.id AND i.status = 'open' ORDER BY i.seq LIMIT 1), ''),
       t.note, (SELECT count(*) FROM inbox i WHERE i.thread_id = t.id AND i.status = 'held')
FROM threads t WHERE t.id IN (
    SELECT id FROM threads WHERE (:account IS NULL OR account = :account) AND (note IS NOT NULL OR NOT :held)
    ORDER BY updated_at DESC, id DESC LIMIT :limit)
ORDER BY t.updated_at DESC, t.id DESC
"""
"""What waits in a thread is counted only for those that are shown."""


def summary(row: Row) -> ThreadSummary:
    """From SUMMARY."""
    return ThreadSummary(
        id=row[0],
        ref=ThreadRef(*row[1:5]),
        contact=Contact(**orjson.loads(row[5])) if row[5] else None,
        step=row[6],
        version=row[7],
        open_events=row[8],
        open_messages=row[9],
        last_at=row[10],
        reason=row[11],
        note=row[12],
        kept_events=row[13],
    )


UNCONFIRMED: Final = f"""
SELECT o.id, {REF}, o.message_id, coalesce(o.delivery, '')
FROM outbox o JOIN threads t ON t.id = o.thread_id
WHERE o.id > max(:after, coalesce((SELECT id FROM outbox WHERE created_at < :since ORDER BY id DESC LIMIT 1), 0))
    AND o.account = :account AND o.status = 'sent' AND o.message_id IS NOT NULL
    AND coalesce(o.delivery, 'sent') = 'sent'
ORDER BY o.id LIMIT :limit
"""
"""Needs no index: rows are in the order of time, so both scans end where the time asked for ends."""


def unconfirmed(row: Row) -> Unconfirmed:
    """From UNCONFIRMED."""
    return Unconfirmed(row_id=row[0], ref=ThreadRef(*row[1:5]), message_id=row[5], status=row[6])


_IN_LETTER: Final = """
SELECT 'in-' || i.id, i.account, coalesce(t.channel || ':' || t.conversation, ''), i.kind, i.status,
       coalesce(i.error, ''), i.attempt, i.done_at, i.raw, i.channel
FROM inbox i LEFT JOIN threads t ON t.id = i.thread_id WHERE i.status IN ('dead', 'quarantined')
"""
_OUT_LETTER: Final = """
SELECT 'out-' || o.id, o.account, t.channel || ':' || t.conversation, o.kind, o.status,
       coalesce(o.error, ''), o.attempt, o.done_at, o.message, NULL
FROM outbox o JOIN threads t ON t.id = o.thread_id WHERE o.status = 'dead'
"""
_NEWEST: Final = "AND (:account IS NULL OR {0}.account = :account) ORDER BY {0}.done_at DESC, {0}.id DESC LIMIT :limit"
LETTERS: Final = (_IN_LETTER + _NEWEST.format("i"), _OUT_LETTER + _NEWEST.format("o"))
"""Dead letters of each side, newest first."""
LETTER: Final = {"in": f"{_IN_LETTER} AND i.id = ?", "out": f"{_OUT_LETTER} AND o.id = ?"}
"""One of them."""


def letter(row: Row) -> DeadLetter:
    """From LETTERS or LETTER."""
    return DeadLetter(
        id=row[0],
        account=row[1],
        thread=row[2],
        kind=row[3],
        state=row[4],
        reason=row[5],
        attempt=row[6],
        at=row[7],
        content=row[8],
        channel=row[9],
    )


HISTORY: Final = """
SELECT * FROM (
    SELECT id, 'in' AS direction, kind, status, '' AS delivery, event AS content, event_key AS key, received_at AS at
    FROM inbox WHERE thread_id = :thread AND id > :after AND kind NOT IN ('status', 'timer')
    UNION ALL
    SELECT id, 'out', kind, status, coalesce(delivery, ''), message, key, created_at
    FROM outbox WHERE thread_id = :thread AND id > :after
    ORDER BY id DESC LIMIT :limit
) ORDER BY id
"""


def history_entry(row: Row) -> HistoryEntry:
    """From HISTORY."""
    return HistoryEntry(
        position=row[0],
        id=row[0],
        direction=row[1],
        kind=row[2],
        state=row[3],
        status=row[4],
        content=row[5],
        key=row[6],
        at=row[7],
    )
