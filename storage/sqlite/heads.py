"""The runnable head of a thread: its first open row, whose attempt is counted when it becomes that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ..records import OPEN

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_NEXT: Final = {
    table: f"""
UPDATE {table} SET attempt = attempt + 1 WHERE id IN (
    SELECT (SELECT w.id FROM {table} w WHERE w.thread_id = j.value AND w.{is_open} ORDER BY w.seq LIMIT 1)
    FROM json_each(?) j)
"""
    for table, is_open in OPEN.items()
}
_BUSY: Final = {
    table: f"""
SELECT j.value FROM json_each(?) j
WHERE EXISTS (SELECT 1 FROM {table} w INDEXED BY {table}_work WHERE w.thread_id = j.value AND w.{is_open})
"""
    for table, is_open in OPEN.items()
}
"""Unasked, SQLite takes the index of all that was ever said."""


def begin_next(db: sqlite3.Connection, table: str, threads: Iterable[int]) -> None:
    """The heads of `threads` ended: the next row of each is its runnable head now, and its first attempt begins.

    Few threads have one. The statement makes a table of rows, at 30,000 instructions even if there are none.
    """
    if waiting := busy(db, table, threads):
        db.execute(_NEXT[table], (orjson.dumps(list(waiting)).decode(),))


def busy(db: sqlite3.Connection, table: str, threads: Iterable[int]) -> set[int]:
    """Those of `threads` that have an open row."""
    return {row[0] for row in db.execute(_BUSY[table], (orjson.dumps(list(threads)).decode(),))}


def is_idle(db: sqlite3.Connection, table: str, thread_id: int) -> bool:
    """Whether a thread has no open row."""
    return not busy(db, table, (thread_id,))
