"""The runnable head of a thread: its first open row, whose attempt is counted when it becomes that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..records import OPEN

if TYPE_CHECKING:
    from collections.abc import Collection

    from .transaction import Transaction

_NEXT: Final = {
    table: f"""
UPDATE {table} SET attempt = attempt + 1 WHERE id IN (
    SELECT n.id FROM unnest($1::bigint[]) j (thread_id) CROSS JOIN LATERAL (
        SELECT w.id FROM {table} w WHERE w.thread_id = j.thread_id AND w.{is_open} ORDER BY w.seq LIMIT 1) n)
"""
    for table, is_open in OPEN.items()
}
_BUSY: Final = {
    table: f"""
SELECT j.thread_id FROM unnest($1::bigint[]) j (thread_id)
WHERE EXISTS (SELECT 1 FROM {table} w WHERE w.thread_id = j.thread_id AND w.{is_open})
"""
    for table, is_open in OPEN.items()
}


async def begin_next(tx: Transaction, table: str, threads: Collection[int]) -> None:
    """The heads of `threads` ended: the next row of each is its runnable head now, and its first attempt begins."""
    if threads:
        await tx.execute(_NEXT[table], [*threads])


async def busy(tx: Transaction, table: str, threads: Collection[int]) -> set[int]:
    """Those of `threads` that have an open row."""
    return {row[0] for row in await tx.fetch(_BUSY[table], [*threads])} if threads else set()


async def is_idle(tx: Transaction, table: str, thread_id: int) -> bool:
    """Whether a thread has no open row."""
    return not await busy(tx, table, (thread_id,))
