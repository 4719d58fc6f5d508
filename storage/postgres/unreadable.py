"""Rows of work that this version cannot read: dead letters, because all behind them would wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.lifecycle import INBOX, OUTBOX, InboxMove, OutboxMove

from ..records import OPEN, inbox_row, literal
from ..results import Result
from ..unreadable import sort_out
from . import threads
from .heads import begin_next

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.store.records import InboxRow

    from ..records import Row
    from ..unreadable import Unreadable
    from .transaction import Transaction

_DEAD: Final = {
    "inbox": (literal(INBOX.after(InboxMove.GIVEN_UP)), "received_at"),
    "outbox": (literal(OUTBOX.after(OutboxMove.GIVEN_UP)), "created_at"),
}
_GIVE_UP: Final = {
    table: f"UPDATE {table} SET status = {dead}, error = $1, done_at = {since} WHERE id = $2 AND {OPEN[table]}"
    for table, (dead, since) in _DEAD.items()
}
_HEADS: Final = {
    table: f"""
SELECT r.thread_id FROM {table} r WHERE r.id = ANY($1::bigint[]) AND r.{is_open} AND NOT EXISTS (
    SELECT 1 FROM {table} w WHERE w.thread_id = r.thread_id AND w.{is_open} AND w.seq < r.seq)
"""
    for table, is_open in OPEN.items()
}


async def give_up(tx: Transaction, table: str, rows: Sequence[Unreadable]) -> Result:
    """Make dead letters of open rows; the threads that they were the heads of go on."""
    freed = {row[0] for row in await tx.fetch(_HEADS[table], [row.row_id for row in rows])}
    for row in rows:
        ended = await tx.execute(_GIVE_UP[table], row.reason, row.row_id)
        if ended and table == "inbox":
            await threads.note_heard(tx, row.thread_id, row.row_id)
    await begin_next(tx, table, freed)
    return Result(threads={row.thread_id for row in rows})


async def readable(tx: Transaction, rows: Iterable[Row]) -> list[InboxRow]:
    """Rows of the inbox that a transaction has opened; one that cannot be read is given up in it."""
    good: list[InboxRow] = []
    for row in rows:
        read, unread = sort_out([row], inbox_row)
        good += read
        if unread:
            await give_up(tx, "inbox", unread)
    return good
