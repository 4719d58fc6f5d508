"""Retention: what is old enough is removed, a few rows at a time, so that traffic does not notice it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from bridge.errors import Broken, StoreError
from bridge.log import kind_of, log
from bridge.store.retention import sweeps
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bridge.clock import Clock
    from bridge.store.port import Store, StoreReader
    from bridge.store.retention import Kept, Sweep, Swept

_FIRST: Final = 10.0
"""Seconds after the start before the first look: the backlog goes first."""
_EVERY: Final = 60.0
"""Seconds between two looks where there is something to remove: the work is spread over the day."""
_IDLE: Final = 600.0
"""Seconds between two looks where nothing was."""
_AGAIN: Final = 24 * 3600 * SECOND
"""How often all rows are looked at anew: one that was open behind a sweep may be over by then."""
_ROWS: Final = 300
"""Rows in one transaction, which those of webhooks and turns share: with 50, a bridge at half load stores more."""
_SHARE: Final = 9
"""A pause is so many times as long as the removal before it."""
_SHORTEST: Final = 0.005


class Sweeper(Protocol):
    """A store that is ours, or a bridge that is asked for it."""

    async def sweep(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = ...) -> Swept:
        """See bridge.store.housekeeping."""
        ...


class Retention:
    """Removes what is older than its age. Where several processes share the store, one of them does."""

    def __init__(self, store: Store, ages: Mapping[Kept, float], clock: Clock) -> None:
        """Nothing happens until `start`. `ages` are in seconds; without any nothing ever does."""
        self._store = store
        self._ages = ages
        self._clock = clock
        self._after: dict[Sweep, int] = {}
        """How far each sweep came."""
        self._began_at = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, first: float = _FIRST) -> None:
        """Remove what is old, now and then; `first` is in seconds."""
        if self._ages:
            self._task = asyncio.get_running_loop().create_task(self._run(first), name="retention")

    async def stop(self) -> None:
        """Remove nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self, first: float) -> None:
        await self._clock.sleep(first)
        while True:
            rows = 0
            try:
                if await self._store.has_duty("retention"):
                    rows = await self._sweep_all()
            except Broken:
                return
            except StoreError as error:
                log.warning("retention_late", reason=str(error))
            except Exception as error:  # noqa: BLE001 - a row that cannot be removed must not be the end of all others
                log.error("retention_late", reason=kind_of(error))
            await self._clock.sleep(_EVERY if rows else _IDLE)

    async def _sweep_all(self) -> int:
        now = self._clock.now()
        if abs(now - self._began_at) >= _AGAIN:
            self._after.clear()
            self._began_at = now
        removed = 0
        for sweep, before in sweeps(self._ages, now):
            if rows := await self._sweep(sweep, before):
                removed += rows
                log.info("rows_removed", kind=sweep, count=rows)
        return removed

    async def _sweep(self, sweep: Sweep, before: int) -> int:
        """Sweep on to the end; how many rows that were."""
        rows = 0
        async for swept in parts(self._store, sweep, before, self._clock, after=self._after.get(sweep, 0)):
            rows += swept.rows
            if swept.after is not None:
                self._after[sweep] = swept.after
        return rows


async def old_rows(reader: StoreReader, sweep: Sweep, before: int) -> int:
    """How many rows a sweep would remove or empty."""
    rows, after = 0, 0
    while True:
        swept = await reader.sweepable(sweep, before, after=after)
        rows += swept.rows
        if swept.after is None:
            return rows
        after = swept.after


async def parts(sweeper: Sweeper, sweep: Sweep, before: int, clock: Clock, *, after: int = 0) -> AsyncIterator[Swept]:
    """A sweep to its end, part by part, each with a pause behind it that leaves the store to others."""
    while True:
        begins = clock.now()
        swept = await sweeper.sweep(sweep, before, after=after, limit=_ROWS)
        yield swept
        if swept.after is None:
            return
        after = swept.after
        await clock.sleep(max((clock.now() - begins) / SECOND * _SHARE, _SHORTEST))
