"""Events kept while a person held their thread: what becomes of them when it is returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.events import Echo, encode_event
from bridge.store.lifecycle import INBOX, TIMERS, InboxMove, InboxState, TimerMove
from bridge.store.takeover import MISSED, given_back, restarted

from .. import records
from . import unreadable
from .timers import CANCEL_EVENT, NAMED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.records import TurnCommit

    from ..results import Result
    from .cache import Cache

_KEPT: Final = f"SELECT id, kind FROM inbox WHERE thread_id = ? AND {records.EVENT_HELD} ORDER BY seq"
_REOPEN: Final = "UPDATE inbox SET status = ?, seq = ?, attempt = 0, available_at = 0, done_at = NULL WHERE id = ?"
_REOPENED: Final = f"""
SELECT {records.INBOX} FROM json_each(?) j JOIN inbox i ON i.id = j.value JOIN threads t ON t.id = i.thread_id
ORDER BY i.seq
"""
_MISSED: Final = "UPDATE inbox SET status = ?, error = ?, done_at = ? WHERE id = ?"
_RESTART: Final = f"""
UPDATE timers SET id = (SELECT max(id) + 1 FROM timers), status = {records.literal(TIMERS.after(TimerMove.RESTARTED))},
                  due_at = ?, set_at = ?
WHERE id = ?
"""
"""Under another number, because what becomes of a timer is known by its number, and is so once."""
_JUDGED: Final = "UPDATE inbox SET event = ? WHERE id = ?"


def note_judgement(db: sqlite3.Connection, turns: Sequence[TurnCommit]) -> None:
    """Whose an echo was: a gateway could not tell, and by now we can."""
    echoes = [row for turn in turns for row in turn.rows if isinstance(row.event, Echo)]
    if echoes:
        db.executemany(_JUDGED, [(encode_event(row.event), row.id) for row in echoes])


def give_back(db: sqlite3.Connection, cache: Cache, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """What was kept in the threads that turns return."""
    for turn, result in zip(turns, results, strict=True):
        if not turn.returns:
            continue
        for name in turn.restarts:
            _restart(db, turn, name, result)
        kept = [(row_id, given_back(kind)) for row_id, kind in db.execute(_KEPT, (turn.thread.id,))]
        reopened = [row_id for row_id, move in kept if move is InboxMove.RETURNED]
        missed = [row_id for row_id, move in kept if move is InboxMove.MISSED]
        if reopened:
            state = INBOX.move(InboxState.HELD, InboxMove.RETURNED)
            db.executemany(_REOPEN, [(state, cache.number(), row_id) for row_id in reopened])
            rows = db.execute(_REOPENED, (orjson.dumps(reopened).decode(),)).fetchall()
            result.received.extend(unreadable.readable(db, cache, rows, records.inbox_row))
        state = INBOX.move(InboxState.HELD, InboxMove.MISSED)
        db.executemany(_MISSED, [(state, MISSED, turn.at, row_id) for row_id in missed])


def _restart(db: sqlite3.Connection, turn: TurnCommit, name: str, result: Result) -> None:
    """The timers of that name wait their whole time again; of one that is due already nothing was heard."""
    for timer_id, was_due_at, set_at in db.execute(NAMED, (turn.thread.id, name)).fetchall():
        db.execute(CANCEL_EVENT, (turn.at, turn.thread.ref.account, f"timer:{timer_id}"))
        due_at = restarted(was_due_at, set_at, turn.at)
        db.execute(_RESTART, (due_at, turn.at, timer_id))
        result.due = due_at if result.due is None else min(result.due, due_at)
