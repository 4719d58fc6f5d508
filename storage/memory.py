"""The threads that a process saw last.

Where nobody else writes this is never stale; else whoever locks a thread checks it. Changes are staged while a
transaction runs and count only after its commit.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from bridge.store.admission import REDELIVERED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.events import ThreadRef
    from bridge.store.records import Hold, ThreadRow

FORMER_KEYS: Final = "SELECT value FROM cursors WHERE account = '' AND name = 'former keys until'"
"""When the last event arrived under a former key (microseconds), if any did."""
THREADS: Final = 4096
"""Threads remembered, at most."""
STATES: Final = 32 << 20
"""Bytes of states and dialogs remembered, at most: fewer threads, when they keep much."""

_large: Final = attrgetter("state", "dialog", "members", "person")


class ThreadMemory:
    """Belongs to the writer; others only look up threads by id."""

    def __init__(self) -> None:
        """Empty."""
        self.former_until = 0
        """Events that arrive before may be stored under a former key (microseconds; see bridge.store.admission)."""
        self._by_id: dict[int, ThreadRow] = {}
        self._states = 0
        self._by_ref: dict[ThreadRef, int] = {}
        self._staged: dict[int, ThreadRow] = {}
        self._staged_refs: dict[ThreadRef, int] = {}

    def note_former(self, upgrades: Sequence[Sequence[str]]) -> None:
        """What FORMER_KEYS found."""
        for (until,) in upgrades:
            self.former_until = int(until) + REDELIVERED

    def thread(self, thread_id: int) -> ThreadRow | None:
        """A thread as committed, if remembered. Safe from any thread."""
        return self._by_id.get(thread_id)

    def stage(self, rows: Iterable[ThreadRow]) -> None:
        """Threads as the running transaction leaves them."""
        for row in rows:
            if row.id not in self._by_id:
                self._staged_refs[row.ref] = row.id
            self._staged[row.id] = row

    def find(self, ref: ThreadRef) -> ThreadRow | None:
        """A thread as the running transaction sees it, if remembered."""
        thread_id = self._by_ref.get(ref)
        if thread_id is None:
            thread_id = self._staged_refs.get(ref)
        return None if thread_id is None else self.newest(thread_id)

    def newest(self, thread_id: int) -> ThreadRow | None:
        """A thread as the running transaction leaves it so far, if remembered."""
        return self._staged.get(thread_id) or self._by_id.get(thread_id)

    def check(self, thread_id: int, version: int, hold: Hold) -> None:
        """A thread as it stands: what is remembered of another version or hold is forgotten."""
        remembered = self.newest(thread_id)
        if remembered is not None and (remembered.version != version or remembered.hold != hold):
            self.forget([thread_id])

    def forget(self, thread_ids: Iterable[int]) -> None:
        """Somebody else may have changed these threads."""
        for thread_id in thread_ids:
            row = self._by_id.pop(thread_id, None)
            if row is not None:
                self._by_ref.pop(row.ref, None)
                self._states -= _size(row)

    def drop(self, thread_id: int) -> None:
        """A thread that is erased."""
        self.forget([thread_id])
        if (row := self._staged.pop(thread_id, None)) is not None:
            self._staged_refs.pop(row.ref, None)

    def commit(self) -> None:
        """The transaction is durable: what was staged counts."""
        for thread_id, row in self._staged.items():
            before = self._by_id.get(thread_id)
            if before is None:
                self._by_ref[row.ref] = thread_id
                self._states += _size(row)
            elif _large(row) != _large(before):
                self._states += _size(row) - _size(before)
            self._by_id[thread_id] = row
        while len(self._by_id) > THREADS or self._states > STATES:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            self._by_ref.pop(oldest.ref, None)
            self._states -= _size(oldest)
        self.rollback()

    def rollback(self) -> None:
        """Forget what was staged."""
        if self._staged:
            self._staged = {}
            self._staged_refs = {}


def _size(row: ThreadRow) -> int:
    """Bytes of what may be large in a thread."""
    return sum(map(len, filter(None, _large(row))))
