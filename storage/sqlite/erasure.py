"""A conversation that is erased, a part in each transaction."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import orjson

from bridge.store.admission import digest
from bridge.store.erasure import BESIDE as FAR
from bridge.store.erasure import Erased, ErasedContact, keeps_tombstone, long_keys_of, tombstone
from bridge.store.following import beside, is_follower
from bridge.store.lifecycle import InboxState, OutboxState, TimerState
from bridge.store.retention import KEYS_KEPT

from ..records import literal, thread_row
from ..results import Result
from ..rows import BESIDE, ERASED_EVENT
from ..views import ACCOUNTS
from . import lookups, media, people, recipients, segments
from .cache import LAST_THREAD

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from bridge.events import ThreadRef

    from ..records import Row
    from .cache import Cache

_OF_THREAD: Final = (
    "FROM {0} w INDEXED BY {0}_past WHERE w.id >> " + str(segments.BITS) + " = ? AND w.thread_id = ? LIMIT ?"
)
_EVENTS: Final = f"SELECT {ERASED_EVENT} {_OF_THREAD.format('inbox')}"
_MESSAGES: Final = f"SELECT w.id {_OF_THREAD.format('outbox')}"
RAW_BESIDE: Final = f"""
SELECT {BESIDE} FROM inbox o NOT INDEXED
WHERE o.id > ? AND o.id < ? AND o.received_at = ? AND o.account = ? AND o.thread_id IS NOT ?
"""
_EMPTY_RAW: Final = "UPDATE inbox SET raw = ? WHERE id = ?"
_BURY: Final = "INSERT OR REPLACE INTO tombstones (account, digest, at) VALUES (?, ?, ?)"
_TOO_OLD: Final = "DELETE FROM tombstones WHERE at <= ?"
_AMONG: Final = "IN (SELECT value FROM json_each(?))"
_FORGET_EVENTS: Final = f"DELETE FROM inbox WHERE id {_AMONG} AND id < (SELECT max(id) FROM inbox)"
_FORGET_MESSAGES: Final = f"DELETE FROM outbox WHERE id {_AMONG} AND id < (SELECT max(id) FROM outbox)"
_FORGET_TRIES: Final = f"DELETE FROM attempts WHERE outbox_id {_AMONG}"
_FORGET_TIMERS: Final = "DELETE FROM timers WHERE thread_id = ? AND id < (SELECT max(id) FROM timers)"
_FORGET_STEPS: Final = "DELETE FROM steps WHERE thread_id = ?"
_FORGET_KEYS: Final = "DELETE FROM secrets WHERE account = ? AND name >= ? AND name < ?"
_PLACE: Final = "SELECT id FROM threads WHERE account = ? AND channel = ? AND conversation = ?"
_FORGET_THREAD: Final = "DELETE FROM threads WHERE id = ?"
_EMPTY_EVENT: Final = f"""
UPDATE inbox SET event_key = 'erased:' || id, thread_id = NULL, kind = 'webhook', event = x'00', raw = x'00',
                 channel = NULL, address = NULL, status = {literal(InboxState.DONE)}, error = NULL, trace = NULL
WHERE id {_AMONG}
"""
_EMPTY_MESSAGE: Final = f"""
UPDATE outbox SET key = 'erased:' || id, thread_id = 0, inbox_id = NULL, message = x'', given_up = NULL, address = NULL,
                  status = {literal(OutboxState.DROPPED)}, delivery_error = NULL, message_id = NULL, error = NULL
WHERE id {_AMONG}
"""
_EMPTY_TIMER: Final = f"""
UPDATE timers SET thread_id = 0, name = '', message = NULL, handler = NULL, arguments = x'7b7d', model = NULL,
                  unless = NULL, status = {literal(TimerState.CANCELLED)}
WHERE thread_id = ?
"""
"""The newest row of a table is emptied and stays: the next numbers are those behind it."""
_NOTE_LAST: Final = """
INSERT INTO cursors (account, name, value) SELECT '', ?, max(id) FROM threads WHERE true
ON CONFLICT (account, name) DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))
"""
_NOTE_LAST_CONTACT: Final = _NOTE_LAST.replace("FROM threads", "FROM contacts")
_OF_CONTACT: Final = {
    "conflicts": f"DELETE FROM conflicts WHERE contact_id {_AMONG}",
    "opt-outs": f"DELETE FROM opt_outs WHERE contact_id {_AMONG}",
    "identities": f"DELETE FROM identities WHERE contact_id {_AMONG}",
    "contacts": f"DELETE FROM contacts WHERE id {_AMONG}",
}
_LEADS_NOWHERE: Final = "UPDATE threads SET leads_to = NULL WHERE leads_to = ? AND leads_to IS NOT NULL RETURNING id"
"""A thread that was found to be another conversation of the same person."""


def erase(db: sqlite3.Connection, cache: Cache, thread_id: int, at: int, limit: int) -> Result:
    """Remove at most `limit` events and as many messages of a thread, and with the last of them the thread.

    The result's `value` is an Erased; of a thread that is not there nothing is removed.
    """
    row = db.execute(lookups.ONE_THREAD, (thread_id,)).fetchone()
    if row is None:
        return Result(value=Erased({}, more=False))
    ref = thread_row(row).ref
    if (told := next(_told_of(db, ref), None)) is not None:
        part: Erased = erase(db, cache, told, at, limit).value
        return Result(value=Erased({"outgoing events": part.rows.get("messages", 0)}, more=True))
    db.execute(_TOO_OLD, (at - KEYS_KEPT,))
    rows: Counter[str] = Counter()
    rows["media"] = media.forget(db, thread_id, None, limit).value
    events, messages = _next(db, thread_id, limit)
    _erase_events(db, thread_id, events, at, rows)
    _erase_messages(db, messages, rows)
    rows["timers"] = db.execute(_FORGET_TIMERS, (thread_id,)).rowcount + db.execute(_EMPTY_TIMER, (thread_id,)).rowcount
    rows["steps"] = db.execute(_FORGET_STEPS, (thread_id,)).rowcount
    more = max(len(events), len(messages), rows["media"]) >= limit
    if not more:
        rows["recipients"] = recipients.forget(db, thread_id, ref)
        rows["long keys"] = _forget_keys(db, ref, thread_id)
        db.execute(_NOTE_LAST, (LAST_THREAD,))
        for (led,) in db.execute(_LEADS_NOWHERE, (thread_id,)).fetchall():
            cache.drop(led)
        rows["threads"] = db.execute(_FORGET_THREAD, (thread_id,)).rowcount
    cache.drop(thread_id)
    return Result(value=Erased(rows, more=more), threads={thread_id}, fetchable=bool(rows["media"]))


def _told_of(db: sqlite3.Connection, ref: ThreadRef) -> Iterator[int]:
    """The threads in which followers are told of a thread: they go first."""
    for (account,) in db.execute(ACCOUNTS).fetchall():
        if is_follower(account) and not is_follower(ref.account):
            own = beside(account, ref)
            yield from (row[0] for row in db.execute(_PLACE, (own.account, own.channel, own.conversation_id)))


def erase_contact(db: sqlite3.Connection, contact_id: int) -> Result:
    """Remove a person of whom no thread is left; the result's `value` is an ErasedContact."""
    family = [row[0] for row in db.execute(people.FAMILY, (contact_id,))]
    threads = [thread.id for thread in people.threads_of(db, family)]
    if threads:
        return Result(value=ErasedContact({}, threads))
    among = (orjson.dumps(family).decode(),)
    db.execute(_NOTE_LAST_CONTACT, (people.LAST_CONTACT,))
    rows = {kind: db.execute(statement, among).rowcount for kind, statement in _OF_CONTACT.items()}
    return Result(value=ErasedContact({"identities": rows["identities"], "contacts": rows["contacts"]}))


def _next(db: sqlite3.Connection, thread_id: int, limit: int) -> tuple[list[Row], list[Row]]:
    """The newest events and messages."""
    events: list[Row] = []
    messages: list[Row] = []
    for segment in segments.of_thread(db, thread_id):
        events += db.execute(_EVENTS, (segment, thread_id, limit - len(events)))
        messages += db.execute(_MESSAGES, (segment, thread_id, limit - len(messages)))
        if max(len(events), len(messages)) >= limit:
            break
    return events, messages


def _erase_events(db: sqlite3.Connection, thread_id: int, events: Sequence[Row], at: int, rows: Counter[str]) -> None:
    if not events:
        return
    for row_id, account, _, received_at, raw in events:
        if raw:
            around = (row_id - FAR, row_id + FAR, received_at, account, thread_id)
            emptied = [(digest(raw), other) for same, other in db.execute(RAW_BESIDE, around).fetchall() if same == raw]
            db.executemany(_EMPTY_RAW, emptied)
            rows["webhooks of other conversations"] += len(emptied)
    recent = [
        (account, tombstone(account, key), received_at)
        for _, account, key, received_at, _ in events
        if keeps_tombstone(received_at, at)
    ]
    db.executemany(_BURY, recent)
    among = (_ids(events),)
    db.execute(_FORGET_EVENTS, among)
    db.execute(_EMPTY_EVENT, among)
    rows["events"] += len(events)


def _erase_messages(db: sqlite3.Connection, messages: Sequence[Row], rows: Counter[str]) -> None:
    if messages:
        among = (_ids(messages),)
        rows["tries"] += db.execute(_FORGET_TRIES, among).rowcount
        db.execute(_FORGET_MESSAGES, among)
        db.execute(_EMPTY_MESSAGE, among)
        rows["messages"] += len(messages)


def _forget_keys(db: sqlite3.Connection, ref: ThreadRef, thread_id: int) -> int:
    return sum(
        db.execute(_FORGET_KEYS, (ref.account, prefix, f"{prefix}\U0010ffff")).rowcount
        for prefix in long_keys_of(ref, thread_id)
    )


def _ids(rows: Sequence[Row]) -> str:
    return orjson.dumps([row[0] for row in rows]).decode()
