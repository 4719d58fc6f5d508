"""What a store has to do with itself before it works as the copy of another one, which may have gone on meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.store.lifecycle import OutboxState
from bridge.store.records import Settled

if TYPE_CHECKING:
    from bridge.store.port import Store

HELD: Final = "it waited when the backup was made, and may have been sent since: replay it, or drop it"
_AT_ONCE: Final = 100


class Restored(NamedTuple):
    """How many messages are held back, and how many events have their turns at the next start."""

    held: int
    events: int


async def settle_in(store: Store, now: int, *, sends: bool) -> Restored:
    """Hold back the messages that wait, unless `sends`; and give no timer a number that another had meanwhile.

    A message becomes a dead letter: its replay sends it under the key that it had. Events that wait have their turns,
    under their own keys.
    """
    await store.take_over()
    await store.leap()
    held = 0 if sends else await _hold(store, now)
    return Restored(held, (await store.counts())["open_events"])


async def _hold(store: Store, now: int) -> int:
    held = 0
    while heads := await store.outbox_heads(0, _AT_ONCE):
        for head in heads:
            for row in await store.outbox_after(head.thread_id, 0, _AT_ONCE):
                end = Settled(
                    row_id=row.id,
                    thread_id=row.thread_id,
                    attempt=row.attempt,
                    state=OutboxState.DEAD,
                    at=now,
                    reason=HELD,
                )
                await store.settle_delivery(end)
                held += 1
    return held
