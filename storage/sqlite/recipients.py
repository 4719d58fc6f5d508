"""What happens elsewhere and concerns recipients of broadcasts: statuses, opt-outs, erasures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.broadcasts import BLAMED, RECIPIENT

from ..broadcasts import NEWS, SETTLED_AFTER
from ..records import one_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.events import ThreadRef
    from bridge.store.records import TurnCommit

_NEWS: Final = {
    value: f"UPDATE recipients SET status = ?, reason = ? WHERE outbox_id = ? AND status {one_of(*before)}"
    for value, (_, before) in NEWS.items()
}
_OPT_OUT: Final = f"""
UPDATE recipients SET opted_out = 1
WHERE thread_id = ? AND thread_id IS NOT NULL AND opted_out = 0 AND {SETTLED_AFTER} AND settled_at > ?
"""
_FORGET: Final = "DELETE FROM recipients WHERE thread_id = ? AND thread_id IS NOT NULL"
_FORGET_PLACE: Final = """
DELETE FROM recipients
WHERE broadcast_id IN (SELECT id FROM broadcasts WHERE account = ?) AND channel = ? AND conversation = ?
"""
"""Also of a conversation whose message is no event yet. There are few broadcasts."""


def tell(db: sqlite3.Connection, outbox_id: int, value: str, error: str) -> None:
    """A status of a message is that of its recipient, if it has one."""
    db.execute(_NEWS[value], (RECIPIENT.after(NEWS[value][0]), error, outbox_id))


def opt_out(db: sqlite3.Connection, turns: Sequence[TurnCommit]) -> None:
    """Contacts who opt out soon after a broadcast do so because of it."""
    for turn in turns:
        if turn.opts_out:
            db.execute(_OPT_OUT, (turn.thread.id, turn.at - BLAMED))


def forget(db: sqlite3.Connection, thread_id: int, ref: ThreadRef) -> int:
    """A conversation is erased: it is no recipient of any broadcast."""
    forgotten = db.execute(_FORGET, (thread_id,)).rowcount
    return forgotten + db.execute(_FORGET_PLACE, (ref.account, ref.channel, ref.conversation_id)).rowcount
