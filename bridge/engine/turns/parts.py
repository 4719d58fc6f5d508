"""The parts of a message that was sent by its key: where they stand, by the idempotency keys that they must have."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from bridge.engine.turns.idempotency import idempotency_key

if TYPE_CHECKING:
    from bridge.store.looks import MessageSummary
    from bridge.store.port import Store

FEW: Final = 4
"""Parts that are looked up at first: few messages have as many."""


def part_keys(account: str, event_key: str, number: int, replay: int = 0) -> list[str]:
    """The keys of the first parts of the message that an event carries."""
    return [idempotency_key(account, event_key, replay, "", 0, part) for part in range(number)]


async def parts_of(store: Store, account: str, event_key: str, replay: int = 0) -> list[MessageSummary]:
    """All parts of the message that an event carries, in their order: the keys are known, their number is not."""
    for number in (FEW << doubled for doubled in count()):
        keys = part_keys(account, event_key, number, replay)
        found = {part.key: part for part in await store.messages([keys])}
        if len(found) < number:
            return [found[key] for key in keys if key in found]
    raise AssertionError
