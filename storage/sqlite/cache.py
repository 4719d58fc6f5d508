"""What the one writing process may remember of its own file: the next number, and the threads it saw last.

On SQLite the lock proves that nobody else writes, so this is never stale. Changes are staged while a transaction
runs and count only after its commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..memory import FORMER_KEYS, ThreadMemory
from ..records import OPEN, literal
from .statements import Guard

if TYPE_CHECKING:
    import sqlite3

LAST_THREAD: Final = "last thread"
"""The cursor that keeps a new thread from getting the number of an erased one."""
_LAST_THREAD: Final = f"""
SELECT max(coalesce((SELECT max(id) FROM threads), 0),
           coalesce((SELECT CAST(value AS INTEGER) FROM cursors
                     WHERE account = '' AND name = {literal(LAST_THREAD)}), 0))
"""


class Cache(ThreadMemory):
    """Belongs to the writing connection's thread; others only look up threads by id."""

    def __init__(self) -> None:
        """Empty until `load`."""
        super().__init__()
        self.guard = Guard()
        """Stands on the connection before our tables, while statements of the author's run."""
        self._next = 1
        self.last_row = 0
        """The number of the newest row that is committed."""
        self._staged_row = 0
        self._next_thread = 1

    def load(self, db: sqlite3.Connection) -> None:
        """Continue the numbers where the file ends. Events and messages share one row of them.

        The places of rows that are settled do not count: only open rows are compared by them.
        """
        self.last_row = self._staged_row = newest_row(db)
        places = [
            db.execute(f"SELECT max(seq) FROM {table} WHERE {is_open}").fetchone()[0] for table, is_open in OPEN.items()
        ]
        self._next = 1 + max(self.last_row, *(place or 0 for place in places))
        self.note_former(db.execute(FORMER_KEYS).fetchall())
        self._next_thread = 1 + db.execute(_LAST_THREAD).fetchone()[0]

    def row_number(self) -> int:
        """The next id of a row, which is its first place in the order too."""
        self._staged_row = number = self._next
        self._next = number + 1
        return number

    def number(self) -> int:
        """The next place in the order."""
        self._next += 1
        return self._next - 1

    def thread_number(self) -> int:
        """The next id of a thread."""
        self._next_thread += 1
        return self._next_thread - 1

    def commit(self) -> None:
        """The transaction is durable: what was staged counts."""
        self.last_row = self._staged_row
        super().commit()

    def rollback(self) -> None:
        """Forget what was staged."""
        self._staged_row = self.last_row
        super().rollback()


def newest_row(db: sqlite3.Connection) -> int:
    """The number of the newest event or message."""
    return max(db.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0 for table in OPEN)
