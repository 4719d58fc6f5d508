"""Where the figures come from: the parts of each bridge of this process, and a look into its store now and then."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.errors import StoreError
from bridge.providers.optional import Expires
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.counters import Counters
    from bridge.engine.delivery.delivery import Delivery
    from bridge.engine.watchdog import Watchdog
    from bridge.store.looks import AccountSummary
    from bridge.store.port import Store

FRESH: Final = 5 * SECOND
"""How long a look into the store is good for: what waits is counted there, however often somebody asks."""
_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One bridge of this process, which has started. `paused_handlers` tells how many of them wait."""

    accounts: Mapping[str, Account]
    counters: Counters
    store: Store
    delivery: Delivery
    paused_handlers: Callable[[], int]
    watchdog: Watchdog | None
    file: Path | None
    """The database, where it is a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen in the stores. `at` is when (microseconds), `ready` whether webhooks are taken."""

    at: int
    ready: bool
    reached: bool = True
    """Whether every store answered."""
    summaries: Mapping[str, AccountSummary] = field(default_factory=dict)
    processes: int = 1
    disk_free: int | None = None
    """Bytes, where the fullest disk of a database has them; None where no database is a file."""


class Sources:
    """All bridges of this process, as one."""

    def __init__(
        self,
        each: Callable[[], Sequence[Source]],
        takes: Callable[[], Awaitable[bool]],
        clock: Clock,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        """`each` gives them, once they have started; `takes` tells whether webhooks are taken."""
        self._each = each
        self._takes = takes
        self.clock = clock
        self._free = free
        self._last: Look | None = None

    @property
    def each(self) -> Sequence[Source]:
        """One for each database."""
        return self._each()

    async def look(self) -> Look:
        """What the stores hold, as of now or a few seconds ago."""
        now = self.clock.now()
        if self._last is None or not 0 <= now - self._last.at < FRESH:
            self._last = await self._seen(now)
        return self._last

    async def _seen(self, now: int) -> Look:
        summaries: dict[str, AccountSummary] = {}
        processes, reached = 1, True
        for source in self.each:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    summaries |= {summary.account: summary for summary in await source.store.accounts()}
                    processes = max(processes, len(await source.store.processes()))
            except (StoreError, TimeoutError):
                reached = False
        return Look(
            at=now,
            ready=await self._takes(),
            reached=reached,
            summaries=summaries,
            processes=processes,
            disk_free=self._disk_free(),
        )

    def _disk_free(self) -> int | None:
        folders = {source.file.parent for source in self.each if source.file is not None}
        free = []
        for folder in folders:
            with suppress(OSError):
                free.append(self._free(folder))
        return min(free, default=None)


def expiries(sources: Sequence[Source]) -> dict[str, int]:
    """When the token of an account ends that a person has to renew (microseconds)."""
    providers = [(name, account.provider) for source in sources for name, account in source.accounts.items()]
    ends = {name: provider.expires_at for name, provider in providers if isinstance(provider, Expires)}
    return {name: at for name, at in ends.items() if at is not None}
