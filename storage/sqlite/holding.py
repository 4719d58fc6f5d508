"""Events of threads that a person holds: kept, and what becomes of them when the thread is returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store import InboxState
from storage.sqlite import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store import TurnCommit
    from storage.sqlite.effects import Effects
    from storage.sqlite.memory import Memory

_MISSED: Final = "a person had the thread"
_KEPT_TIMERS: Final = "SELECT id FROM inbox WHERE thread_id = ? AND status = 'held' AND kind = 'timer' ORDER BY seq"
_REOPEN: Final = "UPDATE inbox SET status = 'open', seq = ?, attempt = 0, available_at = 0, done_at = NULL WHERE id = ?"
_DONE: Final = "UPDATE inbox SET status = 'done', error = ?, done_at = ? WHERE thread_id = ? AND status = 'held'"


def state_of(turn: TurnCommit) -> InboxState:
    """Where the events of a turn stand after it."""
    return InboxState.HELD if turn.holds else InboxState.DONE


def give_back(db: sqlite3.Connection, memory: Memory, turns: Sequence[TurnCommit], effects: Sequence[Effects]) -> None:
    """What was kept in the threads that turns return: timers wait for their turns, all else the person has answered."""
    for turn, effect in zip(turns, effects, strict=True):
        if not turn.returns:
            continue
        for (row_id,) in db.execute(_KEPT_TIMERS, (turn.thread.id,)).fetchall():
            db.execute(_REOPEN, (memory.number(), row_id))
            query = f"SELECT {rows.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id WHERE i.id = ?"
            effect.received.append(rows.inbox_row(db.execute(query, (row_id,)).fetchone()))
        db.execute(_DONE, (_MISSED, turn.at, turn.thread.id))
