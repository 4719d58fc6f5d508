"""What other processes stored in our threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import records
from ..results import Result
from ..unreadable import sort_out
from . import unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .transaction import Transaction

EVENTS: Final = f"""
SELECT {records.INBOX} FROM inbox i JOIN threads t ON t.id = i.thread_id
WHERE i.id = ANY($1::bigint[]) AND i.{records.EVENT_OPEN} AND t.holder = $2 ORDER BY i.seq
"""
MESSAGES: Final = f"""
SELECT {records.OUTBOX} FROM outbox o JOIN threads t ON t.id = o.thread_id
WHERE o.id = ANY($1::bigint[]) AND o.{records.MESSAGE_OPEN} AND t.holder = $2 ORDER BY o.seq
"""


async def read(tx: Transaction, slot: str, row_ids: Sequence[int]) -> Result:
    """Rows that are still open, and in a thread that is still ours: for the listener."""
    if slot == "in":
        events = await unreadable.readable(tx, await tx.fetch(EVENTS, row_ids, tx.epoch))
        tx.own.update(row.thread_id for row in events)
        return Result(received=events, threads={row.thread_id for row in events})
    messages, _ = sort_out(await tx.fetch(MESSAGES, row_ids, tx.epoch), records.outbox_row)
    tx.own.update(row.thread_id for row in messages)
    return Result(queued=messages, threads={row.thread_id for row in messages})
