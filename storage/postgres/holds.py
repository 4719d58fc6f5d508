"""Events kept while a person held their thread: what becomes of them when it is returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import Echo, encode_event
from bridge.store.lifecycle import INBOX, TIMERS, InboxMove, InboxState, TimerMove
from bridge.store.takeover import MISSED, given_back, restarted

from .. import records
from . import unreadable
from .timers import CANCEL_EVENT, NAMED
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import TurnCommit

    from ..results import Result
    from .transaction import Transaction

_KEPT: Final = f"SELECT id, kind FROM inbox WHERE thread_id = $1 AND {records.EVENT_HELD} ORDER BY seq"
_REOPEN: Final = f"""
UPDATE inbox i SET status = j.status, seq = j.seq, attempt = 0, available_at = 0, done_at = NULL
FROM {unnest("text", "bigint", "bigint")} j (status, seq, id) WHERE i.id = j.id
"""
_REOPENED: Final = f"""
SELECT {records.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id WHERE i.id = ANY($1::bigint[]) ORDER BY i.seq
"""
_MISSED: Final = f"""
UPDATE inbox SET status = $1, error = {records.literal(MISSED)}, done_at = $2 WHERE id = ANY($3::bigint[])
"""
_RESTART: Final = f"""
UPDATE timers SET id = nextval(pg_get_serial_sequence('timers', 'id')),
                  status = {records.literal(TIMERS.after(TimerMove.RESTARTED))}, due_at = $1, set_at = $2
WHERE id = $3
"""
"""Under another number, because what becomes of a timer is known by its number, and is so once."""
_JUDGED: Final = f"UPDATE inbox i SET event = j.event FROM {unnest('bytea', 'bigint')} j (event, id) WHERE i.id = j.id"


async def note_judgement(tx: Transaction, turns: Sequence[TurnCommit]) -> None:
    """Whose an echo was: a gateway could not tell, and by now we can."""
    echoes = [row for turn in turns for row in turn.rows if isinstance(row.event, Echo)]
    await tx.arrays(_JUDGED, [(encode_event(row.event), row.id) for row in echoes])


async def give_back(tx: Transaction, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """What was kept in the threads that turns return."""
    for turn, result in zip(turns, results, strict=True):
        if not turn.returns:
            continue
        for name in turn.restarts:
            await _restart(tx, turn, name, result)
        kept = [(row_id, given_back(kind)) for row_id, kind in await tx.fetch(_KEPT, turn.thread.id)]
        reopened = [row_id for row_id, move in kept if move is InboxMove.RETURNED]
        missed = [row_id for row_id, move in kept if move is InboxMove.MISSED]
        if reopened:
            state = INBOX.move(InboxState.HELD, InboxMove.RETURNED)
            numbered = zip(await tx.numbers(len(reopened)), reopened, strict=True)
            await tx.arrays(_REOPEN, [(state, number, row_id) for number, row_id in numbered])
            result.received.extend(await unreadable.readable(tx, await tx.fetch(_REOPENED, reopened)))
        if missed:
            await tx.execute(_MISSED, INBOX.move(InboxState.HELD, InboxMove.MISSED), turn.at, missed)


async def _restart(tx: Transaction, turn: TurnCommit, name: str, result: Result) -> None:
    """The timers of that name wait their whole time again; of one that is due already nothing was heard."""
    for timer_id, was_due_at, set_at in await tx.fetch(NAMED, turn.thread.id, name):
        await tx.execute(CANCEL_EVENT, turn.at, turn.thread.ref.account, f"timer:{timer_id}")
        due_at = restarted(was_due_at, set_at, turn.at)
        await tx.execute(_RESTART, due_at, turn.at, timer_id)
        result.due = due_at if result.due is None else min(result.due, due_at)
