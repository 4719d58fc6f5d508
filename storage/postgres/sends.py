"""What turns send to other threads: events of those, stored in the transaction of the turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store.admission import refused

from .inbox import look_up, receive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.records import TurnCommit

    from ..results import Result
    from .transaction import Transaction


async def fence(
    tx: Transaction, turns: Sequence[TurnCommit], verdicts: Sequence[StoreError | None]
) -> Sequence[StoreError | None]:
    """The verdicts on turns, and on those that send under a key that is known with other messages."""
    keys = [(arrival.account, arrival.key) for turn in turns for arrival in turn.sends]
    return refused(turns, verdicts, await look_up(tx, keys)) if keys else verdicts


async def store(tx: Transaction, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """What the turns send becomes events, each in the order of its own thread."""
    sending = [(turn, result) for turn, result in zip(turns, results, strict=True) if turn.sends]
    if not sending:
        return
    for (_, result), stored in zip(sending, await receive(tx, [turn.sends for turn, _ in sending]), strict=True):
        result.received += stored.received
        result.threads |= stored.threads
