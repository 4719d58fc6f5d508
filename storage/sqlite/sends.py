"""What turns send to other threads: events of those, stored in the transaction of the turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store.admission import refused

from .inbox import look_up, receive

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.records import TurnCommit

    from ..results import Result
    from .cache import Cache


def fence(
    db: sqlite3.Connection, turns: Sequence[TurnCommit], verdicts: Sequence[StoreError | None]
) -> Sequence[StoreError | None]:
    """The verdicts on turns, and on those that send under a key that is known with other messages."""
    keys = [(arrival.account, arrival.key) for turn in turns for arrival in turn.sends]
    return refused(turns, verdicts, look_up(db, keys)) if keys else verdicts


def store(db: sqlite3.Connection, cache: Cache, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """What the turns send becomes events, each in the order of its own thread."""
    sending = [(turn, result) for turn, result in zip(turns, results, strict=True) if turn.sends]
    if not sending:
        return
    for (_, result), stored in zip(sending, receive(db, cache, [turn.sends for turn, _ in sending]), strict=True):
        result.received += stored.received
        result.threads |= stored.threads
