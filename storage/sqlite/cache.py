"""What the one writing process may remember of its own file: the next number, and the threads it saw last.

On SQLite the lock proves that nobody else writes, so this is never stale. Changes are staged while a transaction
runs and count only after its commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.admission import REDELIVERED

from .records import OPEN

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from bridge.events import ThreadRef
    from bridge.store.records import ThreadRow

FORMER_KEYS: Final = "SELECT value FROM cursors WHERE account = '' AND name = 'former keys until'"
THREADS: Final = 4096
"""Threads remembered, at most."""
STATES: Final = 32 << 20
"""Bytes of states and dialogs remembered, at most: fewer threads, when they keep much."""


class Cache:
    """Belongs to the writing connection's thread; others only look up threads by id."""

    def __init__(self) -> None:
        """Empty until `load`."""
        self._next = 1
        self.last_row = 0
        """The number of the newest row that is committed."""
        self._staged_row = 0
        self._next_thread = 1
        self._by_id: dict[int, ThreadRow] = {}
        self._states = 0
        self._by_ref: dict[ThreadRef, int] = {}
        self._staged: dict[int, ThreadRow] = {}
        self._staged_refs: dict[ThreadRef, int] = {}
        self.former_until = 0
        """Events that arrive before may be stored under a former key (microseconds; see bridge.store.admission)."""

    def load(self, db: sqlite3.Connection) -> None:
        """Continue the numbers where the file ends. Events and messages share one row of them.

        The places of rows that are settled do not count: only open rows are compared by them.
        """
        self.last_row = self._staged_row = newest_row(db)
        places = [
            db.execute(f"SELECT max(seq) FROM {table} WHERE {is_open}").fetchone()[0] for table, is_open in OPEN.items()
        ]
        self._next = 1 + max(self.last_row, *(place or 0 for place in places))
        if upgraded := db.execute(FORMER_KEYS).fetchone():
            self.former_until = int(upgraded[0]) + REDELIVERED
        self._next_thread = 1 + db.execute("SELECT coalesce(max(id), 0) FROM threads").fetchone()[0]

    def row_number(self) -> int:
        """The next id of a row, which is its first place in the order too."""
        self._staged_row = self.number()
        return self._staged_row

    def number(self) -> int:
        """The next place in the order."""
        self._next += 1
        return self._next - 1

    def thread_number(self) -> int:
        """The next id of a thread."""
        self._next_thread += 1
        return self._next_thread - 1

    def thread(self, thread_id: int) -> ThreadRow | None:
        """A thread as committed, if remembered. Safe from any thread."""
        return self._by_id.get(thread_id)

    def stage(self, rows: Iterable[ThreadRow]) -> None:
        """Threads as the running transaction leaves them."""
        for row in rows:
            self._staged[row.id] = row
            self._staged_refs[row.ref] = row.id

    def find(self, ref: ThreadRef) -> ThreadRow | None:
        """A thread as the running transaction sees it, if remembered."""
        thread_id = self._staged_refs.get(ref)
        if thread_id is None:
            thread_id = self._by_ref.get(ref)
        return None if thread_id is None else self.newest(thread_id)

    def newest(self, thread_id: int) -> ThreadRow | None:
        """A thread as the running transaction leaves it so far, if remembered."""
        return self._staged.get(thread_id) or self._by_id.get(thread_id)

    def commit(self) -> None:
        """The transaction is durable: what was staged counts."""
        for thread_id, row in self._staged.items():
            before = self._by_id.get(thread_id)
            self._states += _size(row) - (_size(before) if before else 0)
            self._by_id[thread_id] = row
            self._by_ref[row.ref] = thread_id
        while len(self._by_id) > THREADS or self._states > STATES:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            self._by_ref.pop(oldest.ref, None)
            self._states -= _size(oldest)
        self.last_row = self._staged_row
        self.rollback()

    def rollback(self) -> None:
        """Forget what was staged."""
        self._staged_row = self.last_row
        if self._staged:
            self._staged = {}
            self._staged_refs = {}


def newest_row(db: sqlite3.Connection) -> int:
    """The number of the newest event or message."""
    return max(db.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0 for table in OPEN)


def _size(row: ThreadRow) -> int:
    """Bytes of what may be large in a thread."""
    return len(row.state) + len(row.dialog or b"") + len(row.members or b"")
