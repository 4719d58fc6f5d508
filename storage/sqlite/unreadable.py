"""Rows of work that this version cannot read: dead letters, because all behind them would wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

import orjson

from bridge.log import kind_of, log
from bridge.store.lifecycle import INBOX, OUTBOX, InboxMove, OutboxMove
from bridge.store.records import READ_BYTES

from ..results import Result
from . import threads
from .heads import begin_next
from .records import OPEN, UNREADABLE, literal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from .cache import Cache
    from .records import Row

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


class Unreadable(NamedTuple):
    """A row of the inbox or the outbox, and why it cannot be read."""

    row_id: int
    thread_id: int
    reason: str


class Sized(Protocol):
    """A row as it is read, and its stored bytes."""

    @property
    def size(self) -> int: ...  # noqa: D102 - as the class says


def sort_out(rows: Iterable[Row], make: Callable[[Row], T]) -> tuple[list[T], list[Unreadable]]:
    """What `make` reads of rows that begin with their id, seq and thread, and those that it cannot read.

    At READ_BYTES the rest is left.
    """
    readable: list[T] = []
    unreadable: list[Unreadable] = []
    size = 0
    for row in rows:
        try:
            readable.append(made := make(row))
        except UNREADABLE as error:
            log.error("row_unreadable", key=str(row[0]), thread=row[2], reason=kind_of(error))
            unreadable.append(Unreadable(row[0], row[2], f"this threadbridge cannot read it: {kind_of(error)}"))
            continue
        size += made.size
        if size >= READ_BYTES:
            break
    return readable, unreadable


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
