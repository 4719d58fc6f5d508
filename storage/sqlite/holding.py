"""Events of threads that a person holds: kept, and what becomes of them when the thread is returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.events import Echo, encode_event
from bridge.store.lifecycle import InboxState
from storage.sqlite import rows
from storage.sqlite.timers import CANCEL_DUE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.records import TurnCommit
    from storage.results import Result
    from storage.sqlite.memory import Memory

WAITING: Final = "('timer', 'status')"
"""Kinds of events that nobody has said: they wait for their turns until the thread is returned."""

_MISSED: Final = "a person had the thread"
_KEPT: Final = f"SELECT id FROM inbox WHERE thread_id = ? AND status = 'held' AND kind IN {WAITING} ORDER BY seq"
_REOPEN: Final = "UPDATE inbox SET status = 'open', seq = ?, attempt = 0, available_at = 0, done_at = NULL WHERE id = ?"
_REOPENED: Final = f"""
SELECT {rows.INBOX} FROM json_each(?) j JOIN inbox i ON i.id = j.value JOIN threads t ON t.id = i.thread_id
ORDER BY i.seq
"""
_DONE: Final = "UPDATE inbox SET status = 'done', error = ?, done_at = ? WHERE thread_id = ? AND status = 'held'"
_NAMED: Final = "SELECT id FROM timers WHERE thread_id = ? AND name = ? AND status IN ('waiting', 'due')"
_RESTART: Final = """
UPDATE timers SET id = (SELECT max(id) + 1 FROM timers), status = 'waiting', due_at = ?1 + due_at - set_at, set_at = ?1
WHERE id = ?2 RETURNING due_at
"""
"""Under another number, because what becomes of a timer is known by its number, and is so once."""
_JUDGED: Final = "UPDATE inbox SET event = ? WHERE id = ?"


def state_of(turn: TurnCommit) -> InboxState:
    """Where the events of a turn stand after it."""
    return InboxState.DEAD if turn.dead else InboxState.HELD if turn.holds else InboxState.DONE


def note_judgement(db: sqlite3.Connection, turns: Sequence[TurnCommit]) -> None:
    """Whose an echo was: a gateway could not tell, and by now we can."""
    echoes = [row for turn in turns for row in (*turn.others, turn.row) if isinstance(row.event, Echo)]
    db.executemany(_JUDGED, [(encode_event(row.event), row.id) for row in echoes])


def give_back(db: sqlite3.Connection, memory: Memory, turns: Sequence[TurnCommit], effects: Sequence[Result]) -> None:
    """What was kept in the threads that turns return: some waits for its turn, all else the person has answered."""
    for turn, effect in zip(turns, effects, strict=True):
        if not turn.returns:
            continue
        for name in turn.restarts:
            _restart(db, turn, name, effect)
        kept = [row_id for (row_id,) in db.execute(_KEPT, (turn.thread.id,)).fetchall()]
        if kept:
            db.executemany(_REOPEN, [(memory.number(), row_id) for row_id in kept])
            found = db.execute(_REOPENED, (orjson.dumps(kept).decode(),))
            effect.received.extend(map(rows.inbox_row, found))
        db.execute(_DONE, (_MISSED, turn.at, turn.thread.id))


def _restart(db: sqlite3.Connection, turn: TurnCommit, name: str, effect: Result) -> None:
    """The timers of that name wait their whole time again; one that is due already was not heard by anybody."""
    for (timer_id,) in db.execute(_NAMED, (turn.thread.id, name)).fetchall():
        db.execute(CANCEL_DUE, (turn.at, turn.thread.ref.account, f"timer:{timer_id}"))
        (due_at,) = db.execute(_RESTART, (turn.at, timer_id)).fetchone()
        effect.due = due_at if effect.due is None else min(effect.due, due_at)
