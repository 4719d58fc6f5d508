"""Dead letters and quarantine: back to work, or aside for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from bridge.errors import Unmappable
from bridge.log import kind_of
from bridge.store.lifecycle import INBOX, OUTBOX, InboxMove, InboxState, OutboxMove
from bridge.store.replay import letter_of, replay_of, replayed_key

from .. import records
from ..results import Result
from . import lookups
from .heads import is_idle
from .inbox import receive

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from bridge.store.records import Arrival

    from .cache import Cache

T = TypeVar("T")

_EVENT: Final = "SELECT status, kind, thread_id, event_key FROM inbox WHERE id = ?"
_REREAD: Final = "UPDATE inbox SET status = ?, event_key = ?, done_at = ? WHERE id = ?"
_REOPEN_EVENT: Final = """
UPDATE inbox SET status = ?, seq = ?, attempt = ?, available_at = 0, done_at = NULL, replay = replay + 1 WHERE id = ?
"""
_DEAD_MESSAGE: Final = f"""
SELECT thread_id FROM outbox WHERE id = ? AND status {records.one_of(*OUTBOX.before(OutboxMove.REPLAYED))}
"""
_REOPEN_MESSAGE: Final = f"""
UPDATE outbox SET status = {records.literal(OUTBOX.after(OutboxMove.REPLAYED))}, seq = ?, attempt = ?,
                  available_at = 0, done_at = NULL, outcome = NULL
WHERE id = ?
"""
"""A message's last outcome is over: a status that comes late is not about the try that begins now."""
_DROP: Final = {
    "in": f"""
UPDATE inbox SET status = {records.literal(INBOX.after(InboxMove.DROPPED))}, done_at = ?
WHERE id = ? AND status {records.one_of(*INBOX.before(InboxMove.DROPPED))}
""",
    "out": f"""
UPDATE outbox SET status = {records.literal(OUTBOX.after(OutboxMove.DROPPED))}, done_at = ?
WHERE id = ? AND status {records.one_of(*OUTBOX.before(OutboxMove.DROPPED))}
""",
}


def replay(db: sqlite3.Connection, cache: Cache, letter_id: str, at: int, arrivals: Sequence[Arrival] | None) -> Result:
    """Append a dead letter to the end of its thread; the result's `value` is whether there was one."""
    side, row_id = letter_of(letter_id)
    if row_id is None:
        return Result(value=False)
    return _replay_message(db, cache, row_id) if side == "out" else _replay_event(db, cache, row_id, at, arrivals)


def drop(db: sqlite3.Connection, letter_id: str, at: int) -> Result:
    """Put a dead letter aside; the result's `value` is whether there was one."""
    side, row_id = letter_of(letter_id)
    return Result(value=row_id is not None and db.execute(_DROP[side], (at, row_id)).rowcount == 1)


def _replay_event(
    db: sqlite3.Connection, cache: Cache, row_id: int, at: int, arrivals: Sequence[Arrival] | None
) -> Result:
    row = db.execute(_EVENT, (row_id,)).fetchone()
    if row is None:
        return Result(value=False)
    state, (kind, thread_id, key) = InboxState(row[0]), row[1:]
    move = replay_of(state, kind, thread_id, arrivals)
    if move is None:
        return Result(value=False)
    if move is InboxMove.REREAD:
        db.execute(_REREAD, (INBOX.move(state, move), replayed_key(row_id, key), at, row_id))
        (result,) = receive(db, cache, [arrivals or ()])
        result.value = True
        return result
    idle = is_idle(db, "inbox", thread_id)
    db.execute(_REOPEN_EVENT, (INBOX.move(state, move), cache.number(), idle, row_id))
    reopened = _read(records.inbox_row, db.execute(lookups.ONE_EVENT, (row_id,)).fetchone())
    return Result(value=True, received=[reopened], threads={thread_id})


def _replay_message(db: sqlite3.Connection, cache: Cache, row_id: int) -> Result:
    row = db.execute(_DEAD_MESSAGE, (row_id,)).fetchone()
    if row is None:
        return Result(value=False)
    db.execute(_REOPEN_MESSAGE, (cache.number(), is_idle(db, "outbox", row[0]), row_id))
    reopened = _read(records.outbox_row, db.execute(lookups.ONE_MESSAGE, (row_id,)).fetchone())
    return Result(value=True, queued=[reopened], threads={row[0]})


def _read(make: Callable[[records.Row], T], row: records.Row) -> T:
    """A row that is open again. Raises Unmappable, and so opens nothing, when this version cannot read it."""
    try:
        return make(row)
    except records.UNREADABLE as error:
        raise Unmappable(f"this threadbridge cannot read it: {kind_of(error)}") from None
