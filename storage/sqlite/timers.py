"""Timers: rows that wait, and become inbox events in the very transaction that ends their waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Contact, ThreadRef, Timer, encode_event
from bridge.log import kind_of, log
from bridge.store.lifecycle import InboxState
from bridge.store.records import Arrival
from bridge.units import moment
from storage.results import Result
from storage.sqlite import rows
from storage.sqlite.receiving import receive

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.store.records import InboxRow, TimerRow, TurnCommit
    from storage.sqlite.memory import Memory

_SET: Final = """
INSERT INTO timers (thread_id, name, due_at, set_at, since, unless, message, handler, arguments, model)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_CANCEL: Final = """
UPDATE timers SET status = 'cancelled' WHERE thread_id = ? AND name = ? AND status IN ('waiting', 'due') RETURNING id
"""
CANCEL_DUE: Final = """
UPDATE inbox SET status = 'done', error = 'cancelled', done_at = ?
WHERE account = ? AND event_key = ? AND status IN ('open', 'held')
"""
_DUE: Final = f"""
SELECT r.id, r.thread_id, r.name, r.due_at, r.set_at, r.since, r.unless, r.message, r.handler, r.arguments, r.model,
       t.contact, {rows.REF}
FROM timers r JOIN threads t ON t.id = r.thread_id
WHERE r.status = 'waiting' AND r.due_at <= ? ORDER BY r.due_at, r.id LIMIT ?
"""


def set_timers(db: sqlite3.Connection, turns: Sequence[TurnCommit], effects: Sequence[Result]) -> None:
    """What turns cancel and set, in this order."""
    had = [(row.event.id.partition(":")[2],) for turn in turns for row in _timers(turn)]
    if had:
        db.executemany("UPDATE timers SET status = 'fired' WHERE id = ? AND status = 'due'", had)
    for turn in turns:
        for name in turn.cancelled:
            for (timer_id,) in db.execute(_CANCEL, (turn.thread.id, name)).fetchall():
                db.execute(CANCEL_DUE, (turn.at, turn.thread.ref.account, f"timer:{timer_id}"))
    for turn, effect in zip(turns, effects, strict=True):
        if turn.timers:
            effect.due = min(timer.due_at for timer in turn.timers)
            db.executemany(_SET, [_values(turn, timer) for timer in turn.timers])


def _values(turn: TurnCommit, timer: TimerRow) -> tuple[Any, ...]:
    set_by = turn.thread.id, timer.name, timer.due_at, turn.at, turn.thread.version + 1
    return *set_by, timer.unless, timer.message, timer.handler, timer.arguments, timer.model


def _timers(turn: TurnCommit) -> list[InboxRow]:
    """The timers whose turn this is."""
    return [] if turn.holds else [row for row in (*turn.others, turn.row) if isinstance(row.event, Timer)]


def fire(db: sqlite3.Connection, memory: Memory, now: int, limit: int) -> Result:
    """The due timers as inbox events of their threads. The effect's `value` is when the next one is due.

    One that this version cannot read is named in the log and set aside: it would hold up all others.
    """
    arrivals, ends = [], []
    for row in db.execute(_DUE, (now, limit)).fetchall():
        try:
            arrivals.append(_arrival(row, now))
            ends.append(("due", row[0]))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            log.error("row_unreadable", key=f"timer:{row[0]}", thread=row[1], reason=kind_of(error))
            ends.append(("unreadable", row[0]))
    effects = receive(db, memory, [arrivals])[0] if arrivals else Result()
    db.executemany("UPDATE timers SET status = ? WHERE id = ?", ends)
    effects.value = db.execute("SELECT min(due_at) FROM timers WHERE status = 'waiting'").fetchone()[0]
    return effects


def _arrival(row: tuple[Any, ...], now: int) -> Arrival:
    timer_id, _, name, due_at, set_at, since, unless, message, handler, arguments, model, contact, *ref = row
    event = Timer(
        id=f"timer:{timer_id}",
        contact=Contact(**orjson.loads(contact)) if contact else Contact(id=ref[-1]),
        at=moment(due_at),
        name=name,
        set_at=set_at,
        since=since,
        unless=unless,
        message=message.decode() if message else None,
        handler=handler,
        arguments=orjson.loads(arguments),
        model=model,
    )
    return Arrival(
        account=ref[0],
        key=event.id,
        ref=ThreadRef(*ref),
        event=event,
        encoded=encode_event(event),
        raw=b"",
        state=InboxState.OPEN,
        received_at=now,
    )
