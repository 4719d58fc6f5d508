"""The runnable head of a thread: its first open row, whose attempt is counted when it becomes that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_NEXT: Final = """
UPDATE {table} SET attempt = attempt + 1 WHERE id IN (
    SELECT (SELECT w.id FROM {table} w WHERE w.thread_id = j.value AND w.status = 'open' ORDER BY w.seq LIMIT 1)
    FROM json_each(?) j)
"""


def count_next(db: sqlite3.Connection, table: str, threads: Iterable[int]) -> None:
    """The heads of `threads` ended: the next row of each is its runnable head now, and its first attempt begins."""
    db.execute(_NEXT.format(table=table), (orjson.dumps(list(threads)).decode(),))
