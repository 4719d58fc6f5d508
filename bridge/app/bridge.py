"""Starts and stops everything, in order: the whole bridge as an aiohttp application, and as a server of its own."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.clock import SystemClock
from bridge.engine import polling
from bridge.engine.backoff import Backoff
from bridge.engine.dead_letters import Letters
from bridge.engine.delivery.client import Client, Http, Transport, open_session
from bridge.engine.delivery.delivery import AccountDelivery, Delivery, Tools
from bridge.engine.handoff import Handoffs
from bridge.engine.ingest import reread
from bridge.engine.timers import Timers
from bridge.engine.turns.dispatcher import Dispatcher, Rules
from bridge.engine.watchdog import Watchdog
from bridge.log import log
from bridge.routing.loading import load_routers
from bridge.routing.router import Router, combine
from bridge.store.opening import open_store
from bridge.units import is_loopback
from bridge.web.peers import Bodies, Peers
from bridge.web.server import DRAIN_SECONDS
from bridge.web.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bridge.clock import Clock
    from bridge.config.load import Config
    from bridge.routing.depends import Override
    from bridge.store.port import Store
    from bridge.store.records import Arrival, DeadLetter, InboxRow, OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a bridge meets outside of itself, beside the clock; a simulation passes in its own.

    `watched`: a thread looks for code that blocks the loop. `is_near`: whether an address is never limited.
    """

    open_store: Callable[[str], Awaitable[Store]] = open_store
    open_transport: Callable[[], Transport] = lambda: Http(open_session())
    rng: random.Random = field(default_factory=random.SystemRandom)
    watched: bool = True
    is_near: Callable[[str], bool] = is_loopback


class Bridge:
    """One running bridge: the parts, and who tells whom what was committed."""

    def __init__(
        self,
        config: Config,
        *,
        router: Router | None = None,
        clock: Clock | None = None,
        outside: Outside | None = None,
    ) -> None:
        """Load the handlers; nothing runs until `start`.

        Raises:
            ConfigError: a handler cannot be loaded.
            HandlerError: handlers do not go together, or one names a model of the state that it would not see.
        """
        self.config = config
        self.clock = clock or SystemClock()
        self._outside = outside or Outside()
        self.peers = Peers(config.server.trusted_proxies, is_near=self._outside.is_near)
        self.router = router or combine(load_routers(config.handlers.load, config.folder, file=config.file))
        self.router.rules.check_models()
        self.changes: list[Callable[[Collection[int]], None]] = []
        """Called with the ids of threads in which there is something new to see."""
        self.failed: Exception | None = None
        """Why the store is broken, if it is."""
        self.on_failure: Callable[[], None] = lambda: None
        self.ready = False
        self.store: Store
        self.dispatcher: Dispatcher
        self.delivery: Delivery
        self.webhooks: Webhooks
        self.letters: Letters
        self.handoffs: Handoffs
        self.timers: Timers
        self.rounds: polling.Rounds

    async def start(self) -> None:
        """Open the store and take up what waits in it."""
        config, outside = self.config, self._outside
        rng = outside.rng
        self.store = await outside.open_store(config.storage.url)
        self._transport = outside.open_transport()
        rules = Rules(
            router=self.router,
            timeout=config.handlers.timeout,
            backoff=Backoff(attempts=config.handlers.attempts),
            slow_concurrency=config.handlers.slow_concurrency,
            return_after=config.handlers.return_after or None,
        )
        self.dispatcher = Dispatcher(
            self.store, config.accounts, rules, self.clock, rng, concurrency=config.handlers.concurrency
        )
        backoff = Backoff(attempts=config.delivery.attempts, give_up_after=config.delivery.give_up_after)
        clients = [
            (account, Client(account.provider, account.settings, self._transport, self.clock))
            for account in config.accounts.values()
        ]
        tools = Tools(store=self.store, clock=self.clock, rng=rng, backoff=backoff)
        self.delivery = Delivery(
            [
                AccountDelivery(account, client, tools, concurrency=config.delivery.concurrency)
                for account, client in clients
            ],
            list(config.accounts),
        )
        asking = polling.Tools(store=self.store, clock=self.clock, rng=rng, wants=self.router.wants)
        self.rounds = polling.Rounds(clients, asking)
        self.webhooks = Webhooks(
            config.accounts,
            self.store,
            self.router.wants,
            self.clock,
            limit=config.limits.body,
            bodies=Bodies(self.peers, per_peer=config.limits.bodies_per_peer),
        )
        self.timers = Timers(self.store, self.clock)
        self.letters = Letters(self.store, self.reread, self.clock)
        self.handoffs = Handoffs(self.store, self.clock)
        self._watchdog = Watchdog()
        if outside.watched:
            self._watchdog.start()
        self.store.listen(self)
        try:
            await self.delivery.start()
            await self.dispatcher.start()
        except BaseException:
            await self.stop()
            raise
        self.timers.start()
        self.rounds.start()
        self.ready = True

    def drain(self) -> None:
        """Take nothing new; also while it is still starting."""
        self.ready = False
        if hasattr(self, "webhooks"):
            self.webhooks.draining = True

    async def stop(self) -> None:
        """Take nothing new, finish what runs (10 s), write what is to be written."""
        self.drain()
        await self.rounds.stop()
        await self.timers.stop()
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_SECONDS
        await self.dispatcher.lanes.stop(DRAIN_SECONDS)
        await self.delivery.stop(max(until - loop.time(), 0))
        self._watchdog.stop()
        await self._transport.close()
        await self.store.close()

    def override(self, dependency: Callable[..., object], fake: Callable[..., object]) -> Override:
        """In tests: see Router.override; here for every handler of the bridge, timers' too."""
        return self.router.override(dependency, fake)

    async def settle(self) -> None:
        """Return when nothing is being handled or sent; what waits for a later attempt does not count."""
        await self.timers.settle()
        await self.dispatcher.lanes.settle()
        await self.delivery.settle()

    def reread(self, letter: DeadLetter) -> Sequence[Arrival]:
        """A quarantined webhook, mapped anew.

        Raises:
            Unmappable: it is still not understood, or its account is gone.
        """
        return reread(self.config, self.router, self.clock, letter)

    def received(self, rows: Sequence[InboxRow]) -> None:
        """See store.Listener."""
        self.dispatcher.offer(rows)

    def queued(self, rows: Sequence[OutboxRow]) -> None:
        """See store.Listener."""
        self.delivery.offer(rows)

    def resolved(self, row_ids: Sequence[int]) -> None:
        """See store.Listener."""
        self.delivery.resolve(row_ids)

    def timed(self, due_at: int) -> None:
        """See store.Listener."""
        self.timers.set(due_at)

    def changed(self, thread_ids: Collection[int]) -> None:
        """See store.Listener."""
        for tell in self.changes:
            tell(thread_ids)

    def broken(self, error: Exception) -> None:
        """See store.Listener: nothing may be acknowledged any more."""
        self.drain()
        log.critical("store_broken", reason=str(error))
        self.failed = error
        self.on_failure()
