"""Several databases in one process: a bridge for each of them, with the accounts that it keeps, behind one door.

Nothing is shared but the router, the address and the bounds on peers. So a database that is away holds up the accounts
in it and no others, and numbers of threads and rows need to be unique in one database only.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from bridge.app.bridge import Bridge, Outside
from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Iterable, Sequence

    from bridge.app.parts import Parts
    from bridge.clock import Clock
    from bridge.config.load import Config
    from bridge.routing.router import Router
    from bridge.store.encryption import EncryptionKey
    from bridge.store.port import Store

T = TypeVar("T")


def bridge_of(
    config: Config, *, router: Router | None = None, clock: Clock | None = None, outside: Outside | None = None
) -> Bridge:
    """The bridge of a configuration, over however many databases. Raises as Bridge does."""
    made = ShardedBridge if config.storage.shards else Bridge
    return made(config, router=router, clock=clock, outside=outside)


class ShardedBridge(Bridge):
    """The bridges of one process, as one."""

    def __init__(
        self,
        config: Config,
        *,
        router: Router | None = None,
        clock: Clock | None = None,
        outside: Outside | None = None,
    ) -> None:
        """Load the handlers, once for all; nothing runs until `start`. Raises as Bridge does."""
        super().__init__(config, router=router, clock=clock, outside=outside)
        self._shards = [self._made(part, outside or Outside()) for part in config.by_database()]
        for shard in self._shards[1:]:
            shard.runs_jobs = False
        self._of_account = {name: shard for shard in self._shards for name in shard.config.accounts}

    @property
    def shards(self) -> Sequence[Bridge]:
        """The bridges, one for each database."""
        return self._shards

    def shard_of(self, account: str) -> Bridge:
        """The bridge that keeps an account; any where there is no such account."""
        return self._of_account.get(account, self._shards[0])

    @property
    def parts(self) -> Parts:
        """Each of `shards` has its own. Raises RuntimeError."""
        raise RuntimeError("the accounts are in several databases: one of `shards` has the parts")

    async def open(self) -> None:
        """Open every store; none of them stays open where one cannot be opened."""
        opened: list[Bridge] = []
        try:
            for shard in self._shards:
                await shard.open()
                opened.append(shard)
        except BaseException:
            await _all(shard.stop() for shard in opened)
            raise
        self.ready = True

    async def take_up(self) -> None:
        """Begin with what waits in the stores."""
        try:
            for shard in self._shards:
                await shard.parts.start()
        except BaseException:
            await self.stop()
            raise

    async def takes_webhooks(self) -> bool:
        """Whether a webhook that came now would be stored, for one of the accounts at least."""
        return self.ready and any(await _all(shard.takes_webhooks() for shard in self._shards))

    def drain(self) -> None:
        """Take nothing new; also while it is still starting."""
        self.ready = False
        for shard in self._shards:
            shard.drain()

    async def wind_down(self) -> None:
        """Finish what runs, and begin nothing new; webhooks are still stored."""
        await _all(shard.wind_down() for shard in self._shards)

    async def stop(self) -> None:
        """Take nothing new, finish what runs within DRAIN_SECONDS, and close the stores."""
        self.drain()
        await _all(shard.stop() for shard in self._shards)

    async def settle(self) -> None:
        """Return when no turn and no delivery runs; a later attempt does not count."""
        await _all(shard.settle() for shard in self._shards)

    def _made(self, part: Config, outside: Outside) -> Bridge:
        others = [name for name in self.config.accounts if name not in part.accounts]

        async def opened(url: str, keys: Sequence[EncryptionKey]) -> Store:
            return await self._without(others, await outside.open_store(url, keys), url)

        shard = Bridge(part, router=self.router, clock=self.clock, outside=replace(outside, open_store=opened))
        shard.peers = self.peers

        def fail() -> None:
            self.failed = shard.failed
            self.drain()
            self.on_failure()

        shard.on_failure = fail
        return shard

    async def _without(self, accounts: Collection[str], store: Store, url: str) -> Store:
        """A store, unless it has conversations of accounts that are kept elsewhere: they would be answered twice."""
        try:
            left = [account for account in accounts if await store.threads(account=account, limit=1)]
        except BaseException:
            await store.close()
            raise
        if left:
            await store.close()
            raise ConfigError([Problem(self.config.file, f"storage.shards.{name}", _left(name, url)) for name in left])
        return store


async def _all(awaited: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all; the first error is raised when each has ended."""
    results = await asyncio.gather(*awaited, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def _left(account: str, url: str) -> str:
    return (
        f"{url.partition('?')[0]} has conversations of the account: move them with "
        f"`threadbridge copy --from {url.partition('?')[0]} --account {account} --remove --to URL`"
    )
