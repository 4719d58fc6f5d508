"""Events into the inbox: dedupe, threads, order, and statuses joined to the messages they speak of."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Status, takes_over
from bridge.store.lifecycle import STATUS_RANK, InboxState
from bridge.store.records import InboxRow, Receipt, ThreadRow
from storage.results import Result
from storage.sqlite import rows
from storage.sqlite.heads import count_next
from storage.sqlite.taking import news_of, note_news, note_taking

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.events import Contact, ThreadRef
    from bridge.store.records import Arrival
    from storage.sqlite.memory import Memory

_KNOWN: Final = """
SELECT i.account, i.event_key, i.event, i.raw FROM json_each(?) j
JOIN inbox i ON i.account = j.value ->> 0 AND i.event_key = j.value ->> 1
"""
_BUSY: Final = """
SELECT j.value FROM json_each(?) j
WHERE EXISTS (SELECT 1 FROM inbox i WHERE i.thread_id = j.value AND i.status = 'open')
"""
_INSERT: Final = """
INSERT INTO inbox (id, account, event_key, thread_id, seq, kind, event, raw, channel, address, status, attempt,
                   error, received_at, done_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FIND_THREAD: Final = f"""
SELECT {rows.THREAD} FROM threads t WHERE t.account = ? AND t.channel = ? AND t.conversation = ?
"""
_INSERT_THREAD: Final = """
INSERT INTO threads (id, account, provider, channel, conversation, contact, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_SPOKEN_OF: Final = """
SELECT id, thread_id, delivery, status, outcome FROM outbox WHERE key = ?1 AND account = ?2
UNION ALL
SELECT id, thread_id, delivery, status, outcome FROM outbox WHERE account = ?2 AND message_id = ?1
LIMIT 1
"""

_Known = dict[tuple[str, str], tuple[bytes, bytes, int]]
"""By account and event key: the event as stored, its webhook's bytes, and which of these webhooks brought it."""
_EARLIER: Final = -1
"""None of these webhooks: the event was stored before them."""


def receive(db: sqlite3.Connection, memory: Memory, units: Sequence[Sequence[Arrival]]) -> list[Result]:
    """Store the arrivals of several webhooks. Each unit's `value` is its list of receipts."""
    known = _known(db, units)
    inserts: list[tuple[Any, ...]] = []
    all_effects: list[Result] = []
    for unit, arrivals in enumerate(units):
        effects = Result(value=[])
        all_effects.append(effects)
        for arrival in arrivals:
            accepted, receipt = _admit(known, arrival, unit)
            effects.value.append(receipt)
            if accepted is not None:
                _place(db, memory, accepted, effects, inserts)
    _count_first_attempts(db, all_effects, inserts)
    db.executemany(_INSERT, inserts)
    return all_effects


def _known(db: sqlite3.Connection, units: Sequence[Sequence[Arrival]]) -> _Known:
    """Of what arrives, what is stored already: under its own key, and under that of another content."""
    known = _stored(db, [(arrival.account, arrival.key) for arrivals in units for arrival in arrivals])
    others = [
        (arrival.account, _other_key(arrival))
        for unit, arrivals in enumerate(units if known else ())
        for arrival in arrivals
        if (before := known.get((arrival.account, arrival.key))) and not _is_repeated(before, arrival, unit)
    ]
    return known | _stored(db, others) if others else known


def _stored(db: sqlite3.Connection, keys: Sequence[tuple[str, str]]) -> _Known:
    found = db.execute(_KNOWN, (orjson.dumps(keys).decode(),))
    return {(row[0], row[1]): (row[2], row[3], _EARLIER) for row in found}


def _admit(known: _Known, arrival: Arrival, unit: int) -> tuple[Arrival | None, Receipt]:
    """Whether an arrival is new, a repetition, or another content under a known key (kept, in quarantine)."""
    before = known.get((arrival.account, arrival.key))
    if before is None:
        known[arrival.account, arrival.key] = (arrival.encoded, arrival.raw, unit)
        return arrival, Receipt.STORED
    if _is_repeated(before, arrival, unit):
        return None, Receipt.REPEATED
    key = _other_key(arrival)
    if (arrival.account, key) in known:
        return None, Receipt.CONFLICT
    known[arrival.account, key] = (arrival.encoded, arrival.raw, unit)
    reason = f"the event key {arrival.key} is known with another content"
    return replace(arrival, key=key, state=InboxState.QUARANTINED, reason=reason), Receipt.CONFLICT


def _is_repeated(before: tuple[bytes, bytes, int], arrival: Arrival, unit: int) -> bool:
    """The same content; or the same webhook again, even when it is read differently now.

    An event without a time of its own has that of its arrival, which differs. Two events of one webhook share its
    bytes, and are no repetition of each other.
    """
    encoded, raw, brought_by = before
    return encoded == arrival.encoded or (raw == arrival.raw and brought_by != unit)


def _other_key(arrival: Arrival) -> str:
    """Where another content under a known key is kept, once."""
    return f"conflict:{arrival.key}#{hashlib.sha256(arrival.encoded).hexdigest()[:16]}"


def _place(
    db: sqlite3.Connection, memory: Memory, arrival: Arrival, effects: Result, inserts: list[tuple[Any, ...]]
) -> None:
    """Give an arrival its number and its thread; rows that want a turn go to the listener."""
    if arrival.with_person is not None:
        _place_news(db, memory, arrival, effects, inserts)
    number = memory.number()
    state, thread = arrival.state, None
    event = arrival.event
    if isinstance(event, Status) and state is not InboxState.QUARANTINED:
        thread_id, state = _join_status(db, arrival, event, number, effects)
        if thread_id is None and state is InboxState.OPEN and arrival.ref is not None:
            thread = _thread(db, memory, arrival.ref, event.contact, arrival.received_at)
            thread_id = thread.id
    elif arrival.ref is not None:
        thread = _thread(db, memory, arrival.ref, event.contact if event else None, arrival.received_at)
        thread_id = thread.id
    else:
        thread_id = None
    if thread_id is not None:
        effects.threads.add(thread_id)
    if event is not None and thread is not None and state is InboxState.OPEN and takes_over(event):
        note_taking(db, memory, arrival, thread, number)
    if state is InboxState.OPEN and event is not None and thread_id is not None:
        ref = thread.ref if thread else _ref(db, memory, thread_id)
        effects.received.append(
            InboxRow(
                id=number,
                seq=number,
                thread_id=thread_id,
                ref=ref,
                key=arrival.key,
                event=event,
                attempt=0,
                address=arrival.address,
                received_at=arrival.received_at,
            )
        )
    inserts.append(
        (
            number,
            arrival.account,
            arrival.key,
            thread_id,
            number,
            event.tag if event else "webhook",
            arrival.encoded,
            arrival.raw,
            arrival.channel,
            rows.pack(arrival.address),
            state,
            0,
            arrival.reason or None,
            arrival.received_at,
            None if state in {InboxState.OPEN, InboxState.EARLY} else arrival.received_at,
        )
    )


def _place_news(
    db: sqlite3.Connection, memory: Memory, arrival: Arrival, effects: Result, inserts: list[tuple[Any, ...]]
) -> None:
    """Before an arrival, what the gateway tells with it of who has the thread, if that is news."""
    if arrival.ref is None or arrival.event is None:
        return
    thread = _thread(db, memory, arrival.ref, arrival.event.contact, arrival.received_at)
    if (news := news_of(arrival, thread)) is not None:
        note_news(db, memory, thread, taken=bool(arrival.with_person))
        _place(db, memory, news, effects, inserts)


def _count_first_attempts(db: sqlite3.Connection, all_effects: list[Result], inserts: list[tuple[Any, ...]]) -> None:
    """An event that found its thread idle is its runnable head: its first attempt begins with this transaction."""
    threads = {row.thread_id for effects in all_effects for row in effects.received}
    if not threads:
        return
    busy = {row[0] for row in db.execute(_BUSY, (orjson.dumps(list(threads)).decode(),))}
    heads: set[int] = set()
    for effects in all_effects:
        for index, row in enumerate(effects.received):
            if row.thread_id not in busy:
                busy.add(row.thread_id)
                heads.add(row.id)
                effects.received[index] = replace(row, attempt=1)
    for index, values in enumerate(inserts):
        if values[0] in heads:
            inserts[index] = (*values[:11], 1, *values[12:])


def _thread(db: sqlite3.Connection, memory: Memory, ref: ThreadRef, contact: Contact | None, at: int) -> ThreadRow:
    """The thread of `ref`, made now if this is the first that is heard of it."""
    found = memory.find(ref)
    if found is not None:
        return found
    row = db.execute(_FIND_THREAD, (ref.account, ref.channel, ref.conversation_id)).fetchone()
    if row is not None:
        thread = rows.thread_row(row)
    else:
        thread = ThreadRow(id=memory.thread_number(), ref=ref)
        packed = orjson.dumps(contact) if contact else None
        names = (ref.account, ref.provider, ref.channel, ref.conversation_id)
        db.execute(_INSERT_THREAD, (thread.id, *names, packed, at, at))
    memory.stage([thread])
    return thread


def _ref(db: sqlite3.Connection, memory: Memory, thread_id: int) -> ThreadRef:
    found = memory.thread(thread_id)
    if found is not None:
        return found.ref
    row = db.execute(f"SELECT {rows.THREAD} FROM threads t WHERE t.id = ?", (thread_id,)).fetchone()
    return rows.thread_row(row).ref


def _join_status(
    db: sqlite3.Connection, arrival: Arrival, status: Status, number: int, effects: Result
) -> tuple[int | None, InboxState]:
    """Note a status at the message it speaks of, or keep it until that message is known."""
    found = db.execute(_SPOKEN_OF, (status.message_id, arrival.account)).fetchone()
    if found is None:
        wanted = arrival.state is InboxState.OPEN
        db.execute(
            "INSERT INTO early_statuses VALUES (?, ?, ?, ?, ?, ?)",
            (arrival.account, status.message_id, number, status.value, status.error, wanted and arrival.ref is None),
        )
        return None, arrival.state if arrival.ref is not None else InboxState.EARLY
    outbox_id, thread_id, before, state, outcome = found
    climb(db, outbox_id, before, status.value, status.error)
    if state == "open" and outcome == "unknown" and status.value != "failed":
        db.execute(
            "UPDATE outbox SET status = 'sent', outcome = 'resolved', done_at = ? WHERE id = ?",
            (arrival.received_at, outbox_id),
        )
        count_next(db, "outbox", {thread_id})
        effects.resolved.append(outbox_id)
    return thread_id, arrival.state


def climb(db: sqlite3.Connection, outbox_id: int, before: str | None, value: str, error: str) -> None:
    """Note what became of a message, unless later news is noted already."""
    if STATUS_RANK[value] > STATUS_RANK.get(before or "", 0):
        db.execute("UPDATE outbox SET delivery = ?, delivery_error = ? WHERE id = ?", (value, error or None, outbox_id))
