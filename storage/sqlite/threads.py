"""Threads: found or made, the hold on them, and what a turn leaves behind in them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import FROM_CONTACT
from bridge.frozen import changed
from bridge.store.records import ThreadRow
from bridge.store.takeover import SPOKEN

from .. import records
from ..rows import committed, kept_values, thread_values
from . import lookups
from .inserting import Change

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.events import Contact, ThreadRef
    from bridge.store.records import Hold, TurnCommit

    from .cache import Cache

_FIND: Final = f"SELECT {records.THREAD} FROM threads t WHERE t.account = ? AND t.channel = ? AND t.conversation = ?"
_INSERT: Final = """
INSERT INTO threads (id, account, provider, channel, conversation, contact, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_KEEP: Final = """
UPDATE threads SET contact_id = ?, person = ?, named = ?, leads_to = ?, lost = ?, opted_out = ?, address = ?,
                   version = ? WHERE id = ?
"""
_HOLD: Final = "UPDATE threads SET spoken = ?, silenced = ?, taken = ? WHERE id = ?"
_TURN: Final = """
UPDATE threads SET state = ?, step = ?, version = version + 1, choices = ?, address = ?, last_heard = ?,
                   heard = ?, dialog = ?, members = ?, note = ?, silenced = ?, opted_out = ?,
                   contact = coalesce(?, contact), updated_at = ?
WHERE id = ?
"""
_MOVED_ON: Final = Change("threads", "version = version + 1, last_heard = {}, heard = {}, updated_at = {}")
"""The same for a turn that leaves all else as it was: two thirds of the instructions."""
_left: Final = attrgetter("state", "step", "choices", "address", "dialog", "members", "hold", "opted_out")
_HEARD: Final = f"""
UPDATE threads SET heard = version + 1
WHERE id = ? AND EXISTS (SELECT 1 FROM inbox WHERE id = ? AND kind {records.one_of(*SPOKEN)}) RETURNING heard
"""


def of(db: sqlite3.Connection, cache: Cache, ref: ThreadRef, contact: Contact | None, at: int) -> ThreadRow:
    """The thread of `ref`, made now if this is the first that is heard of it."""
    return cache.find(ref) or found(db, cache, ref, contact, at)[0]


def found(
    db: sqlite3.Connection, cache: Cache, ref: ThreadRef, contact: Contact | None, at: int
) -> tuple[ThreadRow, bool]:
    """The thread of `ref` that is not remembered, and whether it was made just now."""
    row = db.execute(_FIND, (ref.account, ref.channel, ref.conversation_id)).fetchone()
    if row is not None:
        thread = records.thread_row(row)
    else:
        thread = ThreadRow(id=cache.thread_number(), ref=ref)
        packed = orjson.dumps(contact) if contact else None
        names = (ref.account, ref.provider, ref.channel, ref.conversation_id)
        db.execute(_INSERT, (thread.id, *names, packed, at, at))
    cache.stage([thread])
    return thread, row is None


def one(db: sqlite3.Connection, cache: Cache, thread_id: int) -> ThreadRow:
    """A thread that there is."""
    thread = cache.newest(thread_id)
    if thread is None:
        thread = records.thread_row(db.execute(lookups.ONE_THREAD, (thread_id,)).fetchone())
        cache.stage([thread])
    return thread


def ref_of(db: sqlite3.Connection, cache: Cache, thread_id: int) -> ThreadRef:
    """The reference of a thread."""
    return one(db, cache, thread_id).ref


def keep(db: sqlite3.Connection, cache: Cache, thread: ThreadRow, *, is_seen: bool) -> None:
    """Whose a thread is, and where its messages go; a turn that has seen it otherwise finds another version."""
    kept = changed(thread, version=thread.version + is_seen)
    db.execute(_KEEP, kept_values(kept))
    cache.stage([kept])


def hold(db: sqlite3.Connection, cache: Cache, thread: ThreadRow, held: Hold) -> None:
    """The hold on a thread changed before its turn."""
    db.execute(_HOLD, (held.taken_seq, held.silenced_seq, held.at_gateway, thread.id))
    cache.stage([changed(thread, hold=held)])


def commit(db: sqlite3.Connection, cache: Cache, turns: Sequence[TurnCommit]) -> None:
    """Threads as turns leave them."""
    turned: list[tuple[Any, ...]] = []
    moved_on: list[tuple[Any, ...]] = []
    left: list[ThreadRow] = []
    for turn in turns:
        thread, event = turn.thread, turn.row.event
        before = cache.newest(thread.id)
        contact = event.contact if isinstance(event, FROM_CONTACT) else thread.contact
        if before is not None and contact == before.contact and _left(thread) == _left(before):
            moved_on.append((thread.last_heard, thread.heard, turn.at, thread.id))
        else:
            turned.append(thread_values(turn))
        left.append(committed(thread, contact))
    db.executemany(_TURN, turned)
    _MOVED_ON.run(db, moved_on)
    cache.stage(left)


def note_heard(db: sqlite3.Connection, cache: Cache, thread_id: int, inbox_id: int) -> None:
    """What the contact said in an event that is given up was said all the same: no dialog asks for it again."""
    heard = db.execute(_HEARD, (thread_id, inbox_id)).fetchone()
    if heard is not None and (thread := cache.newest(thread_id)) is not None:
        cache.stage([changed(thread, heard=heard[0])])
