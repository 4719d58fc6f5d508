"""Timers: rows that wait, and become inbox events in the very transaction that ends their waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.due import shares
from bridge.store.lifecycle import INBOX, TIMERS, InboxMove, TimerMove, TimerState

from .. import records
from ..results import Result
from ..timers import LEAP, NEXT_DUE, TIMER, TIMER_VALUES, WAITING, fired, handled, timer_values
from .inbox import receive
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import TurnCommit

    from .transaction import Transaction

_TYPES: Final = "text bigint text bigint bigint bigint text bytea text bytea text bigint bigint"
_SET: Final = f"INSERT INTO timers ({TIMER_VALUES}) SELECT * FROM {unnest(*_TYPES.split())}"
_CANCEL: Final = f"""
UPDATE timers SET status = {records.literal(TIMERS.after(TimerMove.CANCELLED))}
WHERE thread_id = $1 AND name = $2 AND status {records.one_of(*TIMERS.before(TimerMove.CANCELLED))} RETURNING id
"""
CANCEL_EVENT: Final = f"""
UPDATE inbox SET status = {records.literal(INBOX.after(InboxMove.CANCELLED))},
                 error = {records.literal(TimerState.CANCELLED)}, done_at = $1
WHERE account = $2 AND event_key = $3 AND status {records.one_of(*INBOX.before(InboxMove.CANCELLED))}
"""
"""The event of a timer that is due."""
NAMED: Final = f"""
SELECT id, due_at, set_at FROM timers
WHERE thread_id = $1 AND name = $2 AND status {records.one_of(*TIMERS.before(TimerMove.RESTARTED))}
"""
"""The timers of a name that can wait once more."""
_HANDLED: Final = f"""
UPDATE timers SET status = {records.literal(TIMERS.after(TimerMove.HANDLED))}
WHERE id = ANY($1::bigint[]) AND status {records.one_of(*TIMERS.before(TimerMove.HANDLED))}
"""
_DUE: Final = f"""
SELECT {TIMER} FROM timers r JOIN threads t ON t.id = r.thread_id
WHERE r.{WAITING} AND r.account = $1 AND r.due_at <= $2 ORDER BY r.due_at, r.id LIMIT $3
"""
_NUMBERS: Final = "pg_get_serial_sequence('timers', 'id')"
_LEAP: Final = f"SELECT setval({_NUMBERS}, nextval({_NUMBERS}) + {LEAP})"
_MOVE: Final = f"""
UPDATE timers r SET status = j.status FROM {unnest("text", "bigint")} j (status, id) WHERE r.id = j.id
"""


async def set_timers(tx: Transaction, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """What turns cancel and set, in this order."""
    if had := handled(turns):
        await tx.execute(_HANDLED, had)
    for turn in turns:
        for name in turn.cancelled:
            await cancel(tx, turn.thread.id, turn.thread.ref.account, name, turn.at)
    for turn, result in zip(turns, results, strict=True):
        if turn.timers:
            result.due = min(timer.due_at for timer in turn.timers)
    await tx.arrays(_SET, [timer_values(turn, timer) for turn in turns for timer in turn.timers])


async def cancel(tx: Transaction, thread_id: int, account: str, name: str, at: int) -> None:
    """The timers of a name in a thread, waiting or due."""
    for (timer_id,) in await tx.fetch(_CANCEL, thread_id, name):
        await tx.execute(CANCEL_EVENT, at, account, f"timer:{timer_id}")


async def fire(tx: Transaction, now: int, limit: int) -> Result:
    """The due timers as inbox events of their threads. The result's `value` is when the next one is due.

    Which timers of each account: see bridge.store.due.
    """
    rows = await _due(tx, now, limit)
    arrivals, moves = fired(rows, now)
    result = (await receive(tx, [arrivals]))[0] if arrivals else Result()
    await tx.arrays(_MOVE, moves)
    result.value = min((await _next(tx)).values(), default=None)
    return result


async def threads_of_due(tx: Transaction, now: int, limit: int) -> set[int]:
    """The threads of what `fire` is about to find, as far as others leave it there."""
    return {row[1] for row in await _due(tx, now, limit)}


async def _due(tx: Transaction, now: int, limit: int) -> list[records.Row]:
    share = shares(await _next(tx), now, limit)
    return [row for account, most in share.items() for row in await tx.fetch(_DUE, account, now, most)]


async def leap(tx: Transaction) -> Result:
    """Leave out numbers."""
    await tx.fetch(_LEAP)
    return Result()


async def _next(tx: Transaction) -> dict[str, int]:
    """By account, when its next timer is due."""
    return dict(await tx.fetch(NEXT_DUE))
