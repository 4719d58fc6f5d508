"""The parts of a running bridge, put together once its store is open."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from bridge.config.accounts import Account
from bridge.engine.backoff import Backoff
from bridge.engine.broadcasts.composing import Composer
from bridge.engine.broadcasts.releasing import Broadcasts
from bridge.engine.counters import Counters
from bridge.engine.dead_letters import Letters
from bridge.engine.delivery.client import Client
from bridge.engine.delivery.credentials import Vault
from bridge.engine.delivery.delivery import Delivery
from bridge.engine.delivery.endpoint import account_for
from bridge.engine.delivery.outcomes import DeliveryTools
from bridge.engine.delivery.worker import DeliveryWorker
from bridge.engine.handoff import Handoffs
from bridge.engine.jobs import JOBS, Jobs
from bridge.engine.media.door import Gateway
from bridge.engine.media.fetching import Fetching
from bridge.engine.media.sending import Files
from bridge.engine.polling import Polling, PollingTools
from bridge.engine.retention import Retention
from bridge.engine.signals import Signals
from bridge.engine.timers import Timers
from bridge.engine.turns.consent import Consent, Quiet, Words
from bridge.engine.turns.dispatcher import Dispatcher
from bridge.engine.turns.loops import GuardPolicy, bare
from bridge.engine.turns.meter import TurnMeter
from bridge.engine.turns.policy import TurnPolicy
from bridge.engine.turns.reaching import Reach
from bridge.engine.turns.sending import Sender
from bridge.engine.turns.signing import Signer
from bridge.engine.watchdog import Watchdog
from bridge.providers.nobody import Nobody
from bridge.providers.port import AccountSettings
from bridge.routing.router import rulebook_of
from bridge.store.retention import Kept
from bridge.web.peers import Bodies
from bridge.web.server import DRAIN_SECONDS
from bridge.web.webhooks import Webhooks

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bridge.clock import Clock
    from bridge.config.load import Config
    from bridge.config.schema import Consent as ConsentSection
    from bridge.conversation.catalogue import Catalogue
    from bridge.engine.delivery.transport import Transport
    from bridge.engine.media.contents import Contents
    from bridge.engine.media.door import Door
    from bridge.engine.spans import Spans
    from bridge.engine.turns.execution import Executor
    from bridge.routing.router import Router
    from bridge.store.looks import DeadLetter
    from bridge.store.port import Store
    from bridge.store.records import Arrival
    from bridge.web.peers import Peers


_ANY: Final = 1 << 40
"""Tries of an event: as many as there is time for."""
_EVENTS_KEPT: Final = 7 * 86_400.0
"""Seconds."""
_LONGEST: Final = 300.0
"""Seconds between two tries of an event, unless its receiver asks for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What the parts stand on: the configuration, the bot, and the world outside."""

    config: Config
    router: Router
    texts: Catalogue
    store: Store
    transport: Transport
    clock: Clock
    rng: random.Random
    executor: Executor
    peers: Peers
    reread: Callable[[DeadLetter], Sequence[Arrival]]
    watched: bool
    runs_jobs: bool
    open_door: Callable[[], Door]
    contents: Contents | None
    spans: Spans | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One of each part."""

    store: Store
    transport: Transport
    dispatcher: Dispatcher
    delivery: Delivery
    polling: Polling
    webhooks: Webhooks
    letters: Letters
    handoffs: Handoffs
    sender: Sender
    signals: Signals
    timers: Timers
    jobs: Jobs
    composer: Composer
    broadcasts: Broadcasts
    files: Files
    fetching: Fetching | None
    retention: Retention
    watchdog: Watchdog | None
    counters: Counters

    async def start(self) -> None:
        """Take up what waits in the store."""
        if self.watchdog is not None:
            self.watchdog.start()
        await self.store.take_over()
        await self.delivery.start()
        await self.dispatcher.start()
        self.timers.start()
        self.jobs.start()
        self.broadcasts.start()
        self.polling.start()
        if self.fetching is not None:
            self.fetching.start()
        self.retention.start()

    async def wind_down(self) -> None:
        """Finish what runs, within DRAIN_SECONDS in all, and begin nothing new; webhooks are still stored."""
        await self.retention.stop()
        await self.polling.stop()
        await self.broadcasts.stop()
        await self.jobs.stop()
        await self.timers.stop()
        if self.fetching is not None:
            await self.fetching.stop()
        await self._drain()

    async def stop(self) -> None:
        """Finish what runs, within DRAIN_SECONDS in all, then close the store."""
        await self.wind_down()
        if self.watchdog is not None:
            self.watchdog.stop()
        await self.transport.close()
        await self.store.close()

    async def _drain(self) -> None:
        """Turns and deliveries finish side by side: what is on the wire has all the time that a slow turn has.

        What turns say meanwhile leaves too, as long as there is time to hear the answer.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_SECONDS
        turns = loop.create_task(self.dispatcher.lanes.stop(DRAIN_SECONDS), name="drain turns")
        await asyncio.wait({turns}, timeout=DRAIN_SECONDS / 2)
        await asyncio.gather(turns, self.delivery.stop(max(until - loop.time(), 0)))

    async def settle(self) -> None:
        """Return when no turn and no delivery runs; a later attempt does not count."""
        goes_on = True
        while goes_on:
            await self.jobs.settle()
            await self.timers.settle()
            if self.fetching is not None:
                await self.fetching.settle()
            await self.dispatcher.lanes.settle()
            await self.delivery.settle()
            goes_on = await self.broadcasts.settle()


def assemble(base: Base) -> Parts:
    """Make every part; none of them runs yet."""
    config, store, clock, counters = base.config, base.store, base.clock, _counters(base.config)
    clients, new_id = _clients(base), lambda: base.rng.randbytes(16).hex()
    book, fetches = rulebook_of(base.router), base.contents is not None
    asking = PollingTools(store=store, clock=clock, rng=base.rng, wants=book.wants, fetches=fetches, counters=counters)
    files = _files(base)
    dispatcher = _dispatcher(base, files, counters)
    delivery = _delivery(base, clients, counters)
    reach = Reach(store, config.accounts, config.channels.order, clock)
    sender = Sender(store, config.accounts, Signer(store, base.rng), clock, new_id, reach)
    return Parts(
        store=store,
        transport=base.transport,
        dispatcher=dispatcher,
        delivery=delivery,
        polling=Polling(clients, asking),
        webhooks=_webhooks(base, counters),
        letters=Letters(store, base.reread, clock),
        handoffs=Handoffs(store, clock),
        sender=sender,
        signals=Signals(store, clock, new_id),
        timers=Timers(store, clock),
        jobs=Jobs(store, book.jobs() if base.runs_jobs else {}, clock),
        composer=Composer(store, config.accounts, clock, new_id),
        broadcasts=Broadcasts(store, sender, config.accounts, delivery.workers, _quiet(config), clock),
        files=files,
        fetching=_fetching(base, clients, dispatcher, counters),
        retention=Retention(store, _ages(config), clock),
        watchdog=Watchdog() if base.watched else None,
        counters=counters,
    )


def _clients(base: Base) -> list[tuple[Account, Client]]:
    """What asks the gateway of each account."""
    return [
        (
            account,
            Client(
                account.provider,
                account.settings,
                base.transport,
                base.clock,
                connections=base.config.delivery.concurrency,
                inbound=account.inbound,
                vault=Vault(base.store, account.name, account.settings),
            ),
        )
        for account in base.config.accounts.values()
    ]


def _files(base: Base) -> Files:
    """What keeps the files that are sent, for as long as a message may wait."""
    return Files(
        base.store,
        base.contents,
        base.clock,
        base.rng,
        public_url=base.config.server.public_url,
        limit=base.config.media.max,
        lasts=base.config.delivery.give_up_after,
    )


def _delivery(base: Base, clients: Sequence[tuple[Account, Client]], counters: Counters) -> Delivery:
    """What sends for each account, and what tells each follower."""
    settings = base.config.delivery
    tools = DeliveryTools(
        store=base.store,
        clock=base.clock,
        rng=base.rng,
        backoff=Backoff(attempts=settings.attempts, give_up_after=settings.give_up_after),
        counters=counters,
        spans=base.spans,
    )
    workers = [DeliveryWorker(account, client, tools, concurrency=settings.concurrency) for account, client in clients]
    return Delivery([*workers, *_followers(base, tools)])


def _webhooks(base: Base, counters: Counters) -> Webhooks:
    """What takes webhooks of all accounts, within the limits."""
    config = base.config
    return Webhooks(
        config.accounts,
        base.store,
        rulebook_of(base.router).wants,
        base.clock,
        limit=config.limits.body,
        bodies=Bodies(base.peers, per_peer=config.limits.bodies_per_peer),
        peers=base.peers,
        fetches=base.contents is not None,
        counters=counters,
        spans=base.spans,
    )


def _followers(base: Base, sending: DeliveryTools) -> Iterator[DeliveryWorker]:
    """What tells systems that follow conversations: what one does not take is given up by time alone."""
    events, concurrency = base.config.events, base.config.delivery.concurrency
    tools = replace(sending, backoff=Backoff(attempts=_ANY, cap=_LONGEST, give_up_after=events.give_up_after))
    for webhook in events.webhooks:
        account = account_for(webhook, base.clock)
        client = Client(account.provider, account.settings, base.transport, base.clock, connections=concurrency)
        yield DeliveryWorker(account, client, tools, concurrency=concurrency, by_age=True)


def _ages(config: Config) -> Mapping[Kept, float]:
    """What is configured; and that events which were taken do not pile up."""
    usual = {Kept.OUTGOING_EVENTS: _EVENTS_KEPT} if config.events.webhooks else {}
    return {**usual, **config.retention.ages}


def _counters(config: Config) -> Counters:
    """Counts from zero, under names of the configuration and of its providers alone."""
    providers = {name: account.provider for name, account in config.accounts.items()}
    return Counters({name: provider.channels or tuple(provider.relays) for name, provider in providers.items()})


def _fetching(
    base: Base, clients: Sequence[tuple[Account, Client]], dispatcher: Dispatcher, counters: Counters
) -> Fetching | None:
    """What fetches media; None where they are not kept."""
    if base.contents is None:
        return None
    media = base.config.media
    fetching = Fetching(
        base.store,
        base.contents,
        base.open_door(),
        {account.name: Gateway(account.provider.base_url, client.media_headers) for account, client in clients},
        base.clock,
        base.rng,
        limit=media.max,
        keep=media.keep,
        counters=counters,
    )
    fetching.settled = dispatcher.media.settled
    return fetching


def _dispatcher(base: Base, files: Files, counters: Counters) -> Dispatcher:
    handlers = base.config.handlers
    policy = TurnPolicy(
        router=base.router,
        texts=base.texts,
        timeout=handlers.timeout,
        backoff=Backoff(attempts=handlers.attempts),
        slow_concurrency=handlers.slow_concurrency,
        return_after=handlers.return_after or None,
        consent=_consent(base.config, base.router),
        channels=base.config.channels.order,
        guard=_guard(base.config),
    )
    accounts = dict(base.config.accounts)
    if rulebook_of(base.router).jobs():
        accounts[JOBS] = Account(name=JOBS, provider=Nobody(), settings=AccountSettings(provider=Nobody.name))
    return Dispatcher(
        base.store,
        accounts,
        policy,
        base.clock,
        base.rng,
        concurrency=handlers.concurrency,
        executor=base.executor,
        contents=base.contents,
        files=files,
        meter=TurnMeter(base.clock, counters, base.spans),
    )


def _consent(config: Config, router: Router) -> Consent:
    """What is configured, and what the routers add."""
    bots = rulebook_of(router).consent_words()
    words = {name: _words(account.settings, config.consent, bots) for name, account in config.accounts.items()}
    return Consent(words, _quiet(config))


def _quiet(config: Config) -> Quiet | None:
    """The hours in which nothing is begun, if there are some."""
    section = config.consent
    return None if section.quiet_hours is None else Quiet(*section.quiet_hours, ZoneInfo(section.timezone))


def _words(own: AccountSettings, section: ConsentSection, bots: tuple[Mapping[str, str], Iterable[str]]) -> Words:
    """The words of an account: its own, where it has any, else those of all; and beside them the bot's."""
    stop, start = bots
    confirm = section.confirm if own.confirm is None else own.confirm
    words = {**stop, **dict.fromkeys(section.stop if own.stop is None else own.stop, confirm)}
    return Words(words, (*start, *(section.start if own.start is None else own.start)) if words else ())


def _guard(config: Config) -> GuardPolicy:
    """The bounds, and by whom a contact is one of our own accounts."""
    guard = config.guard
    own = [account.names_itself.own_id or "" for account in config.accounts.values() if account.names_itself]
    return GuardPolicy(
        turns_per_minute=guard.turns_per_minute,
        repeats=guard.repeats,
        flood_per_minute=guard.flood_per_minute,
        own=frozenset(map(bare, (*guard.own_contacts, *own))) - {""},
    )
