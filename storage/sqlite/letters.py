"""Dead letters and quarantine: back to work, or aside for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import Unrecognised
from bridge.store.lifecycle import InboxState, OutboxState
from storage.results import Result
from storage.sqlite import rows
from storage.sqlite.receiving import receive

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.records import Arrival
    from storage.sqlite.memory import Memory

_TABLES: Final = {"in": "inbox", "out": "outbox"}
_GIVEN_UP: Final = {"in": ("dead", "quarantined"), "out": ("dead",)}


def replay(
    db: sqlite3.Connection, memory: Memory, letter_id: str, at: int, arrivals: Sequence[Arrival] | None
) -> Result:
    """Append a dead letter to the end of its thread; its `value` is whether there was one.

    With `arrivals` (what a quarantined webhook now turns out to hold) those take its place; without them what has no
    thread stays where it is.
    """
    side, row_id = split(letter_id)
    if row_id is None or not _is_given_up(db, side, row_id):
        return Result(value=False)
    if arrivals is not None and not _is_conflict(db, row_id):
        db.execute(
            "UPDATE inbox SET status = ?, event_key = 'replayed:' || id || ':' || event_key, done_at = ? WHERE id = ?",
            (InboxState.DONE, at, row_id),
        )
        effects = receive(db, memory, [arrivals])[0]
        effects.value = True
        return effects
    table = _TABLES[side]
    if db.execute(f"SELECT thread_id FROM {table} WHERE id = ?", (row_id,)).fetchone()[0] is None:
        return Result(value=False)
    idle = db.execute(
        f"SELECT NOT EXISTS (SELECT 1 FROM {table} w WHERE w.status = 'open' AND w.thread_id = "
        f"(SELECT thread_id FROM {table} WHERE id = ?))",
        (row_id,),
    ).fetchone()[0]
    # A message's last outcome is over: a status that comes late is not about the try that begins now.
    counted = ", replay = replay + 1" if side == "in" else ", outcome = NULL"
    db.execute(
        f"UPDATE {table} SET status = 'open', seq = ?, attempt = ?, available_at = 0, done_at = NULL{counted} "
        "WHERE id = ?",
        (memory.number(), idle, row_id),
    )
    return _reopened(db, side, row_id)


def drop(db: sqlite3.Connection, letter_id: str, at: int) -> Result:
    """Put a dead letter aside; its `value` is whether there was one."""
    side, row_id = split(letter_id)
    if row_id is None or not _is_given_up(db, side, row_id):
        return Result(value=False)
    state = InboxState.DROPPED if side == "in" else OutboxState.DROPPED
    db.execute(f"UPDATE {_TABLES[side]} SET status = ?, done_at = ? WHERE id = ?", (state, at, row_id))
    return Result(value=True)


def split(letter_id: str) -> tuple[str, int | None]:
    """Split "in-7" into ("in", 7); the number is None when it is no id of a dead letter."""
    side, _, number = letter_id.partition("-")
    return side, int(number) if side in _TABLES and number.isascii() and number.isdecimal() else None


def _is_given_up(db: sqlite3.Connection, side: str, row_id: int) -> bool:
    row = db.execute(f"SELECT status FROM {_TABLES[side]} WHERE id = ?", (row_id,)).fetchone()
    return row is not None and row[0] in _GIVEN_UP[side]


def _is_conflict(db: sqlite3.Connection, row_id: int) -> bool:
    """Whether it was understood, and set aside only for its key: mapped anew, it would be set aside anew."""
    row = db.execute("SELECT kind, thread_id FROM inbox WHERE id = ? AND status = 'quarantined'", (row_id,)).fetchone()
    return row is not None and row[1] is not None and row[0] != Unrecognised.tag


def _reopened(db: sqlite3.Connection, side: str, row_id: int) -> Result:
    effects = Result(value=True)
    if side == "in":
        query = f"SELECT {rows.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id WHERE i.id = ?"
        effects.received.append(rows.inbox_row(db.execute(query, (row_id,)).fetchone()))
        effects.threads.add(effects.received[0].thread_id)
    else:
        query = f"SELECT {rows.OUTBOX} FROM outbox o JOIN threads t ON t.id = o.thread_id WHERE o.id = ?"
        effects.queued.append(rows.outbox_row(db.execute(query, (row_id,)).fetchone()))
        effects.threads.add(effects.queued[0].thread_id)
    return effects
