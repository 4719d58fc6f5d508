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
    from collections.abc import Callable, Sequence

    from bridge.store.records import Arrival

    from .transaction import Transaction

T = TypeVar("T")

_EVENT: Final = "SELECT status, kind, thread_id, event_key FROM inbox WHERE id = $1 FOR UPDATE"
_REREAD: Final = "UPDATE inbox SET status = $1, event_key = $2, done_at = $3 WHERE id = $4"
_REOPEN_EVENT: Final = """
UPDATE inbox SET status = $1, seq = $2, attempt = $3, available_at = 0, done_at = NULL, replay = replay + 1
WHERE id = $4
"""
_DEAD_MESSAGE: Final = f"""
SELECT thread_id FROM outbox WHERE id = $1 AND status {records.one_of(*OUTBOX.before(OutboxMove.REPLAYED))} FOR UPDATE
"""
_REOPEN_MESSAGE: Final = f"""
UPDATE outbox SET status = {records.literal(OUTBOX.after(OutboxMove.REPLAYED))}, seq = $1, attempt = $2,
                  available_at = 0, done_at = NULL, outcome = NULL
WHERE id = $3
"""
"""A message's last outcome is over: a status that comes late is not about the try that begins now."""
_DROP: Final = {
    "in": f"""
UPDATE inbox SET status = {records.literal(INBOX.after(InboxMove.DROPPED))}, done_at = $1
WHERE id = $2 AND status {records.one_of(*INBOX.before(InboxMove.DROPPED))}
""",
    "out": f"""
UPDATE outbox SET status = {records.literal(OUTBOX.after(OutboxMove.DROPPED))}, done_at = $1
WHERE id = $2 AND status {records.one_of(*OUTBOX.before(OutboxMove.DROPPED))}
""",
}


async def replay(tx: Transaction, letter_id: str, at: int, arrivals: Sequence[Arrival] | None) -> Result:
    """Append a dead letter to the end of its thread; the result's `value` is whether there was one."""
    side, row_id = letter_of(letter_id)
    if row_id is None:
        return Result(value=False)
    return await (_replay_message(tx, row_id) if side == "out" else _replay_event(tx, row_id, at, arrivals))


async def drop(tx: Transaction, letter_id: str, at: int) -> Result:
    """Put a dead letter aside; the result's `value` is whether there was one."""
    side, row_id = letter_of(letter_id)
    return Result(value=row_id is not None and await tx.execute(_DROP[side], at, row_id) == 1)


async def _replay_event(tx: Transaction, row_id: int, at: int, arrivals: Sequence[Arrival] | None) -> Result:
    rows = await tx.fetch(_EVENT, row_id)
    if not rows:
        return Result(value=False)
    status, kind, thread_id, key = rows[0]
    state = InboxState(status)
    move = replay_of(state, kind, thread_id, arrivals)
    if move is None:
        return Result(value=False)
    if move is InboxMove.REREAD:
        await tx.execute(_REREAD, INBOX.move(state, move), replayed_key(row_id, key), at, row_id)
        (result,) = await receive(tx, [arrivals or ()])
        result.value = True
        return result
    await tx.lock([thread_id])
    idle = await is_idle(tx, "inbox", thread_id)
    (number,) = await tx.numbers(1)
    await tx.execute(_REOPEN_EVENT, INBOX.move(state, move), number, int(idle), row_id)
    reopened = _read(records.inbox_row, (await tx.fetch(lookups.ONE_EVENT, row_id))[0])
    return Result(value=True, received=[reopened], threads={thread_id})


async def _replay_message(tx: Transaction, row_id: int) -> Result:
    rows = await tx.fetch(_DEAD_MESSAGE, row_id)
    if not rows:
        return Result(value=False)
    thread_id: int = rows[0][0]
    await tx.lock([thread_id])
    idle = await is_idle(tx, "outbox", thread_id)
    (number,) = await tx.numbers(1)
    await tx.execute(_REOPEN_MESSAGE, number, int(idle), row_id)
    reopened = _read(records.outbox_row, (await tx.fetch(lookups.ONE_MESSAGE, row_id))[0])
    return Result(value=True, queued=[reopened], threads={thread_id})


def _read(make: Callable[[records.Row], T], row: records.Row) -> T:
    """A row that is open again. Raises Unmappable, and so opens nothing, when this version cannot read it."""
    try:
        return make(row)
    except records.UNREADABLE as error:
        raise Unmappable(f"this threadbridge cannot read it: {kind_of(error)}") from None
