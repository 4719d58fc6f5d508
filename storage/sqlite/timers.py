"""Timers: rows that wait, and become inbox events in the very transaction that ends their waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.due import shares
from bridge.store.lifecycle import INBOX, TIMERS, InboxMove, TimerMove, TimerState

from .. import records
from ..results import Result
from ..timers import LEAP, NEXT_DUE, TIMER, TIMER_VALUES, WAITING, fired, handled, timer_values
from .inbox import receive

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.records import TurnCommit

    from .cache import Cache

_SET: Final = f"INSERT INTO timers ({TIMER_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CANCEL: Final = f"""
UPDATE timers SET status = {records.literal(TIMERS.after(TimerMove.CANCELLED))}
WHERE thread_id = ? AND name = ? AND status {records.one_of(*TIMERS.before(TimerMove.CANCELLED))} RETURNING id
"""
CANCEL_EVENT: Final = f"""
UPDATE inbox SET status = {records.literal(INBOX.after(InboxMove.CANCELLED))},
                 error = {records.literal(TimerState.CANCELLED)}, done_at = ?
WHERE account = ? AND event_key = ? AND status {records.one_of(*INBOX.before(InboxMove.CANCELLED))}
"""
"""The event of a timer that is due."""
NAMED: Final = f"""
SELECT id, due_at, set_at FROM timers
WHERE thread_id = ? AND name = ? AND status {records.one_of(*TIMERS.before(TimerMove.RESTARTED))}
"""
"""The timers of a name that can wait once more."""
_HANDLED: Final = f"""
UPDATE timers SET status = {records.literal(TIMERS.after(TimerMove.HANDLED))}
WHERE id = ? AND status {records.one_of(*TIMERS.before(TimerMove.HANDLED))}
"""
_LEAP: Final = f"""
INSERT INTO timers (id, account, thread_id, name, due_at, set_at, arguments, status)
SELECT coalesce(max(id), 0) + {LEAP}, '', 0, '', 0, 0, x'7b7d', {records.literal(TimerState.CANCELLED)} FROM timers
"""
_DUE: Final = f"""
SELECT {TIMER} FROM timers r JOIN threads t ON t.id = r.thread_id
WHERE r.{WAITING} AND r.account = ? AND r.due_at <= ? ORDER BY r.due_at, r.id LIMIT ?
"""


def set_timers(db: sqlite3.Connection, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """What turns cancel and set, in this order."""
    if had := handled(turns):
        db.executemany(_HANDLED, [(timer_id,) for timer_id in had])
    for turn in turns:
        for name in turn.cancelled:
            cancel(db, turn.thread.id, turn.thread.ref.account, name, turn.at)
    for turn, result in zip(turns, results, strict=True):
        if turn.timers:
            result.due = min(timer.due_at for timer in turn.timers)
            db.executemany(_SET, [timer_values(turn, timer) for timer in turn.timers])


def cancel(db: sqlite3.Connection, thread_id: int, account: str, name: str, at: int) -> None:
    """The timers of a name in a thread, waiting or due."""
    for (timer_id,) in db.execute(_CANCEL, (thread_id, name)).fetchall():
        db.execute(CANCEL_EVENT, (at, account, f"timer:{timer_id}"))


def fire(db: sqlite3.Connection, cache: Cache, now: int, limit: int) -> Result:
    """The due timers as inbox events of their threads. The result's `value` is when the next one is due.

    Which timers of each account: see bridge.store.due.
    """
    share = shares(_next(db), now, limit)
    rows = [row for account, most in share.items() for row in db.execute(_DUE, (account, now, most))]
    arrivals, moves = fired(rows, now)
    result = receive(db, cache, [arrivals])[0] if arrivals else Result()
    db.executemany("UPDATE timers SET status = ? WHERE id = ?", moves)
    result.value = min(_next(db).values(), default=None)
    return result


def leap(db: sqlite3.Connection) -> Result:
    """Leave out numbers: an empty timer stands behind them."""
    db.execute(_LEAP)
    return Result()


def _next(db: sqlite3.Connection) -> dict[str, int]:
    """By account, when its next timer is due."""
    return dict(db.execute(NEXT_DUE))
