"""Whose an echo is: our own message come back, or the words of a person who uses the same account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import Echo
from bridge.messages import decode_message
from bridge.units import SECOND

if TYPE_CHECKING:
    import sqlite3

    from bridge.events import Event
    from bridge.messages import Outgoing

_NAMED: Final = """
SELECT 1 FROM outbox WHERE account = ?1 AND message_id = ?2 UNION ALL
SELECT 1 FROM outbox WHERE account = ?1 AND key IN (?2, ?3) LIMIT 1
"""
_ON_THE_WIRE: Final = "SELECT 1 FROM outbox WHERE thread_id = ? AND status = 'open' AND attempt > 0 LIMIT 1"
_SAID: Final = """
SELECT o.message, o.status <> 'dead', coalesce(o.done_at, o.created_at),
       o.outcome = 'unknown' OR EXISTS (SELECT 1 FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'unknown')
FROM outbox o WHERE o.thread_id = ? AND o.attempt > 0 ORDER BY o.id DESC LIMIT 100
"""
"""What we sent or tried to: whether it was not refused, when, and whether a try of it had no answer."""
_PATIENCE: Final = 60 * SECOND
"""How long an echo waits for what is on the wire: longer than any request, so that all tries of then are written down.
"""
_RECENT: Final = 600 * SECOND
"""How long the words of a message that left are taken for an echo of it."""
_JUST_NOW: Final = 60 * SECOND
"""How long a message without words is, by its kind; where a try had no answer, as long as words."""
_WORDED: Final = frozenset({"text", "buttons", "menu"})
_WRITTEN_ELSEWHERE: Final = frozenset({"template", "cards", "raw"})
"""Messages whose words are made at the gateway."""


def sent_by_us(
    db: sqlite3.Connection, account: str, thread_id: int, event: Event, *, at: int, waited: int
) -> bool | None:
    """Whether an echo is of a message of ours; it came `at` and `waited` since (microseconds).

    Its id decides. An echo may overtake the answer that would tell us the id, so while a message of its thread may be
    on the wire nobody knows yet (None). A try without an answer never gets an id, and a gateway may call a message
    otherwise in its answer than in its echo: so what has the words of a message that just left, or of such a try, is
    taken for ours too. A bot is never silenced by itself.
    """
    if not isinstance(event, Echo):
        return False
    if db.execute(_NAMED, (account, event.id, event.message_key)).fetchone():
        return True
    if waited < _PATIENCE and db.execute(_ON_THE_WIRE, (thread_id,)).fetchone():
        return None
    for encoded, may_have_left, left_at, unanswered in db.execute(_SAID, (thread_id,)).fetchall():
        message, ago = decode_message(encoded), at - left_at
        if _same_words(event, message):
            if unanswered or (may_have_left and ago < _RECENT):
                return True
        elif message.kind not in _WORDED and ago < (_RECENT if unanswered else _JUST_NOW) and _alike(event, message):
            return True
    return False


def _same_words(echo: Echo, message: Outgoing) -> bool:
    """Whether an echo reads like a message; choices may stand below its text."""
    ours, theirs = _letters(str(getattr(message, "text", ""))), _letters(echo.text)
    return bool(ours) and (ours == theirs or (message.kind != "text" and theirs.startswith(ours)))


def _alike(echo: Echo, message: Outgoing) -> bool:
    """Whether an echo may be of a message that has no words of its own."""
    return message.kind == echo.kind or message.kind in _WRITTEN_ELSEWHERE


def _letters(text: str) -> str:
    """A text as far as no gateway changes it."""
    return "".join(filter(str.isalnum, text)).casefold()
