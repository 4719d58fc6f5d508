"""Rows of work that this version cannot read: dead letters, because all behind them would wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from bridge.store.lifecycle import INBOX, OUTBOX, InboxMove, OutboxMove

from ..records import OPEN, literal
from ..results import Result
from ..unreadable import Sized, sort_out
from . import threads
from .heads import begin_next

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from ..records import Row
    from ..unreadable import Unreadable
    from .cache import Cache

T = TypeVar("T", bound="Sized")

_DEAD: Final = {
    "inbox": (literal(INBOX.after(InboxMove.GIVEN_UP)), "received_at"),
    "outbox": (literal(OUTBOX.after(OutboxMove.GIVEN_UP)), "created_at"),
}
_GIVE_UP: Final = {
    table: f"UPDATE {table} SET status = {dead}, error = ?, done_at = {since} WHERE id = ? AND {OPEN[table]}"
    for table, (dead, since) in _DEAD.items()
}
_HEADS: Final = {
    table: f"""
SELECT r.thread_id FROM json_each(?) j CROSS JOIN {table} r ON r.id = j.value
WHERE r.{is_open} AND NOT EXISTS (
    SELECT 1 FROM {table} w INDEXED BY {table}_work WHERE w.thread_id = r.thread_id AND w.{is_open} AND w.seq < r.seq)
"""
    for table, is_open in OPEN.items()
}


def give_up(db: sqlite3.Connection, cache: Cache, table: str, rows: Sequence[Unreadable]) -> Result:
    """Make dead letters of open rows; the threads that they were the heads of go on."""
    named = orjson.dumps([row.row_id for row in rows]).decode()
    freed = {row[0] for row in db.execute(_HEADS[table], (named,))}
    for row in rows:
        ended = db.execute(_GIVE_UP[table], (row.reason, row.row_id)).rowcount
        if ended and table == "inbox":
            threads.note_heard(db, cache, row.thread_id, row.row_id)
    begin_next(db, table, freed)
    return Result(threads={row.thread_id for row in rows})


def readable(db: sqlite3.Connection, cache: Cache, rows: Iterable[Row], make: Callable[[Row], T]) -> list[T]:
    """Rows of the inbox that a transaction has opened; one that cannot be read is given up in it."""
    good: list[T] = []
    for row in rows:
        read, unread = sort_out([row], make)
        good += read
        if unread:
            give_up(db, cache, "inbox", unread)
    return good
