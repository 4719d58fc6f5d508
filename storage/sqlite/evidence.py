"""What the outbox knows of the messages in an echo's thread; see bridge.store.echoes.Evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.messages import decode_message
from bridge.store.echoes import TRIED, Tried
from bridge.store.lifecycle import OutboxState, Outcome

from . import records

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from bridge.events import Echo

_NAMED: Final = """
SELECT 1 FROM outbox WHERE account = ?1 AND message_id = ?2 UNION ALL
SELECT 1 FROM outbox WHERE account = ?1 AND key IN (?2, ?3) LIMIT 1
"""
_ON_THE_WIRE: Final = f"SELECT 1 FROM outbox WHERE thread_id = ? AND {records.MESSAGE_OPEN} AND attempt > 0 LIMIT 1"
_UNKNOWN: Final = records.literal(Outcome.UNKNOWN)
_TRIED: Final = f"""
SELECT o.message, o.status, coalesce(o.done_at, o.created_at), coalesce(o.outcome, '') = {_UNKNOWN}
       OR EXISTS (SELECT 1 FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = {_UNKNOWN})
FROM outbox o WHERE o.thread_id = ? AND o.attempt > 0 ORDER BY o.id DESC LIMIT {TRIED}
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
        return self._db.execute(_NAMED, (self._account, echo.id, echo.message_key)).fetchone() is not None

    def is_on_the_wire(self) -> bool:
        """Whether the thread has an open message with an attempt."""
        return self._db.execute(_ON_THE_WIRE, (self._thread_id,)).fetchone() is not None

    def tried(self) -> Iterator[Tried]:
        """The thread's last messages with an attempt."""
        for encoded, state, left_at, unanswered in self._db.execute(_TRIED, (self._thread_id,)).fetchall():
            try:
                message = decode_message(encoded)
            except records.UNREADABLE:  # says nothing of an echo
                continue
            yield Tried(message, OutboxState(state), left_at, bool(unanswered))
