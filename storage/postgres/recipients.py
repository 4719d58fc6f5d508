"""What happens elsewhere and concerns recipients of broadcasts: statuses, opt-outs, erasures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.broadcasts import BLAMED, RECIPIENT

from ..broadcasts import NEWS, SETTLED_AFTER
from ..records import one_of
from .transaction import unnest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import ThreadRef
    from bridge.store.records import TurnCommit

    from .transaction import Transaction

_NEWS: Final = {
    value: f"""
UPDATE recipients r SET status = j.status, reason = coalesce(j.error, '')
FROM {unnest("bigint", "text", "text")} j (id, status, error) WHERE r.outbox_id = j.id AND r.status {one_of(*before)}
"""
    for value, (_, before) in NEWS.items()
}
_OPT_OUT: Final = f"""
UPDATE recipients SET opted_out = 1 WHERE thread_id = $1 AND opted_out = 0 AND {SETTLED_AFTER} AND settled_at > $2
"""
_FORGET: Final = "DELETE FROM recipients WHERE thread_id = $1"
_FORGET_PLACE: Final = """
DELETE FROM recipients
WHERE broadcast_id = ANY(array(SELECT id FROM broadcasts WHERE account = $1)) AND channel = $2 AND conversation = $3
"""
"""Also of a conversation whose message is no event yet. There are few broadcasts."""


async def tell(tx: Transaction, news: Sequence[tuple[int, str, str | None]]) -> None:
    """Statuses of messages are those of their recipients, where they have some."""
    for value, (move, _) in NEWS.items():
        told = [(outbox_id, RECIPIENT.after(move), error) for outbox_id, said, error in news if said == value]
        await tx.arrays(_NEWS[value], told)


async def opt_out(tx: Transaction, turns: Sequence[TurnCommit]) -> None:
    """Contacts who opt out soon after a broadcast do so because of it."""
    for turn in turns:
        if turn.opts_out:
            await tx.execute(_OPT_OUT, turn.thread.id, turn.at - BLAMED)


async def forget(tx: Transaction, thread_id: int, ref: ThreadRef) -> int:
    """A conversation is erased: it is no recipient of any broadcast."""
    forgotten = await tx.execute(_FORGET, thread_id)
    return forgotten + await tx.execute(_FORGET_PLACE, ref.account, ref.channel, ref.conversation_id)
