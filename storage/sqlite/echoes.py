"""Whose an echo is: our own message come back, or the words of a person who uses the same account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.clock import SECOND
from bridge.events import Echo
from bridge.messages import Text, decode_message

if TYPE_CHECKING:
    import sqlite3

    from bridge.events import Event

_NAMED: Final = """
SELECT 1 FROM outbox WHERE account = ?1 AND message_id = ?2 UNION ALL
SELECT 1 FROM outbox WHERE account = ?1 AND key IN (?2, ?3) LIMIT 1
"""
_ON_THE_WIRE: Final = "SELECT 1 FROM outbox WHERE thread_id = ? AND status = 'open' AND attempt > 0 LIMIT 1"
_UNNAMED: Final = """
SELECT o.message FROM (SELECT * FROM outbox WHERE thread_id = ? ORDER BY id DESC LIMIT 100) o
WHERE o.outcome = 'unknown' OR EXISTS (SELECT 1 FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'unknown')
"""
"""Messages that may have reached the provider in a try of which we never learned what it is called there."""
_PATIENCE: Final = 60 * SECOND
"""How long an echo waits for what is on the wire: longer than any request, so that all tries of then are written down.
"""


def sent_by_us(db: sqlite3.Connection, account: str, thread_id: int, event: Event, *, waited: int) -> bool | None:
    """Whether an echo is of a message of ours; `waited` is since when it is here (microseconds).

    Its id decides. An echo may overtake the answer that would tell us the id, so while a message of its thread may be
    on the wire nobody knows yet (None). Tries without an answer never get an id: there the words decide, and whatever
    has no words of its own counts as ours. A bot is never silenced by itself.
    """
    if not isinstance(event, Echo):
        return False
    if db.execute(_NAMED, (account, event.id, event.message_key)).fetchone():
        return True
    if waited < _PATIENCE and db.execute(_ON_THE_WIRE, (thread_id,)).fetchone():
        return None
    return any(_may_be(event, message) for (message,) in db.execute(_UNNAMED, (thread_id,)))


def _may_be(echo: Echo, encoded: bytes) -> bool:
    message = decode_message(encoded)
    return not isinstance(message, Text) or _letters(message.text) == _letters(echo.text)


def _letters(text: str) -> str:
    """A text as far as no gateway changes it."""
    return "".join(filter(str.isalnum, text)).casefold()
