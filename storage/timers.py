"""Timers, column by column: how one is stored, and the event it becomes when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Contact, ThreadRef, Timer, encode_event
from bridge.log import kind_of, log
from bridge.store.lifecycle import TIMERS, InboxState, TimerMove, TimerState
from bridge.store.records import Arrival
from bridge.units import moment

from .records import REF, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.store.records import TimerRow, TurnCommit

    from .records import Row

TIMER: Final = (
    "r.id, r.thread_id, r.name, r.due_at, r.set_at, r.since, r.unless, r.message, r.handler, r.arguments, r.model, "
    f"r.held, t.contact, {REF}"
)
TIMER_VALUES: Final = (
    "account, thread_id, name, due_at, set_at, since, unless, message, handler, arguments, model, held, inbox_id"
)
LEAP: Final = 1 << 24
"""Numbers that are left out: more than a store gives while its copy lies in a drawer."""
WAITING: Final = f"status {one_of(TimerState.WAITING)}"
NEXT_DUE: Final = f"""
WITH RECURSIVE accounts (known) AS (
    SELECT min(account) FROM timers WHERE {WAITING} UNION ALL
    SELECT (SELECT min(account) FROM timers WHERE {WAITING} AND account > known) FROM accounts WHERE known IS NOT NULL)
SELECT known, (SELECT min(due_at) FROM timers WHERE {WAITING} AND account = known) FROM accounts WHERE known IS NOT NULL
"""
"""When the next timer of each account is due; looks at two rows of an account, however many wait."""


def timer_values(turn: TurnCommit, timer: TimerRow) -> tuple[Any, ...]:
    """The columns TIMER_VALUES."""
    set_by = turn.thread.ref.account, turn.thread.id, timer.name, timer.due_at, turn.at, turn.thread.version + 1
    kept = timer.unless, timer.message, timer.handler, timer.arguments, timer.model, timer.held
    return *set_by, *kept, turn.row.id


def handled(turns: Sequence[TurnCommit]) -> list[int]:
    """The timers that have their turns with these; one that is only kept has none."""
    rows = (row for turn in turns if not turn.holds for row in turn.rows)
    return [int(row.event.id.partition(":")[2]) for row in rows if isinstance(row.event, Timer)]


def fired(rows: Iterable[Row], now: int) -> tuple[list[Arrival], list[tuple[TimerState, int]]]:
    """Rows of TIMER that are due, as events of their threads; and by their ids, the states they move to.

    One that this version cannot read is named in the log and set aside: it would hold up all others.
    """
    arrivals: list[Arrival] = []
    moves: list[tuple[TimerState, int]] = []
    for row in rows:
        try:
            arrivals.append(_arrival(row, now))
            moves.append((TIMERS.move(TimerState.WAITING, TimerMove.DUE), row[0]))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            log.error("row_unreadable", key=f"timer:{row[0]}", thread=row[1], reason=kind_of(error))
            moves.append((TIMERS.move(TimerState.WAITING, TimerMove.UNREADABLE), row[0]))
    return arrivals, moves


def _arrival(row: Row, now: int) -> Arrival:
    timer_id, _, name, due_at, set_at, since, unless, message, handler, arguments, model, held, contact, *ref = row
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
        held=held,
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
