"""The part of the Store port that removes what is old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bridge.store.retention import Sweep, Swept


class HousekeepingReader(Protocol):
    """What a look into a store can tell of it."""

    async def sweepable(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 10_000) -> Swept:
        """As `Store.sweep`, without changing anything; `limit` is how many rows are looked at."""
        ...


class Housekeeping(HousekeepingReader, Protocol):
    """What only the owner of a store does."""

    async def sweep(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 200) -> Swept:
        """Remove or empty rows that are older than `before`, at most `limit`, from row `after` on.

        What is open, held or waits for anything stays, and so does what bridge.store.retention says.
        """
        ...
