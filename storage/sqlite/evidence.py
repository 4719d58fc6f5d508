"""What the outbox knows of the messages in an echo's thread; see bridge.store.echoes.Evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.messages import decode_message
from bridge.store.echoes import TRIED, Tried
from bridge.store.lifecycle import OutboxState, Outcome

from .. import records
from ..rows import TRIED as TRIED_COLUMNS
from . import segments

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from bridge.events import Echo

_KEYED: Final = f"{segments.BACK} SELECT 1 FROM s CROSS JOIN {segments.KEYED} IN (?, ?) WHERE o.account = ? LIMIT 1"
_ON_THE_WIRE: Final = f"SELECT 1 FROM outbox WHERE thread_id = ? AND {records.MESSAGE_OPEN} AND attempt > 0 LIMIT 1"
_UNKNOWN: Final = records.literal(Outcome.UNKNOWN)
_TRIED: Final = f"""
SELECT {TRIED_COLUMNS}, coalesce(o.outcome, '') = {_UNKNOWN}
       OR EXISTS (SELECT 1 FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = {_UNKNOWN})
FROM outbox o INDEXED BY outbox_past
WHERE o.id >> {segments.BITS} = ? AND o.thread_id = ? AND o.attempt > 0 ORDER BY o.id DESC LIMIT ?
"""


class ThreadEvidence:
    """Of one thread, looked up when it is asked for."""

    def __init__(self, db: sqlite3.Connection, account: str, thread_id: int) -> None:
        """Nothing is looked up yet."""
        self._db = db
        self._account = account
        self._thread_id = thread_id

    def is_named(self, echo: Echo) -> bool:
        """Whether a message of the account has the echo's id as its own, or its key."""
        if any(segments.named(self._db, self._account, echo.id, segments.of_late(self._db))):
            return True
        if self._db.execute(_KEYED, (echo.id, echo.message_key, self._account)).fetchone() is not None:
            return True
        return any(segments.named(self._db, self._account, echo.id))

    def is_on_the_wire(self) -> bool:
        """Whether the thread has an open message with an attempt."""
        return self._db.execute(_ON_THE_WIRE, (self._thread_id,)).fetchone() is not None

    def tried(self) -> Iterator[Tried]:
        """The thread's last messages with an attempt."""
        for _, encoded, state, left_at, unanswered in self._latest():
            try:
                message = decode_message(encoded)
            except records.UNREADABLE:  # says nothing of an echo
                continue
            yield Tried(message, OutboxState(state), left_at, bool(unanswered))

    def _latest(self) -> Iterator[records.Row]:
        wanted = TRIED
        for segment in segments.of_thread(self._db, self._thread_id):
            rows = self._db.execute(_TRIED, (segment, self._thread_id, wanted)).fetchall()
            yield from rows
            wanted -= len(rows)
            if not wanted:
                return
